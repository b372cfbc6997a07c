//! SELECT, EXAMINE, CLOSE and UNSELECT.

use imap::command::Select;
use imap::response::{
    Exists, FlagsData, ListData, ListKind, PermanentFlags, Recent, ResponseCode, Status,
    StatusResponse,
};
use imap::{ModSeq, UidSet};
use mail::Flags;

use crate::client::{Answer, Client, done};
use crate::selected::Selected;
use crate::user::User;

/// How a mailbox is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// With SELECT.
    ReadWrite,
    /// With EXAMINE.
    ReadOnly,
}

impl Client {
    /// RFC 9051 §6.3.2, §6.3.3: opens a mailbox. The one open before is closed even when that
    /// fails.
    pub(crate) async fn select(
        &mut self,
        user: &User,
        selected: &mut Option<Selected>,
        select: Select,
        access: Access,
    ) -> Answer {
        if selected.take().is_some() {
            self.inform(ResponseCode::Closed, "Previous mailbox is closed");
        }
        self.dialect.condstore |= select.condstore;
        let view = self
            .server
            .mail
            .open(user.account(), &select.mailbox)
            .await?;
        let keywords = view.snapshot().all_keywords();
        let opened = Selected {
            view,
            access,
            saved: UidSet::new(),
            keywords,
        };
        self.describe(&opened, &select);
        *selected = Some(opened);
        let (name, code) = match access {
            Access::ReadWrite => ("SELECT", ResponseCode::ReadWrite),
            Access::ReadOnly => ("EXAMINE", ResponseCode::ReadOnly),
        };
        Ok(done(name).with_code(code))
    }

    fn inform(&mut self, code: ResponseCode, text: &'static str) {
        self.say(&StatusResponse::new(Status::Ok, text).with_code(code));
    }

    /// What a client is told of a mailbox that it opens.
    fn describe(&mut self, opened: &Selected, select: &Select) {
        let view = &opened.view;
        let flags = opened.flags();
        self.say(&FlagsData(&flags));
        let permanent = match opened.access {
            Access::ReadWrite => PermanentFlags {
                flags,
                new_keywords: true,
            },
            Access::ReadOnly => PermanentFlags::default(),
        };
        self.inform(ResponseCode::PermanentFlags(permanent), "Flags that stay");
        let length = |position| u32::try_from(position).unwrap_or(u32::MAX);
        self.say(&Exists(length(view.entries().len())));
        if !self.dialect.rev2 {
            // RFC 3501 §2.3.2: no message is ever recent here.
            self.say(&Recent(0));
            let mut entries = view.entries().iter();
            if let Some(first) = entries.position(|entry| !entry.flags.contains(Flags::SEEN)) {
                self.inform(
                    ResponseCode::Unseen(length(first + 1)),
                    "First unseen message",
                );
            }
        }
        self.inform(
            ResponseCode::UidValidity(view.uidvalidity()),
            "UIDs are valid",
        );
        self.inform(ResponseCode::UidNext(view.uidnext()), "Predicted next UID");
        if let Some(highest) = ModSeq::new(view.highest_modseq()) {
            self.inform(ResponseCode::HighestModSeq(highest), "Highest mod-sequence");
        }
        if self.dialect.rev2 {
            // RFC 9051 §6.3.2: the name as LIST has it.
            self.say(&ListData {
                kind: ListKind::List,
                attributes: &[],
                mailbox: &select.mailbox,
                child_subscribed: false,
                old_name: None,
            });
        }
    }
}

impl Selected {
    /// RFC 9051 §6.4.1: removes what is marked `\Deleted` without a word.
    pub(crate) async fn close(&mut self, client: &Client) -> Answer {
        if self.access == Access::ReadWrite {
            let (account, mailbox) = (self.view.account(), self.view.mailbox());
            match client.server.mail.expunge(account, mailbox, None).await {
                // A mailbox that is gone has nothing to remove.
                Ok(_) | Err(mail::Error::NoMailbox) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(done("CLOSE"))
    }
}
