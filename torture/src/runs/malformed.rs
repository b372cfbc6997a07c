//! Mail that no program wrote: changed at random, delivered, stored and read back.

use std::time::Instant;

use testkit::client::Smtp;

use crate::context::{Context, Result};
use crate::figure::{Figures, Target};
use crate::ledger;
use crate::messages::{self, Dice};

pub(crate) fn run(context: &Context) -> Result<Figures> {
    let count = context.depth(150_usize, 10_000);
    let site = context.site();
    let names = context.names()?;
    site.resolve_at(names.local_addr());
    let process = context.start(&site);
    ledger::populate(&site);
    let mut figures = Figures::default();
    let result = context.block_on(async {
        let mut imap = ledger::sign_in(site.imaps()).await?;
        imap.command("CREATE Broken").await?;
        let (mut changed, mut refused, mut unread) = (0, 0, 0);
        let mut times = Vec::new();
        for number in 0..count {
            let message = broken(number);
            // By both doors: one may refuse it, in one reply.
            let mut smtp = Smtp::connect(site.mx()).await?;
            let reply = smtp.deliver("load@example.test", &[ledger::ACCOUNT], &message).await?;
            refused += usize::from(reply.0 != 250);
            if !imap.append("Broken", &message).await?.is_ok() {
                continue;
            }
            imap.command("EXAMINE Broken").await?;
            let asked = Instant::now();
            let all = "FETCH * (UID ENVELOPE BODYSTRUCTURE BODY.PEEK[HEADER] BODY.PEEK[1] BODY.PEEK[1.MIME])";
            unread += usize::from(!imap.command(all).await?.is_ok());
            times.push(asked.elapsed().as_secs_f64() * 1_000.0);
            let whole = imap.command("FETCH * (BODY.PEEK[])").await?;
            changed += usize::from(whole.literals().last() != Some(&message));
        }
        Ok::<_, std::io::Error>((changed, refused, unread, times))
    });
    let (changed, refused, unread, times) = result?;
    figures.checked(times.len() as u64);
    figures.count(
        "messages stored by IMAP",
        times.len(),
        Target::AtLeast(count as f64),
    );
    figures.count("of them with other octets", changed, Target::Exactly(0.0));
    figures.count(
        "of them that cannot be read in parts",
        unread,
        Target::Exactly(0.0),
    );
    figures.count("messages refused at delivery", refused, Target::Shown);
    figures.percentile("reading all parts", times, "ms", Target::AtMost(250.0));
    context.check(&site, &mut figures);
    context.end(process, &mut figures);
    Ok(figures)
}

/// A message with a few accidents.
fn broken(number: usize) -> Vec<u8> {
    let mut message = messages::message(number);
    let mut dice = Dice::new(number as u64 ^ 0x6d75_736b);
    for _ in 0..=dice.below(12) {
        let length = message.len().max(1);
        let at = dice.below(length);
        let end = (at + 1 + dice.below(60)).min(message.len());
        match dice.below(7) {
            0 => message.truncate(at.max(1)),
            1 => drop(message.drain(at..end)),
            2 => {
                let copy: Vec<u8> = message.get(at..end).unwrap_or_default().to_vec();
                message.splice(at..at, copy);
            }
            3 => {
                if let Some(octet) = message.get_mut(at) {
                    *octet ^= 1 << dice.below(8);
                }
            }
            4 => {
                let piece = PIECES.get(dice.below(PIECES.len())).copied().unwrap_or(b"");
                message.splice(at..at, piece.iter().copied());
            }
            5 => message
                .splice(at..at, vec![b'('; 1 + dice.below(300)])
                .for_each(drop),
            _ => message
                .splice(at..at, (0..40).map(|_| 0x80 | dice.below(128) as u8))
                .for_each(drop),
        }
    }
    message
}

/// What parsers stumble over.
const PIECES: &[&[u8]] = &[
    b"\r\n--a\r\n",
    b"\r\n--b--\r\n",
    b"\r\n\r\n",
    b"\r\nContent-Type: multipart/mixed; boundary=a; boundary*0=b\r\n",
    b"\r\nContent-Type: message/rfc822\r\n\r\n",
    b"\r\nFrom: a@b, c: d@e, f;, <@x,@y:z@w>\r\n",
    b"=?utf-8?b?////?= =?x?q?=ff?=",
    b"\r\nSubject: =?utf-7?q?+AGEAYg-?=\r\n",
    b"; name*0*=utf-8''%ff; name*99999999999=x",
    b"\r\nDate: Thu, 99 Foo 99999 99:99:99 +9999\r\n",
    b"\\\"\\",
];
