//! A judge that does what the message says.

use std::sync::Mutex;
use std::time::Duration;

use filterd::{
    Action, CheckError, CheckReply, CheckRequest, Edits, Field, Judge, LearnReply, LearnRequest,
    Statistics, Symbol,
};
use futures_util::future::BoxFuture;

/// Remembers what it was asked; its verdict is the message's first line.
#[derive(Debug, Default)]
pub(crate) struct Obedient {
    pub(crate) checked: Mutex<Vec<CheckRequest>>,
    pub(crate) learned: Mutex<Vec<LearnRequest>>,
}

fn verdict(message: &[u8]) -> Result<CheckReply, CheckError> {
    let text = String::from_utf8_lossy(message);
    let action = match text.lines().next().unwrap_or_default() {
        "Subject: reject" => Action::Reject,
        "Subject: junk" => Action::AddHeader,
        "Subject: greylist" => Action::Greylist,
        "Subject: discard" => Action::Discard,
        "Subject: fail" => return Err(CheckError::Internal),
        "Subject: busy" => return Err(CheckError::Busy),
        _ => Action::NoAction,
    };
    Ok(CheckReply {
        action,
        score: 6.1,
        required_score: 15.0,
        symbols: vec![Symbol {
            name: "EXAMPLE".to_owned(),
            score: 6.1,
            ..Symbol::default()
        }],
        edits: Edits {
            add: vec![Field {
                name: "X-Spam-Score".to_owned(),
                value: "6.1".to_owned(),
            }],
            ..Edits::default()
        },
        ..CheckReply::default()
    })
}

impl Judge for Obedient {
    fn check(&self, request: CheckRequest) -> BoxFuture<'_, Result<CheckReply, CheckError>> {
        let reply = verdict(&request.message);
        let slow = request.message.starts_with(b"Subject: slow");
        self.checked.lock().unwrap().push(request);
        Box::pin(async move {
            if slow {
                std::future::pending::<()>().await;
            }
            reply
        })
    }

    fn learn(&self, request: LearnRequest) -> BoxFuture<'_, Result<LearnReply, CheckError>> {
        let known = self.learned.lock().unwrap().contains(&request);
        self.learned.lock().unwrap().push(request);
        Box::pin(std::future::ready(Ok(if known {
            LearnReply::AlreadyLearned
        } else {
            LearnReply::Learned
        })))
    }

    fn statistics(&self) -> BoxFuture<'_, Statistics> {
        Box::pin(std::future::ready(Statistics {
            actions: vec![(Action::NoAction, 7), (Action::Reject, 3)],
            learned_spam: 2,
            uptime: Duration::from_secs(60),
            ..Statistics::default()
        }))
    }
}
