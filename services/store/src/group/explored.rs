//! The interleavings of callers, subscribers and writer, explored by shuttle.
//!
//! What runs is [`Writes`], [`Groups`], the jobs and the hub as the server has them; only the disk is
//! made up. Every access to it is a place where shuttle may let another thread go on, so each step
//! of the writer can be watched from outside. tokio's channels are polled by shuttle and stand for
//! one step each: they are explored by tokio itself.
//!
//! `SCHEDULES` says how many of each scenario's schedules are tried, with each of two schedulers. A
//! failure prints the schedule that leads to it.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;

use ambient::Timestamp;
use shuttle::future::block_on;
use shuttle::scheduler::{DfsScheduler, PctScheduler, RandomScheduler};
use shuttle::sync::Mutex;
use shuttle::thread::{self, JoinHandle};
use shuttle::{Config, Runner};
use tokio::sync::mpsc;

use super::*;
use crate::{AccountId, Reader, Row, Tx, Value};

const ACCOUNT: AccountId = AccountId(1);
/// Schedules of a scenario for each scheduler, unless told.
const SCHEDULES: usize = 1_500;
/// Enough for formatting an assertion that fails.
const STACK: usize = 256 * 1024;

/// Goes through schedules of `scenario`, at random and with few changes of thread at bad moments.
fn explore(name: &str, scenario: fn()) {
    let told = std::env::var("SCHEDULES").ok();
    let count = told.map_or(SCHEDULES, |count| count.parse().unwrap());
    let random = Runner::new(RandomScheduler::new(count), config()).run(scenario);
    let few = Runner::new(PctScheduler::new(3, count), config()).run(scenario);
    report(name, random + few);
}

/// For `torture models`, which adds them up.
#[expect(clippy::disallowed_macros, reason = "the test's own output")]
fn report(name: &str, schedules: usize) {
    println!("explored: {schedules} schedules, {name}");
}

fn config() -> Config {
    let mut config = Config::new();
    config.stack_size = STACK;
    config
}

/// What the disk does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Plan {
    /// What it should.
    Sound,
    /// Does not confirm the commit with this number, counted from 1, which may be on it or not.
    Breaks { at: usize, landed: bool },
    /// Has no room for more than one closure in a transaction.
    Narrow,
}

#[derive(Debug, Default)]
struct Disk {
    /// What a power cut would leave.
    rows: Vec<i64>,
    /// How many of them were confirmed.
    confirmed: usize,
    commits: usize,
}

struct MemoryEngine {
    disk: Arc<Mutex<Disk>>,
    plan: Plan,
    open: Option<Vec<i64>>,
    crowded: bool,
}

impl Engine for MemoryEngine {
    fn begin(&mut self) -> Result<(), Error> {
        drop(self.disk.lock().unwrap());
        assert!(self.open.is_none(), "a transaction in a transaction");
        self.open = Some(Vec::new());
        self.crowded = false;
        Ok(())
    }

    fn run(&mut self, job: &mut dyn Job) -> Result<Ran, Lost> {
        let open = self.open.as_mut().unwrap();
        let before = open.len();
        let mut tx = MemoryTx {
            disk: &self.disk,
            open,
            events: Vec::new(),
        };
        let wanted = job.run(&mut tx);
        let events = tx.events;
        if self.plan == Plan::Narrow && before > 0 {
            self.crowded = true;
            open.truncate(before);
            return Ok(Ran::Undone(Some(Error::Full)));
        }
        if wanted {
            return Ok(Ran::Kept(events));
        }
        open.truncate(before);
        Ok(Ran::Undone(None))
    }

    fn commit(&mut self) -> Result<(), Lost> {
        let rows = self.open.take().unwrap();
        if self.crowded {
            return Err(Lost::Undone(Error::Full));
        }
        LARGEST.fetch_max(rows.len(), Ordering::Relaxed);
        let mut disk = self.disk.lock().unwrap();
        assert_eq!(disk.confirmed, disk.rows.len(), "a commit after a lost one");
        disk.commits += 1;
        match self.plan {
            Plan::Breaks { at, landed } if at == disk.commits => {
                if landed {
                    disk.rows.extend(rows);
                }
                BROKEN.fetch_add(1, Ordering::Relaxed);
                let cause = std::io::Error::other("not confirmed");
                Err(Lost::Unconfirmed(cause.into()))
            }
            _ => {
                disk.rows.extend(rows);
                disk.confirmed = disk.rows.len();
                Ok(())
            }
        }
    }

    fn roll_back(&mut self) -> Result<(), Error> {
        self.open = None;
        Ok(())
    }

    fn rest(&mut self) {
        drop(self.disk.lock().unwrap());
    }
}

/// The largest group of all schedules: a test in which nobody shares a commit proves little.
static LARGEST: AtomicUsize = AtomicUsize::new(0);
/// Commits that were not confirmed, of all schedules.
static BROKEN: AtomicUsize = AtomicUsize::new(0);

/// Answers an INSERT with the number of rows there will be: the mod-sequence.
struct MemoryTx<'e> {
    disk: &'e Mutex<Disk>,
    open: &'e mut Vec<i64>,
    events: Vec<Event>,
}

impl Reader for MemoryTx<'_> {
    fn query(
        &mut self,
        _: &'static str,
        _: &[Value<'_>],
        _: &mut dyn FnMut(&Row<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        unreachable!("the closures of these tests only write")
    }
}

impl Tx for MemoryTx<'_> {
    fn exec(&mut self, _: &'static str, params: &[Value<'_>]) -> Result<usize, Error> {
        let [Value::Int(row)] = params else {
            unreachable!("one number")
        };
        self.open.push(*row);
        Ok(self.disk.lock().unwrap().rows.len() + self.open.len())
    }

    fn after_commit(&mut self, event: Event) {
        self.events.push(event);
    }

    fn now(&self) -> Timestamp {
        Timestamp::default()
    }
}

/// The queue as shuttle's threads wait for it.
struct Scheduled(mpsc::Receiver<Request>);

impl Requests for Scheduled {
    fn take(&mut self, received: &mut Vec<Request>) -> usize {
        block_on(self.0.recv_many(received, MAX_GROUP))
    }

    fn close(&mut self) {
        self.0.close();
    }
}

/// Dropped with a closure, which is before its answer and after those before it: another thread
/// may go on here.
struct Pause(Arc<Mutex<Disk>>);

impl Drop for Pause {
    fn drop(&mut self) {
        drop(self.0.lock());
    }
}

/// A store in memory with its writer running.
#[derive(Clone)]
struct World {
    writes: Arc<Writes>,
    shared: Arc<Shared>,
    disk: Arc<Mutex<Disk>>,
}

impl World {
    fn new(plan: Plan) -> (Self, JoinHandle<()>) {
        let (shared, disk) = (Arc::new(Shared::new()), Arc::default());
        let (writes, requests) = Writes::new(Arc::clone(&shared));
        let engine = MemoryEngine {
            disk: Arc::clone(&disk),
            plan,
            open: None,
            crowded: false,
        };
        let mut groups = Groups {
            engine,
            shared: Arc::clone(&shared),
        };
        let writer = thread::spawn(move || groups.run(&mut Scheduled(requests)));
        let world = Self {
            writes: Arc::new(writes),
            shared,
            disk,
        };
        (world, writer)
    }

    /// Writes a number and answers its mod-sequence; a negative one makes its closure fail after it
    /// has written.
    async fn write(&self, number: i64) -> Result<u64, Error> {
        let pause = Pause(Arc::clone(&self.disk));
        let closure = move |tx: &mut dyn Tx| {
            let _captured = &pause;
            let modseq = tx.exec("INSERT", &[number.into()])?.try_into().unwrap();
            tx.after_commit(Event::Mail {
                account: ACCOUNT,
                modseq,
            });
            tx.after_commit(Event::Queue);
            if number < 0 { Err(OWN) } else { Ok(modseq) }
        };
        self.writes.write(closure).await
    }

    fn rows(&self) -> Vec<i64> {
        self.disk.lock().unwrap().rows.clone()
    }

    fn is_confirmed(&self, number: i64) -> bool {
        let disk = self.disk.lock().unwrap();
        disk.rows[..disk.confirmed].contains(&number)
    }

    /// Writes in a thread of its own and looks at the disk when the answer comes.
    fn caller(&self, number: i64) -> JoinHandle<Result<u64, Error>> {
        let world = self.clone();
        thread::spawn(move || {
            let news = world.shared.hub.watch_account(ACCOUNT);
            let answer = block_on(world.write(number));
            if let Ok(modseq) = answer {
                assert!(*news.borrow() >= modseq, "{number} was announced too late");
                assert!(
                    world.is_confirmed(number),
                    "{number} was answered too early"
                );
            } else {
                assert!(
                    !world.is_confirmed(number),
                    "{number} is there all the same"
                );
            }
            answer
        })
    }

    /// A session in IDLE: looks whenever there is news until it has seen `rows` of them.
    fn idle(&self, rows: usize) -> JoinHandle<()> {
        let world = self.clone();
        thread::spawn(move || {
            let mut news = world.shared.hub.watch_account(ACCOUNT);
            news.mark_unchanged();
            let (mut newest, mut seen) = (0, world.rows().len());
            while seen < rows {
                block_on(news.changed()).unwrap();
                let announced = *news.borrow_and_update();
                assert!(announced > newest, "{announced} after {newest}");
                newest = announced;
                seen = world.rows().len();
                assert!(seen as u64 >= announced, "announced before the commit");
            }
        })
    }

    /// Lets the last handle go, upon which the writer ends.
    fn end(self, writer: JoinHandle<()>) -> Arc<Mutex<Disk>> {
        let Self { writes, disk, .. } = self;
        assert_eq!(Arc::strong_count(&writes), 1, "nobody else writes");
        drop(writes);
        writer.join().unwrap();
        disk
    }
}

/// Lets a write get into the queue, where there is room.
async fn hand_in(mut write: Pin<&mut impl Future>) {
    std::future::poll_fn(|context| {
        let _ = write.as_mut().poll(context);
        Poll::Ready(())
    })
    .await;
}

/// The error of a closure.
const OWN: Error = Error::Column {
    index: 0,
    expected: "something else",
};

fn sound(callers: &[i64], sessions: usize) {
    let (world, writer) = World::new(Plan::Sound);
    let kept = callers.iter().filter(|number| **number > 0).count();
    let queue = world.shared.hub.queue();
    let sessions: Vec<_> = (0..sessions).map(|_| world.idle(kept)).collect();
    let answers: Vec<_> = callers.iter().map(|number| world.caller(*number)).collect();
    for (number, answer) in callers.iter().zip(answers) {
        match answer.join().unwrap() {
            Ok(modseq) => assert!(*number > 0 && modseq <= kept as u64),
            Err(error) => assert!(*number < 0 && matches!(error, Error::Column { .. })),
        }
    }
    for session in sessions {
        session.join().unwrap();
    }
    assert_eq!(*queue.borrow(), kept as u64, "each commit is counted once");
    let counted = world.shared.counters.snapshot();
    assert_eq!(counted.writes, kept as u64);
    assert_eq!(counted.undone, (callers.len() - kept) as u64);
    let disk = world.end(writer);
    let mut rows = std::mem::take(&mut disk.lock().unwrap().rows);
    rows.sort_unstable();
    let mut expected: Vec<_> = callers.iter().copied().filter(|row| *row > 0).collect();
    expected.sort_unstable();
    assert_eq!(rows, expected, "each of them once, and no other");
}

#[test]
fn a_write_is_answered_after_its_commit_and_its_news_come_in_between() {
    explore("sound disk", || sound(&[1, 2, -3, 4], 2));
    assert!(
        LARGEST.load(Ordering::Relaxed) > 1,
        "no two shared a commit"
    );
}

#[test]
fn every_schedule_of_one_caller_keeps_the_order() {
    let every = Runner::new(DfsScheduler::new(None, false), config()).run(|| sound(&[1], 0));
    report("one caller, all there are", every);
}

/// Three write; the commit that is not confirmed takes its whole group with it.
fn breaks(at: usize, landed: bool) {
    let (world, writer) = World::new(Plan::Breaks { at, landed });
    let news = world.shared.hub.watch_account(ACCOUNT);
    let callers: Vec<_> = [1, 2, 3].map(|number| world.caller(number)).into();
    let answers: Vec<_> = callers.into_iter().map(|caller| caller.join()).collect();
    let answered = answers.iter().filter(|answer| matches!(answer, Ok(Ok(_))));
    let answered = answered.count();
    assert!(
        answers
            .iter()
            .all(|answer| matches!(answer, Ok(Ok(_) | Err(Error::Failed)))),
        "{answers:?}"
    );
    let (confirmed, commits) = {
        let disk = world.disk.lock().unwrap();
        (disk.confirmed, disk.commits)
    };
    assert_eq!(
        answered, confirmed,
        "who is on the disk for sure was told so"
    );
    let newest = *news.borrow();
    assert_eq!(newest, confirmed as u64, "what was lost is not announced");
    if world.shared.is_failed() {
        let refused = block_on(world.write(4));
        assert!(matches!(refused, Err(Error::Failed)), "{refused:?}");
        assert_eq!(world.disk.lock().unwrap().commits, commits);
        assert!(!world.rows().contains(&4));
    } else {
        assert!(commits < at);
    }
    world.end(writer);
}

#[test]
fn a_commit_that_is_not_confirmed_answers_its_group_with_an_error_and_is_the_last() {
    explore("first commit breaks", || breaks(1, false));
    explore("second commit breaks", || breaks(2, false));
    explore("second commit breaks, but landed", || breaks(2, true));
    assert!(BROKEN.load(Ordering::Relaxed) > 0, "no commit broke");
}

#[test]
fn who_fits_alone_does_not_fail_because_of_neighbours() {
    explore("full disk", || {
        let (world, writer) = World::new(Plan::Narrow);
        let session = world.idle(3);
        let callers = [1, 2, -3, 4].map(|number| (number, world.caller(number)));
        for (number, caller) in callers {
            assert_eq!(caller.join().unwrap().is_ok(), number > 0, "{number}");
        }
        session.join().unwrap();
        world.end(writer);
    });
}

#[test]
fn whoever_was_let_in_before_the_end_is_answered() {
    explore("closing", || {
        let (world, writer) = World::new(Plan::Sound);
        let callers = [1, 2].map(|number| world.caller(number));
        block_on(async {
            let mut before = std::pin::pin!(world.write(3));
            hand_in(before.as_mut()).await;
            world.writes.close().await;
            before.await.unwrap();
        });
        for caller in callers {
            let answer = caller.join().unwrap();
            assert!(matches!(answer, Ok(_) | Err(Error::Closed)), "{answer:?}");
        }
        writer.join().unwrap();
        let late = block_on(world.write(4));
        assert!(matches!(late, Err(Error::Closed)), "{late:?}");
    });
}

#[test]
fn a_write_nobody_waits_for_any_more_happens_whole_or_not_at_all() {
    explore("impatient callers", || {
        let (world, writer) = World::new(Plan::Sound);
        let impatient = [1, 2].map(|number| {
            let world = world.clone();
            thread::spawn(move || {
                block_on(hand_in(std::pin::pin!(world.write(number))));
            })
        });
        let patient = world.caller(3);
        for caller in impatient {
            caller.join().unwrap();
        }
        patient.join().unwrap().unwrap();
        let disk = world.end(writer);
        let mut rows = std::mem::take(&mut disk.lock().unwrap().rows);
        rows.sort_unstable();
        assert_eq!(rows, [1, 2, 3], "they were handed in");
    });
}

#[test]
fn sessions_come_and_go_without_taking_the_news_from_each_other() {
    explore("sessions come and go", || {
        let (world, writer) = World::new(Plan::Sound);
        let gone = world.clone();
        let fleeting = thread::spawn(move || {
            for _ in 0..2 {
                let news = gone.shared.hub.watch_account(ACCOUNT);
                let copy = news.clone();
                let rows = gone.rows().len() as u64;
                assert!(*copy.borrow() <= rows + 1);
                drop(news);
                thread::yield_now();
            }
        });
        let stays = [world.idle(2), world.idle(2)];
        let callers = [1, 2].map(|number| world.caller(number));
        for caller in callers {
            caller.join().unwrap().unwrap();
        }
        for session in stays {
            session.join().unwrap();
        }
        fleeting.join().unwrap();
        world.end(writer);
    });
}

#[test]
fn a_writer_that_panics_has_failed_before_anybody_misses_an_answer() {
    struct Panics;
    impl Engine for Panics {
        fn begin(&mut self) -> Result<(), Error> {
            panic!("a mistake in the engine")
        }
        fn run(&mut self, _: &mut dyn Job) -> Result<Ran, Lost> {
            unreachable!()
        }
        fn commit(&mut self) -> Result<(), Lost> {
            unreachable!()
        }
        fn roll_back(&mut self) -> Result<(), Error> {
            unreachable!()
        }
        fn rest(&mut self) {}
    }
    /// Dropped with the group's closures, as their answers are.
    struct Dropped(Arc<Shared>);
    impl Drop for Dropped {
        fn drop(&mut self) {
            SEEN.store(self.0.is_failed().into(), Ordering::Relaxed);
        }
    }
    static SEEN: AtomicUsize = AtomicUsize::new(2);
    let shared = Arc::new(Shared::new());
    let (writes, mut requests) = Writes::new(Arc::clone(&shared));
    let mut groups = Groups {
        engine: Panics,
        shared: Arc::clone(&shared),
    };
    let writer = std::thread::spawn(move || groups.run(&mut requests));
    let dropped = Dropped(Arc::clone(&shared));
    let answer: Result<(), Error> = writes.write_blocking(move |_| {
        let _ = &dropped;
        Ok(())
    });
    assert!(matches!(answer, Err(Error::Failed)), "{answer:?}");
    writer.join().unwrap_err();
    assert_eq!(SEEN.load(Ordering::Relaxed), 1, "failed first");
}
