//! Replies as Rspamd 3's clients expect them.

use serde_json::{Map, Value, json};

use crate::judge::{Action, CheckReply, Edits, Statistics, Symbol};
use crate::maps::MapSummary;

/// The reply to `/checkv2`.
pub(crate) fn check(reply: &CheckReply) -> Value {
    let symbols: Map<String, Value> = reply
        .symbols
        .iter()
        .map(|symbol| (symbol.name.clone(), self::symbol(symbol)))
        .collect();
    let mut object = metric(reply);
    object.insert("symbols".to_owned(), symbols.into());
    common(&mut object, reply);
    object.into()
}

/// The reply to `/check` and `/symbols`, the older form: the verdict in an object of its own,
/// symbols among its other keys.
pub(crate) fn legacy(reply: &CheckReply) -> Value {
    let mut verdict = metric(reply);
    let spam = reply.score >= reply.required_score;
    verdict.insert("is_spam".to_owned(), spam.into());
    for symbol in &reply.symbols {
        verdict.insert(symbol.name.clone(), self::symbol(symbol));
    }
    let mut object = Map::new();
    object.insert("default".to_owned(), verdict.into());
    common(&mut object, reply);
    object.into()
}

fn metric(reply: &CheckReply) -> Map<String, Value> {
    let thresholds: Map<String, Value> = reply
        .thresholds
        .iter()
        .map(|(action, score)| (action.name().to_owned(), number(*score)))
        .collect();
    let mut object = Map::new();
    object.insert("is_skipped".to_owned(), reply.skipped.into());
    object.insert("score".to_owned(), number(reply.score));
    object.insert("required_score".to_owned(), number(reply.required_score));
    object.insert("action".to_owned(), reply.action.name().into());
    object.insert("thresholds".to_owned(), thresholds.into());
    if let Some(subject) = &reply.edits.subject {
        object.insert("subject".to_owned(), subject.as_str().into());
    }
    object
}

fn common(object: &mut Map<String, Value>, reply: &CheckReply) {
    let id = if reply.message_id.is_empty() {
        "undef"
    } else {
        &reply.message_id
    };
    object.insert("message-id".to_owned(), id.into());
    object.insert("time_real".to_owned(), reply.elapsed.as_secs_f64().into());
    object.insert("urls".to_owned(), reply.urls.clone().into());
    object.insert("emails".to_owned(), reply.emails.clone().into());
    if let Some(text) = &reply.text {
        object.insert("messages".to_owned(), json!({ "smtp_message": text }));
    }
    if let Some(milter) = milter(&reply.edits) {
        object.insert("milter".to_owned(), milter);
    }
}

fn symbol(symbol: &Symbol) -> Value {
    json!({
        "name": symbol.name,
        "score": number(symbol.score),
        "metric_score": number(symbol.score),
        "description": symbol.description,
        "options": symbol.options,
    })
}

fn milter(edits: &Edits) -> Option<Value> {
    let mut add: Map<String, Value> = Map::new();
    for (order, field) in edits.add.iter().enumerate() {
        let value = json!({ "value": field.value, "order": order });
        match add.get_mut(&field.name) {
            // Several fields of one name stand in an array.
            Some(Value::Array(values)) => values.push(value),
            Some(first) => *first = Value::Array(vec![first.take(), value]),
            None => {
                add.insert(field.name.clone(), value);
            }
        }
    }
    // 0: all fields of the name.
    let remove: Map<String, Value> = edits
        .remove
        .iter()
        .map(|name| (name.clone(), 0.into()))
        .collect();
    let mut milter = Map::new();
    if !add.is_empty() {
        milter.insert("add_headers".to_owned(), add.into());
    }
    if !remove.is_empty() {
        milter.insert("remove_headers".to_owned(), remove.into());
    }
    if let Some(sender) = &edits.sender {
        milter.insert("change_from".to_owned(), sender.as_str().into());
    }
    (!milter.is_empty()).then(|| milter.into())
}

/// A map in the reply to `/maps`.
pub(crate) fn map(map: &MapSummary) -> Value {
    json!({
        "map": map.name,
        "uri": map.name,
        "type": map.kind,
        "description": map.description,
        "editable": true,
        "loaded": map.active,
    })
}

/// The reply to `/stat`. What counts Rspamd's own memory is zero: clients print it.
pub(crate) fn statistics(statistics: &Statistics) -> Value {
    let mut actions: Map<String, Value> = [
        Action::Reject,
        Action::SoftReject,
        Action::RewriteSubject,
        Action::AddHeader,
        Action::Greylist,
        Action::NoAction,
    ]
    .into_iter()
    .map(|action| (action.name().to_owned(), 0.into()))
    .collect();
    let (mut spam, mut ham) = (0_u64, 0_u64);
    for (action, count) in &statistics.actions {
        actions.insert(action.name().to_owned(), (*count).into());
        match action {
            Action::NoAction | Action::Greylist | Action::SoftReject => ham += count,
            _ => spam += count,
        }
    }
    let learned = statistics
        .learned_spam
        .saturating_add(statistics.learned_ham);
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "config_id": "",
        "uptime": statistics.uptime.as_secs(),
        "read_only": false,
        "scanned": statistics.scanned(),
        "learned": learned,
        "actions": actions,
        "spam_count": spam,
        "ham_count": ham,
        "connections": 0,
        "control_connections": 0,
        "pools_allocated": 0,
        "pools_freed": 0,
        "bytes_allocated": 0,
        "chunks_allocated": 0,
        "shared_chunks_allocated": 0,
        "chunks_freed": 0,
        "chunks_oversized": 0,
        "fragmented": 0,
        "total_learns": learned,
        "statfiles": [
            statfile("BAYES_SPAM", statistics.learned_spam, statistics.words),
            statfile("BAYES_HAM", statistics.learned_ham, statistics.words),
        ],
        "fuzzy_hashes": { "local": statistics.fuzzy_hashes },
    })
}

fn statfile(symbol: &str, learned: u64, words: u64) -> Value {
    json!({
        "symbol": symbol,
        "type": "muskox",
        "revision": learned,
        "used": words,
        "total": words,
        "size": 0,
        "languages": 0,
        "users": 1,
    })
}

/// A score without the digits that the step from 32 to 64 bits invents: 0.1, not 0.100000001….
fn number(score: f32) -> Value {
    let rounded = (f64::from(score) * 1_000.0).round() / 1_000.0;
    json!(rounded)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::judge::Field;

    fn reply() -> CheckReply {
        let field = |name: &str, value: &str| Field {
            name: name.to_owned(),
            value: value.to_owned(),
        };
        CheckReply {
            action: Action::AddHeader,
            score: 6.1,
            required_score: 15.0,
            thresholds: vec![(Action::Reject, 15.0), (Action::AddHeader, 6.0)],
            symbols: vec![Symbol {
                name: "R_SPF_FAIL".to_owned(),
                score: 0.1,
                description: "SPF fails".to_owned(),
                options: vec!["-all".to_owned()],
            }],
            edits: Edits {
                add: vec![
                    field("X-Spam", "Yes"),
                    field("X-Tag", "a"),
                    field("X-Tag", "b"),
                ],
                remove: vec!["X-Old".to_owned()],
                ..Edits::default()
            },
            message_id: "1@a.test".to_owned(),
            elapsed: Duration::from_millis(250),
            ..CheckReply::default()
        }
    }

    #[test]
    fn a_verdict_has_the_documented_shape() {
        assert_eq!(
            check(&reply()),
            json!({
                "is_skipped": false,
                "score": 6.1,
                "required_score": 15.0,
                "action": "add header",
                "thresholds": { "reject": 15.0, "add header": 6.0 },
                "symbols": { "R_SPF_FAIL": {
                    "name": "R_SPF_FAIL", "score": 0.1, "metric_score": 0.1,
                    "description": "SPF fails", "options": ["-all"],
                } },
                "message-id": "1@a.test",
                "time_real": 0.25,
                "urls": [],
                "emails": [],
                "milter": {
                    "add_headers": {
                        "X-Spam": { "value": "Yes", "order": 0 },
                        "X-Tag": [{ "value": "a", "order": 1 }, { "value": "b", "order": 2 }],
                    },
                    "remove_headers": { "X-Old": 0 },
                },
            })
        );
    }

    #[test]
    fn the_older_form_keeps_symbols_beside_the_verdict() {
        let old = legacy(&reply());
        assert_eq!(old["default"]["R_SPF_FAIL"]["options"], json!(["-all"]));
        assert_eq!(old["default"]["is_spam"], json!(false));
        assert_eq!(old["message-id"], json!("1@a.test"));
    }
}
