//! CREATE, DELETE, RENAME, SUBSCRIBE, UNSUBSCRIBE and STATUS.

use imap::MailboxName;
use imap::command::{Create, Rename, StatusCommand, StatusItem};
use imap::response::{ResponseCode, Status, StatusData, StatusResponse, StatusValue};
use mail::{MailboxStatus, Role};

use crate::client::{Answer, Client, done};
use crate::selected::Selected;
use crate::user::User;

impl Client {
    /// RFC 9051 §6.3.4; RFC 6154 §3: at most one special use, none of the virtual ones.
    pub(crate) async fn create(&mut self, user: &User, create: Create) -> Answer {
        let role = match create.special_use.as_slice() {
            [] => None,
            [special_use] => match Role::from_special_use(*special_use) {
                Some(role) => Some(role),
                None => return Ok(no_such_use()),
            },
            _ => return Ok(no_such_use()),
        };
        self.server
            .mail
            .create(user.account(), &create.mailbox, role)
            .await?;
        Ok(done("CREATE"))
    }

    /// RFC 9051 §6.3.5. The selected mailbox may be deleted too; then none is selected any more.
    pub(crate) async fn delete(
        &mut self,
        user: &User,
        selected: &mut Option<Selected>,
        name: &MailboxName,
    ) -> Answer {
        let mail = &self.server.mail;
        let mailbox = mail.find(user.account(), name).await?;
        mail.delete(user.account(), name).await?;
        if selected
            .take_if(|selected| selected.view.mailbox() == mailbox)
            .is_some()
        {
            let closed = StatusResponse::new(Status::Ok, "Selected mailbox was deleted");
            self.say(&closed.with_code(ResponseCode::Closed));
        }
        Ok(done("DELETE"))
    }

    /// RFC 9051 §6.3.6.
    pub(crate) async fn rename(&mut self, user: &User, rename: &Rename) -> Answer {
        self.server
            .mail
            .rename(user.account(), &rename.from, &rename.to)
            .await?;
        Ok(done("RENAME"))
    }

    /// RFC 9051 §6.3.7.
    pub(crate) async fn subscribe(&mut self, user: &User, name: &MailboxName) -> Answer {
        self.server.mail.subscribe(user.account(), name).await?;
        Ok(done("SUBSCRIBE"))
    }

    /// RFC 9051 §6.3.8.
    pub(crate) async fn unsubscribe(&mut self, user: &User, name: &MailboxName) -> Answer {
        self.server.mail.unsubscribe(user.account(), name).await?;
        Ok(done("UNSUBSCRIBE"))
    }

    /// RFC 9051 §6.3.11.
    pub(crate) async fn status(&mut self, user: &User, command: &StatusCommand) -> Answer {
        let status = self
            .server
            .mail
            .status(user.account(), &command.mailbox)
            .await?;
        self.tell_status(&command.mailbox, &status, &command.items);
        Ok(done("STATUS"))
    }

    /// A STATUS response.
    pub(crate) fn tell_status(
        &mut self,
        mailbox: &MailboxName,
        status: &MailboxStatus,
        items: &[StatusItem],
    ) {
        // RFC 7162 §3.1: asking for HIGHESTMODSEQ is wanting mod-sequences.
        self.dialect.condstore |= items.contains(&StatusItem::HighestModSeq);
        let append_limit = self.server.limits.append_bytes;
        let values: Vec<_> = items
            .iter()
            .map(|item| match item {
                StatusItem::Messages => StatusValue::Messages(status.messages),
                StatusItem::Recent => StatusValue::Recent(0),
                StatusItem::UidNext => StatusValue::UidNext(status.uidnext),
                StatusItem::UidValidity => StatusValue::UidValidity(status.uidvalidity),
                StatusItem::Unseen => StatusValue::Unseen(status.unseen),
                StatusItem::Deleted => StatusValue::Deleted(status.deleted),
                StatusItem::Size => StatusValue::Size(status.size),
                StatusItem::HighestModSeq => StatusValue::HighestModSeq(status.highest_modseq),
                StatusItem::AppendLimit => StatusValue::AppendLimit(Some(append_limit)),
            })
            .collect();
        self.say(&StatusData {
            mailbox,
            values: &values,
        });
    }
}

fn no_such_use() -> StatusResponse {
    StatusResponse::new(Status::No, "Special use is not possible").with_code(ResponseCode::UseAttr)
}
