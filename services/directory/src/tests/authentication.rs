//! Who is who: passwords, the work they cost, the cache, accounts that may not sign in.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use sasl::{ScramCredential, Secret};
use smtp::address::Address;
use store::AccountId;

use super::{Fixture, PASSWORD, address};
use crate::{
    AccountState, AuthError, Check, CredentialKind, CredentialSource, DomainChange, Error,
    HashingMetrics, MAX_PASSWORD, NewPassword, Protocol,
};

async fn sign_in(fixture: &Fixture, login: &str, password: &str) -> Result<AccountId, AuthError> {
    let password = Secret::new(password);
    let identity = fixture
        .directory
        .authenticate(login, &password, Protocol::Imap)
        .await?;
    assert_eq!(identity.kind, CredentialKind::Password);
    Ok(identity.account)
}

/// What has been hashed since `before`.
fn since(fixture: &Fixture, before: HashingMetrics) -> HashingMetrics {
    let now = fixture.directory.hashing_metrics();
    HashingMetrics {
        computed: now.computed - before.computed,
        dummies: now.dummies - before.dummies,
        remembered: now.remembered - before.remembered,
    }
}

#[tokio::test]
async fn a_name_and_its_password() {
    let fixture = Fixture::with_domain().await;
    fixture.alias_domain("example.test", "example.org").await;
    let ann = fixture.account("ann@example.org").await;
    let bob = NewPassword::Clear(Secret::new("pässwörd-漢字 "));
    let bob = fixture.account_with("bob@example.org", bob).await;
    fixture
        .alias("alias@example.org", &["ann@example.org"])
        .await;
    let (long, longer) = ("x".repeat(MAX_PASSWORD), "x".repeat(MAX_PASSWORD + 1));
    fixture
        .directory
        .set_password(ann, NewPassword::Clear(Secret::new(long.clone())))
        .await
        .unwrap();
    for (login, password, expected) in [
        ("ann@example.org", long.as_str(), Ok(ann)),
        ("ANN@EXAMPLE.ORG", &long, Ok(ann)),
        ("\"ann\"@example.org", &long, Ok(ann)),
        ("ann@example.org", &longer, Err(AuthError::Invalid)),
        ("ann@example.org", "", Err(AuthError::Invalid)),
        ("ann@example.org", PASSWORD, Err(AuthError::Invalid)),
        ("bob@example.org", "pässwörd-漢字 ", Ok(bob)),
        ("bob@example.org", "pässwörd-漢字", Err(AuthError::Invalid)),
        ("ann+x@example.org", &long, Err(AuthError::Invalid)),
        ("alias@example.org", &long, Err(AuthError::Invalid)),
        ("ann@example.test", &long, Err(AuthError::Invalid)),
        ("nobody@example.org", &long, Err(AuthError::Invalid)),
        ("ann", &long, Err(AuthError::Invalid)),
        ("", &long, Err(AuthError::Invalid)),
        ("' OR 1=1 --@example.org", &long, Err(AuthError::Invalid)),
    ] {
        assert_eq!(
            sign_in(&fixture, login, password).await,
            expected,
            "{login}"
        );
    }
}

#[tokio::test]
async fn every_refusal_costs_one_hash_of_ours() {
    let fixture = Fixture::with_domain().await;
    fixture.account("ann@example.org").await;
    let imported = NewPassword::Hashed("{SHA}L55TUjtiq8FBorTWAZ0jy6g129A=".to_owned());
    fixture.account_with("imported@example.org", imported).await;
    fixture.account("broken@example.org").await;
    let broken = fixture
        .directory
        .account(&address("broken@example.org"))
        .await
        .unwrap()
        .id;
    fixture
        .exec(
            "UPDATE credential SET hash = '{NEW}x' WHERE account_id = ?1",
            broken.0,
        )
        .await;
    for (login, computed, dummies) in [
        ("ann@example.org", 1, 0),
        ("nobody@example.org", 1, 1),
        ("nobody@elsewhere.example", 1, 1),
        ("not an address", 1, 1),
        ("broken@example.org", 1, 1),
        // The quick one of the import, then one of ours.
        ("imported@example.org", 2, 1),
    ] {
        let before = fixture.directory.hashing_metrics();
        assert_eq!(
            sign_in(&fixture, login, "wrong password").await,
            Err(AuthError::Invalid)
        );
        let expected = HashingMetrics {
            computed,
            dummies,
            remembered: 0,
        };
        assert_eq!(since(&fixture, before), expected, "{login}");
    }
}

#[tokio::test]
async fn a_good_password_is_remembered_for_ten_minutes() {
    let fixture = Fixture::with_domain().await;
    let ann = fixture.account("ann@example.org").await;
    let bob = fixture.account("bob@example.org").await;
    let hashed = HashingMetrics {
        computed: 1,
        dummies: 0,
        remembered: 0,
    };
    let remembered = HashingMetrics {
        computed: 0,
        dummies: 0,
        remembered: 1,
    };
    for (advance, expected) in [(0, hashed), (0, remembered), (599, remembered), (1, hashed)] {
        fixture.advance(advance);
        let before = fixture.directory.hashing_metrics();
        assert_eq!(
            sign_in(&fixture, "ann@example.org", PASSWORD).await,
            Ok(ann)
        );
        assert_eq!(since(&fixture, before), expected);
    }
    // The same password of somebody else, and another password, are computed.
    let before = fixture.directory.hashing_metrics();
    assert_eq!(
        sign_in(&fixture, "bob@example.org", PASSWORD).await,
        Ok(bob)
    );
    let wrong = sign_in(&fixture, "ann@example.org", "correct horsf").await;
    assert_eq!(wrong, Err(AuthError::Invalid));
    assert_eq!(since(&fixture, before).remembered, 0);
    // A clock that was set back makes it stale.
    fixture.clock.set(ambient::Timestamp(500_000_000));
    let before = fixture.directory.hashing_metrics();
    assert_eq!(
        sign_in(&fixture, "ann@example.org", PASSWORD).await,
        Ok(ann)
    );
    assert_eq!(since(&fixture, before).remembered, 0);
}

#[tokio::test]
async fn a_changed_password_is_never_answered_from_memory() {
    let fixture = Fixture::with_domain().await;
    let ann = fixture.account("ann@example.org").await;
    assert_eq!(
        sign_in(&fixture, "ann@example.org", PASSWORD).await,
        Ok(ann)
    );
    let new = NewPassword::Clear(Secret::new("battery staple"));
    fixture.directory.set_password(ann, new).await.unwrap();
    assert_eq!(
        sign_in(&fixture, "ann@example.org", PASSWORD).await,
        Err(AuthError::Invalid)
    );
    assert_eq!(
        sign_in(&fixture, "ann@example.org", "battery staple").await,
        Ok(ann)
    );
    // Even when the row is changed behind our back.
    fixture
        .exec(
            "UPDATE credential SET hash = '{SSHA}x' WHERE account_id = ?1",
            ann.0,
        )
        .await;
    let result = sign_in(&fixture, "ann@example.org", "battery staple").await;
    assert_eq!(result, Err(AuthError::Invalid));
    fixture
        .directory
        .remove_account(ann, |_, _| Ok(()))
        .await
        .unwrap();
    let result = sign_in(&fixture, "ann@example.org", "battery staple").await;
    assert_eq!(result, Err(AuthError::Invalid));
    assert_eq!(fixture.number("SELECT COUNT(*) FROM credential").await, 0);
}

#[tokio::test]
async fn an_imported_hash_is_replaced_at_the_first_good_sign_in() {
    let fixture = Fixture::with_domain().await;
    let imported = "{BLF-CRYPT}$2y$05$ITGnJkLJ3T9LfP47VZtf4uILnUznLqAXHMMklNQPjCZxFaSuRbpLu";
    let imported = NewPassword::Hashed(imported.to_owned());
    let ann = fixture.account_with("ann@example.org", imported).await;
    let ours = "SELECT COUNT(*) FROM credential \
        WHERE hash LIKE '$argon2id$v=19$m=8,t=1,p=1$%' AND scram_stored_key IS NOT NULL";
    let wrong = sign_in(&fixture, "ann@example.org", "wrong password").await;
    assert_eq!(wrong, Err(AuthError::Invalid));
    assert_eq!(fixture.number(ours).await, 0);
    assert_eq!(
        sign_in(&fixture, "ann@example.org", PASSWORD).await,
        Ok(ann)
    );
    assert_eq!(fixture.number(ours).await, 1);
    let before = fixture.directory.hashing_metrics();
    assert_eq!(
        sign_in(&fixture, "ann@example.org", PASSWORD).await,
        Ok(ann)
    );
    let remembered = HashingMetrics {
        computed: 0,
        dummies: 0,
        remembered: 1,
    };
    assert_eq!(since(&fixture, before), remembered);

    // A clear password is not even stored.
    let clear = NewPassword::Hashed(format!("{{PLAIN}}{PASSWORD}"));
    let bob = fixture.account_with("bob@example.org", clear).await;
    assert_eq!(fixture.number(ours).await, 2);
    assert_eq!(
        sign_in(&fixture, "bob@example.org", PASSWORD).await,
        Ok(bob)
    );
}

#[tokio::test]
async fn the_time_of_use_is_noted_once_an_hour() {
    let fixture = Fixture::with_domain().await;
    let ann = fixture.account("ann@example.org").await;
    let used = "SELECT COALESCE(used_at, 0) FROM credential";
    assert_eq!(fixture.number(used).await, 0);
    for (advance, expected) in [(0, 0), (3_599, 0), (1, 3_600)] {
        fixture.advance(advance);
        assert_eq!(
            sign_in(&fixture, "ann@example.org", PASSWORD).await,
            Ok(ann)
        );
        assert_eq!(fixture.number(used).await, 1_000_000_000 + expected);
    }
}

#[tokio::test]
async fn only_who_knows_the_password_is_told_that_an_account_is_off() {
    let fixture = Fixture::with_domain().await;
    let ann = fixture.account("ann@example.org").await;
    for (state, expected) in [
        (AccountState::ReceiveOnly, Err(AuthError::Disabled)),
        (AccountState::Disabled, Err(AuthError::Disabled)),
        (AccountState::Active, Ok(ann)),
    ] {
        fixture.state(ann, state).await;
        assert_eq!(
            sign_in(&fixture, "ann@example.org", PASSWORD).await,
            expected
        );
        assert_eq!(
            fixture
                .directory
                .identity(ann)
                .await
                .map(|found| found.account),
            expected
        );
        let wrong = sign_in(&fixture, "ann@example.org", "wrong password").await;
        assert_eq!(wrong, Err(AuthError::Invalid));
    }
    let off = DomainChange {
        active: Some(false),
        ..DomainChange::default()
    };
    fixture
        .directory
        .update_domain(&super::domain("example.org"), off)
        .await
        .unwrap();
    assert_eq!(
        sign_in(&fixture, "ann@example.org", PASSWORD).await,
        Err(AuthError::Disabled)
    );
    assert_eq!(
        fixture.directory.identity(AccountId(99)).await,
        Err(AuthError::Invalid)
    );
}

#[tokio::test]
async fn scram_credentials_of_unknown_names_look_real_and_stay_the_same() {
    let fixture = Fixture::with_domain().await;
    let ann = fixture.account("ann@example.org").await;
    let (account, real) = fixture.directory.scram("Ann@Example.Org").await.unwrap();
    assert_eq!(account, Some(ann));
    assert!(real == ScramCredential::derive(PASSWORD, &real.salt, real.iterations));
    let (nobody, fake) = fixture.directory.scram("bob@example.org").await.unwrap();
    let (_, again) = fixture.directory.scram("BOB@example.org").await.unwrap();
    let (_, other) = fixture.directory.scram("carl@example.org").await.unwrap();
    assert_eq!((nobody, fake.salt.len()), (None, real.salt.len()));
    assert!(fake == again && fake != other);
    let seeded = fixture.directory.clone().with_scram_seed([7; 32]);
    let (_, moved) = seeded.scram("bob@example.org").await.unwrap();
    assert!(moved == ScramCredential::dummy(&[7; 32], "bob@example.org"));
}

#[test]
fn production_hashes_cost_what_scram_dummies_pretend() {
    let production = crate::Hashing::production();
    let dummy = ScramCredential::dummy(b"seed", "name");
    assert_eq!(production.scram_iterations(), dummy.iterations);
}

#[tokio::test]
async fn a_store_that_is_gone_makes_sign_in_unavailable() {
    let fixture = Fixture::with_domain().await;
    fixture.account("ann@example.org").await;
    fixture.db.close().await;
    let result = sign_in(&fixture, "ann@example.org", PASSWORD).await;
    assert_eq!(result, Err(AuthError::Unavailable));
    assert!(fixture.directory.scram("ann@example.org").await.is_err());
    let administrator = fixture
        .directory
        .verify_administrator("root", &Secret::new("x"))
        .await;
    assert_eq!(administrator.unwrap_err(), AuthError::Unavailable);
}

/// Knows one name, whose password is its local part.
#[derive(Debug)]
struct Elsewhere(Address, AccountId);

impl CredentialSource for Elsewhere {
    fn check<'a>(
        &'a self,
        login: &'a Address,
        password: &'a Secret,
    ) -> BoxFuture<'a, Result<Check, Error>> {
        Box::pin(async move {
            Ok(
                match (
                    login == &self.0,
                    password.expose() == login.localpart.as_str(),
                ) {
                    (false, _) => Check::Unknown,
                    (true, false) => Check::Wrong,
                    (true, true) => Check::Right(self.1),
                },
            )
        })
    }
}

#[tokio::test]
async fn sources_are_asked_in_turn() {
    let mut fixture = Fixture::with_domain().await;
    let ann = fixture.account("ann@example.org").await;
    let bob = fixture.account("bob@example.org").await;
    fixture
        .exec("DELETE FROM credential WHERE account_id = ?1", bob.0)
        .await;
    let source = Arc::new(Elsewhere(address("bob@example.org"), bob));
    fixture.directory = fixture.directory.clone().with_source(source);
    for (login, password, expected) in [
        ("ann@example.org", PASSWORD, Ok(ann)),
        ("ann@example.org", "ann", Err(AuthError::Invalid)),
        ("Bob@example.org", "bob", Ok(bob)),
        ("bob@example.org", PASSWORD, Err(AuthError::Invalid)),
        ("carl@example.org", "carl", Err(AuthError::Invalid)),
    ] {
        assert_eq!(
            sign_in(&fixture, login, password).await,
            expected,
            "{login}"
        );
    }
}

#[tokio::test]
async fn administrators_sign_in_with_their_own_passwords() {
    let fixture = Fixture::with_domain().await;
    fixture.account("root@example.org").await;
    let secret = Secret::new("battery staple");
    fixture
        .directory
        .create_administrator("Root", secret.clone())
        .await
        .unwrap();
    let verify = async |name: &str, password: &str| {
        let password = Secret::new(password);
        let administrator = fixture
            .directory
            .verify_administrator(name, &password)
            .await;
        administrator.map(|administrator| administrator.name)
    };
    assert_eq!(
        verify("ROOT", "battery staple").await.as_deref(),
        Ok("root")
    );
    for (name, password) in [
        ("root", PASSWORD),
        ("root", ""),
        ("root@example.org", PASSWORD),
        ("", "battery staple"),
    ] {
        assert_eq!(
            verify(name, password).await,
            Err(AuthError::Invalid),
            "{name}"
        );
    }
    let before = fixture.directory.hashing_metrics();
    assert!(verify("nobody", "battery staple").await.is_err());
    let dummy = HashingMetrics {
        computed: 1,
        dummies: 1,
        remembered: 0,
    };
    assert_eq!(since(&fixture, before), dummy);

    let old = "UPDATE administrator SET hash = '{SHA}L55TUjtiq8FBorTWAZ0jy6g129A=' WHERE id = ?1";
    fixture.exec(old, 1).await;
    assert_eq!(
        verify("root", "battery staple").await,
        Err(AuthError::Invalid)
    );
    assert!(verify("root", PASSWORD).await.is_ok());
    let ours = "SELECT COUNT(*) FROM administrator WHERE hash LIKE '$argon2id$%'";
    assert_eq!(fixture.number(ours).await, 1);
}
