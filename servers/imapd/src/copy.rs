//! COPY and MOVE.

use imap::command::Copy;
use imap::response::{CopyUid, ResponseCode, Status, StatusResponse};
use imap::{By, UidSet};
use mail::{CopyOutcome, MailboxId};

use crate::client::{Answer, Client, Failure, done};
use crate::refusal;
use crate::selected::Selected;
use crate::user::User;

impl Selected {
    /// RFC 9051 §6.4.7.
    pub(crate) async fn copy(&mut self, client: &mut Client, user: &User, copy: &Copy) -> Answer {
        let (uids, to) = self.source_and_target(client, user, copy).await?;
        let (account, from) = (self.view.account(), self.view.mailbox());
        let copied = client.server.mail.copy(account, from, &uids, to).await;
        let copied = copied.map_err(|error| refusal::target(&client.id, &error))?;
        if is_late(copy, &uids, &copied) {
            return Ok(expunged());
        }
        Ok(match code(copied) {
            Some(code) => done("COPY").with_code(code),
            None => done("COPY"),
        })
    }

    /// RFC 9051 §6.4.8: COPYUID comes before the EXPUNGEs, so not with the tagged answer.
    pub(crate) async fn move_messages(
        &mut self,
        client: &mut Client,
        user: &User,
        copy: &Copy,
    ) -> Answer {
        self.writable()?;
        let (uids, to) = self.source_and_target(client, user, copy).await?;
        let (account, from) = (self.view.account(), self.view.mailbox());
        let moved = client
            .server
            .mail
            .move_messages(account, from, &uids, to)
            .await;
        let moved = moved.map_err(|error| refusal::target(&client.id, &error))?;
        if is_late(copy, &uids, &moved) {
            return Ok(expunged());
        }
        if let Some(code) = code(moved) {
            client.say(&StatusResponse::new(Status::Ok, "Moved").with_code(code));
        }
        Ok(done("MOVE"))
    }

    async fn source_and_target(
        &self,
        client: &Client,
        user: &User,
        copy: &Copy,
    ) -> Result<(UidSet, MailboxId), Failure> {
        let uids = self.uids(&self.positions(copy.by, &copy.set)?);
        let found = client.server.mail.find(user.account(), &copy.mailbox).await;
        let to = found.map_err(|error| refusal::target(&client.id, &error))?;
        Ok((uids, to))
    }
}

/// RFC 4315 §3: COPYUID; `None` when nothing was copied.
fn code(outcome: CopyOutcome) -> Option<ResponseCode> {
    CopyUid::new(outcome.uidvalidity, outcome.source, outcome.destination)
        .map(ResponseCode::CopyUid)
}

/// Whether a command by number found none of its messages any more.
fn is_late(copy: &Copy, asked: &UidSet, done: &CopyOutcome) -> bool {
    copy.by == By::Seq && !asked.is_empty() && done.source.is_empty()
}

/// RFC 5530 §3: all that was asked for is gone, and the client is about to learn it.
fn expunged() -> StatusResponse {
    StatusResponse::new(Status::No, "Messages have been expunged")
        .with_code(ResponseCode::ExpungeIssued)
}
