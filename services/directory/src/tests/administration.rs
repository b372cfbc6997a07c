//! What administrators can do, and every way it can fail.

use sasl::Secret;
use smtp::address::Address;
use store::AccountId;

use super::{Fixture, PASSWORD, address, domain};
use crate::{
    AccountState, AliasChange, AliasName, DkimAlgorithm, DkimKeyState, DomainChange, Error,
    MAX_TARGETS, NewAccount, NewAlias, NewDkimKey, NewDomain, NewPassword, Page, PrivateKey,
};

fn clear(password: &str) -> NewPassword {
    NewPassword::Clear(Secret::new(password))
}

async fn create(fixture: &Fixture, name: &str, password: NewPassword) -> Result<AccountId, Error> {
    let new = NewAccount::new(address(name), password);
    fixture.directory.create_account(new, |_, _| Ok(())).await
}

/// The message an administrator reads.
fn message<T: std::fmt::Debug>(result: Result<T, Error>) -> String {
    result.unwrap_err().to_string()
}

#[tokio::test]
async fn domains() {
    let fixture = Fixture::with_domain().await;
    let directory = &fixture.directory;
    fixture.alias_domain("bücher.test", "example.org").await;
    fixture.account("ann@example.org").await;
    fixture.alias("x@example.org", &["ann@example.org"]).await;
    fixture.alias("@example.org", &["ann@example.org"]).await;
    let names = |domains: Vec<crate::DomainRecord>| {
        domains
            .into_iter()
            .map(|domain| domain.name.to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        names(directory.list_domains().await.unwrap()),
        ["example.org", "xn--bcher-kva.test"]
    );

    let change = DomainChange {
        active: Some(false),
        description: Some("Ours".into()),
        separator: Some(Some('-')),
        quota_bytes: Some(5_000),
    };
    directory
        .update_domain(&domain("example.org"), change)
        .await
        .unwrap();
    directory
        .update_domain(&domain("example.org"), DomainChange::default())
        .await
        .unwrap();
    let record = directory.domain(&domain("EXAMPLE.org")).await.unwrap();
    let json = serde_json::to_value(&record).unwrap();
    let expected = serde_json::json!({
        "id": 1, "name": "example.org", "alias_of": null, "active": false, "description": "Ours",
        "separator": "-", "quota_bytes": 5000, "accounts": 1, "aliases": 2,
        "created_at": 1_000_000_000,
    });
    assert_eq!(json, expected);
    let alias = directory.domain(&domain("bücher.test")).await.unwrap();
    assert_eq!(alias.alias_of, Some(domain("example.org")));
}

#[tokio::test]
async fn domains_that_are_refused() {
    let fixture = Fixture::with_domain().await;
    let directory = &fixture.directory;
    fixture.alias_domain("bücher.test", "example.org").await;
    let new = |name: &str| NewDomain::new(domain(name));
    let alias = |name: &str, of: &str| NewDomain::alias(domain(name), domain(of));
    let bad_separator = NewDomain {
        separator: Some('.'),
        ..new("new.example")
    };
    let bad_text = NewDomain {
        description: "\u{7}".into(),
        ..new("new.example")
    };
    let bad_quota = NewDomain {
        quota_bytes: u64::MAX,
        ..new("new.example")
    };
    for (new, expected) in [
        (new("Example.ORG"), "the domain example.org exists already"),
        (
            new("BÜCHER.test"),
            "the domain xn--bcher-kva.test exists already",
        ),
        (
            alias("a.example", "b.example"),
            "b.example is not a domain of this server",
        ),
        (
            alias("a.example", "a.example"),
            "a.example is not a domain of this server",
        ),
        (
            alias("a.example", "bücher.test"),
            "xn--bcher-kva.test is an alias domain: use the domain it stands for",
        ),
        (
            bad_separator,
            "the separator must be empty or one of ! # $ % & * + - / = ? ^ _ ~",
        ),
        (
            bad_text,
            "a name or comment has at most 255 characters and no control characters",
        ),
        (bad_quota, "the quota is too large"),
    ] {
        assert_eq!(message(directory.create_domain(new).await), expected);
    }
    let missing = domain("missing.example");
    assert_eq!(
        message(directory.domain(&missing).await),
        "there is no domain missing.example"
    );
    let change = DomainChange::default();
    assert!(matches!(
        directory.update_domain(&missing, change).await,
        Err(Error::NotFound(_))
    ));
    assert!(matches!(
        directory.remove_domain(&missing).await,
        Err(Error::NotFound(_))
    ));
    let separator = DomainChange {
        separator: Some(Some('@')),
        ..DomainChange::default()
    };
    let refused = directory
        .update_domain(&domain("example.org"), separator)
        .await;
    assert!(matches!(refused, Err(Error::Separator)));
}

#[tokio::test]
async fn a_domain_goes_last() {
    let fixture = Fixture::with_domain().await;
    let directory = &fixture.directory;
    fixture.alias_domain("bücher.test", "example.org").await;
    fixture.account("ann@example.org").await;
    fixture
        .alias("x@example.org", &["y@elsewhere.example"])
        .await;
    let used = "the domain example.org is still used by the account ann@example.org";
    assert_eq!(
        message(directory.remove_domain(&domain("example.org")).await),
        used
    );
    let ann = directory
        .account(&address("ann@example.org"))
        .await
        .unwrap()
        .id;
    directory.remove_account(ann, |_, _| Ok(())).await.unwrap();
    let used = "the domain example.org is still used by the alias domain xn--bcher-kva.test";
    assert_eq!(
        message(directory.remove_domain(&domain("example.org")).await),
        used
    );
    directory
        .remove_domain(&domain("bücher.test"))
        .await
        .unwrap();
    directory
        .remove_domain(&domain("example.org"))
        .await
        .unwrap();
    assert!(directory.list_domains().await.unwrap().is_empty());
    assert_eq!(fixture.number("SELECT COUNT(*) FROM alias").await, 0);
    assert_eq!(fixture.number("SELECT COUNT(*) FROM alias_target").await, 0);
}

#[tokio::test]
async fn accounts() {
    let fixture = Fixture::with_domain().await;
    let directory = &fixture.directory;
    fixture.domain("other.example").await;
    fixture.alias_domain("example.test", "example.org").await;
    fixture
        .alias("taken@example.org", &["x@elsewhere.example"])
        .await;
    let quota = DomainChange {
        quota_bytes: Some(7_000),
        ..DomainChange::default()
    };
    directory
        .update_domain(&domain("example.org"), quota)
        .await
        .unwrap();
    let ann = create(&fixture, "Ann@Example.org", clear(PASSWORD))
        .await
        .unwrap();
    let own = NewAccount {
        full_name: "Bob B.".into(),
        quota_bytes: Some(0),
        state: AccountState::ReceiveOnly,
        ..NewAccount::new(address("bob@other.example"), clear(PASSWORD))
    };
    let bob = directory.create_account(own, |_, _| Ok(())).await.unwrap();
    let record = directory
        .account(&address("ANN@example.org"))
        .await
        .unwrap();
    let json = serde_json::to_value(&record).unwrap();
    let expected = serde_json::json!({
        "id": ann.0, "address": "ann@example.org", "full_name": "", "state": "active",
        "used_bytes": 0, "used_count": 0, "quota_bytes": 7000, "created_at": 1_000_000_000,
    });
    assert_eq!(json, expected);

    for (name, expected) in [
        (
            "ann@example.org",
            "the account ann@example.org exists already",
        ),
        (
            "ANN@EXAMPLE.ORG",
            "the account ann@example.org exists already",
        ),
        (
            "Taken@example.org",
            "the alias taken@example.org exists already",
        ),
        (
            "x@missing.example",
            "missing.example is not a domain of this server",
        ),
        (
            "x@example.test",
            "example.test is an alias domain: use the domain it stands for",
        ),
    ] {
        assert_eq!(
            message(create(&fixture, name, clear(PASSWORD)).await),
            expected
        );
    }

    let record = directory.account_by_id(bob).await.unwrap();
    assert_eq!(
        (record.state, record.quota_bytes),
        (AccountState::ReceiveOnly, 0)
    );
}

#[tokio::test]
async fn changes_of_accounts() {
    let fixture = Fixture::with_domain().await;
    let directory = &fixture.directory;
    let ann = fixture.account("ann@example.org").await;
    directory.set_full_name(ann, "Ann A.".into()).await.unwrap();
    directory.set_quota(ann, 9).await.unwrap();
    directory
        .set_active(ann, AccountState::Disabled)
        .await
        .unwrap();
    let record = directory.account_by_id(ann).await.unwrap();
    assert_eq!(
        (record.full_name.as_str(), record.quota_bytes),
        ("Ann A.", 9)
    );
    assert_eq!(record.state, AccountState::Disabled);

    let nobody = AccountId(99);
    assert_eq!(
        message(directory.account_by_id(nobody).await),
        "there is no account number 99"
    );
    let missing = directory.account(&address("x@example.org")).await;
    assert_eq!(message(missing), "there is no account x@example.org");
    for result in [
        directory.set_full_name(nobody, String::new()).await,
        directory.set_quota(nobody, 1).await,
        directory.set_active(nobody, AccountState::Active).await,
        directory.set_password(nobody, clear(PASSWORD)).await,
        directory.remove_account(nobody, |_, _| Ok(())).await,
    ] {
        assert!(matches!(result, Err(Error::NotFound(_))));
    }
    assert!(matches!(
        directory.set_quota(ann, u64::MAX).await,
        Err(Error::Quota)
    ));
    let refused = directory.set_full_name(ann, "a\r\nb".into()).await;
    assert!(matches!(refused, Err(Error::Text)));
}

#[tokio::test]
async fn new_passwords() {
    let fixture = Fixture::with_domain().await;
    let hashed = |hash: &str| NewPassword::Hashed(hash.to_owned());
    for (password, expected) in [
        (clear("seven77"), "a password needs at least 8 characters"),
        (
            clear(&"x".repeat(1_025)),
            "a password can have at most 1024 octets",
        ),
        (
            clear("eight\nxxx"),
            "a password cannot contain control characters",
        ),
        (
            hashed("secret"),
            "the password hash is malformed or of a scheme that is not supported",
        ),
        (
            hashed("{PLAIN}"),
            "the password hash is malformed or of a scheme that is not supported",
        ),
        (
            hashed("$2y$16$ITGnJkLJ3T9LfP47VZtf4uILnUznLqAXHMMklNQPjCZxFaSuRbpLu"),
            "the password hash asks for more time or memory than is allowed",
        ),
    ] {
        assert_eq!(
            message(create(&fixture, "x@example.org", password).await),
            expected
        );
    }
    assert_eq!(fixture.number("SELECT COUNT(*) FROM account").await, 0);
    create(&fixture, "x@example.org", clear("漢字漢字漢字漢字"))
        .await
        .unwrap();
    create(&fixture, "y@example.org", hashed("{PLAIN}short"))
        .await
        .unwrap();
}

#[tokio::test]
async fn an_account_and_what_belongs_to_it_come_and_go_together() {
    let fixture = Fixture::with_domain().await;
    let directory = &fixture.directory;
    let new = || NewAccount::new(address("ann@example.org"), clear(PASSWORD));
    let failed = directory
        .create_account(new(), |_, _| Err(Error::hook("no mailbox today")))
        .await
        .unwrap_err();
    let source = std::error::Error::source(&failed).unwrap();
    assert_eq!(source.to_string(), "no mailbox today");
    assert_eq!(fixture.number("SELECT COUNT(*) FROM account").await, 0);
    assert_eq!(fixture.number("SELECT COUNT(*) FROM credential").await, 0);

    let mailbox = "INSERT INTO mailbox (account_id, name, uidvalidity, created, modseq) \
        VALUES (?1, 'INBOX', 1, 1, 1)";
    let provision = move |tx: &mut dyn store::Tx, account: AccountId| {
        tx.exec(mailbox, &[account.into()])?;
        Ok(())
    };
    let ann = directory.create_account(new(), provision).await.unwrap();
    assert_eq!(
        fixture.number("SELECT account_id FROM mailbox").await,
        ann.0
    );
    let kept = directory
        .remove_account(ann, |_, _| Err(Error::hook("not today")))
        .await;
    assert!(matches!(kept, Err(Error::Hook(_))));
    assert_eq!(fixture.number("SELECT COUNT(*) FROM mailbox").await, 1);

    fixture
        .alias("only@example.org", &["ANN@example.org"])
        .await;
    fixture
        .alias(
            "also@example.org",
            &["ann@example.org", "x@elsewhere.example"],
        )
        .await;
    directory.remove_account(ann, |_, _| Ok(())).await.unwrap();
    assert_eq!(fixture.number("SELECT COUNT(*) FROM mailbox").await, 0);
    let left = directory.list_aliases(None, Page::default()).await.unwrap();
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].targets, [address("x@elsewhere.example")]);

    // The same, in a transaction of the caller's own.
    let prepared = directory.prepare_account(new()).await.unwrap();
    let id: Result<AccountId, Error> = fixture
        .db
        .write(move |tx| crate::account::insert(tx, &prepared))
        .await;
    assert_eq!(
        directory.account_by_id(id.unwrap()).await.unwrap().address,
        address("ann@example.org")
    );
}

#[tokio::test]
async fn lists_come_in_pages_and_by_domain() {
    let fixture = Fixture::with_domain().await;
    let directory = &fixture.directory;
    fixture.domain("other.example").await;
    for name in [
        "c@example.org",
        "a@example.org",
        "b@other.example",
        "\"a b\"@example.org",
    ] {
        fixture.account(name).await;
    }
    for name in [
        "z@example.org",
        "y@other.example",
        "@example.org",
        "\"x y\"@example.org",
    ] {
        fixture.alias(name, &["a@example.org"]).await;
    }
    let page = |after: &str| Page {
        after: after.to_owned(),
        limit: 3,
    };
    let accounts = async |of: Option<&str>, after: &str| {
        let of = of.map(domain);
        let list = directory
            .list_accounts(of.as_ref(), page(after))
            .await
            .unwrap();
        list.iter()
            .map(|account| account.address.to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        accounts(None, "").await,
        ["\"a b\"@example.org", "a@example.org", "b@other.example"]
    );
    assert_eq!(accounts(None, "b@other.example").await, ["c@example.org"]);
    assert_eq!(
        accounts(Some("other.example"), "").await,
        ["b@other.example"]
    );
    let aliases = async |of: Option<&str>, after: &str| {
        let of = of.map(domain);
        let list = directory
            .list_aliases(of.as_ref(), page(after))
            .await
            .unwrap();
        list.iter()
            .map(|alias| alias.name.to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        aliases(None, "").await,
        ["@example.org", "\"x y\"@example.org", "y@other.example"]
    );
    assert_eq!(
        aliases(None, "\"x y\"@example.org").await,
        ["y@other.example", "z@example.org"]
    );
    assert_eq!(
        aliases(Some("other.example"), "").await,
        ["y@other.example"]
    );
    let missing = domain("missing.example");
    let refused = directory
        .list_accounts(Some(&missing), Page::default())
        .await;
    assert_eq!(message(refused), "there is no domain missing.example");
    let refused = directory
        .list_aliases(Some(&missing), Page::default())
        .await;
    assert!(matches!(refused, Err(Error::NotFound(_))));
}

#[tokio::test]
async fn aliases() {
    let fixture = Fixture::with_domain().await;
    let directory = &fixture.directory;
    fixture.alias_domain("example.test", "example.org").await;
    fixture.account("ann@example.org").await;
    let new = NewAlias {
        name: "Sales@example.org".parse().unwrap(),
        targets: [
            "ANN@example.org",
            "Bob@Else.Example",
            "ann@example.org",
            "ann@Example.test",
        ]
        .map(address)
        .into(),
        comment: "the team".into(),
    };
    directory.create_alias(new).await.unwrap();
    let name: AliasName = "sales@EXAMPLE.org".parse().unwrap();
    let json = serde_json::to_value(directory.alias(&name).await.unwrap()).unwrap();
    let expected = serde_json::json!({
        "name": "sales@example.org",
        "targets": ["Bob@else.example", "ann@example.org", "ann@example.test"],
        "active": true, "comment": "the team", "created_at": 1_000_000_000,
    });
    assert_eq!(json, expected);

    for (name, expected) in [
        (
            "SALES@example.org",
            "the alias SALES@example.org exists already",
        ),
        (
            "Ann@example.org",
            "the account Ann@example.org exists already",
        ),
        (
            "x@missing.example",
            "missing.example is not a domain of this server",
        ),
        (
            "@missing.example",
            "missing.example is not a domain of this server",
        ),
        (
            "x@example.test",
            "example.test is an alias domain: use the domain it stands for",
        ),
        (
            "@example.test",
            "example.test is an alias domain: use the domain it stands for",
        ),
    ] {
        let refused = fixture.try_alias(name, &["ann@example.org"]).await;
        assert_eq!(message(refused), expected);
    }
    fixture.alias("@example.org", &["ann@example.org"]).await;
    let again = fixture
        .try_alias("@example.org", &["ann@example.org"])
        .await;
    assert_eq!(message(again), "the alias @example.org exists already");
    assert!(matches!(
        fixture.try_alias("n@example.org", &[]).await,
        Err(Error::NoTargets)
    ));
    let many: Vec<Address> = (0..=MAX_TARGETS)
        .map(|number| address(&format!("u{number}@else.example")))
        .collect();
    let change = |targets| AliasChange {
        targets: Some(targets),
        ..AliasChange::default()
    };
    let refused = directory.update_alias(&name, change(many)).await;
    assert!(matches!(refused, Err(Error::TooManyTargets)));
    let refused = directory.update_alias(&name, change(Vec::new())).await;
    assert!(matches!(refused, Err(Error::NoTargets)));
    let comment = AliasChange {
        comment: Some("\0".into()),
        ..AliasChange::default()
    };
    assert!(matches!(
        directory.update_alias(&name, comment).await,
        Err(Error::Text)
    ));

    let missing: AliasName = "x@example.org".parse().unwrap();
    assert_eq!(
        message(directory.alias(&missing).await),
        "there is no alias x@example.org"
    );
    let refused = directory
        .update_alias(&missing, AliasChange::default())
        .await;
    assert!(matches!(refused, Err(Error::NotFound(_))));
    assert!(matches!(
        directory.remove_alias(&missing).await,
        Err(Error::NotFound(_))
    ));
    for text in ["", "x", "@", "@a@example.org", "a b@example.org"] {
        assert!(text.parse::<AliasName>().is_err(), "{text}");
    }
}

#[tokio::test]
async fn administrators() {
    let fixture = Fixture::new();
    let directory = &fixture.directory;
    let secret = || Secret::new("battery staple");
    directory
        .create_administrator("Root", secret())
        .await
        .unwrap();
    directory
        .create_administrator("ann@example.org", secret())
        .await
        .unwrap();
    let list = directory.list_administrators().await.unwrap();
    let json = serde_json::to_value(list).unwrap();
    let at = 1_000_000_000;
    let expected = serde_json::json!([
        { "id": 2, "name": "ann@example.org", "created_at": at },
        { "id": 1, "name": "root", "created_at": at },
    ]);
    assert_eq!(json, expected);
    let again = directory.create_administrator("ROOT", secret()).await;
    assert_eq!(message(again), "the administrator root exists already");
    for name in ["", "a b", "a\u{7}", "x".repeat(65).as_str()] {
        let refused = directory.create_administrator(name, secret()).await;
        assert!(matches!(refused, Err(Error::AdministratorName)), "{name:?}");
    }
    let short = directory
        .create_administrator("new", Secret::new("short"))
        .await;
    assert!(matches!(short, Err(Error::PasswordTooShort)));

    let new = Secret::new("another one");
    directory
        .set_administrator_password("ROOT", new.clone())
        .await
        .unwrap();
    assert!(directory.verify_administrator("root", &new).await.is_ok());
    assert!(
        directory
            .verify_administrator("root", &secret())
            .await
            .is_err()
    );
    let missing = directory.set_administrator_password("bob", new).await;
    assert_eq!(message(missing), "there is no administrator bob");
    assert!(matches!(
        directory.remove_administrator("bob").await,
        Err(Error::NotFound(_))
    ));
    directory.remove_administrator("Root").await.unwrap();
    let last = directory.remove_administrator("ann@example.org").await;
    assert_eq!(message(last), "the last administrator cannot be removed");
    assert_eq!(directory.list_administrators().await.unwrap().len(), 1);
}

#[tokio::test]
async fn dkim_keys() {
    let fixture = Fixture::with_domain().await;
    let directory = &fixture.directory;
    fixture.alias_domain("example.test", "example.org").await;
    let key = |of: &str, selector: &str| NewDkimKey {
        domain: domain(of),
        selector: selector.to_owned(),
        algorithm: DkimAlgorithm::Ed25519Sha256,
        private_key_der: PrivateKey::new(vec![48, 1, 2]),
        public_key: "cHVibGlj".to_owned(),
    };
    directory
        .add_dkim_key(key("example.org", "S2"))
        .await
        .unwrap();
    directory
        .add_dkim_key(key("example.org", "s1.mail"))
        .await
        .unwrap();
    directory
        .add_dkim_key(key("example.test", "s2"))
        .await
        .unwrap();
    let selectors = async |of: &str| {
        let of = domain(of);
        let all = directory.list_dkim_keys(&of).await.unwrap();
        let signing = directory.active_dkim_keys(&of).await.unwrap();
        let names = |keys: Vec<crate::DkimKeyRecord>| {
            keys.into_iter()
                .map(|key| key.selector)
                .collect::<Vec<_>>()
                .join(" ")
        };
        (names(all), names(signing))
    };
    let expect = |all: &str, signing: &str| (all.to_owned(), signing.to_owned());
    assert_eq!(
        selectors("example.org").await,
        expect("s1.mail s2", "s1.mail s2")
    );
    assert_eq!(selectors("example.test").await, expect("s2", "s2"));
    assert_eq!(selectors("missing.example").await, expect("", ""));

    let here = domain("example.org");
    directory
        .set_dkim_key_state(&here, "s2", DkimKeyState::Stopped)
        .await
        .unwrap();
    assert_eq!(
        selectors("example.org").await,
        expect("s1.mail s2", "s1.mail")
    );
    directory
        .set_dkim_key_state(&here, "S2", DkimKeyState::Signing)
        .await
        .unwrap();
    directory.remove_dkim_key(&here, "s1.mail").await.unwrap();
    assert_eq!(selectors("example.org").await, expect("s2", "s2"));

    let stored = directory.list_dkim_keys(&here).await.unwrap().remove(0);
    assert_eq!(stored.private_key_der.expose(), [48, 1, 2]);
    assert!(!format!("{stored:?}").contains("48"));
    let json = serde_json::to_value(&stored).unwrap();
    let expected = serde_json::json!({
        "domain": "example.org", "selector": "s2", "algorithm": "ed25519-sha256",
        "public_key": "cHVibGlj", "active": true, "created_at": 1_000_000_000,
    });
    assert_eq!(json, expected);

    let again = directory.add_dkim_key(key("example.org", "s2")).await;
    assert_eq!(
        message(again),
        "the DKIM key s2 of example.org exists already"
    );
    let refused = directory.add_dkim_key(key("missing.example", "s2")).await;
    assert!(matches!(refused, Err(Error::NotLocal(_))));
    for selector in ["", "a b", ".a", "a..b", "a;b", "ü"] {
        let refused = directory.add_dkim_key(key("example.org", selector)).await;
        assert!(matches!(refused, Err(Error::Selector)), "{selector}");
    }
    let missing = directory.remove_dkim_key(&here, "s9").await;
    assert_eq!(message(missing), "there is no DKIM key s9 of example.org");
    let missing = directory
        .set_dkim_key_state(&here, "s9", DkimKeyState::Signing)
        .await;
    assert!(matches!(missing, Err(Error::NotFound(_))));
    directory
        .remove_domain(&domain("example.test"))
        .await
        .unwrap();
    assert_eq!(fixture.number("SELECT COUNT(*) FROM dkim_key").await, 1);
}
