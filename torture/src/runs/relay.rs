//! Whoever comes from elsewhere and has not signed in gets nothing sent to elsewhere, however the
//! address is written.
//!
//! The client has another address than the server, since a server may trust its own machine. No name
//! is found by DNS here: what was taken by mistake would stay in the queue and be seen.

use std::io;
use std::net::SocketAddr;

use testkit::client::{Client, Smtp};
use testkit::process::Site;

use crate::context::{Context, Result, Stopped};
use crate::figure::{Figures, Target};
use crate::netns::{self, Pair};
use crate::{ledger, operator};

/// The ports that mail comes in by.
const PORTS: [u16; 2] = [25, 587];

/// Who it says it is from: nobody, somebody elsewhere, a user here, this very machine.
const SENDERS: [&str; 4] = [
    "<>",
    "<spammer@away.test>",
    "<alice@demo.test>",
    "<spammer@[192.0.2.1]>",
];

/// Addresses elsewhere in every disguise that some server has once fallen for. The first 16 are those
/// of nmap's `smtp-open-relay`.
#[rustfmt::skip]
const RECIPIENTS: [&[u8]; 76] = [
    b"<victim@away.test>",
    b"victim@away.test",
    b"<victim%away.test@[192.0.2.1]>",
    b"<victim%away.test@demo.test>",
    b"<victim%away.test@mail.demo.test>",
    b"<\"victim@away.test\">",
    b"<\"victim%away.test\">",
    b"<victim@away.test@[192.0.2.1]>",
    b"<\"victim@away.test\"@[192.0.2.1]>",
    b"<victim@away.test@mail.demo.test>",
    b"<victim@away.test@demo.test>",
    b"<@[192.0.2.1]:victim@away.test>",
    b"<@mail.demo.test:victim@away.test>",
    b"<away.test!victim>",
    b"<away.test!victim@[192.0.2.1]>",
    b"<away.test!victim@mail.demo.test>",
    // Routes (RFC 5321 appendix C).
    b"<@demo.test:victim@away.test>",
    b"<@demo.test,@mail.demo.test:victim@away.test>",
    b"<@away.test:victim@away.test>",
    b"<@demo.test,@away.test:victim@away.test>",
    b"<@localhost:victim@away.test>",
    b"<@:victim@away.test>",
    b"<@demo.test:victim%away.test@demo.test>",
    b"<@demo.test:@away.test:victim@away.test>",
    b"@demo.test:victim@away.test",
    // Percent, bang, colon and at in the local part.
    b"<victim%away.test>",
    b"<victim%away.test@localhost>",
    b"<victim%away.test@>",
    b"<victim%away.test%demo.test@demo.test>",
    b"<alice%away.test@demo.test>",
    b"<%victim@away.test>",
    b"<victim%40away.test@demo.test>",
    b"<away.test!victim@demo.test>",
    b"<demo.test!away.test!victim>",
    b"<demo.test!victim@away.test>",
    b"<away.test!alice@demo.test>",
    b"<away.test:victim@demo.test>",
    b"<victim:away.test@demo.test>",
    b"<victim#away.test@demo.test>",
    b"<victim@away.test%demo.test>",
    b"<victim@away.test!demo.test>",
    // Quotes and escapes.
    b"<\"victim@away.test\"@demo.test>",
    b"<\"victim%away.test\"@demo.test>",
    b"<\"away.test!victim\"@demo.test>",
    b"<\"victim\"@away.test>",
    b"<\"victim\\@away.test\"@demo.test>",
    b"<victim\\@away.test@demo.test>",
    b"<\"\"@away.test>",
    b"<\"victim@away.test>",
    b"\"victim@away.test\"",
    b"<\"<victim@away.test>\"@demo.test>",
    b"<\"alice@demo.test\"@away.test>",
    b"<\"alice@demo.test>, <victim\"@away.test>",
    // Local parts and domains that are none.
    b"<@away.test>",
    b"<victim@>",
    b"<victim@away.test.>",
    b"<victim@.away.test>",
    b"<victim@away..test>",
    b"<victim@demo.test.away.test>",
    b"<victim@away.test/demo.test>",
    b"<alice@demo.test@away.test>",
    b"<alice@demo.test.>@away.test",
    b"<victim@[127.0.0.1]>",
    b"<victim@[192.0.2.2]>",
    b"<victim@[IPv6:::1]>",
    b"<victim@192.0.2.2>",
    b"<victim@xn--bcher-kva.test>",
    b"<victim@b\xc3\xbccher.test> SMTPUTF8",
    b"<victim@demo.test\xe3\x80\x82away.test>",
    // Octets that end a string in some programs, and a line in others.
    b"<victim@away.test\0@demo.test>",
    b"<victim@away.test\0>",
    b"<alice@demo.test\0@away.test>",
    b"<victim@away.test\n@demo.test>",
    b"<victim@away.test\r@demo.test>",
    // More than one address, and none.
    b"<alice@demo.test> <victim@away.test>",
    b"<alice@demo.test,victim@away.test>",
];

pub(crate) fn run(context: &Context) -> Result<Figures> {
    let pair = Pair::new()?;
    let site = context.site().under(&pair.launcher());
    listen(&site)?;
    let process = context.start(&site);
    ledger::populate(&site);
    let outcome = pair.as_client(|| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(attempts())
    })??;
    let waiting = operator::queued(&site)?;
    let mut figures = Figures::default();
    figures.checked(outcome.attempts as u64);
    figures.count("patterns", RECIPIENTS.len(), Target::AtLeast(76.0));
    figures.count(
        "attempts from another address",
        outcome.attempts,
        Target::Shown,
    );
    figures.count(
        "recipients accepted",
        outcome.recipients,
        Target::Exactly(0.0),
    );
    figures.count("messages accepted", outcome.messages, Target::Exactly(0.0));
    figures.count(
        "messages in the queue",
        waiting as usize,
        Target::Exactly(0.0),
    );
    let users = usize::from(outcome.user_is_reached);
    figures.count(
        "a user here is reached from there",
        users,
        Target::Exactly(1.0),
    );
    context.end(process, &mut figures);
    Ok(figures)
}

/// Lets a site be reached from the other side.
fn listen(site: &Site) -> Result<()> {
    let text = std::fs::read_to_string(site.config())?;
    let [mx, submission] = PORTS.map(|port| SocketAddr::from((netns::SERVER, port)));
    let text = text
        .replace(&site.mx().to_string(), &mx.to_string())
        .replace(&site.submission().to_string(), &submission.to_string());
    Ok(std::fs::write(site.config(), text)?)
}

/// What somebody from elsewhere achieved.
#[derive(Debug, Default)]
struct Outcome {
    attempts: usize,
    recipients: usize,
    messages: usize,
    user_is_reached: bool,
}

async fn attempts() -> Result<Outcome> {
    let mut outcome = Outcome::default();
    for port in PORTS {
        let server = SocketAddr::from((netns::SERVER, port));
        for sender in SENDERS {
            for recipient in RECIPIENTS {
                let replies = attempt(server, sender, recipient).await?;
                outcome.attempts += 1;
                outcome.recipients += usize::from(replies.0);
                outcome.messages += usize::from(replies.1);
                if replies.0 {
                    let recipient = recipient.escape_ascii();
                    eprintln!("   at port {port} from {sender}: {recipient} is accepted");
                }
            }
        }
    }
    // Whether anybody was listened to at all.
    let server = SocketAddr::from((netns::SERVER, PORTS[0]));
    let to = format!("<{}>", ledger::ACCOUNT);
    outcome.user_is_reached = attempt(server, SENDERS[1], to.as_bytes()).await? == (true, true);
    Ok(outcome)
}

/// Whether the recipient was accepted, and then the message. A server may end the connection.
async fn attempt(server: SocketAddr, sender: &str, recipient: &[u8]) -> Result<(bool, bool)> {
    let mut smtp = Smtp {
        client: Client::connect(server).await?,
    };
    let (code, text) = smtp.reply().await?;
    if code != 220 {
        return Err(Stopped::Failed(format!("{code} {text}")));
    }
    let talk = async {
        smtp.command("EHLO away.test").await?;
        smtp.command(&format!("MAIL FROM:{sender}")).await?;
        smtp.client
            .send_raw(&[b"RCPT TO:", recipient, b"\r\n"].concat())
            .await?;
        if smtp.reply().await?.0 / 100 != 2 {
            return io::Result::Ok((false, false));
        }
        if smtp.command("DATA").await?.0 != 354 {
            return Ok((true, false));
        }
        smtp.client
            .send_raw(b"Subject: relayed\r\n\r\nx\r\n.\r\n")
            .await?;
        Ok((true, smtp.reply().await?.0 / 100 == 2))
    };
    match talk.await {
        Err(error) if error.kind() == io::ErrorKind::TimedOut => Err(error.into()),
        Err(_) => Ok((false, false)),
        Ok(replies) => Ok(replies),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_pattern_comes_twice() {
        let distinct: std::collections::BTreeSet<_> = RECIPIENTS.iter().collect();
        assert_eq!(distinct.len(), RECIPIENTS.len());
    }
}
