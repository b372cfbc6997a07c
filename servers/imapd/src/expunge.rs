//! EXPUNGE and UID EXPUNGE.

use imap::By;
use imap::command::Expunge;

use crate::client::{Answer, Client, done};
use crate::selected::Selected;

impl Selected {
    /// RFC 9051 §6.4.3, §6.4.9. The client learns with the command's news which messages went.
    pub(crate) async fn expunge(&mut self, client: &mut Client, expunge: &Expunge) -> Answer {
        self.writable()?;
        let uids = match &expunge.uids {
            Some(set) => Some(self.uids(&self.positions(By::Uid, set)?)),
            None => None,
        };
        let (account, mailbox) = (self.view.account(), self.view.mailbox());
        client
            .server
            .mail
            .expunge(account, mailbox, uids.as_ref())
            .await?;
        Ok(done("EXPUNGE"))
    }
}
