//! Lists, origins and mail hosts over a real resolver, against a zone in memory.
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use ambient::{FakeClock, Timestamp};
use blocklist::{Answer, Ask, Blocklist, Code, Config, EmailHash, Host, List, Question, Refusal};
use dns::{System, Zone, ZoneServer};

struct Rig {
    zone: Arc<Zone>,
    clock: Arc<FakeClock>,
    blocklist: Blocklist,
    server: ZoneServer,
}

fn list(name: &str, asks: &[Ask], codes: &[(&str, &str, f32)]) -> List {
    List {
        name: name.to_owned(),
        zone: format!("{name}.test"),
        keyed_zone: None,
        asks: asks.to_vec(),
        codes: codes
            .iter()
            .map(|&(code, symbol, score)| Code {
                code: code.parse().unwrap(),
                symbol: symbol.to_owned(),
                score,
                description: String::new(),
            })
            .collect(),
        refusals: vec![Refusal {
            code: "127.255.255.252-255".parse().unwrap(),
            reason: "asked too often".to_owned(),
        }],
        blocked: format!("{}_BLOCKED", name.to_ascii_uppercase()),
        enabled: true,
        note: String::new(),
        ipv6: true,
        literals: true,
        email_hash: Some(EmailHash::Sha1),
    }
}

fn bad(asks: &[Ask]) -> List {
    list(
        "bad",
        asks,
        &[("127.0.0.2", "BAD", 3.0), ("127.0.0.&4", "WORSE", 5.0)],
    )
}

impl Rig {
    async fn new(lists: Vec<List>) -> Self {
        Self::with(Config {
            lists,
            mail_hosts: false,
            // Far more than a loopback answer takes, far less than the resolver's own patience.
            deadline: 1_500,
            ..Config::default()
        })
        .await
    }

    async fn with(config: Config) -> Self {
        let zone = Arc::new(Zone::new());
        let server = ZoneServer::loopback(zone.clone()).await.unwrap();
        // The resolver's own cache is to forget at once, so that ours is what is seen.
        zone.set_ttl(0);
        let resolver = Arc::new(System::new(&[server.local_addr()]).unwrap());
        let clock = Arc::new(FakeClock::new(Timestamp(1_700_000_000)));
        let blocklist = Blocklist::new(resolver, clock.clone(), config).unwrap();
        Self {
            zone,
            clock,
            blocklist,
            server,
        }
    }

    fn entry(&self, name: &str, answer: [u8; 4]) -> &Self {
        self.zone.a(name, Ipv4Addr::from(answer));
        self
    }

    async fn client(&self, address: &str) -> Answer {
        let question = Question {
            client: Some(address.parse().unwrap()),
            ..Question::default()
        };
        self.blocklist.look_up(&question).await
    }
}

fn symbols(answer: &Answer) -> Vec<(&str, f32)> {
    let signals = answer.signals.iter();
    signals
        .map(|signal| (signal.symbol.as_str(), signal.score))
        .collect()
}

fn options<'a>(answer: &'a Answer, symbol: &str) -> Vec<&'a str> {
    let signal = answer.signals.iter().find(|signal| signal.symbol == symbol);
    let signal = signal.unwrap_or_else(|| panic!("no {symbol} in {answer:?}"));
    signal.options.iter().map(String::as_str).collect()
}

const NONE: [(&str, f32); 0] = [];

#[tokio::test]
async fn codes_become_symbols() {
    let rig = Rig::new(vec![bad(&[Ask::Client])]).await;
    rig.entry("1.2.0.192.bad.test", [127, 0, 0, 2])
        .entry("2.2.0.192.bad.test", [127, 0, 0, 2])
        .entry("2.2.0.192.bad.test", [127, 0, 0, 12])
        .entry("3.2.0.192.bad.test", [127, 0, 0, 99]);
    let one = rig.client("192.0.2.1").await;
    assert_eq!(symbols(&one), [("BAD", 3.0)]);
    assert_eq!(options(&one, "BAD"), ["192.0.2.1"]);
    assert_eq!(
        symbols(&rig.client("192.0.2.2").await),
        [("BAD", 3.0), ("WORSE", 5.0)]
    );
    // A code that the table does not know says nothing.
    assert_eq!(symbols(&rig.client("192.0.2.3").await), NONE);
    let absent = rig.client("192.0.2.4").await;
    assert_eq!((symbols(&absent), absent.timed_out), (NONE.to_vec(), false));
}

#[tokio::test]
async fn ipv6_is_asked_by_nibbles_and_only_where_the_list_knows_it() {
    let mut old = list("old", &[Ask::Client], &[("127.0.0.2", "OLD", 1.0)]);
    old.ipv6 = false;
    let rig = Rig::new(vec![bad(&[Ask::Client]), old]).await;
    let nibbles = "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2";
    rig.entry(&format!("{nibbles}.bad.test"), [127, 0, 0, 2])
        .entry(&format!("{nibbles}.old.test"), [127, 0, 0, 2]);
    assert_eq!(symbols(&rig.client("2001:db8::1").await), [("BAD", 3.0)]);
    assert_eq!(rig.zone.queries_for(&format!("{nibbles}.old.test")), 0);
}

#[tokio::test]
async fn a_refusal_is_no_hit_and_the_list_is_left_alone_for_a_while() {
    let rig = Rig::new(vec![bad(&[Ask::Client])]).await;
    rig.entry("1.2.0.192.bad.test", [127, 255, 255, 254])
        .entry("1.2.0.192.bad.test", [127, 0, 0, 2])
        .entry("2.2.0.192.bad.test", [127, 0, 0, 2]);
    let refused = [("BAD_BLOCKED", 0.0)];
    assert_eq!(symbols(&rig.client("192.0.2.1").await), refused);
    // Not asked, and still said.
    assert_eq!(symbols(&rig.client("192.0.2.2").await), refused);
    assert_eq!(rig.zone.queries_for("2.2.0.192.bad.test"), 0);
    rig.clock.advance(Duration::from_secs(900));
    assert_eq!(symbols(&rig.client("192.0.2.2").await), [("BAD", 3.0)]);
}

#[tokio::test]
async fn a_zone_in_other_hands_lists_nothing() {
    let rig = Rig::new(vec![bad(&[Ask::Client])]).await;
    rig.entry("1.2.0.192.bad.test", [203, 0, 113, 7])
        .entry("2.2.0.192.bad.test", [203, 0, 113, 7])
        .entry("2.2.0.192.bad.test", [127, 0, 0, 2]);
    assert_eq!(symbols(&rig.client("192.0.2.1").await), NONE);
    assert_eq!(symbols(&rig.client("192.0.2.2").await), NONE);
}

#[tokio::test]
async fn a_list_that_lists_everything_lists_nothing() {
    let rig = Rig::new(vec![bad(&[Ask::Client, Ask::UrlDomain])]).await;
    rig.entry("*.bad.test", [127, 0, 0, 2]);
    assert_eq!(symbols(&rig.client("192.0.2.1").await), NONE);
    let links = [Host::new("www.example.test", "example.test")];
    let question = Question {
        links: &links,
        ..Question::default()
    };
    assert_eq!(symbols(&rig.blocklist.look_up(&question).await), NONE);
}

#[tokio::test]
async fn every_kind_of_subject_is_asked_in_its_way() {
    let kinds = [
        Ask::Helo,
        Ask::Hostname,
        Ask::Envelope,
        Ask::Author,
        Ask::ReplyTo,
        Ask::Dkim,
        Ask::UrlDomain,
        Ask::Email,
        Ask::Received,
    ];
    let hosts = list("hosts", &[Ask::UrlHost], &[("127.0.0.2", "HOST", 1.0)]);
    let behind = list(
        "behind",
        &[Ask::UrlAddress],
        &[("127.0.0.2", "BEHIND", 1.0)],
    );
    let rig = Rig::new(vec![bad(&kinds), hosts, behind]).await;
    for name in [
        "helo.test",
        "hostname.test",
        "envelope.test",
        "author.test",
        "reply.test",
        "dkim.test",
        "link.test",
        "7.2.0.192",
        "9.113.0.203",
        "567159d622ffbb50b11b0efd307be358624a26ee",
    ] {
        rig.entry(&format!("{name}.bad.test"), [127, 0, 0, 2]);
    }
    rig.entry("www.link.test.hosts.test", [127, 0, 0, 2])
        .entry("www.link.test", [203, 0, 113, 80])
        .entry("80.113.0.203.behind.test", [127, 0, 0, 2]);
    let all = |name: &'static str| Host::new(name, name);
    let question = Question {
        helo: Some(Host::new("mx.helo.test", "helo.test")),
        hostname: Some(Host::new("mx.hostname.test", "hostname.test")),
        envelope: Some(all("envelope.test")),
        authors: &[all("author.test")],
        reply_to: &[all("reply.test")],
        dkim: &[all("dkim.test")],
        links: &[Host::new("www.LINK.test", "link.test"), all("192.0.2.7")],
        emails: &["Test@Example.com"],
        received: &["203.0.113.9".parse().unwrap()],
        ..Question::default()
    };
    let answer = rig.blocklist.look_up(&question).await;
    assert_eq!(
        symbols(&answer),
        [("BAD", 3.0), ("HOST", 1.0), ("BEHIND", 1.0)]
    );
    // Five of ten, in the order of asking.
    assert_eq!(
        options(&answer, "BAD"),
        [
            "envelope.test",
            "author.test",
            "dkim.test",
            "helo.test",
            "hostname.test"
        ]
    );
    assert_eq!(options(&answer, "BEHIND"), ["www.link.test"]);
    for name in ["reply.test", "link.test", "7.2.0.192", "9.113.0.203"] {
        assert_eq!(
            rig.zone.queries_for(&format!("{name}.bad.test")),
            1,
            "{name}"
        );
    }
}

#[tokio::test]
async fn what_is_ours_or_private_is_never_asked() {
    let rig = Rig::new(vec![bad(&[
        Ask::Client,
        Ask::Received,
        Ask::UrlDomain,
        Ask::Email,
    ])])
    .await;
    let links = [
        Host::new("www.ours.test", "ours.test"),
        Host::new("10.0.0.1", "10.0.0.1"),
    ];
    let question = Question {
        client: Some("192.168.1.1".parse().unwrap()),
        received: &["127.0.0.1".parse().unwrap(), "fd00::1".parse().unwrap()],
        links: &links,
        emails: &["alice@ours.test", "bob@mail.ours.test"],
        own: &["ours.test"],
        ..Question::default()
    };
    assert_eq!(symbols(&rig.blocklist.look_up(&question).await), NONE);
    assert_eq!(rig.zone.queries(), 0);
}

#[tokio::test]
async fn answers_are_kept_for_a_while_negative_ones_too() {
    let rig = Rig::new(vec![bad(&[Ask::Client])]).await;
    rig.entry("1.2.0.192.bad.test", [127, 0, 0, 2]);
    for _ in 0..2 {
        let _ = rig.client("192.0.2.1").await;
        let _ = rig.client("192.0.2.2").await;
    }
    // Two entries and the test entry, each once.
    assert_eq!(rig.zone.queries(), 3);
    rig.clock.advance(Duration::from_secs(300));
    let _ = rig.client("192.0.2.1").await;
    let _ = rig.client("192.0.2.2").await;
    assert_eq!(rig.zone.queries(), 5, "the absent ones again");
    rig.zone.remove("1.2.0.192.bad.test");
    rig.clock.advance(Duration::from_secs(600));
    assert_eq!(symbols(&rig.client("192.0.2.1").await), NONE);
}

#[tokio::test]
async fn one_silent_list_costs_the_deadline_and_nothing_else() {
    let slow = list("slow", &[Ask::Client], &[("127.0.0.2", "SLOW", 1.0)]);
    let rig = Rig::new(vec![slow, bad(&[Ask::Client])]).await;
    rig.entry("1.2.0.192.bad.test", [127, 0, 0, 2]);
    rig.zone.timeout("1.2.0.192.slow.test");
    let answer = rig.client("192.0.2.1").await;
    assert!(answer.timed_out);
    assert_eq!(symbols(&answer), [("BAD", 3.0), ("DNS_TIMEOUT", 0.0)]);
    assert_eq!(options(&answer, "DNS_TIMEOUT"), ["slow"]);
}

#[tokio::test]
async fn a_dead_name_server_is_said_within_the_deadline() {
    let config = Config {
        lists: vec![bad(&[Ask::Client])],
        deadline: 200,
        ..Config::default()
    };
    let rig = Rig::with(config).await;
    let Rig {
        blocklist, server, ..
    } = rig;
    server.stop().await;
    let question = Question {
        client: Some("192.0.2.1".parse().unwrap()),
        ..Question::default()
    };
    let answer = blocklist.look_up(&question).await;
    assert_eq!(symbols(&answer), [("DNS_TIMEOUT", 0.0)]);
}

#[tokio::test]
async fn a_broken_list_says_nothing() {
    let rig = Rig::new(vec![bad(&[Ask::Client])]).await;
    rig.zone.servfail("1.2.0.192.bad.test");
    let answer = rig.client("192.0.2.1").await;
    assert_eq!((symbols(&answer), answer.timed_out), (NONE.to_vec(), false));
}

#[tokio::test]
async fn the_budget_is_spent_on_what_tells_most() {
    let config = Config {
        lists: vec![bad(&[Ask::Client, Ask::UrlDomain])],
        mail_hosts: false,
        questions: 4,
        links: 3,
        ..Config::default()
    };
    let rig = Rig::with(config).await;
    let names: Vec<String> = (0..10).map(|index| format!("link{index}.test")).collect();
    let links: Vec<Host<'_>> = names.iter().map(|name| Host::new(name, name)).collect();
    let question = Question {
        client: Some("192.0.2.1".parse().unwrap()),
        links: &links,
        ..Question::default()
    };
    let answer = rig.blocklist.look_up(&question).await;
    // Two test entries, the client, one link; of the three links that would count, two are left.
    assert_eq!((rig.zone.queries(), answer.left_out), (4, 2));
}

#[tokio::test]
async fn the_origin_of_the_client_is_the_smallest_network_around_it() {
    let rig = Rig::with(Config {
        lists: Vec::new(),
        origin: "origin.test.".to_owned(),
        origin6: "origin6.test".to_owned(),
        ..Config::default()
    })
    .await;
    rig.zone
        .txt(
            "1.2.0.192.origin.test",
            "64500 | 192.0.0.0/16 | US | arin | 2001-02-03",
        )
        .txt(
            "1.2.0.192.origin.test",
            "64501 64502 | 192.0.2.0/24 | NL | ripencc | 2001-02-03",
        );
    let answer = rig.client("192.0.2.1").await;
    assert_eq!(
        (answer.asn, answer.country.as_deref()),
        (Some(64_501), Some("NL"))
    );
    assert_eq!(answer.network.as_deref(), Some("192.0.2.0/24"));
    assert_eq!(rig.client("2001:db8::1").await.asn, None);
}

#[tokio::test]
async fn domains_that_cannot_take_mail_are_noticed() {
    let rig = Rig::with(Config {
        lists: Vec::new(),
        ..Config::default()
    })
    .await;
    let address = Ipv4Addr::new(192, 0, 2, 25);
    rig.zone
        .mx("good.test", 10, "mx.good.test")
        .a("mx.good.test", address)
        .a("plain.test", address)
        .mx("null.test", 0, ".")
        .mx("lost.test", 10, "mx.nowhere.test")
        .txt("missing.test", "nothing else")
        .servfail("broken.test");
    for (domain, envelope, author) in [
        ("good.test", Some("MX_GOOD"), None),
        ("plain.test", None, None),
        ("null.test", Some("MX_NULL"), Some("FROM_MX_NULL")),
        ("lost.test", Some("MX_INVALID"), Some("FROM_MX_INVALID")),
        ("missing.test", Some("MX_MISSING"), Some("FROM_MX_MISSING")),
        ("broken.test", Some("MX_UNKNOWN"), Some("MX_UNKNOWN")),
    ] {
        let host = Host::new(domain, domain);
        let as_envelope = Question {
            envelope: Some(host),
            authors: &[host],
            ..Question::default()
        };
        let as_author = Question {
            authors: &[host],
            ..Question::default()
        };
        for (question, expected) in [(as_envelope, envelope), (as_author, author)] {
            let answer = rig.blocklist.look_up(&question).await;
            let seen: Vec<_> = answer.signals.iter().map(|s| s.symbol.as_str()).collect();
            assert_eq!(seen, expected.as_slice(), "{domain}");
        }
    }
}

#[test]
fn the_names_of_lists_are_shown_and_their_zones_are_not() {
    let (resolver, clock) = (
        Arc::new(System::new(&[(IpAddr::from([127, 0, 0, 1]), 9).into()]).unwrap()),
        Arc::new(FakeClock::new(Timestamp(0))),
    );
    let mut config = Config::default();
    config.set_spamhaus_key(&sasl::Secret::new("topsecret"));
    let blocklist = Blocklist::new(resolver, clock, config).unwrap();
    let shown = format!("{blocklist:?}");
    assert!(
        shown.contains("spamhaus") && !shown.contains("topsecret"),
        "{shown}"
    );
    let symbols = blocklist.symbols();
    assert!(
        symbols
            .iter()
            .any(|(symbol, score, _)| *symbol == "DBL_PHISH" && *score > 5.0)
    );
    assert!(symbols.is_sorted_by(|a, b| a.0 < b.0));
}
