//! Nobody is asked about our own domains or private addresses, nor in names that are none; what
//! lists answer, at random, becomes signals within the limits.
#![no_main]

use std::net::{IpAddr, Ipv4Addr};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ambient::{FakeClock, Timestamp};
use blocklist::{Blocklist, Config, Host, Question};
use dns::{Absence, Error, Mx, Resolver};
use libfuzzer_sys::fuzz_target;
use smtp::Domain;
use tokio::runtime::Builder;

type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<Vec<T>, Error>> + Send + 'a>>;

const OWN: &str = "example.org";

/// Answers whatever it is told, and looks at what it is asked.
#[derive(Debug)]
struct Lists {
    answer: Option<Ipv4Addr>,
    /// No foreign host has a name that goes on behind ours.
    guards_own: bool,
    /// How names about private addresses begin.
    private: Vec<String>,
    asked: AtomicUsize,
}

impl Lists {
    fn look_at(&self, name: &str) {
        self.asked.fetch_add(1, Ordering::Relaxed);
        assert!(name.len() <= 253, "{name}");
        assert!(
            name.split('.').all(|label| (1..=63).contains(&label.len())),
            "{name}"
        );
        let is_own = name.starts_with("example.org.") || name.contains(".example.org.");
        assert!(!(is_own && self.guards_own) && name.is_ascii(), "{name}");
        assert!(
            !self.private.iter().any(|start| name.starts_with(start)),
            "{name}"
        );
    }

    fn answer<T>(&self, record: impl Fn(Ipv4Addr) -> T) -> Result<Vec<T>, Error> {
        match self.answer {
            Some(address) => Ok(vec![record(address)]),
            None => Err(Error::NoRecords(Absence::NoSuchName)),
        }
    }
}

impl Resolver for Lists {
    fn mx<'a>(&'a self, domain: &'a Domain) -> Answer<'a, Mx> {
        let exchange = domain.clone();
        Box::pin(async move {
            self.answer(|_| Mx {
                preference: 1,
                exchange: exchange.clone(),
            })
        })
    }

    fn addresses<'a>(&'a self, _: &'a Domain) -> Answer<'a, IpAddr> {
        Box::pin(async { self.answer(IpAddr::from) })
    }

    fn list_addresses<'a>(&'a self, name: &'a str) -> Answer<'a, Ipv4Addr> {
        Box::pin(async {
            self.look_at(name);
            self.answer(|address| address)
        })
    }

    fn txt<'a>(&'a self, name: &'a str) -> Answer<'a, String> {
        Box::pin(async {
            self.look_at(name);
            self.answer(|address| format!("{address} | 192.0.2.0/24 | DE"))
        })
    }

    fn ptr(&self, _: IpAddr) -> Answer<'_, Domain> {
        Box::pin(async { Err(Error::NoRecords(Absence::NoData)) })
    }
}

/// RFC 5782 §2.1, §5: how the name about an address begins, if the address is nobody's business and no
/// host is called like that. Of 127.0.0.1 lists are asked to see whether they are in order.
fn private(octets: [u8; 4], text: &str) -> Option<String> {
    let [a, b, c, d] = octets;
    let name = format!("{d}.{c}.{b}.{a}");
    let is_private = matches!((a, b), (10, _) | (192, 168) | (172, 16..=31));
    (is_private && !text.contains(&name)).then(|| name + ".")
}

fuzz_target!(|input: (Option<[u8; 4]>, [u8; 4], Vec<[u8; 4]>, &str)| {
    let (answer, client, received, text) = input;
    let lists = Arc::new(Lists {
        answer: answer.map(Ipv4Addr::from),
        guards_own: !text.to_lowercase().contains("example.org."),
        private: received
            .iter()
            .chain([&client])
            .filter_map(|&of| private(of, text))
            .collect(),
        asked: AtomicUsize::new(0),
    });
    let clock = Arc::new(FakeClock::new(Timestamp(1_767_225_600)));
    let config = Config {
        origin: "origin.test".to_owned(),
        ..Config::default()
    };
    let most = config.questions;
    let blocklist = Blocklist::new(lists.clone(), clock, config).expect("a configuration");
    let received: Vec<IpAddr> = received.into_iter().map(IpAddr::from).collect();
    let lines: Vec<&str> = text.lines().collect();
    let hosts: Vec<Host<'_>> = lines.iter().map(|name| Host::new(name, name)).collect();
    let host = |at: usize| hosts.get(at).copied();
    let question = Question {
        client: Some(client.into()),
        helo: host(0),
        hostname: host(1),
        envelope: host(2),
        authors: hosts.get(3..5).unwrap_or_default(),
        reply_to: hosts.get(5..6).unwrap_or_default(),
        dkim: hosts.get(4..7).unwrap_or_default(),
        links: &hosts,
        emails: &lines,
        received: &received,
        own: &[OWN],
    };
    let runtime = Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime");
    let said = runtime.block_on(blocklist.look_up(&question));
    assert!(lists.asked.load(Ordering::Relaxed) <= most);
    let symbols: Vec<&str> = blocklist.symbols().iter().map(|symbol| symbol.0).collect();
    for signal in &said.signals {
        assert!(
            symbols.contains(&signal.symbol.as_str()),
            "{}",
            signal.symbol
        );
        assert!(signal.score.is_finite() && signal.options.len() <= 5);
    }
});
