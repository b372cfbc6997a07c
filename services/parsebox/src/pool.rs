//! The server's side: workers that wait, those that hang, those that ended.

use std::fmt;
use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream as Socket;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::net::UnixStream;
use tokio::sync::Semaphore;

use crate::job::{Answer, Finding, Item, Job};
use crate::keeper::Keeper;
use crate::wire;

/// Octets of a job up to which it is read at once where there are no workers, without a thread.
const INLINE: usize = 64 * 1024;
/// Octets of a job from which on its worker is not used again: it keeps the memory.
const LARGE: usize = 4 << 20;
/// How long a job may take, on a machine that has other things to do as well. The kernel ends a worker
/// that computes for 5 s.
const DEADLINE: Duration = Duration::from_secs(30);
/// How long a worker waits for the next job.
const IDLE: Duration = Duration::from_secs(60);
/// How many contents of one message may end their reader; the rest is not read then.
const MAX_LOST: usize = 3;

/// Reads pages and attachments, in workers if there are any. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Parsebox(Option<Arc<Pool>>);

/// Whoever starts workers.
pub(crate) trait Nursery: fmt::Debug + Send + Sync {
    /// Starts one that answers at `channel`; its number.
    fn start(&self, channel: &Socket) -> io::Result<i32>;
    /// Ends one, and says how it had ended if it had.
    fn end(&self, number: i32) -> String;
}

#[derive(Debug)]
struct Pool {
    nursery: Arc<dyn Nursery>,
    idle: Mutex<Vec<Worker>>,
    permits: Semaphore,
    /// Workers could not be started, and it was said.
    is_gone: AtomicBool,
}

#[derive(Debug)]
struct Worker {
    channel: UnixStream,
    number: i32,
    since: Instant,
}

/// Why there are no findings.
enum Failure {
    /// Whoever read the contents is no more.
    Lost(String),
    /// There is nobody to read them.
    NoWorker(io::Error),
}

impl Parsebox {
    /// Reads in this process: for tools, tests, and systems that start no workers.
    #[must_use]
    pub const fn in_process() -> Self {
        Self(None)
    }

    /// Reads in workers that `keeper` starts: as many as there are processors, when they are needed.
    /// Must be called in a runtime.
    #[must_use]
    pub fn new(keeper: Arc<Keeper>) -> Self {
        let processors = std::thread::available_parallelism().map_or(2, usize::from);
        Self::with(keeper, processors)
    }

    pub(crate) fn with(nursery: Arc<dyn Nursery>, workers: usize) -> Self {
        let pool = Arc::new(Pool {
            nursery,
            idle: Mutex::default(),
            permits: Semaphore::new(workers),
            is_gone: AtomicBool::new(false),
        });
        tokio::spawn(send_home(Arc::downgrade(&pool)));
        Self(Some(pool))
    }

    /// Reads everything. What ends its reader is missing in the answer, and a warning in the log.
    pub async fn read(&self, job: Job) -> Answer {
        match &self.0 {
            _ if job.items().next().is_none() => Answer::default(),
            Some(pool) => pool.read(job).await,
            None => in_process(job).await,
        }
    }
}

/// Reads in this process; what takes long, on a thread of its own.
async fn in_process(job: Job) -> Answer {
    if job.octets() <= INLINE {
        return job.read();
    }
    tokio::task::spawn_blocking(move || job.read())
        .await
        .unwrap_or_else(|error| {
            tracing::error!(%error, "contents of a message could not be read");
            Answer::default()
        })
}

/// Lets workers end that have waited long enough, as long as there is a pool.
async fn send_home(pool: Weak<Pool>) {
    loop {
        tokio::time::sleep(IDLE / 2).await;
        let Some(pool) = pool.upgrade() else { return };
        pool.idle().retain(|worker| worker.since.elapsed() < IDLE);
    }
}

impl Pool {
    fn idle(&self) -> MutexGuard<'_, Vec<Worker>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn read(&self, job: Job) -> Answer {
        let items: Vec<Item<'_>> = job.items().collect();
        match self.attempt(&items, self.worker()).await {
            Ok(findings) => collect(&items, findings),
            // One of them may have been the reason, and the others must not go with it; or none,
            // and the worker had ended while it waited.
            Err(Failure::Lost(_)) => self.one_by_one(&items).await,
            Err(Failure::NoWorker(error)) => {
                if !self.is_gone.swap(true, Ordering::Relaxed) {
                    tracing::error!(%error, "no parse workers: mail is read in the server itself");
                }
                drop(items);
                in_process(job).await
            }
        }
    }

    /// Has each content read by a worker that has just started.
    async fn one_by_one(&self, items: &[Item<'_>]) -> Answer {
        let mut answer = Answer::default();
        for item in items {
            if answer.lost() >= MAX_LOST {
                answer.add(*item, None);
                continue;
            }
            let finding = match self.attempt(std::slice::from_ref(item), self.start()).await {
                Ok(findings) => findings.into_iter().next(),
                Err(Failure::Lost(reason)) => {
                    tell(&reason);
                    None
                }
                Err(Failure::NoWorker(_)) => Some(item.read()),
            };
            answer.add(*item, finding);
        }
        answer
    }

    /// Has a worker read some contents.
    async fn attempt(
        &self,
        items: &[Item<'_>],
        worker: impl Future<Output = io::Result<Worker>>,
    ) -> Result<Vec<Finding>, Failure> {
        // Never closed.
        let _permit = self.permits.acquire().await;
        let mut worker = worker.await.map_err(Failure::NoWorker)?;
        let asked = tokio::time::timeout(DEADLINE, worker.ask(items)).await;
        let reason = match asked {
            Ok(Ok(findings)) if fits(items, &findings) => {
                self.put_back(worker, items, &findings);
                return Ok(findings);
            }
            Ok(Ok(_)) => "an answer to something else".to_owned(),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "no answer in time".to_owned(),
        };
        let nursery = Arc::clone(&self.nursery);
        let ended = tokio::task::spawn_blocking(move || nursery.end(worker.number)).await;
        let ended = ended.unwrap_or_default();
        Err(Failure::Lost(format!("{reason} ({ended})")))
    }

    async fn worker(&self) -> io::Result<Worker> {
        let waiting = self.idle().pop();
        match waiting {
            Some(worker) => Ok(worker),
            None => self.start().await,
        }
    }

    async fn start(&self) -> io::Result<Worker> {
        let (ours, theirs) = Socket::pair()?;
        ours.set_nonblocking(true)?;
        let nursery = Arc::clone(&self.nursery);
        let number = tokio::task::spawn_blocking(move || nursery.start(&theirs))
            .await
            .map_err(io::Error::other)??;
        self.is_gone.store(false, Ordering::Relaxed);
        Ok(Worker {
            channel: UnixStream::from_std(ours)?,
            number,
            since: Instant::now(),
        })
    }

    fn put_back(&self, mut worker: Worker, items: &[Item<'_>], findings: &[Finding]) {
        let unpacked = findings.iter().map(|finding| match finding {
            Finding::Report(report) => report.unpacked,
            Finding::Page(_) | Finding::Failed(_) => 0,
        });
        let content = items.iter().map(|item| item.content().len());
        if content.chain(unpacked).fold(0, usize::saturating_add) < LARGE {
            worker.since = Instant::now();
            self.idle().push(worker);
        }
    }
}

impl Worker {
    async fn ask(&mut self, items: &[Item<'_>]) -> io::Result<Vec<Finding>> {
        wire::send_job(&mut self.channel, items).await?;
        wire::receive_answer(&mut self.channel).await
    }
}

/// Whether these findings can be those of these contents.
fn fits(items: &[Item<'_>], findings: &[Finding]) -> bool {
    let mut pairs = items.iter().zip(findings);
    items.len() == findings.len() && pairs.all(|(item, finding)| item.allows(finding))
}

fn collect(items: &[Item<'_>], findings: Vec<Finding>) -> Answer {
    let mut answer = Answer::default();
    let mut findings = findings.into_iter();
    for item in items {
        let finding = findings.next();
        if let Some(Finding::Failed(place)) = &finding {
            tell(place);
        }
        answer.add(*item, finding);
    }
    answer
}

/// One line for each content that was lost; it is the operator's only trace of an attack.
fn tell(reason: &str) {
    tracing::warn!(reason, "a part of a message ended its reader");
}

impl Nursery for Keeper {
    fn start(&self, channel: &Socket) -> io::Result<i32> {
        self.start_worker(channel.as_fd())
    }

    fn end(&self, number: i32) -> String {
        match self.end_worker(number) {
            Ok(status) => status.to_string(),
            Err(error) => error.to_string(),
        }
    }
}
