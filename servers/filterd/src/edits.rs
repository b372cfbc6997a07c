//! From a verdict to what a milter answers.

use milter::{Actions, Message, Response, Text};

use crate::judge::{Action, CheckReply, Edits};

/// Octets of the text of a refusal.
const TEXT_MAX: usize = 400;

/// What the MTA said about itself that matters for the answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Agreed {
    pub(crate) actions: Actions,
    /// Whether values carry the space after the colon.
    pub(crate) leading_space: bool,
}

/// The changes to `message` and the final answer.
pub(crate) fn responses(message: &Message, reply: &CheckReply, agreed: Agreed) -> Vec<Response> {
    let text = |fallback: &str| line(reply.text.as_deref().unwrap_or(fallback));
    let refusal = |code, enhanced: &str, fallback: &str| {
        let text = format!("{enhanced} {}", text(fallback)).into();
        vec![Response::Reply { code, text }]
    };
    match reply.action {
        Action::Greylist => return refusal(451, "4.7.1", "Try again later"),
        Action::SoftReject => return refusal(451, "4.7.1", "Try again later"),
        Action::Reject => return refusal(550, "5.7.1", "The message looks like spam"),
        Action::Discard => return vec![Response::Discard],
        Action::NoAction | Action::AddHeader | Action::RewriteSubject | Action::Quarantine => {}
    }
    let mut changes = Changes {
        message,
        agreed,
        responses: Vec::new(),
    };
    changes.apply(&reply.edits, reply.action);
    if reply.action == Action::Quarantine && agreed.actions.has(Actions::QUARANTINE) {
        let reason = text("the message looks like spam");
        changes.responses.push(Response::Quarantine(reason.into()));
    }
    changes.responses.push(Response::Accept);
    changes.responses
}

struct Changes<'a> {
    message: &'a Message,
    agreed: Agreed,
    responses: Vec<Response>,
}

impl Changes<'_> {
    fn apply(&mut self, edits: &Edits, action: Action) {
        let junk = matches!(
            action,
            Action::AddHeader | Action::RewriteSubject | Action::Quarantine
        );
        let says_so = |name: &str| edits.add.iter().any(|f| f.name.eq_ignore_ascii_case(name));
        let mut removed: Vec<&str> = Vec::new();
        // A field that we add means something only if nobody else can.
        let added = edits.add.iter().map(|field| field.name.as_str());
        let names = edits.remove.iter().map(String::as_str).chain(added);
        for name in names.chain(["X-Spam"]) {
            if !removed.iter().any(|known| known.eq_ignore_ascii_case(name)) {
                removed.push(name);
                self.remove(name);
            }
        }
        for field in &edits.add {
            self.add(&field.name, &field.value);
        }
        if junk && !says_so("X-Spam") {
            self.add("X-Spam", "Yes");
        }
        if action == Action::RewriteSubject
            && let Some(subject) = &edits.subject
        {
            self.subject(subject);
        }
        if let Some(sender) = &edits.sender
            && self.agreed.actions.has(Actions::CHANGE_FROM)
        {
            self.responses.push(Response::ChangeFrom {
                path: format!("<{}>", line(sender)).into(),
                arguments: None,
            });
        }
    }

    /// From the last one on, so that the others keep their numbers.
    fn remove(&mut self, name: &str) {
        if !self.agreed.actions.has(Actions::CHANGE_HEADERS) {
            return;
        }
        let count = u32::try_from(self.message.occurrences(name)).unwrap_or(u32::MAX);
        for index in (1..=count).rev() {
            self.responses.push(Response::ChangeHeader {
                index,
                name: name.into(),
                value: Text::default(),
            });
        }
    }

    fn add(&mut self, name: &str, value: &str) {
        if !self.agreed.actions.has(Actions::ADD_HEADERS) || !is_name(name) {
            return;
        }
        self.responses.push(Response::AddHeader {
            name: name.into(),
            value: self.value(value),
        });
    }

    fn subject(&mut self, subject: &str) {
        if self.message.occurrences("Subject") == 0 {
            self.add("Subject", subject);
        } else if self.agreed.actions.has(Actions::CHANGE_HEADERS) {
            self.responses.push(Response::ChangeHeader {
                index: 1,
                name: "Subject".into(),
                value: self.value(subject),
            });
        }
    }

    /// A value in the MTA's spelling. Lines are continued or become one.
    fn value(&self, value: &str) -> Text {
        let mut spelled = String::with_capacity(value.len() + 1);
        if self.agreed.leading_space {
            spelled.push(' ');
        }
        let mut rest = value.chars().filter(|&c| c != '\r').peekable();
        while let Some(c) = rest.next() {
            match c {
                '\n' if matches!(rest.peek(), Some(' ' | '\t')) => spelled.push('\n'),
                c if c.is_control() && c != '\t' => spelled.push(' '),
                c => spelled.push(c),
            }
        }
        spelled.into()
    }
}

/// RFC 5322 §3.6.8: `field-name = 1*ftext`
fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_graphic() && b != b':')
}

/// One line of a reply.
fn line(text: &str) -> String {
    let plain = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let mut line = String::new();
    for c in plain {
        if line.len() + c.len_utf8() > TEXT_MAX {
            break;
        }
        line.push(c);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::Field;

    const ALL: Agreed = Agreed {
        actions: Actions(0x1ff),
        leading_space: true,
    };

    fn message(fields: &[&str]) -> Message {
        Message {
            fields: fields.iter().map(|&field| field.into()).collect(),
            ..Message::default()
        }
    }

    fn reply(action: Action, add: &[(&str, &str)]) -> CheckReply {
        let field = |&(name, value): &(&str, &str)| Field {
            name: name.to_owned(),
            value: value.to_owned(),
        };
        CheckReply {
            action,
            edits: Edits {
                add: add.iter().map(field).collect(),
                ..Edits::default()
            },
            ..CheckReply::default()
        }
    }

    fn deleted(index: u32, name: &str) -> Response {
        Response::ChangeHeader {
            index,
            name: name.into(),
            value: Text::default(),
        }
    }

    fn added(name: &str, value: &str) -> Response {
        Response::AddHeader {
            name: name.into(),
            value: value.into(),
        }
    }

    #[test]
    fn forged_fields_go_before_ours_come() {
        let message = message(&["X-Spam", "Subject", "x-spam-status", "X-SPAM-Status"]);
        let reply = reply(
            Action::AddHeader,
            &[("X-Spam-Status", "Yes,\n\tscore=9\ninjected: x")],
        );
        assert_eq!(
            responses(&message, &reply, ALL),
            [
                deleted(2, "X-Spam-Status"),
                deleted(1, "X-Spam-Status"),
                deleted(1, "X-Spam"),
                added("X-Spam-Status", " Yes,\n\tscore=9 injected: x"),
                added("X-Spam", " Yes"),
                Response::Accept,
            ]
        );
    }

    #[test]
    fn what_was_not_agreed_is_not_done() {
        let agreed = Agreed {
            actions: Actions::ADD_HEADERS,
            leading_space: false,
        };
        let mut reply = reply(
            Action::Quarantine,
            &[("X-Spam-Status", "Yes"), ("Bad name", "x")],
        );
        reply.edits.sender = Some("a@b.test".to_owned());
        assert_eq!(
            responses(&message(&["X-Spam"]), &reply, agreed),
            [
                added("X-Spam-Status", "Yes"),
                added("X-Spam", "Yes"),
                Response::Accept
            ]
        );
    }

    #[test]
    fn refusals_have_their_codes_and_one_line() {
        let mut reply = reply(Action::Reject, &[("X-Spam", "Yes")]);
        reply.text = Some("no\r\nspam".to_owned());
        let refusal = |code, text: &str| {
            vec![Response::Reply {
                code,
                text: text.into(),
            }]
        };
        let of = |reply: &CheckReply| responses(&message(&[]), reply, ALL);
        assert_eq!(of(&reply), refusal(550, "5.7.1 no  spam"));
        reply.action = Action::Greylist;
        reply.text = None;
        assert_eq!(of(&reply), refusal(451, "4.7.1 Try again later"));
        reply.action = Action::Discard;
        assert_eq!(of(&reply), [Response::Discard]);
    }

    #[test]
    fn the_subject_is_changed_or_added() {
        let mut reply = reply(Action::RewriteSubject, &[]);
        reply.edits.subject = Some("[spam] hello".to_owned());
        let changed = responses(&message(&["Subject"]), &reply, ALL);
        assert!(changed.contains(&Response::ChangeHeader {
            index: 1,
            name: "Subject".into(),
            value: " [spam] hello".into(),
        }));
        let without = responses(&message(&[]), &reply, ALL);
        assert!(without.contains(&added("Subject", " [spam] hello")));
    }
}
