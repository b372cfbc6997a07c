//! Verdicts, the quarantine, learning, and looking at a message again.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use filter::record;
use filter::{Input, Opinion, Recipient, Record, Teaching};
use serde_json::{Value, json};
use store::AccountId;

use super::mail::date;
use super::{Handler, Outcome, address, internal, invalid};
use crate::control::filtering::{
    FilterRequest, LearnClass, LearnRequest, MessageRequest, QuarantineRequest,
};
use crate::control::protocol::{Failure, FailureKind};

/// Matches of a dry run that are shown.
const MAX_SHOWN: usize = 100;

impl Handler {
    pub(super) async fn message(&self, request: MessageRequest) -> Outcome {
        let db = &self.services.db;
        match request {
            MessageRequest::Why { name } => {
                let records = record::find(db, &name).await.map_err(internal)?;
                if records.is_empty() {
                    let text = format!("there is no verdict on {name:?} (any more)");
                    return Err(Failure::new(FailureKind::NotFound, text));
                }
                Ok(records.iter().map(shown).collect())
            }
            MessageRequest::List { limit } => {
                let records = record::latest(db, limit).await.map_err(internal)?;
                Ok(records.iter().map(shown).collect())
            }
        }
    }

    pub(super) async fn quarantine(&self, request: QuarantineRequest) -> Outcome {
        let queue = &self.services.queue;
        match request {
            QuarantineRequest::List {
                account,
                before,
                limit,
            } => {
                let account = self.account_id(account.as_deref()).await?;
                let held = queue.quarantined(account, before, limit).await?;
                Ok(held
                    .iter()
                    .map(|held| {
                        json!({
                            "id": held.id,
                            "at": date(held.created_at),
                            "score": points(held.score),
                            "recipient": held.recipient,
                            "sender": if held.sender.is_empty() { "<>" } else { &held.sender },
                            "subject": held.subject,
                            "size": held.size,
                            "verdict": held.verdict,
                        })
                    })
                    .collect())
            }
            QuarantineRequest::Show { id } => {
                let octets = queue.quarantined_octets(id).await?;
                Ok(json!({ "message": String::from_utf8_lossy(&octets) }))
            }
            QuarantineRequest::Release { id, learn } => {
                let octets = queue.quarantined_octets(id).await?;
                let held = queue.release_quarantined(id).await?;
                if learn {
                    self.teach(Some(held.account), Opinion::Ham, octets).await?;
                }
                Ok(Value::Null)
            }
            QuarantineRequest::Delete { id, learn } => {
                let octets = queue.quarantined_octets(id).await?;
                let held = queue.quarantined_message(id).await?;
                queue.delete_quarantined(id).await?;
                if learn {
                    self.teach(Some(held.account), Opinion::Spam, octets)
                        .await?;
                }
                Ok(Value::Null)
            }
        }
    }

    async fn teach(
        &self,
        account: Option<AccountId>,
        opinion: Opinion,
        octets: Vec<u8>,
    ) -> Result<Teaching, Failure> {
        let filter = &self.services.filter;
        filter
            .teach(account, opinion, octets.into())
            .await
            .map_err(internal)
    }

    pub(super) async fn learn(&self, request: LearnRequest) -> Outcome {
        let bayes = &self.services.learn.bayes;
        let owner = async |account: Option<&str>| -> Result<learn::Owner, Failure> {
            let account = self.account_id(account).await?;
            Ok(account.map_or(learn::Owner::Global, learn::Owner::Account))
        };
        match request {
            LearnRequest::Message {
                class,
                message,
                account,
            } => {
                let octets = STANDARD
                    .decode(message)
                    .map_err(|error| invalid("the message", &error))?;
                let opinion = match class {
                    LearnClass::Ham => Opinion::Ham,
                    LearnClass::Spam => Opinion::Spam,
                };
                let account = self.account_id(account.as_deref()).await?;
                let outcome = match self.teach(account, opinion, octets).await? {
                    Teaching::New => "new",
                    Teaching::Changed => "changed",
                    Teaching::Already => "already",
                };
                Ok(json!({ "outcome": outcome }))
            }
            LearnRequest::Status { account } => {
                let stats = bayes
                    .stats(owner(account.as_deref()).await?)
                    .await
                    .map_err(internal)?;
                let least = learn::bayes::Options::default().min_learns;
                Ok(json!({
                    "owner": account.unwrap_or_else(|| "everybody".to_owned()),
                    "ham": stats.learned_ham,
                    "spam": stats.learned_spam,
                    "bytes": stats.bytes,
                    "ready": stats.learned_ham.min(stats.learned_spam) >= least,
                }))
            }
            LearnRequest::Forget { account } => {
                bayes
                    .forget(owner(account.as_deref()).await?)
                    .await
                    .map_err(internal)?;
                Ok(Value::Null)
            }
        }
    }

    pub(super) async fn filter(&self, request: FilterRequest) -> Outcome {
        match request {
            FilterRequest::Judge { message, recipient } => {
                let octets = STANDARD
                    .decode(message)
                    .map_err(|error| invalid("the message", &error))?;
                let mut input = Input::stored(Bytes::from(octets));
                if let Some(name) = recipient {
                    let address = address(&name)?;
                    let account = self.services.directory.account(&address).await?;
                    let domain = self.services.directory.domain(&address.domain).await?;
                    input.recipients.push(Recipient {
                        account: Some(account.id),
                        domain: Some(domain.id),
                        ..Recipient::new(address)
                    });
                }
                let judged = self.services.filter.judge(&input).await;
                let now = ambient::Timestamp(self.services.now());
                Ok(shown(&Record::new("-", now, &input, &judged.verdict)))
            }
            FilterRequest::Lists => Ok(blocklist::builtin()
                .iter()
                .map(|list| {
                    let asked = self.services.lists.contains(&list.name);
                    json!({
                        "name": list.name,
                        "zone": list.zone,
                        "asked": asked,
                        "note": list.note,
                    })
                })
                .collect()),
        }
    }

    /// Which of the latest stored messages a map would apply to.
    pub(super) async fn try_map(&self, name: &str, text: Option<String>, latest: u32) -> Outcome {
        let mut map = self.services.policy.map(name).await?;
        if let Some(text) = text {
            policy::compile_check(map.kind, &text).map_err(policy::Error::Lines)?;
            map.text = text;
        }
        map.active = true;
        let set = policy::rule_set(std::slice::from_ref(&map));
        let symbol = map.symbol.clone();
        let trial = filter::Trial::new(&set).map_err(internal)?;
        let stored = self.services.mail.latest(latest).await.map_err(internal)?;
        let count = stored.len();
        let mut matches = Vec::new();
        let mut matched = 0_usize;
        for message in stored {
            let octets = self.services.mail.message_bytes(message).await;
            // A message that went meanwhile is none of the latest.
            let Ok(octets) = octets else { continue };
            let input = Input::stored(octets);
            let line = trial.matches(&self.services.filter, &input, &symbol).await;
            let Some(line) = line else { continue };
            matched += 1;
            if matches.len() < MAX_SHOWN {
                let subject = input.summary.envelope.subject.as_deref();
                matches.push(json!({
                    "message": message.to_string(),
                    "sender": input.from.to_string(),
                    "subject": mime::decode::header_text(subject.unwrap_or_default()),
                    "line": line,
                }));
            }
        }
        Ok(json!({ "messages": count, "matched": matched, "matches": matches }))
    }
}

/// A record as people read it.
fn shown(record: &Record) -> Value {
    let mut value = json!(record);
    if let Some(object) = value.as_object_mut() {
        object.insert("at".into(), date(record.at).into());
    }
    value
}

/// A score of the database.
fn points(thousandths: i64) -> f64 {
    f64::from(i32::try_from(thousandths).unwrap_or(i32::MAX)) / 1_000.0
}
