//! Maps, and the rules they become.

use rules::{Condition, Prefilter, RuleSet};

use super::*;
use crate::{Effect, Kind, MapChange, NewMap, NewRuleSet, RuleSetChange, mailcow, rule_set};

fn text(text: &str) -> MapChange {
    MapChange {
        text: Some(text.into()),
        ..MapChange::default()
    }
}

fn new_map(name: &str, kind: Kind, symbol: &str, scope: &str) -> NewMap {
    NewMap {
        name: name.into(),
        kind,
        symbol: symbol.into(),
        scope: scope.into(),
        score: 1.5,
        effect: Effect::Score,
        description: "A test".into(),
        text: String::new(),
    }
}

impl Fixture {
    fn symbols(&self) -> Vec<String> {
        let set = Arc::clone(self.policy.snapshot().map_rules());
        set.rules.iter().map(|rule| rule.symbol.clone()).collect()
    }

    /// How many patterns the rule of a map has.
    fn patterns(&self, symbol: &str) -> usize {
        let rules = Arc::clone(self.policy.snapshot().map_rules());
        let rule = rules.rules.iter().find(|rule| rule.symbol == symbol);
        match rule.map(|rule| &rule.when) {
            Some(Condition::Match { patterns, .. }) => patterns.len(),
            Some(Condition::Any(parts)) => parts
                .iter()
                .map(|part| match part {
                    Condition::Match { patterns, .. } => patterns.len(),
                    _ => 0,
                })
                .sum(),
            _ => 0,
        }
    }
}

/// Name, symbol, scope, score and effect of every built-in map.
const BUILT_IN: [(&str, &str, &str, f32, Effect); 16] = [
    (
        "global_smtp_from_whitelist.map",
        "GLOBAL_SMTP_FROM_WL",
        "envelope_from",
        -2050.0,
        Effect::Score,
    ),
    (
        "global_smtp_from_blacklist.map",
        "GLOBAL_SMTP_FROM_BL",
        "envelope_from",
        2050.0,
        Effect::ScoreUnkept,
    ),
    (
        "global_mime_from_whitelist.map",
        "GLOBAL_MIME_FROM_WL",
        "from",
        -2050.0,
        Effect::Score,
    ),
    (
        "global_mime_from_blacklist.map",
        "GLOBAL_MIME_FROM_BL",
        "from",
        2050.0,
        Effect::ScoreUnkept,
    ),
    (
        "global_rcpt_whitelist.map",
        "GLOBAL_RCPT_WL",
        "recipient",
        0.0,
        Effect::Accept,
    ),
    (
        "global_rcpt_blacklist.map",
        "GLOBAL_RCPT_BL",
        "recipient",
        0.0,
        Effect::Reject,
    ),
    (
        "fishy_tlds.map",
        "FISHY_TLD",
        "envelope_from.domain",
        0.1,
        Effect::Score,
    ),
    ("bad_words.map", "BAD_WORDS", "text", 0.1, Effect::Score),
    (
        "bad_words_de.map",
        "BAD_WORDS_DE",
        "text",
        0.1,
        Effect::Score,
    ),
    (
        "bad_languages.map",
        "LANG_FILTER",
        "language",
        5.0,
        Effect::Score,
    ),
    (
        "bulk_header.map",
        "BULK_HEADER",
        "headers",
        4.0,
        Effect::Score,
    ),
    (
        "bad_header.map",
        "BAD_HEADER",
        "headers",
        10.0,
        Effect::Score,
    ),
    (
        "monitoring_nolog.map",
        "NO_LOG_STAT",
        "from",
        0.0,
        Effect::NoLog,
    ),
    (
        "ip_wl.map",
        "IP_WHITELIST",
        "client_address",
        -2050.0,
        Effect::Score,
    ),
    ("bad_asn.map", "LOCAL_BL_ASN", "asn", 5.0, Effect::Score),
    (
        "chat_versions.map",
        "CHAT_VERSION_HEADER",
        "header.chat-version",
        0.0,
        Effect::Score,
    ),
];

#[tokio::test]
async fn mailcows_maps_are_there_from_the_start() {
    let fixture = Fixture::new().await;
    let maps = fixture.policy.maps().await.unwrap();
    assert_eq!(maps.len(), BUILT_IN.len());
    for (map, (name, symbol, scope, score, effect)) in maps.iter().zip(BUILT_IN) {
        let found = (
            map.name.as_str(),
            map.symbol.as_str(),
            map.scope.as_str(),
            map.score,
            map.effect,
        );
        assert_eq!(found, (name, symbol, scope, score, effect));
        assert!(map.builtin && map.active && map.updated_at.is_none());
        let lines = crate::compile_check(map.kind, &map.text).unwrap();
        let one_wanted = ["fishy_tlds.map", "bad_words.map", "bulk_header.map"];
        assert!(!one_wanted.contains(&name) || lines.len() > 10, "{name}");
        if map.kind != Kind::System {
            map.scope.parse::<rules::Scope>().unwrap();
        }
        let effect = fixture.policy.snapshot().effect(symbol);
        assert_eq!(effect, Some(map.effect));
    }
    let filled = [
        "FISHY_TLD",
        "BAD_WORDS",
        "BAD_WORDS_DE",
        "BULK_HEADER",
        "BAD_HEADER",
    ];
    let joined = ["CHAT_VERSION_HEADER", "BAD_WORD_BAD_TLD", "ENCRYPTED_CHAT"];
    assert_eq!(
        fixture.symbols(),
        filled.into_iter().chain(joined).collect::<Vec<_>>()
    );
    let rules = Arc::clone(fixture.policy.snapshot().map_rules());
    let score = |symbol: &str| {
        rules
            .rules
            .iter()
            .find(|rule| rule.symbol == symbol)
            .unwrap()
            .score
    };
    assert_eq!(
        (score("BAD_WORD_BAD_TLD"), score("ENCRYPTED_CHAT")),
        (10.0, -20.0)
    );
}

#[tokio::test]
async fn the_rules_of_maps_are_a_rule_set_that_reads_and_joins() {
    let fixture = Fixture::new().await;
    let changes = [
        ("global_rcpt_whitelist.map", "/^abuse@here\\.test$/i"),
        ("global_rcpt_blacklist.map", "/^old@here\\.test$/i"),
        ("ip_wl.map", "192.0.2.0/24\n2001:db8::/32 # theirs"),
        ("bad_languages.map", "/^xx$/"),
    ];
    for (name, lines) in changes {
        fixture.policy.change_map(name, text(lines)).await.unwrap();
    }
    let set = rule_set(&fixture.policy.maps().await.unwrap());
    assert_eq!(&set, &**fixture.policy.snapshot().map_rules());
    assert_eq!(RuleSet::parse(&set.to_toml()).unwrap(), set);
    rules::Book::new(&[&set]).unwrap();
    let prefilter = |symbol: &str| {
        let rule = set.rules.iter().find(|rule| rule.symbol == symbol);
        rule.unwrap().prefilter
    };
    assert_eq!(prefilter("GLOBAL_RCPT_WL"), Some(Prefilter::Accept));
    assert_eq!(prefilter("GLOBAL_RCPT_BL"), Some(Prefilter::Reject));
    assert_eq!(prefilter("LANG_FILTER"), None);
    assert_eq!(
        set.lists["ip_wl.map"].items,
        ["192.0.2.0/24", "2001:db8::/32"]
    );
}

#[tokio::test]
async fn an_edit_is_live_at_once_kept_as_written_and_undone_by_removing() {
    let fixture = Fixture::new().await;
    let shipped = fixture.policy.map("bad_words.map").await.unwrap();
    let written = "# ours\n/one/i\n\n/two/ # why\n";
    let before = fixture.policy.snapshot();
    let revision = fixture
        .policy
        .change_map("bad_words.map", text(written))
        .await
        .unwrap();
    let after = fixture.policy.snapshot();
    assert!(revision > before.revision() && after.revision() == revision);
    assert_eq!(after.rules_revision(), revision);
    assert_eq!(fixture.patterns("BAD_WORDS"), 2);
    let edited = fixture.policy.map("bad_words.map").await.unwrap();
    assert_eq!(
        (edited.text.as_str(), edited.updated_at),
        (written, Some(1_000_000_000))
    );
    assert!(edited.builtin);
    let weaker = MapChange {
        score: Some(0.7),
        ..MapChange::default()
    };
    fixture
        .policy
        .change_map("bad_words.map", weaker)
        .await
        .unwrap();
    let map = fixture.policy.map("bad_words.map").await.unwrap();
    assert_eq!((map.score, map.text.as_str()), (0.7, written));
    fixture.policy.remove_map("bad_words.map").await.unwrap();
    assert_eq!(fixture.policy.map("bad_words.map").await.unwrap(), shipped);
    assert_ne!(fixture.patterns("BAD_WORDS"), 2);
}

#[tokio::test]
async fn a_bad_line_changes_nothing_and_is_named() {
    let fixture = Fixture::new().await;
    let good = "/good/\n";
    fixture
        .policy
        .change_map("bad_words.map", text(good))
        .await
        .unwrap();
    let before = fixture.policy.snapshot().revision();
    let bad = "/fine/i\n# comment\n/ba(d/\n/x/q\n";
    let refused = fixture.policy.change_map("bad_words.map", text(bad)).await;
    // Lines that are no patterns are told before any is compiled.
    let error = refused.unwrap_err();
    assert_eq!(error.to_string(), "line 4, column 4: unknown flag 'q'");
    let refused = fixture
        .policy
        .change_map("bad_words.map", text("/fine/i\n/ba(d/"))
        .await;
    let Error::Lines(lines) = refused.unwrap_err() else {
        panic!("another error")
    };
    assert_eq!((lines[0].line, lines[0].column), (2, 4));
    assert_eq!(fixture.policy.snapshot().revision(), before);
    assert_eq!(
        fixture.policy.map("bad_words.map").await.unwrap().text,
        good
    );
    assert_eq!(fixture.patterns("BAD_WORDS"), 1);
}

#[tokio::test]
async fn administrators_make_maps_of_every_kind() {
    let fixture = Fixture::new().await;
    let make = async |name: &str, kind, symbol: &str, scope: &str, lines: &str| {
        let new = NewMap {
            text: lines.into(),
            ..new_map(name, kind, symbol, scope)
        };
        fixture.policy.create_map(new).await
    };
    make("a.map", Kind::Address, "OUR_A", "from", "Ann@Example.test")
        .await
        .unwrap();
    make("d.map", Kind::Domain, "OUR_D", "url.host", ".example.test")
        .await
        .unwrap();
    make("w.map", Kind::Word, "OUR_W", "attachment_name", "setup.exe")
        .await
        .unwrap();
    make("p.map", Kind::Pattern, "OUR_P", "header.subject", "/x/")
        .await
        .unwrap();
    make("s.map", Kind::System, "OUR_S", "asn", "AS64496")
        .await
        .unwrap();
    let rules = Arc::clone(fixture.policy.snapshot().map_rules());
    assert_eq!(rules.lists["a.map"].items, ["ann@example.test"]);
    assert_eq!(rules.lists["d.map"].items, ["example.test"]);
    let snapshot = fixture.policy.snapshot();
    let found: Vec<_> = snapshot
        .system(64_496)
        .map(|(s, score)| (s.to_string(), score))
        .collect();
    assert_eq!(found, [("OUR_S".to_owned(), 1.5)]);
    assert_eq!(snapshot.system(64_497).count(), 0);
    rules::Book::new(&[&rules]).unwrap();

    let taken = make("z.map", Kind::Word, "OUR_W", "from", "").await;
    assert_eq!(message(taken), "the symbol OUR_W exists already");
    let taken = make("w.map", Kind::Word, "OUR_X", "from", "").await;
    assert_eq!(message(taken), "the map w.map exists already");
    let taken = make("z.map", Kind::Word, "BAD_WORD_BAD_TLD", "from", "").await;
    assert_eq!(message(taken), "the symbol BAD_WORD_BAD_TLD exists already");
    let unknown = make("z.map", Kind::Word, "OUR_Z", "fron", "").await;
    assert!(message(unknown).contains("did you mean \"from\"?"));
    for (name, symbol) in [
        ("Z.map", "OUR_Z"),
        ("", "OUR_Z"),
        ("z.map", "0_Z"),
        ("z.map", "A B"),
    ] {
        let refused = make(name, Kind::Word, symbol, "from", "").await;
        assert!(matches!(refused, Err(Error::Name(_))), "{name} {symbol}");
    }

    let off = MapChange {
        active: Some(false),
        ..MapChange::default()
    };
    fixture.policy.change_map("p.map", off).await.unwrap();
    assert!(!fixture.symbols().contains(&"OUR_P".to_owned()));
    fixture.policy.remove_map("p.map").await.unwrap();
    let gone = fixture.policy.remove_map("p.map").await;
    assert_eq!(message(gone), "there is no map p.map");
}

#[tokio::test]
async fn ten_thousand_patterns_and_more_make_one_rule() {
    let fixture = Fixture::new().await;
    let lines: String = (0..12_000)
        .map(|n| format!("/spam phrase {n} here/i\n"))
        .collect();
    fixture
        .policy
        .change_map("bad_words.map", text(&lines))
        .await
        .unwrap();
    assert_eq!(fixture.patterns("BAD_WORDS"), 12_000);
    rules::Book::new(&[fixture.policy.snapshot().map_rules()]).unwrap();
}

#[tokio::test]
async fn mailcows_files_are_imported_as_they_are() {
    let fixture = Fixture::new().await;
    let files: [(&str, &[u8], &str, usize); 5] = [
        (
            "data/conf/rspamd/custom/fishy_tlds.map",
            b"# TLDs\r\n/.+\\.example$/i\r\n/.+\\.test$/i\r\n",
            "FISHY_TLD",
            2,
        ),
        (
            "bad_words_de.map",
            "/\\bGl\u{fc}ck\\b/i\n#x\n".as_bytes(),
            "BAD_WORDS_DE",
            1,
        ),
        ("bulk_header.map", b"/a\\\xe9b\\\\\xe9/", "BULK_HEADER", 1),
        (
            "bad_header.map",
            b"/X-Shop: caf\xe9/i\n# caf\xe9\n",
            "BAD_HEADER",
            1,
        ),
        (
            "global_smtp_from_blacklist.map",
            b"\xEF\xBB\xBF/.+@evil\\.example/\n",
            "GLOBAL_SMTP_FROM_BL",
            1,
        ),
    ];
    for (name, bytes, symbol, patterns) in files {
        fixture
            .policy
            .import_mailcow(name, bytes.to_vec())
            .await
            .unwrap();
        assert_eq!(fixture.patterns(symbol), patterns, "{name}");
    }
    let header = fixture.policy.map("bad_header.map").await.unwrap();
    assert_eq!(header.text, "/X-Shop: caf\\xE9/i\n# caf\u{fffd}\n");
    let bulk = fixture.policy.map("bulk_header.map").await.unwrap();
    assert_eq!(bulk.text, r"/a\xE9b\\\xE9/");
    let asn = mailcow::import("bad_asn.map", b"64496 #one\nAS64497\n").unwrap();
    assert_eq!(asn.map, "bad_asn.map");
    mailcow::import("ip_wl.map", b"# c\n10.0.0.0/8\n").unwrap();

    let revision = fixture.policy.snapshot().revision();
    let refused = fixture
        .policy
        .import_mailcow("bad_words.map", b"/a(/\n".to_vec())
        .await;
    assert!(matches!(refused, Err(Error::Lines(_))));
    let refused = fixture
        .policy
        .import_mailcow("dovecot_trusted.map", Vec::new())
        .await;
    assert!(matches!(refused, Err(Error::UnknownFile(_))));
    assert_eq!(fixture.policy.snapshot().revision(), revision);
}

#[tokio::test]
async fn rule_sets_are_stored_joined_in_order_and_removed() {
    let fixture = Fixture::new().await;
    let toml = "# kept\n[[rule]]\nsymbol = \"OURS\"\nscore = 1.0\n\
        when = { in = \"header.subject\", match = '/x/' }\n";
    let new = |name: &str, position| NewRuleSet {
        name: name.into(),
        toml: toml.into(),
        position,
        enabled: true,
        source: "upload".into(),
    };
    for (name, position) in [("b", 1), ("a", 1), ("c", 0)] {
        fixture
            .policy
            .put_rule_set(new(name, position))
            .await
            .unwrap();
    }
    let names = || {
        let snapshot = fixture.policy.snapshot();
        let sets = snapshot.rule_sets().iter();
        sets.map(|set| set.name.clone()).collect::<Vec<_>>()
    };
    assert_eq!(names(), ["c", "a", "b"]);
    assert_eq!(fixture.policy.rule_set_toml("a").await.unwrap(), toml);
    let change = RuleSetChange {
        position: Some(9),
        enabled: None,
    };
    fixture.policy.change_rule_set("c", change).await.unwrap();
    let change = RuleSetChange {
        position: None,
        enabled: Some(false),
    };
    fixture.policy.change_rule_set("a", change).await.unwrap();
    assert_eq!(names(), ["b", "c"]);
    let listed = fixture.policy.rule_sets().await.unwrap();
    let first = &listed[0];
    assert_eq!(
        (first.name.as_str(), first.enabled, first.position),
        ("a", false, 1)
    );
    assert_eq!(
        (first.size, first.source.as_str()),
        (toml.len() as u64, "upload")
    );
    fixture.policy.remove_rule_set("b").await.unwrap();
    assert_eq!(names(), ["c"]);
    assert_eq!(
        message(fixture.policy.remove_rule_set("b").await),
        "there is no rule set b"
    );

    let mut bad = new("d", 0);
    bad.toml = "[[rule]]\nsymbol = 1\n".into();
    let refused = fixture.policy.put_rule_set(bad).await;
    assert!(matches!(refused, Err(Error::Rules(_))));
    let refused = fixture.policy.put_rule_set(new("", 0)).await;
    assert!(matches!(refused, Err(Error::Name(_))));
}

/// Haystacks, each with its scope.
type Scopes = Vec<(&'static str, &'static [u8])>;

/// A message that is known by a few scopes.
struct Message(Scopes);

impl rules::Subject for Message {
    fn haystacks<'s>(&'s self, scope: &rules::Scope, into: &mut Vec<&'s [u8]>) {
        let name = scope.to_string();
        let wanted = self.0.iter().filter(|(scope, _)| *scope == name);
        into.extend(wanted.map(|(_, haystack)| *haystack));
    }

    fn number(&self, _: rules::Number) -> f64 {
        0.0
    }

    fn holds(&self, _: rules::Flag) -> bool {
        false
    }
}

#[tokio::test]
async fn the_first_contents_of_the_maps_find_what_they_are_for() {
    let fixture = Fixture::new().await;
    let rules = Arc::clone(fixture.policy.snapshot().map_rules());
    let book = rules::Book::new(&[&rules]).unwrap();
    let compiled = patterns::Compiler::new().compile(&book.patterns().unwrap(), None);
    assert_eq!(compiled.refused, []);
    let database = compiled.database;
    let table: [(Scopes, &[&str]); 7] = [
        (vec![("text", b"We have viagra for you")], &["BAD_WORDS"]),
        (
            vec![
                ("text", "Casino-Bonus und Bin\u{e4}re Optionen".as_bytes()),
                ("envelope_from.domain", b"mail.evil.top"),
            ],
            &["FISHY_TLD", "BAD_WORDS_DE", "BAD_WORD_BAD_TLD"],
        ),
        (vec![("envelope_from.domain", b"top.example.org")], &[]),
        (
            vec![("headers", b"Subject: x\nX-Campaign-ID: 7\nTo: y")],
            &["BULK_HEADER"],
        ),
        (
            vec![(
                "headers",
                b"X-PHP-Originating-Script: 33:a.php(3) : eval()'d code",
            )],
            &["BAD_HEADER"],
        ),
        (
            vec![
                ("header.chat-version", b"1.0"),
                ("header.content-type", b"multipart/encrypted; boundary=x"),
            ],
            &["ENCRYPTED_CHAT"],
        ),
        (vec![("header.chat-version", b"1.0")], &[]),
    ];
    for (scopes, wanted) in table {
        let message = Message(scopes);
        let mut workspace = rules::Workspace::new(&database);
        let scan = book.scan(&database, &mut workspace, &message);
        let hits = book.conclude(&scan, &[]).hits;
        let symbols: Vec<&str> = hits.iter().map(|hit| &*hit.symbol).collect();
        assert_eq!(symbols, wanted, "{:?}", message.0);
    }
}
