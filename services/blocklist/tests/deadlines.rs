//! Time and concurrency, with a resolver that answers when it is told to and a clock that jumps.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ambient::{FakeClock, Timestamp};
use blocklist::{Ask, Blocklist, Code, Config, List, Question};
use dns::{Absence, Error, Mx, Resolver};
use futures_util::future::BoxFuture;
use smtp::address::Domain;

/// Answers every question after a delay.
#[derive(Debug, Default)]
struct Slow {
    delays: Mutex<HashMap<&'static str, Duration>>,
    asked: AtomicUsize,
    now: AtomicUsize,
    most: AtomicUsize,
    dropped: AtomicUsize,
}

struct Running<'a>(&'a Slow, bool);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.now.fetch_sub(1, Ordering::SeqCst);
        if !self.1 {
            self.0.dropped.fetch_add(1, Ordering::SeqCst);
        }
    }
}

impl Resolver for Slow {
    fn mx<'a>(&'a self, _: &'a Domain) -> BoxFuture<'a, Result<Vec<Mx>, Error>> {
        unreachable!("mail hosts are not asked for")
    }

    fn addresses<'a>(&'a self, _: &'a Domain) -> BoxFuture<'a, Result<Vec<IpAddr>, Error>> {
        unreachable!("no host is resolved")
    }

    fn list_addresses<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Vec<Ipv4Addr>, Error>> {
        let delays = self.delays.lock().unwrap();
        let delay = delays
            .iter()
            .find(|(zone, _)| name.ends_with(**zone))
            .map_or(Duration::ZERO, |(_, delay)| *delay);
        let test_entry = name.starts_with("1.0.0.127.");
        Box::pin(async move {
            self.asked.fetch_add(1, Ordering::SeqCst);
            let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
            self.most.fetch_max(now, Ordering::SeqCst);
            let mut running = Running(self, false);
            tokio::time::sleep(delay).await;
            running.1 = true;
            if test_entry {
                Err(Error::NoRecords(Absence::NoSuchName))
            } else {
                Ok(vec![Ipv4Addr::new(127, 0, 0, 2)])
            }
        })
    }

    fn txt<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Vec<String>, Error>> {
        unreachable!("no origin is asked for")
    }

    fn ptr(&self, _: IpAddr) -> BoxFuture<'_, Result<Vec<Domain>, Error>> {
        unreachable!("no name of an address is asked for")
    }
}

fn list(zone: &str) -> List {
    List {
        name: zone.to_owned(),
        zone: zone.to_owned(),
        keyed_zone: None,
        asks: vec![Ask::Client, Ask::Received],
        codes: vec![Code {
            code: "127.0.0.2".parse().unwrap(),
            symbol: format!("BAD_{}", zone.to_ascii_uppercase()),
            score: 1.0,
            description: String::new(),
        }],
        refusals: Vec::new(),
        blocked: "BLOCKED".to_owned(),
        enabled: true,
        note: String::new(),
        ipv6: false,
        literals: false,
        email_hash: None,
    }
}

fn rig(zones: &[&str], change: impl FnOnce(&mut Config)) -> (Arc<Slow>, Arc<FakeClock>, Blocklist) {
    let resolver = Arc::new(Slow::default());
    let clock = Arc::new(FakeClock::new(Timestamp(1_700_000_000)));
    let mut config = Config {
        lists: zones.iter().map(|zone| list(zone)).collect(),
        mail_hosts: false,
        ..Config::default()
    };
    change(&mut config);
    let blocklist = Blocklist::new(resolver.clone(), clock.clone(), config).unwrap();
    (resolver, clock, blocklist)
}

fn client(address: &str) -> Question<'static> {
    Question {
        client: Some(address.parse().unwrap()),
        ..Question::default()
    }
}

fn delay(resolver: &Slow, zone: &'static str, seconds: u64) {
    let seconds = Duration::from_secs(seconds);
    resolver.delays.lock().unwrap().insert(zone, seconds);
}

#[tokio::test(start_paused = true)]
async fn the_deadline_holds_and_what_came_counts() {
    let (resolver, _, blocklist) = rig(&["dead", "two", "one"], |_| {});
    delay(&resolver, "dead", 3_600);
    delay(&resolver, "two", 2);
    delay(&resolver, "one", 1);
    let answer = blocklist.look_up(&client("192.0.2.1")).await;
    assert!(answer.timed_out);
    // Time stands still but for sleeping, so this is exact.
    assert_eq!(answer.elapsed, Duration::from_millis(2_500));
    let symbols: Vec<_> = answer.signals.iter().map(|s| s.symbol.as_str()).collect();
    assert_eq!(symbols, ["BAD_TWO", "BAD_ONE", "DNS_TIMEOUT"]);
    // Nobody waits for it any longer.
    assert_eq!(resolver.dropped.load(Ordering::SeqCst), 2);
}

#[tokio::test(start_paused = true)]
async fn all_lists_are_asked_at_once() {
    let (resolver, _, blocklist) = rig(&["a", "b", "c"], |_| {});
    for zone in ["a", "b", "c"] {
        delay(&resolver, zone, 2);
    }
    let answer = blocklist.look_up(&client("192.0.2.1")).await;
    assert_eq!(answer.elapsed, Duration::from_secs(2));
    assert_eq!(answer.signals.len(), 3);
    assert_eq!(resolver.most.load(Ordering::SeqCst), 6);
}

#[tokio::test(start_paused = true)]
async fn a_message_asks_only_so_much_at_once() {
    let (resolver, _, blocklist) = rig(&["a"], |config| {
        config.parallel = 2;
        config.received = 9;
        config.deadline = 60_000;
    });
    delay(&resolver, "a", 1);
    let received: Vec<IpAddr> = (1..=7)
        .map(|last| IpAddr::from([192, 0, 2, last]))
        .collect();
    let question = Question {
        received: &received,
        ..Question::default()
    };
    let answer = blocklist.look_up(&question).await;
    assert_eq!(answer.elapsed, Duration::from_secs(4));
    assert_eq!(resolver.most.load(Ordering::SeqCst), 2);
    assert_eq!(answer.signals[0].options.len(), 5);
}

#[tokio::test(start_paused = true)]
async fn the_same_question_at_once_is_asked_once() {
    let (resolver, _, blocklist) = rig(&["a"], |_| {});
    delay(&resolver, "a", 1);
    let question = client("192.0.2.1");
    let (one, two) = tokio::join!(blocklist.look_up(&question), blocklist.look_up(&question));
    assert_eq!(one.signals, two.signals);
    assert_eq!(
        resolver.asked.load(Ordering::SeqCst),
        2,
        "the entry and the test entry"
    );
}

#[tokio::test(start_paused = true)]
async fn who_gives_up_does_not_take_the_answer_from_who_waits() {
    let (resolver, _, blocklist) = rig(&["a"], |_| {});
    delay(&resolver, "a", 2);
    let impatient = tokio::spawn({
        let blocklist = blocklist.clone();
        async move { blocklist.look_up(&client("192.0.2.1")).await }
    });
    tokio::time::sleep(Duration::from_secs(1)).await;
    let patient = tokio::spawn({
        let blocklist = blocklist.clone();
        async move { blocklist.look_up(&client("192.0.2.1")).await }
    });
    tokio::time::sleep(Duration::from_millis(500)).await;
    impatient.abort();
    let answer = patient.await.unwrap();
    assert_eq!(answer.signals[0].symbol, "BAD_A");
    assert_eq!(answer.elapsed, Duration::from_secs(1));
    assert_eq!(resolver.asked.load(Ordering::SeqCst), 2);
    assert!(impatient.await.unwrap_err().is_cancelled());
}

#[tokio::test(start_paused = true)]
async fn a_list_that_stays_silent_is_left_alone_and_tried_again() {
    let (resolver, clock, blocklist) = rig(&["dead"], |_| {});
    delay(&resolver, "dead", 3_600);
    let timed_out = async |address: u8| {
        let question = Question {
            client: Some(IpAddr::from([192, 0, 2, address])),
            ..Question::default()
        };
        let answer = blocklist.look_up(&question).await;
        assert_eq!(answer.signals[0].symbol, "DNS_TIMEOUT");
        answer.timed_out
    };
    for address in 1..=8 {
        assert!(timed_out(address).await);
    }
    assert!(!timed_out(9).await, "said without asking");
    clock.advance(Duration::from_secs(60));
    assert!(timed_out(10).await);
    assert!(!timed_out(11).await, "one failure is enough now");
    clock.advance(Duration::from_secs(60));
    delay(&resolver, "dead", 0);
    let answer = blocklist.look_up(&client("192.0.2.12")).await;
    assert_eq!(answer.signals[0].symbol, "BAD_DEAD");
}

#[tokio::test(start_paused = true)]
async fn the_cache_stays_within_its_bounds() {
    let (resolver, _, blocklist) = rig(&["a"], |config| config.cache = 8);
    let ask = async |last: u8| {
        let question = Question {
            client: Some(IpAddr::from([192, 0, 2, last])),
            ..Question::default()
        };
        let before = resolver.asked.load(Ordering::SeqCst);
        let _ = blocklist.look_up(&question).await;
        resolver.asked.load(Ordering::SeqCst) - before
    };
    assert_eq!(ask(1).await, 2);
    assert_eq!(ask(1).await, 0);
    for last in 2..=12 {
        ask(last).await;
    }
    assert!(ask(1).await > 0, "forgotten for the later ones");
}
