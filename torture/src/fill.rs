//! Mailboxes made fast: commands sent ahead of their answers, by many sessions at once, so that the
//! server commits them in groups.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use testkit::client::Imap;
use tokio::task::JoinSet;

use crate::context::{Context, Result, Stopped};
use crate::{crowd, messages};

/// Sessions that fill.
const SESSIONS: usize = 48;
/// Commands that are sent before the first answer is read.
const AHEAD: usize = 64;
/// How long the answers to these may take.
const PATIENCE: Duration = Duration::from_secs(300);
/// The crowd gives an address to 60 numbers, and an account may have 20 sessions from an address.
const APART: usize = 4;

/// The message of a number: of every shape that RFC 7888's LITERAL- takes without asking.
pub(crate) fn message(number: usize) -> Vec<u8> {
    // Each twelfth shape is longer than 4,096 octets.
    messages::message(number / 11 * 12 + number % 11)
}

/// Appends the messages of `0..count` to INBOX.
pub(crate) fn messages(context: &Context, imaps: SocketAddr, count: usize) -> Result<()> {
    commands(context, imaps, count, |number| {
        let message = message(number);
        let mut command = format!("APPEND INBOX {{{}+}}\r\n", message.len()).into_bytes();
        command.extend_from_slice(&message);
        command
    })
}

/// Sends the commands of `0..count`, each of which must succeed, in no particular order.
pub(crate) fn commands(
    context: &Context,
    imaps: SocketAddr,
    count: usize,
    command: fn(usize) -> Vec<u8>,
) -> Result<()> {
    context.block_on(async {
        let mut sessions = JoinSet::new();
        for session in 0..SESSIONS.min(count) {
            sessions.spawn(async move {
                let mut imap = crowd::sign_in(session * APART, imaps).await?;
                imap.client.set_patience(PATIENCE);
                let mut numbers = (session..count).step_by(SESSIONS).peekable();
                while numbers.peek().is_some() {
                    let batch = numbers.by_ref().take(AHEAD).map(command);
                    ahead(&mut imap, batch).await?;
                }
                Ok::<_, io::Error>(())
            });
        }
        while let Some(ended) = sessions.join_next().await {
            ended.map_err(|error| Stopped::Failed(error.to_string()))??;
        }
        Ok(())
    })
}

/// Sends a few commands at once, then reads all answers.
async fn ahead(imap: &mut Imap, commands: impl Iterator<Item = Vec<u8>>) -> io::Result<()> {
    let mut octets = Vec::new();
    let mut sent = 0;
    for command in commands {
        sent += 1;
        octets.extend_from_slice(format!("f{sent} ").as_bytes());
        octets.extend_from_slice(&command);
        octets.extend_from_slice(b"\r\n");
    }
    imap.client.send_raw(&octets).await?;
    let answers = imap.client.octets_until(&format!("f{sent}")).await?;
    let text = String::from_utf8_lossy(&answers);
    let is_done = |line: &&str| line.split(' ').nth(1) == Some("OK");
    match text.lines().find(|line| !is_done(line)) {
        None if text.lines().count() == sent => Ok(()),
        refused => Err(io::Error::other(format!("refused: {refused:?}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_message_is_short_enough_and_none_comes_twice() {
        let all: Vec<Vec<u8>> = (0..200).map(message).collect();
        assert!(all.iter().all(|message| message.len() <= 4_096));
        let distinct: std::collections::BTreeSet<&Vec<u8>> = all.iter().collect();
        assert_eq!(distinct.len(), all.len());
    }
}
