//! Where mail goes, and who may send as whom.

use smtp::address::ForwardPath;

use super::{Fixture, address, domain};
use crate::{
    AccountState, AliasChange, CredentialKind, DomainChange, Error, Identity, MAX_DEPTH,
    MAX_EXPANSION, MAX_TARGETS, Resolution,
};

/// `account[+detail]` of each local recipient, then the remote addresses; or the refusal.
async fn resolve(fixture: &Fixture, recipient: &str) -> String {
    describe(
        fixture
            .directory
            .resolve(&address(recipient))
            .await
            .unwrap(),
    )
}

fn describe(resolution: Resolution) -> String {
    let expansion = match resolution {
        Resolution::Deliver(expansion) => expansion,
        refusal => return format!("{refusal:?}"),
    };
    let local = expansion.local.iter().map(|recipient| {
        let detail = recipient
            .detail
            .as_ref()
            .map(|detail| format!(" +{detail}"));
        format!("{}{}", recipient.address, detail.unwrap_or_default())
    });
    let remote = expansion.remote.iter().map(ToString::to_string);
    local.chain(remote).collect::<Vec<_>>().join(", ")
}

async fn assert_resolves(fixture: &Fixture, cases: &[(&str, &str)]) {
    // Twice: from the database, then from what was kept.
    for _ in 0..2 {
        for (recipient, expected) in cases {
            assert_eq!(&resolve(fixture, recipient).await, expected, "{recipient}");
        }
    }
}

#[tokio::test]
async fn accounts_aliases_and_sub_addresses() {
    let fixture = Fixture::with_domain().await;
    fixture.account("Ann@example.org").await;
    fixture.account("bob@example.org").await;
    fixture.account("jürgen@example.org").await;
    fixture.account("\"odd name\"@example.org").await;
    fixture.account("carl+fixed@example.org").await;
    fixture
        .alias("sales@example.org", &["ann@example.org", "BOB@EXAMPLE.ORG"])
        .await;
    fixture
        .alias("Info@example.org", &["bob+info@example.org"])
        .await;
    fixture
        .alias(
            "away@example.org",
            &["Me@Elsewhere.Example", "ann@example.org"],
        )
        .await;
    fixture
        .alias(
            "nested@example.org",
            &["sales@example.org", "away@example.org"],
        )
        .await;
    fixture
        .alias("ghost@example.org", &["nobody@example.org"])
        .await;
    fixture
        .alias(
            "mixed@example.org",
            &["nobody@example.org", "bob@example.org"],
        )
        .await;
    let both = "ann@example.org, bob@example.org";
    assert_resolves(
        &fixture,
        &[
            ("ann@example.org", "ann@example.org"),
            ("ANN@Example.ORG", "ann@example.org"),
            ("\"ann\"@example.org", "ann@example.org"),
            ("JÜRGEN@example.org", "jürgen@example.org"),
            ("\"Odd Name\"@example.org", "\"odd name\"@example.org"),
            ("ann+News@example.org", "ann@example.org +News"),
            ("ann+a+b@example.org", "ann@example.org +a+b"),
            ("ann+@example.org", "ann@example.org"),
            ("ann-news@example.org", "Unknown"),
            ("+news@example.org", "Unknown"),
            ("carl+fixed@example.org", "carl+fixed@example.org"),
            ("carl+other@example.org", "Unknown"),
            ("carl+fixed+x@example.org", "Unknown"),
            ("sales@example.org", both),
            (
                "Sales+q4@example.org",
                "ann@example.org +q4, bob@example.org +q4",
            ),
            ("info@example.org", "bob@example.org +info"),
            ("info+outer@example.org", "bob@example.org +info"),
            ("away@example.org", "ann@example.org, Me@elsewhere.example"),
            (
                "nested@example.org",
                &format!("{both}, Me@elsewhere.example"),
            ),
            ("ghost@example.org", "Unknown"),
            ("mixed@example.org", "bob@example.org"),
            ("nobody@example.org", "Unknown"),
            ("ann@elsewhere.example", "NotLocal"),
            ("ann@sub.example.org", "NotLocal"),
        ],
    )
    .await;
}

#[tokio::test]
async fn the_recipient_as_the_client_wrote_it_is_kept() {
    let fixture = Fixture::with_domain().await;
    let ann = fixture.account("ann@example.org").await;
    fixture
        .alias("Team@example.org", &["ann@example.org"])
        .await;
    for written in ["TEAM+X@example.org", "team@example.org"] {
        let Resolution::Deliver(expansion) =
            fixture.directory.resolve(&address(written)).await.unwrap()
        else {
            panic!("{written} is not delivered");
        };
        let [recipient] = expansion.local.as_slice() else {
            panic!("{expansion:?}")
        };
        assert_eq!(
            (recipient.account, &recipient.original),
            (ann, &address(written))
        );
    }
}

#[tokio::test]
async fn separators_belong_to_the_domain() {
    let fixture = Fixture::with_domain().await;
    fixture.account("ann@example.org").await;
    fixture.account("ann-lee@example.org").await;
    for (separator, plus, minus) in [
        (Some('+'), "ann@example.org +x", "Unknown"),
        (Some('-'), "Unknown", "ann@example.org +x"),
        (None, "Unknown", "Unknown"),
    ] {
        let change = DomainChange {
            separator: Some(separator),
            ..DomainChange::default()
        };
        fixture
            .directory
            .update_domain(&domain("example.org"), change)
            .await
            .unwrap();
        let cases = [
            ("ann+x@example.org", plus),
            ("ann-x@example.org", minus),
            ("ann-lee@example.org", "ann-lee@example.org"),
        ];
        assert_resolves(&fixture, &cases).await;
    }
}

#[tokio::test]
async fn alias_domains_have_every_address_of_their_domain() {
    let fixture = Fixture::with_domain().await;
    fixture.alias_domain("exämple.test", "example.org").await;
    fixture.account("ann@example.org").await;
    fixture
        .alias("sales@example.org", &["ann@exämple.test"])
        .await;
    let cases = [
        ("ann@exämple.test", "ann@example.org"),
        ("ann@xn--exmple-cua.test", "ann@example.org"),
        ("Ann+x@exämple.test", "ann@example.org +x"),
        ("sales@exämple.test", "ann@example.org"),
        ("bob@exämple.test", "Unknown"),
    ];
    assert_resolves(&fixture, &cases).await;
    fixture.alias("@example.org", &["ann@example.org"]).await;
    assert_resolves(&fixture, &[("bob@exämple.test", "ann@example.org")]).await;

    let off = DomainChange {
        active: Some(false),
        ..DomainChange::default()
    };
    fixture
        .directory
        .update_domain(&domain("exämple.test"), off.clone())
        .await
        .unwrap();
    let cases = [
        ("ann@exämple.test", "Disabled"),
        ("ann@example.org", "ann@example.org"),
    ];
    assert_resolves(&fixture, &cases).await;

    let on = DomainChange {
        active: Some(true),
        ..DomainChange::default()
    };
    fixture
        .directory
        .update_domain(&domain("exämple.test"), on)
        .await
        .unwrap();
    fixture
        .directory
        .update_domain(&domain("example.org"), off)
        .await
        .unwrap();
    let cases = [
        ("ann@exämple.test", "Disabled"),
        ("nobody@example.org", "Disabled"),
    ];
    assert_resolves(&fixture, &cases).await;
    for (name, local) in [
        ("example.org", true),
        ("exämple.test", true),
        ("example.com", false),
    ] {
        assert_eq!(
            fixture
                .directory
                .is_local_domain(&domain(name))
                .await
                .unwrap(),
            local
        );
    }
}

#[tokio::test]
async fn a_catch_all_takes_what_nothing_else_does() {
    let fixture = Fixture::with_domain().await;
    fixture.domain("other.example").await;
    fixture.account("ann@example.org").await;
    let bob = fixture.account("bob@example.org").await;
    fixture.alias("off@example.org", &["ann@example.org"]).await;
    fixture
        .alias(
            "@example.org",
            &["ann@example.org", "all@elsewhere.example"],
        )
        .await;
    let off = AliasChange {
        active: Some(false),
        ..AliasChange::default()
    };
    let name = "off@example.org".parse().unwrap();
    fixture
        .directory
        .update_alias(&name, off.clone())
        .await
        .unwrap();
    fixture.state(bob, AccountState::Disabled).await;
    let all = "ann@example.org, all@elsewhere.example";
    let cases = [
        ("ann@example.org", "ann@example.org"),
        ("nobody@example.org", all),
        ("nobody+x@example.org", all),
        ("postmaster@example.org", all),
        ("bob@example.org", "Disabled"),
        ("bob+x@example.org", "Disabled"),
        ("off@example.org", "Disabled"),
        ("nobody@other.example", "Unknown"),
    ];
    assert_resolves(&fixture, &cases).await;
    fixture
        .directory
        .update_alias(&"@example.org".parse().unwrap(), off)
        .await
        .unwrap();
    assert_resolves(&fixture, &[("nobody@example.org", "Unknown")]).await;
}

#[tokio::test]
async fn every_domain_has_a_postmaster() {
    let mut fixture = Fixture::with_domain().await;
    fixture.domain("own.example").await;
    fixture.account("ann@example.org").await;
    fixture.account("postmaster@own.example").await;
    let bare = ForwardPath::Postmaster;
    assert_resolves(&fixture, &[("Postmaster@example.org", "Unknown")]).await;
    assert_eq!(
        fixture.directory.resolve_path(&bare).await.unwrap(),
        Resolution::Unknown
    );

    fixture.directory = fixture
        .directory
        .clone()
        .with_postmaster(address("ann@example.org"));
    fixture
        .alias("@example.org", &["x@elsewhere.example"])
        .await;
    let cases = [
        ("Postmaster@example.org", "ann@example.org"),
        ("postmaster@own.example", "postmaster@own.example"),
        ("nobody@example.org", "x@elsewhere.example"),
        ("postmaster@elsewhere.example", "NotLocal"),
    ];
    assert_resolves(&fixture, &cases).await;
    let resolution = fixture.directory.resolve_path(&bare).await.unwrap();
    assert_eq!(describe(resolution), "ann@example.org");
    let path = ForwardPath::Address(address("nobody@own.example"));
    assert_eq!(
        fixture.directory.resolve_path(&path).await.unwrap(),
        Resolution::Unknown
    );

    // A designated postmaster that does not exist designates itself at most once.
    fixture.directory = fixture
        .directory
        .clone()
        .with_postmaster(address("postmaster@example.org"));
    assert_resolves(&fixture, &[("postmaster@example.org", "Unknown")]).await;
}

#[tokio::test]
async fn loops_are_cut_and_limits_are_errors() {
    let fixture = Fixture::with_domain().await;
    fixture.account("ann@example.org").await;
    fixture
        .alias("self@example.org", &["self@example.org"])
        .await;
    fixture.alias("a@example.org", &["b@example.org"]).await;
    fixture.alias("b@example.org", &["A@example.org"]).await;
    fixture
        .alias("c@example.org", &["c@example.org", "ann@example.org"])
        .await;
    fixture
        .alias(
            "d1@example.org",
            &["ann@example.org", "out@elsewhere.example"],
        )
        .await;
    fixture
        .alias(
            "d2@example.org",
            &["ann@example.org", "out@elsewhere.example"],
        )
        .await;
    fixture
        .alias("d@example.org", &["d1@example.org", "d2@example.org"])
        .await;
    let cases = [
        ("self@example.org", "Unknown"),
        ("a@example.org", "Unknown"),
        ("c@example.org", "ann@example.org"),
        ("d@example.org", "ann@example.org, out@elsewhere.example"),
    ];
    assert_resolves(&fixture, &cases).await;

    // step0 leads through MAX_DEPTH aliases to ann, and deep is one more.
    for level in 1..MAX_DEPTH {
        let (name, target) = (
            format!("step{}@example.org", level - 1),
            format!("step{level}"),
        );
        fixture
            .alias(&name, &[&format!("{target}@example.org")])
            .await;
    }
    let last = format!("step{}@example.org", MAX_DEPTH - 1);
    fixture.alias(&last, &["ann@example.org"]).await;
    assert_resolves(&fixture, &[("step0@example.org", "ann@example.org")]).await;
    fixture
        .alias("deep@example.org", &["step0@example.org"])
        .await;
    let error = fixture
        .directory
        .resolve(&address("deep@example.org"))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Expansion(original) if original == address("deep@example.org")));

    let many: Vec<String> = (0..MAX_TARGETS)
        .map(|n| format!("u{n}@elsewhere.example"))
        .collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    fixture.alias("many@example.org", &many).await;
    let resolution = fixture
        .directory
        .resolve(&address("many@example.org"))
        .await
        .unwrap();
    assert!(matches!(resolution, Resolution::Deliver(all) if all.remote.len() == MAX_TARGETS));
}

#[tokio::test]
async fn a_list_of_lists_reaches_ten_thousand_and_not_without_end() {
    let fixture = Fixture::with_domain().await;
    let mut lists = Vec::new();
    for list in 0..MAX_EXPANSION / MAX_TARGETS {
        let targets: Vec<String> = (0..MAX_TARGETS)
            .map(|n| format!("u{n}@list{list}.example"))
            .collect();
        let targets: Vec<&str> = targets.iter().map(String::as_str).collect();
        let name = format!("list{list}@example.org");
        fixture.alias(&name, &targets).await;
        lists.push(name);
    }
    let lists: Vec<&str> = lists.iter().map(String::as_str).collect();
    fixture.alias("half@example.org", &lists[..10]).await;
    fixture.alias("all@example.org", &lists).await;
    let [half, all] = ["half@example.org", "all@example.org"].map(address);
    let half = fixture.directory.resolve(&half).await.unwrap();
    assert!(matches!(half, Resolution::Deliver(all) if all.remote.len() == 10_000));
    // The lists count as well.
    let all = fixture.directory.resolve(&all).await;
    assert!(matches!(all, Err(Error::Expansion(_))));
}

#[tokio::test]
async fn states_of_accounts_and_quotas() {
    let fixture = Fixture::with_domain().await;
    let ann = fixture.account("ann@example.org").await;
    fixture.account("bob@example.org").await;
    fixture
        .alias("only@example.org", &["ann@example.org"])
        .await;
    fixture
        .alias("both@example.org", &["ann@example.org", "bob@example.org"])
        .await;
    for (state, alone, through, both) in [
        (
            AccountState::Active,
            "ann@example.org",
            "ann@example.org",
            "ann@example.org, bob@example.org",
        ),
        (
            AccountState::ReceiveOnly,
            "ann@example.org",
            "ann@example.org",
            "ann@example.org, bob@example.org",
        ),
        (
            AccountState::Disabled,
            "Disabled",
            "Disabled",
            "bob@example.org",
        ),
    ] {
        fixture.state(ann, state).await;
        let cases = [
            ("ann@example.org", alone),
            ("only@example.org", through),
            ("both@example.org", both),
        ];
        assert_resolves(&fixture, &cases).await;
    }
    fixture.state(ann, AccountState::Active).await;
    let over = async |expected: bool| {
        let resolution = fixture
            .directory
            .resolve(&address("only@example.org"))
            .await
            .unwrap();
        let Resolution::Deliver(expansion) = resolution else {
            panic!("{resolution:?}")
        };
        assert_eq!(expansion.local[0].over_quota, expected);
    };
    over(false).await;
    fixture.directory.set_quota(ann, 1_000).await.unwrap();
    over(false).await;
    // Mail arrives and goes without a change of the directory.
    fixture
        .exec("UPDATE account SET used_bytes = 1000 WHERE id = ?1", ann.0)
        .await;
    over(true).await;
    fixture
        .exec("UPDATE account SET used_bytes = 999 WHERE id = ?1", ann.0)
        .await;
    over(false).await;
    fixture
        .exec("UPDATE account SET used_bytes = 5000 WHERE id = ?1", ann.0)
        .await;
    fixture.directory.set_quota(ann, 0).await.unwrap();
    over(false).await;
}

#[tokio::test]
async fn a_change_is_seen_by_the_next_resolution() {
    let fixture = Fixture::with_domain().await;
    let directory = &fixture.directory;
    assert_resolves(&fixture, &[("x@example.org", "Unknown")]).await;
    fixture.account("ann@example.org").await;
    let bob = fixture.account("bob@example.org").await;
    fixture.alias("x@example.org", &["ann@example.org"]).await;
    assert_resolves(&fixture, &[("x@example.org", "ann@example.org")]).await;
    let name = "X@example.org".parse().unwrap();
    let targets = Some(vec![address("bob@example.org"), address("ann@example.org")]);
    directory
        .update_alias(
            &name,
            AliasChange {
                targets,
                ..AliasChange::default()
            },
        )
        .await
        .unwrap();
    assert_resolves(
        &fixture,
        &[("x@example.org", "ann@example.org, bob@example.org")],
    )
    .await;
    directory.remove_account(bob, |_, _| Ok(())).await.unwrap();
    assert_resolves(&fixture, &[("x@example.org", "ann@example.org")]).await;
    directory.remove_alias(&name).await.unwrap();
    assert_resolves(&fixture, &[("x@example.org", "Unknown")]).await;
}

#[tokio::test]
async fn who_may_send_as_whom() {
    let mut fixture = Fixture::with_domain().await;
    fixture.alias_domain("example.test", "example.org").await;
    fixture.domain("own.example").await;
    let ann = fixture.account("ann@example.org").await;
    let bob = fixture.account("bob@example.org").await;
    fixture
        .alias("sales@example.org", &["ann@example.org", "bob@example.org"])
        .await;
    fixture
        .alias("nested@example.org", &["sales@example.org"])
        .await;
    fixture
        .alias("out@example.org", &["someone@elsewhere.example"])
        .await;
    fixture.alias("off@example.org", &["ann@example.org"]).await;
    fixture.alias("@own.example", &["bob@example.org"]).await;
    let off = AliasChange {
        active: Some(false),
        ..AliasChange::default()
    };
    fixture
        .directory
        .update_alias(&"off@example.org".parse().unwrap(), off)
        .await
        .unwrap();
    fixture.directory = fixture
        .directory
        .clone()
        .with_postmaster(address("ann@example.org"));
    let identity = |account, login| Identity {
        account,
        login: address(login),
        kind: CredentialKind::Password,
    };
    let ann = identity(ann, "ann@example.org");
    let bob = identity(bob, "bob@example.org");
    for (sender, ann_may, bob_may) in [
        ("ann@example.org", true, false),
        ("Ann+tag@EXAMPLE.org", true, false),
        ("ann@example.test", true, false),
        ("ann+tag@example.test", true, false),
        ("bob@example.org", false, true),
        ("sales@example.org", true, true),
        ("sales+x@example.test", true, true),
        ("nested@example.org", true, true),
        ("out@example.org", false, false),
        ("off@example.org", false, false),
        ("postmaster@example.org", true, false),
        ("anything@own.example", false, true),
        ("nobody@example.org", false, false),
        ("ann@elsewhere.example", false, false),
        ("someone@elsewhere.example", false, false),
    ] {
        for (who, may) in [(&ann, ann_may), (&bob, bob_may)] {
            let answer = fixture
                .directory
                .may_send_as(who, &address(sender))
                .await
                .unwrap();
            assert_eq!(answer, may, "{} as {sender}", who.login);
        }
    }
}
