//! Which copy goes where, and with which subject.
//!
//! What a recipient has settled about tagged addresses and what the filter decided are both
//! followed here. All recipients share the stored octets, so a subject is rewritten only when that
//! is what every copy wants; otherwise the copies are placed without it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use directory::LocalRecipient;
use filter::record::thousandths;
use filter::{Action, Input, Judged};
use mail::{MailboxName, Role};
use mime::Summary;
use policy::{RecipientFacts, Snapshot, Tagged};
use queue::{Held, Place, RoutedRecipient};

use crate::transaction::Transaction;

/// Characters of a tag that become a part of a subject or a folder's name.
const MAX_TAG: usize = 60;
/// Octets of one encoded word: 60 characters in base64, 72 with what stands around them.
const MAX_WORD: usize = 45;

/// Where the local copies of a message go.
#[derive(Debug, Default)]
pub(crate) struct Copies {
    pub(crate) local: Vec<RoutedRecipient>,
    /// What stands before the subject of every copy; empty when nothing does.
    prefix: String,
}

/// One copy.
struct Copy {
    place: Place,
    prefix: String,
}

impl Copies {
    /// Decides for each local recipient.
    pub(crate) fn plan(
        policy: &Snapshot,
        transaction: &Transaction,
        judged: Option<&(Input, Judged)>,
    ) -> Self {
        let mut copies = Self::default();
        let mut prefixes: Vec<String> = Vec::new();
        for recipient in &transaction.local {
            let Some(copy) = copy_for(policy, recipient, judged) else {
                continue;
            };
            prefixes.push(copy.prefix);
            copies.local.push(RoutedRecipient::Local {
                recipient: recipient.clone(),
                place: copy.place,
            });
        }
        let is_shared = transaction.remote.is_empty();
        if let Some(first) = prefixes.first()
            && is_shared
            && prefixes.iter().all(|prefix| prefix == first)
        {
            copies.prefix.clone_from(first);
        }
        copies
    }

    /// The message with the subject that all copies want.
    pub(crate) fn rewritten(&self, message: Bytes, summary: Summary) -> (Bytes, Summary) {
        if self.prefix.is_empty() {
            return (message, summary);
        }
        let message = Bytes::from(with_prefix(&message, &self.prefix));
        let summary = Summary::parse(&message);
        (message, summary)
    }
}

/// One recipient's copy; none when it is thrown away.
fn copy_for(
    policy: &Snapshot,
    recipient: &LocalRecipient,
    judged: Option<&(Input, Judged)>,
) -> Option<Copy> {
    let facts = RecipientFacts {
        account: Some(recipient.account),
        domain: Some(recipient.domain),
    };
    let settings = policy.settings(&facts);
    let action = judged.map_or(Action::Accept, |(_, judged)| {
        judged.verdict.action_for(&recipient.original)
    });
    let mut copy = Copy {
        place: Place::Role(Role::Junk),
        prefix: String::new(),
    };
    match action {
        Action::Discard => return None,
        Action::Quarantine => {
            let (input, judged) = judged?;
            let subject = input.summary.envelope.subject.as_deref();
            copy.place = Place::Quarantine(Held {
                subject: mime::decode::header_text(subject.unwrap_or_default()),
                score: thousandths(judged.verdict.score_for(&recipient.original)),
            });
        }
        Action::RewriteSubject => {
            copy.prefix = settings
                .subject_prefix
                .or_else(|| judged.map(|(_, judged)| judged.subject_prefix.clone()))
                .unwrap_or_default();
        }
        Action::Junk => {}
        Action::Accept | Action::Greylist | Action::Reject { .. } => {
            copy.place = Place::Role(Role::Inbox);
            if let Some(tag) = recipient.detail.as_deref() {
                tagged(&mut copy, tag, settings.tagged);
            }
        }
    }
    Some(copy)
}

fn tagged(copy: &mut Copy, tag: &str, wish: Option<Tagged>) {
    let tag: String = tag
        .chars()
        .filter(|c| !c.is_control() && !matches!(c, '/' | '%' | '*' | '\\'))
        .take(MAX_TAG)
        .collect();
    match wish {
        Some(Tagged::Subject) if !tag.is_empty() => copy.prefix = format!("[{tag}] "),
        Some(Tagged::Subfolder) => {
            if let Ok(name) = MailboxName::new(&format!("INBOX/{tag}")) {
                copy.place = Place::Folder(name);
            }
        }
        _ => {}
    }
}

/// The message, or its Subject field alone, with `prefix` before the subject, which it gets if it has
/// none.
#[must_use]
pub fn with_prefix(message: &[u8], prefix: &str) -> Vec<u8> {
    let mut rewritten = Vec::with_capacity(message.len() + prefix.len() * 2 + 16);
    let Some(field) = mime::header::find(message, "Subject") else {
        rewritten.extend_from_slice(b"Subject: ");
        rewritten.extend_from_slice(encoded(prefix.trim_end(), b"").trim_end().as_bytes());
        rewritten.extend_from_slice(b"\r\n");
        rewritten.extend_from_slice(message);
        return rewritten;
    };
    let value = field.range.start + field.name.len();
    let colon = message
        .get(value..field.range.end)
        .and_then(|rest| rest.iter().position(|&byte| byte == b':'))
        .map_or(field.range.end, |at| value + at + 1);
    let rest = message.get(colon..).unwrap_or_default();
    let rest = rest.strip_prefix(b" ").unwrap_or(rest);
    rewritten.extend_from_slice(message.get(..colon).unwrap_or_default());
    rewritten.push(b' ');
    rewritten.extend_from_slice(encoded(prefix, rest).as_bytes());
    rewritten.extend_from_slice(rest);
    rewritten
}

/// A prefix as it stands in a header before `rest`.
///
/// RFC 2047 §2: what is not ASCII travels as encoded words of at most 75 characters each. RFC 2047
/// §6.2: the space between two of them is not shown, that between one and plain text is.
fn encoded(prefix: &str, rest: &[u8]) -> String {
    if prefix.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        return prefix.to_owned();
    }
    let shown = if rest.trim_ascii_start().starts_with(b"=?") {
        prefix
    } else {
        prefix.trim_end()
    };
    let mut words = vec![String::new()];
    for character in shown.chars().filter(|character| !character.is_control()) {
        match words.last_mut() {
            Some(word) if word.len() + character.len_utf8() <= MAX_WORD => word.push(character),
            _ => words.push(character.to_string()),
        }
    }
    let words = words
        .iter()
        .map(|word| format!("=?UTF-8?B?{}?=", STANDARD.encode(word)));
    words.collect::<Vec<_>>().join("\r\n ") + " "
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject(message: &[u8], prefix: &str) -> Option<String> {
        let rewritten = with_prefix(message, prefix);
        assert!(rewritten.ends_with(b"\r\n\r\nbody"), "{rewritten:?}");
        let words = rewritten.split(u8::is_ascii_whitespace);
        assert!(words.map(<[u8]>::len).all(|length| length <= 75));
        mime::decode::header(&rewritten, "Subject")
    }

    #[test]
    fn a_prefix_stands_before_the_subject() {
        for (message, prefix, wanted) in [
            (
                &b"Subject: hello\r\n\r\nbody"[..],
                "[SPAM] ",
                "[SPAM] hello",
            ),
            (b"Subject:hello\r\n\r\nbody", "[SPAM] ", "[SPAM] hello"),
            (
                b"To: a\r\nsubject: one\r\n two\r\n\r\nbody",
                "[x] ",
                "[x] one two",
            ),
            (
                b"Subject: =?utf-8?q?=C3=A4?=\r\n\r\nbody",
                "[SPAM] ",
                "[SPAM] ä",
            ),
            (b"To: a\r\n\r\nbody", "[SPAM] ", "[SPAM]"),
            (
                b"Subject: hello\r\n\r\nbody",
                "[Verdächtig] ",
                "[Verdächtig] hello",
            ),
            (
                b"Subject: =?utf-8?q?=C3=A4?=\r\n\r\nbody",
                "[Verdächtig] ",
                "[Verdächtig] ä",
            ),
            (b"To: a\r\n\r\nbody", "[Verdächtig] ", "[Verdächtig]"),
            (
                b"Subject: hello\r\n\r\nbody",
                "🚨🚨🚨🚨🚨🚨🚨🚨🚨🚨🚨🚨🚨🚨🚨 ",
                "🚨🚨🚨🚨🚨🚨🚨🚨🚨🚨🚨🚨🚨🚨🚨 hello",
            ),
        ] {
            assert_eq!(subject(message, prefix).as_deref(), Some(wanted));
        }
    }

    #[test]
    fn a_tag_becomes_a_folder_or_a_prefix() {
        let copy = |tag: &str, wish| {
            let mut copy = Copy {
                place: Place::Role(Role::Inbox),
                prefix: String::new(),
            };
            tagged(&mut copy, tag, wish);
            (copy.place, copy.prefix)
        };
        let inbox = || Place::Role(Role::Inbox);
        let folder = |name: &str| Place::Folder(MailboxName::new(name).unwrap());
        assert_eq!(copy("shop", None), (inbox(), String::new()));
        assert_eq!(copy("shop", Some(Tagged::Plain)), (inbox(), String::new()));
        assert_eq!(
            copy("shop", Some(Tagged::Subject)),
            (inbox(), "[shop] ".into())
        );
        assert_eq!(
            copy("shop", Some(Tagged::Subfolder)),
            (folder("INBOX/shop"), String::new())
        );
        // A tag is a stranger's choice: it never names a folder elsewhere.
        assert_eq!(
            copy("a/../b*", Some(Tagged::Subfolder)),
            (folder("INBOX/a..b"), String::new())
        );
        assert_eq!(copy("/", Some(Tagged::Subfolder)), (inbox(), String::new()));
    }
}
