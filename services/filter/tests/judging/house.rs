//! A server of one domain, `example.org`, with two accounts, and messages that reach it.
//!
//! Nothing asks the network. The clock stands at [`NOW`] until a test moves it.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ambient::{Clock, FakeClock, SeededRandom, Timestamp};
use filter::{
    Filter, Input, Judged, Options, Origin, Recipient, RulebookError, Trial, Tuning, Verdict,
};
use learn::Learn;
use mailauth::{AuthResults, Author, DmarcVerdict, IprevVerdict, Outcome};
use parsebox::Parsebox;
use policy::{NewRuleSet, Policy};
use rules::RuleSet;
use smtp::address::{Address, Domain, ReversePath};
use store::{AccountId, Db, DomainId, StoreOptions};
use tempfile::TempDir;

/// Thursday, 1 January 2026, midnight.
pub(crate) const NOW: i64 = 1_767_225_600;
pub(crate) const ANN: AccountId = AccountId(1);
pub(crate) const BOB: AccountId = AccountId(2);
pub(crate) const DOMAIN: DomainId = DomainId(1);

/// The server.
pub(crate) struct House {
    pub(crate) filter: Filter,
    pub(crate) policy: Policy,
    pub(crate) learn: Learn,
    pub(crate) db: Db,
    pub(crate) clock: Arc<FakeClock>,
    pub(crate) dir: TempDir,
}

impl House {
    pub(crate) async fn new() -> Self {
        Self::with(Tuning::default()).await
    }

    pub(crate) async fn with(tuning: Tuning) -> Self {
        Self::keeping(tuning, learn::Options::default()).await
    }

    /// A server that learns in its own way.
    pub(crate) async fn keeping(tuning: Tuning, learning: learn::Options) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(FakeClock::new(Timestamp(NOW)));
        let random = Arc::new(SeededRandom::new(1));
        let db = Db::open(StoreOptions::new(dir.path(), clock.clone(), random)).unwrap();
        db.write::<_, store::Error, _>(|tx| {
            tx.exec(
                "INSERT INTO domain (id, name, created_at) VALUES (1, 'example.org', 1)",
                &[],
            )?;
            for (id, name) in [(ANN, "ann@example.org"), (BOB, "bob@example.org")] {
                tx.exec(
                    "INSERT INTO account (id, name, domain_id, created_at) VALUES (?1, ?2, 1, 1)",
                    &[id.into(), name.into()],
                )?;
            }
            Ok(())
        })
        .await
        .unwrap();
        let policy = Policy::open(db.clone()).await.unwrap();
        let as_clock: Arc<dyn Clock> = clock.clone();
        let learn = Learn::new(&db, &as_clock, &learning);
        let filter = Filter::start(Options {
            hostname: Domain::parse("mx.example.org").unwrap(),
            clock: as_clock,
            db: db.clone(),
            policy: policy.clone(),
            learn: learn.clone(),
            blocklist: None,
            antivirus: None,
            parsers: Parsebox::in_process(),
            cache: None,
            tuning,
        })
        .unwrap();
        Self {
            filter,
            policy,
            learn,
            db,
            clock,
            dir,
        }
    }

    /// Another filter of the same server, as after a restart, that keeps its patterns in `cache`.
    pub(crate) fn restarted(&self, cache: Option<PathBuf>) -> Filter {
        let old = self.filter.options();
        Filter::start(Options {
            hostname: old.hostname.clone(),
            clock: Arc::clone(&old.clock),
            db: old.db.clone(),
            policy: old.policy.clone(),
            learn: old.learn.clone(),
            blocklist: None,
            antivirus: None,
            parsers: Parsebox::in_process(),
            cache,
            tuning: old.tuning.clone(),
        })
        .unwrap()
    }

    pub(crate) async fn judged(&self, input: &Input) -> Judged {
        let judged = self.filter.judge(input).await;
        assert!(!judged.must_wait);
        judged
    }

    pub(crate) async fn judge(&self, input: &Input) -> Verdict {
        self.judged(input).await.verdict
    }

    /// Stores a rule set and puts it in force.
    pub(crate) async fn rule_set(&self, name: &str, rules: &str) -> Result<u64, RulebookError> {
        let new = NewRuleSet {
            name: name.to_owned(),
            toml: format!("name = \"{name}\"\ndescription = \"a test\"\n{rules}"),
            position: 1,
            enabled: true,
            source: String::new(),
        };
        self.policy.put_rule_set(new).await.unwrap();
        Ok(self.filter.refresh().await?.0)
    }

    /// Lets a verdict teach, and waits until `done` says that it has.
    pub(crate) async fn settle<F: Future<Output = bool>>(
        &self,
        judged: Judged,
        done: impl Fn() -> F,
    ) {
        self.filter.settle(judged);
        for _ in 0..2_000 {
            if done().await {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("the verdict was never settled");
    }
}

/// What does not depend on rules that are tuned elsewhere: the symbols that code gives.
pub(crate) const BUILT_IN: [&str; 10] = [
    "R_SPF_",
    "R_DKIM_",
    "DMARC_",
    "ARC_",
    "RDNS_",
    "HFILTER_HELO_BADIP",
    "HFILTER_HELO_BAREIP",
    "HFILTER_HELO_NOT_FQDN",
    "HFILTER_HOSTNAME_UNKNOWN",
    "MISSING_MID",
];

/// The symbols of the verdict, in order.
pub(crate) fn symbols(verdict: &Verdict) -> Vec<&str> {
    let signals = verdict.signals.iter();
    signals.map(|signal| signal.symbol.as_ref()).collect()
}

/// The symbols that code gives for how a message came, in order.
pub(crate) fn built_in(verdict: &Verdict) -> Vec<&str> {
    let mut symbols = symbols(verdict);
    symbols.retain(|symbol| BUILT_IN.iter().any(|known| symbol.starts_with(known)));
    symbols
}

pub(crate) fn has(verdict: &Verdict, symbol: &str) -> bool {
    symbols(verdict).contains(&symbol)
}

/// The score of a signal; none without it.
pub(crate) fn score_of(verdict: &Verdict, symbol: &str) -> Option<f32> {
    let mut signals = verdict.signals.iter();
    let found = signals.find(|signal| signal.symbol == symbol);
    found.map(|signal| signal.score)
}

pub(crate) fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
}

pub(crate) fn ann() -> Address {
    address("ann@example.org")
}

pub(crate) fn bob() -> Address {
    address("bob@example.org")
}

/// A recipient with its account.
pub(crate) fn recipient(address: Address, account: AccountId) -> Recipient {
    Recipient {
        address,
        account: Some(account),
        domain: Some(DOMAIN),
    }
}

/// Line ends of mail.
pub(crate) fn crlf(text: &str) -> Vec<u8> {
    text.replace('\n', "\r\n").into_bytes()
}

/// A message from anna@example.com to Ann, from 198.51.100.1, which calls itself mail.example.com.
pub(crate) fn octets(raw: impl Into<bytes::Bytes>) -> Input {
    let raw = raw.into();
    let summary = Arc::new(mime::Summary::parse(&raw));
    Input {
        raw,
        summary,
        auth: Arc::new(AuthResults {
            author: Author::One(Domain::parse("example.com").unwrap()),
            ..AuthResults::default()
        }),
        ip: IpAddr::from([198, 51, 100, 1]),
        helo: "mail.example.com".to_owned(),
        from: ReversePath::Address(address("anna@example.com")),
        recipients: vec![recipient(ann(), ANN)],
        origin: Origin::Outside,
        account: None,
        received_at: None,
    }
}

/// The same of text with line ends of Unix.
pub(crate) fn mail(text: &str) -> Input {
    octets(crlf(text))
}

/// The header that every good message has, without an empty line.
pub(crate) const HEADER: &str = "From: Anna <anna@example.com>\nTo: Ann <ann@example.org>\n\
    Subject: Lunch\nDate: Thu, 01 Jan 2026 00:00:00 +0000\nMessage-ID: <1@example.com>\n\
    MIME-Version: 1.0\n";
/// What a good message says.
pub(crate) const BODY: &str = "Hello Ann,\n\nshall we have lunch at the new place on Thursday? \
    I would be there at noon.\n\nAnna\n";

/// A message that nothing is wrong with.
pub(crate) fn good() -> Input {
    mail(&format!("{HEADER}\n{BODY}"))
}

/// A good message with these fields before the others, and instead of those of the same name.
pub(crate) fn fields(fields: &str) -> Input {
    let is_kept = |line: &&str| {
        let name = line.split(':').next().unwrap();
        !fields
            .lines()
            .any(|field| field.split(':').next() == Some(name))
    };
    let kept: Vec<&str> = HEADER.lines().filter(is_kept).collect();
    mail(&format!("{fields}{}\n\n{BODY}", kept.join("\n")))
}

/// A good header and this body.
pub(crate) fn says(body: &str) -> Input {
    mail(&format!("{HEADER}\n{body}"))
}

/// A page and nothing else.
pub(crate) fn page(body: &str) -> Input {
    mail(&format!(
        "{HEADER}Content-Type: text/html; charset=utf-8\n\n{body}\n"
    ))
}

/// A message of parts, each with its header.
pub(crate) fn parts(kind: &str, parts: &[String]) -> Input {
    let mut text = format!("{HEADER}Content-Type: multipart/{kind}; boundary=\"next\"\n\n");
    for part in parts {
        text.push_str("--next\n");
        text.push_str(part);
        text.push('\n');
    }
    text.push_str("--next--\n");
    mail(&text)
}

/// The results of sender authentication for a genuine author at example.com.
pub(crate) fn genuine() -> Arc<AuthResults> {
    let domain = Domain::parse("example.com").unwrap();
    Arc::new(AuthResults {
        author: Author::One(domain.clone()),
        dmarc: DmarcVerdict {
            result: Outcome::Pass,
            domain: Some(domain),
            ..DmarcVerdict::default()
        },
        ..AuthResults::default()
    })
}

/// The input as it is after a change.
pub(crate) fn with(mut input: Input, change: impl FnOnce(&mut Input)) -> Input {
    change(&mut input);
    input
}

/// The client has this confirmed name.
pub(crate) fn named(input: Input, name: &str) -> Input {
    with(input, |input| {
        let mut auth = AuthResults::clone(&input.auth);
        auth.iprev = IprevVerdict {
            result: Outcome::Pass,
            name: Some(Domain::parse(name).unwrap()),
        };
        input.auth = Arc::new(auth);
    })
}

/// Whether the one condition holds for the message.
pub(crate) fn holds(filter: &Filter, condition: &str, input: &Input) -> bool {
    let set = format!(
        "name = \"one\"\ndescription = \"a test\"\n\n[[rule]]\nsymbol = \"HOLDS\"\nscore = 1.0\n\
         description = \"a test\"\nwhen = {{ {condition} }}\n"
    );
    let set = RuleSet::parse(&set).unwrap_or_else(|error| panic!("{condition}: {error}"));
    let trial = Trial::new(&set).unwrap();
    // On a thread of its own, since the caller's runtime runs already.
    let tried = std::thread::scope(|scope| {
        let try_it = || {
            let runtime = tokio::runtime::Builder::new_current_thread().build();
            let matches = trial.matches(filter, input, "HOLDS");
            runtime.unwrap().block_on(matches)
        };
        scope.spawn(try_it).join().unwrap()
    });
    tried.is_some()
}

/// A condition, a message, and whether the one holds for the other.
pub(crate) struct Row(pub(crate) &'static str, pub(crate) Input, pub(crate) bool);

/// Asks every row, and names all that are wrong at once.
pub(crate) async fn ask(rows: Vec<Row>) {
    let house = House::new().await;
    let mut wrong = Vec::new();
    for Row(condition, input, wanted) in rows {
        if holds(&house.filter, condition, &input) != wanted {
            let text = String::from_utf8_lossy(&input.raw).into_owned();
            let start: String = text.chars().take(900).collect();
            wrong.push(format!("{condition} should be {wanted} of:\n{start}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
