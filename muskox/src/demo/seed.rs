//! The demo's accounts, and mail of different kinds in them.

use directory::{NewAccount, NewAlias, NewDomain, NewPassword};
use mime::date;
use sasl::Secret;
use smtp::{Address, Domain};

use super::client::MailClient;
use super::{Demo, Person, world};
use crate::cli::{Failed, random_password};
use crate::control::first_keys;
use crate::server::{Services, StartError};

/// The account that gets most of the mail.
pub(super) const FIRST: &str = "alice@demo.test";
const SECOND: &str = "bob@demo.test";
const ADMINISTRATOR: &str = "admin";

/// Creates domain, accounts, aliases and administrator where they are missing; every start makes
/// new passwords, so that they can be told.
pub(super) async fn people(services: &Services) -> Result<Vec<Person>, StartError> {
    let directory = &services.directory;
    let domain = parse::<Domain>(world::DOMAIN)?;
    if !directory.is_local_domain(&domain).await? {
        directory
            .create_domain(NewDomain::new(domain.clone()))
            .await?;
        first_keys(directory, &domain).await?;
    }
    let mut people = Vec::new();
    for (login, full_name) in [(FIRST, "Alice Example"), (SECOND, "Bob Example")] {
        let address = parse::<Address>(login)?;
        let password = random_password();
        let clear = NewPassword::Clear(Secret::new(password.clone()));
        match directory.account(&address).await {
            Ok(account) => directory.set_password(account.id, clear).await?,
            Err(directory::Error::NotFound(_)) => {
                let full_name = full_name.to_owned();
                let new = NewAccount {
                    full_name,
                    ..NewAccount::new(address, clear)
                };
                services.create_account(new).await?;
            }
            Err(error) => return Err(error.into()),
        }
        people.push(Person {
            login: login.to_owned(),
            password,
        });
    }
    let aliases = [
        ("team@demo.test", vec![FIRST, SECOND], "both accounts"),
        (
            "postmaster@demo.test",
            vec![FIRST],
            "where problems are told",
        ),
        (
            "away@demo.test",
            vec!["friend@example.test"],
            "forwarded to another server",
        ),
    ];
    for (name, targets, comment) in aliases {
        let name = name.parse().map_err(|error| unusable(name, &error))?;
        let targets: Result<Vec<Address>, StartError> =
            targets.into_iter().map(parse::<Address>).collect();
        let new = NewAlias {
            name,
            targets: targets?,
            comment: comment.to_owned(),
        };
        match directory.create_alias(new).await {
            Ok(()) | Err(directory::Error::Exists(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    people.push(administrator(services).await?);
    Ok(people)
}

async fn administrator(services: &Services) -> Result<Person, StartError> {
    let directory = &services.directory;
    let password = random_password();
    let secret = || Secret::new(password.clone());
    match directory
        .create_administrator(ADMINISTRATOR, secret())
        .await
    {
        Err(directory::Error::Exists(_)) => {
            directory
                .set_administrator_password(ADMINISTRATOR, secret())
                .await?;
        }
        result => {
            result?;
        }
    }
    Ok(Person {
        login: ADMINISTRATOR.to_owned(),
        password,
    })
}

fn parse<T: std::str::FromStr>(text: &str) -> Result<T, StartError>
where
    T::Err: std::fmt::Display,
{
    text.parse().map_err(|error| unusable(text, &error))
}

fn unusable(text: &str, error: &dyn std::fmt::Display) -> StartError {
    StartError::Io(std::io::Error::other(format!("{text}: {error}")))
}

/// Sends mail of different kinds through the MX as strangers would; how many arrived. Mailboxes
/// that were kept from an earlier demo stay as they are.
pub(super) async fn mail(demo: &Demo) -> Result<usize, Failed> {
    let first = parse::<Address>(FIRST)?;
    let directory = &demo.server.services.directory;
    let account = directory.account(&first).await.map_err(StartError::from)?;
    let Some(mx) = demo
        .server
        .address("mx")
        .filter(|_| account.used_count == 0)
    else {
        return Ok(0);
    };
    let today = date::format(demo.server.services.now());
    let mut sent = 0;
    for (from, message) in messages(&today) {
        let mut client = MailClient::connect(mx).await?;
        if client.send(from, &[FIRST], &message).await?.is_positive() {
            sent += 1;
        }
        client.quit().await;
    }
    Ok(sent)
}

/// Plain text, HTML with a picture, an attachment, other scripts, a newsletter, an invitation, a
/// delivery report, broken MIME, and a forgery.
fn messages(today: &str) -> Vec<(&'static str, Vec<u8>)> {
    let message = |from: &str, subject: &str, rest: &str| {
        let head = format!(
            "From: {from}\r\nTo: Alice Example <{FIRST}>\r\nSubject: {subject}\r\nDate: {today}\r\n"
        );
        let id = subject.bytes().fold(0_u32, |hash, byte| {
            hash.wrapping_mul(31).wrapping_add(u32::from(byte))
        });
        format!("{head}Message-ID: <{id:08x}@example.test>\r\nMIME-Version: 1.0\r\n{rest}")
            .into_bytes()
    };
    let plain = "Content-Type: text/plain; charset=utf-8\r\n\r\n";
    vec![
        (
            "bob@example.test",
            message(
                "Bob <bob@example.test>",
                "Lunch on Thursday?",
                &format!("{plain}Same place, half past twelve?\r\n\r\nBob\r\n"),
            ),
        ),
        (
            "claire@example.test",
            message(
                "=?utf-8?q?Cla=C3=AFre_Fran=C3=A7ois?= <claire@example.test>",
                "=?utf-8?b?w4l0w6kgw6AgUGFyaXMg8J+Mug==?=",
                &format!("{plain}Bonjour Alice, on se voit cet \u{e9}t\u{e9} ?\r\n"),
            ),
        ),
        (
            "photos@example.test",
            message(
                "Photos <photos@example.test>",
                "A picture in the text",
                PICTURE,
            ),
        ),
        (
            "files@example.test",
            message(
                "Files <files@example.test>",
                "Minutes of the meeting",
                ATTACHMENT,
            ),
        ),
        (
            "news@example.test",
            message(
                "The Weekly <news@example.test>",
                "This week: quieter servers",
                &format!(
                    "List-Id: <weekly.example.test>\r\nList-Unsubscribe: <mailto:leave@example.test>\r\nPrecedence: list\r\n{plain}All the news.\r\n"
                ),
            ),
        ),
        (
            "claire@example.test",
            message(
                "Claire <claire@example.test>",
                "Invitation: project review",
                INVITATION,
            ),
        ),
        (
            "",
            message(
                "Mail Delivery System <postmaster@example.test>",
                "Undelivered mail returned to sender",
                REPORT,
            ),
        ),
        (
            "broken@example.test",
            message(
                "Broken <broken@example.test>",
                "A multipart without an end",
                "Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\nContent-Type: text/plain\r\n\r\nThe closing boundary never comes.\r\n",
            ),
        ),
        (
            "security@bank.test",
            message(
                "Your Bank <security@bank.test>",
                "Urgent: confirm your password",
                &format!("{plain}Click http://192.0.2.1/login now.\r\n"),
            ),
        ),
    ]
}

const PICTURE: &str = "Content-Type: multipart/alternative; boundary=alt\r\n\r\n\
    --alt\r\nContent-Type: text/plain\r\n\r\nLook at the picture.\r\n\
    --alt\r\nContent-Type: multipart/related; boundary=rel\r\n\r\n\
    --rel\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>Look: <img src=\"cid:dot@example.test\" alt=\"a dot\"></p>\r\n\
    --rel\r\nContent-Type: image/gif; name=dot.gif\r\nContent-ID: <dot@example.test>\r\n\
    Content-Disposition: inline\r\nContent-Transfer-Encoding: base64\r\n\r\n\
    R0lGODlhAQABAPAAAP8AAAAAACwAAAAAAQABAAACAkQBADs=\r\n--rel--\r\n--alt--\r\n";

const ATTACHMENT: &str = "Content-Type: multipart/mixed; boundary=mix\r\n\r\n\
    --mix\r\nContent-Type: text/plain\r\n\r\nAttached.\r\n\
    --mix\r\nContent-Type: text/csv; name*=utf-8''p%C3%B6stal%20costs.csv\r\n\
    Content-Disposition: attachment; filename*=utf-8''p%C3%B6stal%20costs.csv\r\n\r\n\
    item,cost\r\nstamps,12\r\n--mix--\r\n";

const INVITATION: &str = "Content-Type: text/calendar; method=REQUEST; charset=utf-8\r\n\r\n\
    BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//example//EN\r\nMETHOD:REQUEST\r\nBEGIN:VEVENT\r\n\
    UID:review-1@example.test\r\nDTSTAMP:20261101T080000Z\r\nDTSTART:20261203T140000Z\r\n\
    DTEND:20261203T150000Z\r\nSUMMARY:Project review\r\nORGANIZER:mailto:claire@example.test\r\n\
    ATTENDEE:mailto:alice@demo.test\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";

const REPORT: &str = "Auto-Submitted: auto-replied\r\n\
    Content-Type: multipart/report; report-type=delivery-status; boundary=dsn\r\n\r\n\
    --dsn\r\nContent-Type: text/plain\r\n\r\nYour message could not be delivered.\r\n\
    --dsn\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example.test\r\n\r\n\
    Final-Recipient: rfc822; nobody@example.test\r\nAction: failed\r\nStatus: 5.1.1\r\n\
    --dsn\r\nContent-Type: text/rfc822-headers\r\n\r\nFrom: alice@demo.test\r\nSubject: Hello\r\n--dsn--\r\n";
