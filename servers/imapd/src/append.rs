//! APPEND.

use ambient::Timestamp;
use imap::command::Append;
use imap::response::{ResponseCode, Status, StatusResponse};
use mail::ClientMessage;

use crate::client::{Answer, Client, done};
use crate::refusal;
use crate::user::User;

impl Client {
    /// RFC 9051 §6.3.12: stores a message; the answer comes after the commit.
    ///
    /// Quirk: a message with NUL octets outside a binary literal is taken as it is. Mail from other
    /// servers has them, and its owner wants it moved here.
    pub(crate) async fn append(&mut self, user: &User, append: Append) -> Answer {
        if append.message.bytes.is_empty() {
            return Ok(
                StatusResponse::new(Status::No, "Message is empty").with_code(ResponseCode::Cannot)
            );
        }
        let free = self.server.db.free_bytes();
        if free.is_ok_and(|free| free < self.server.limits.reserve_bytes) {
            return Ok(refusal::full());
        }
        let mail = &self.server.mail;
        let found = mail.find(user.account(), &append.mailbox).await;
        let mailbox = found.map_err(|error| refusal::target(&self.id, &error))?;
        let octets = append.message.bytes.len();
        let message = ClientMessage {
            bytes: append.message.bytes.into(),
            flags: append.flags.into_iter().collect(),
            received_at: append.date.map(|date| Timestamp(date.unix_seconds())),
        };
        let appended = mail.append_message(user.account(), mailbox, message).await;
        let appended = appended.map_err(|error| refusal::target(&self.id, &error))?;
        self.server
            .metrics
            .appended
            .inc_by(u64::try_from(octets).unwrap_or(0));
        let code = ResponseCode::AppendUid(appended.uidvalidity, appended.uid);
        Ok(done("APPEND").with_code(code))
    }
}
