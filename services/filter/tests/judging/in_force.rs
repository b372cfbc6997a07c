//! Rules that change while mail flows, and rules that cannot be used.

use std::path::Path;
use std::time::Duration;

use filter::{Action, Filter};
use policy::{Effect, Kind, MapChange, NewMap};

use crate::house::{House, good, has, says, score_of};

const PATIENCE: Duration = Duration::from_secs(120);

fn words(text: &str) -> NewMap {
    NewMap {
        name: "test_words.map".into(),
        kind: Kind::Pattern,
        symbol: "TEST_WORDS".into(),
        scope: "text".into(),
        score: 3.0,
        effect: Effect::Score,
        description: "A test".into(),
        text: text.into(),
    }
}

#[tokio::test]
async fn a_changed_map_changes_the_next_verdict() {
    let house = House::new().await;
    let input = says("Hello, this is about falafel and nothing else.\n");
    let before = house.judge(&input).await;
    assert!(before.revision > 0);
    assert!(!has(&before, "TEST_WORDS"));
    house.policy.create_map(words("/falafel/i")).await.unwrap();
    // Nothing changes before it is asked for.
    assert_eq!(house.judge(&input).await.revision, before.revision);
    let (revision, layers) = house.filter.refresh().await.unwrap();
    assert!(revision > before.revision);
    assert_eq!(layers.len(), 1, "the rules stay: {layers:?}");
    assert_eq!(layers[0].layer, "maps");
    let after = house.judge(&input).await;
    assert_eq!(after.revision, revision);
    assert_eq!(score_of(&after, "TEST_WORDS"), Some(3.0));
    assert_eq!(after.score, before.score + 3.0);
    let change = MapChange {
        text: Some("/hummus/".into()),
        ..MapChange::default()
    };
    house
        .policy
        .change_map("test_words.map", change)
        .await
        .unwrap();
    let (later, _) = house.filter.refresh().await.unwrap();
    assert!(later > revision);
    assert!(!has(&house.judge(&input).await, "TEST_WORDS"));
    // The same again is no change.
    let (same, none) = house.filter.refresh().await.unwrap();
    assert_eq!((same, none.len()), (later, 0));
}

#[tokio::test]
async fn a_map_that_decides_decides() {
    let house = House::new().await;
    for (effect, refused) in [(Effect::Reject, true), (Effect::Accept, false)] {
        let map = NewMap {
            name: format!("{effect}.map"),
            symbol: format!("TEST_{}", effect.name().to_uppercase()),
            effect,
            ..words("/lunch/")
        };
        house.policy.create_map(map).await.unwrap();
        house.filter.refresh().await.unwrap();
        let verdict = house.judge(&good()).await;
        assert_eq!(
            matches!(verdict.action, Action::Reject { .. }),
            refused,
            "{effect}: {:?}",
            verdict.action
        );
        house
            .policy
            .remove_map(&format!("{effect}.map"))
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn rules_may_ask_for_symbols_of_maps_and_of_code() {
    let house = House::new().await;
    house.policy.create_map(words("/lunch/")).await.unwrap();
    let revision = house
        .rule_set(
            "both",
            "[scores]\nR_DKIM_NA = 0.25\n\n\
             [[rule]]\nsymbol = \"BOTH\"\nscore = 1.5\ndescription = \"both\"\n\
             when = { expression = \"TEST_WORDS && R_DKIM_NA && !R_DKIM_ALLOW\" }\n",
        )
        .await
        .unwrap();
    let verdict = house.judge(&good()).await;
    assert_eq!(verdict.revision, revision);
    assert_eq!(score_of(&verdict, "BOTH"), Some(1.5));
    assert_eq!(score_of(&verdict, "R_DKIM_NA"), Some(0.25));
    let status = house.filter.rules_status();
    assert_eq!(status.revision, revision);
    assert_eq!(status.layers.len(), 2);
    assert!(
        status.layers.iter().all(|layer| layer.refused.is_empty()),
        "{status:?}"
    );
}

#[tokio::test]
async fn a_rule_set_that_cannot_be_used_is_refused_and_nothing_changes() {
    let house = House::new().await;
    assert!(house.filter.ready(PATIENCE).await);
    let before = house.filter.rules_status();
    let rule = |when: &str| {
        format!(
            "name = \"x\"\ndescription = \"d\"\n\n[[rule]]\nsymbol = \"X\"\nscore = 1.0\n\
             description = \"d\"\nwhen = {{ {when} }}\n"
        )
    };
    let good_rule = rule("in = \"body\", match = '/x+/'");
    house.filter.check("x", &good_rule).unwrap();
    for (bad, told) in [
        (rule("in = \"body\", match = '/(x/'"), "X (body)"),
        (rule("in = \"body\", match = '/x'"), "line 8"),
        (rule("flag = \"has_htlm\""), "has_html"),
        (rule("in = \"body\", list = \"nowhere\""), "nowhere"),
        (rule("expression = \"A &&\""), "line 8"),
        ("name = ".to_owned(), "line 1"),
    ] {
        let error = house.filter.check("x", &bad).unwrap_err().to_string();
        assert!(error.contains(told), "{told:?} in {error}");
    }
    assert_eq!(house.filter.rules_status(), before);
}

#[tokio::test]
async fn a_stored_rule_set_that_contradicts_another_leaves_the_rules_in_force() {
    let house = House::new().await;
    let sound = "[[rule]]\nsymbol = \"SOUND\"\nscore = 1.0\ndescription = \"d\"\n\
                 when = { exists = \"header.from\" }\n";
    let revision = house.rule_set("sound", sound).await.unwrap();
    let circle = "[[rule]]\nsymbol = \"ONE\"\nscore = 1.0\ndescription = \"d\"\n\
                  when = { symbol = \"TWO\" }\n\n[[rule]]\nsymbol = \"TWO\"\nscore = 1.0\n\
                  description = \"d\"\nwhen = { symbol = \"ONE\" }\n";
    let new = policy::NewRuleSet {
        name: "circle".into(),
        toml: format!("name = \"circle\"\ndescription = \"d\"\n{circle}"),
        position: 2,
        enabled: true,
        source: String::new(),
    };
    // Who stores it may be told already; if not, it does not come into force.
    if house.policy.put_rule_set(new).await.is_ok() {
        house.filter.refresh().await.unwrap_err();
    }
    let verdict = house.judge(&good()).await;
    assert_eq!(verdict.revision, revision);
    assert!(has(&verdict, "SOUND"));
    house.policy.remove_rule_set("circle").await.ok();
    house.filter.refresh().await.unwrap();
    assert!(has(&house.judge(&good()).await, "SOUND"));
}

async fn origins(filter: &Filter) -> Vec<(&'static str, &'static str, Vec<String>)> {
    assert!(filter.ready(PATIENCE).await);
    let status = filter.rules_status();
    let layers = status.layers.into_iter();
    layers
        .map(|layer| (layer.layer, layer.origin, layer.troubles))
        .collect()
}

/// The files of compiled rules.
fn compiled(cache: &Path) -> Vec<std::path::PathBuf> {
    let mut files: Vec<_> = std::fs::read_dir(cache.join("rules"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "what befalls files is the test")]
async fn compiled_rules_outlive_the_process() {
    let house = House::new().await;
    let cache = house.dir.path().join("patterns");
    let restarted = || house.restarted(Some(cache.clone()));
    let first = restarted();
    let compiled_now = [("maps", "compiled", vec![]), ("rules", "compiled", vec![])];
    assert_eq!(origins(&first).await, compiled_now);
    let verdict = first.judge(&good()).await.verdict;
    drop(first);
    let files = compiled(&cache);
    assert_eq!(files.len(), 1, "{files:?}");
    let second = restarted();
    // What lies in the cache is in force before the start returns.
    assert_eq!(second.rules_status().layers.len(), 2);
    let loaded = [("maps", "loaded", vec![]), ("rules", "loaded", vec![])];
    assert_eq!(origins(&second).await, loaded);
    assert_eq!(second.judge(&good()).await.verdict.signals, verdict.signals);
    drop(second);
    // A damaged file is replaced, and the reason is told.
    let mut octets = std::fs::read(&files[0]).unwrap();
    let middle = octets.len() / 2;
    octets[middle] ^= 0xff;
    std::fs::remove_file(&files[0]).unwrap();
    std::fs::write(&files[0], octets).unwrap();
    let third = restarted();
    let found = origins(&third).await;
    assert_eq!((found[1].0, found[1].1), ("rules", "compiled"));
    assert_eq!(found[1].2.len(), 1, "{found:?}");
    assert_eq!(third.judge(&good()).await.verdict.signals, verdict.signals);
    drop(third);
    // Files of other names are nobody's business.
    let strange = cache.join("rules").join("README");
    std::fs::write(&strange, "not ours").unwrap();
    let fourth = restarted();
    assert_eq!(origins(&fourth).await, loaded);
    drop(fourth);
    assert_eq!(std::fs::read_to_string(&strange).unwrap(), "not ours");
    assert!(files[0].exists());
}
