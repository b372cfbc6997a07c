//! The queue, captured mail and the check of the database.

use queue::{QueueEntry, QueueId, RecipientState};
use serde_json::{Value, json};

use super::{Handler, Outcome, internal};
use crate::control::protocol::{CapturedRequest, Failure, FailureKind, QueueRequest};
use crate::verification::verify;

/// Messages read at a time when all are listed.
const PAGE: u32 = 1_000;

impl Handler {
    pub(super) async fn queue(&self, request: QueueRequest) -> Outcome {
        let queue = &self.services.queue;
        match request {
            QueueRequest::List => {
                let now = self.services.now();
                Ok(self
                    .queued()
                    .await?
                    .iter()
                    .map(|entry| summary(entry, now))
                    .collect())
            }
            QueueRequest::Show { id } => self.show(QueueId(id)).await,
            QueueRequest::Retry { id: Some(id) } => done(queue.retry(QueueId(id)).await),
            QueueRequest::Retry { id: None } => {
                for entry in self.queued().await? {
                    match queue.retry(QueueId(entry.id)).await {
                        // Delivered meanwhile.
                        Ok(()) | Err(queue::Error::NotFound(_)) => {}
                        Err(error) => return Err(error.into()),
                    }
                }
                Ok(Value::Null)
            }
            QueueRequest::Hold { id } => done(queue.hold(QueueId(id)).await),
            QueueRequest::Release { id } => done(queue.release(QueueId(id)).await),
            QueueRequest::Delete { id } => done(queue.delete(QueueId(id)).await),
        }
    }

    async fn queued(&self) -> Result<Vec<QueueEntry>, Failure> {
        let mut all = Vec::new();
        loop {
            let after = all.last().map(|entry: &QueueEntry| QueueId(entry.id));
            let page = self.services.queue.list(after, PAGE).await?;
            if page.is_empty() {
                return Ok(all);
            }
            all.extend(page);
        }
    }

    async fn show(&self, id: QueueId) -> Outcome {
        let entry = self.services.queue.show(id).await?;
        let message = self.services.queue.message(id).await?;
        let header = message
            .get(..mime::header::header_end(&message))
            .unwrap_or_default();
        let now = self.services.now();
        let recipients: Vec<Value> = entry
            .recipients
            .iter()
            .map(|recipient| {
                json!({
                    "address": recipient.address,
                    "original": recipient.original,
                    "next": next(recipient.state, now),
                    "attempts": recipient.attempts,
                    "status": recipient.status,
                })
            })
            .collect();
        Ok(json!({
            "id": entry.id,
            "sender": sender(&entry),
            "size": entry.size,
            "held": entry.held,
            "created": date(entry.created_at),
            "expires": date(entry.expires_at),
            "recipients": recipients,
            "header": String::from_utf8_lossy(header),
        }))
    }

    pub(super) fn captured(&self, request: &CapturedRequest) -> Outcome {
        let Some(captures) = &self.captures else {
            let text = "this server sends its mail; only `muskox demo` captures it";
            return Err(Failure::new(FailureKind::NotFound, text));
        };
        let all = captures.all();
        match *request {
            CapturedRequest::List => Ok(all
                .iter()
                .enumerate()
                .map(|(index, captured)| {
                    json!({
                        "number": index + 1,
                        "from": captured.from,
                        "to": captured.to,
                        "size": captured.message.len(),
                        "encrypted": captured.encrypted,
                        "subject": subject(&captured.message),
                    })
                })
                .collect()),
            CapturedRequest::Show { number } => {
                let captured = number.checked_sub(1).and_then(|index| all.get(index));
                let captured = captured.ok_or_else(|| {
                    let text = format!("there is no captured message {number}");
                    Failure::new(FailureKind::NotFound, text)
                })?;
                Ok(json!({ "message": String::from_utf8_lossy(&captured.message) }))
            }
        }
    }

    pub(super) async fn check(&self) -> Outcome {
        let services = &self.services;
        let verification = verify(&services.db, &services.mail).await;
        serde_json::to_value(verification.map_err(internal)?).map_err(internal)
    }
}

fn done(result: Result<(), queue::Error>) -> Outcome {
    Ok(result.map(|()| Value::Null)?)
}

fn summary(entry: &QueueEntry, now: i64) -> Value {
    let recipients = &entry.recipients;
    let addresses: Vec<&str> = recipients
        .iter()
        .map(|recipient| recipient.address.as_str())
        .collect();
    let first = recipients.first();
    json!({
        "id": entry.id,
        "age": duration(now.saturating_sub(entry.created_at)),
        "size": entry.size,
        "sender": sender(entry),
        "recipients": addresses,
        "next": if entry.held { "held".to_owned() } else {
            first.map(|recipient| next(recipient.state, now)).unwrap_or_default()
        },
        "attempts": recipients.iter().map(|recipient| recipient.attempts).max(),
        "status": first.map(|recipient| recipient.status.as_str()).unwrap_or_default(),
    })
}

fn sender(entry: &QueueEntry) -> &str {
    if entry.sender.is_empty() {
        "<>"
    } else {
        &entry.sender
    }
}

fn next(state: RecipientState, now: i64) -> String {
    match state {
        RecipientState::Held => "held".to_owned(),
        RecipientState::InDelivery => "now".to_owned(),
        RecipientState::Waiting { due_at } if due_at <= now => "due".to_owned(),
        RecipientState::Waiting { due_at } => format!("in {}", duration(due_at - now)),
    }
}

pub(super) fn date(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds).map_or_else(|_| seconds.to_string(), |at| at.to_string())
}

/// A span as people say it: `45s`, `12m`, `3h`, `2d`.
fn duration(seconds: i64) -> String {
    match seconds {
        ..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m", seconds / 60),
        3_600..172_800 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

impl From<queue::Error> for Failure {
    fn from(error: queue::Error) -> Self {
        let kind = match &error {
            queue::Error::NotFound(_) | queue::Error::NotQuarantined(_) => FailureKind::NotFound,
            _ => FailureKind::Internal,
        };
        Self::new(kind, error)
    }
}

fn subject(message: &[u8]) -> Option<String> {
    let subject =
        mime::header::fields(message).find(|field| field.name.eq_ignore_ascii_case(b"Subject"))?;
    Some(mime::decode::header_text(subject.value))
}
