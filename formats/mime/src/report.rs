//! Delivery status notifications: what a sender is told about a message of theirs.
//!
//! A [`DeliveryReport`] becomes a `multipart/report` of three parts: a text for people, the status
//! for programs, and the header of the original. Only the header goes back, never the body: the
//! reader may not be who wrote it. Deciding whether a report may be sent at all (never to `<>`,
//! never about a report) is the queue's business.
//!
//! RFC 3461 §6, RFC 3464, RFC 6522 (`multipart/report`), RFC 6533 (UTF-8 addresses), RFC 3834 §5
//! (`Auto-Submitted`).

use memchr::memmem;

use crate::header::header_end;
use crate::{date, header};

/// Octets of the original header that go back at most; it is cut between fields.
pub const MAX_RETURNED_HEADER: usize = 64 * 1024;

/// Octets of one diagnostic that go back at most: its line stays under 998 (RFC 5322 §2.1.1).
const MAX_DIAGNOSTIC: usize = 700;

/// A report about one message to its sender.
///
/// Strings that come from elsewhere are made harmless: line breaks and controls become spaces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryReport {
    /// Name of the server that reports.
    pub reporting_mta: String,
    /// Mailbox in `From`, such as `postmaster@example.org`.
    pub from: String,
    /// The sender of the original, who gets the report.
    pub to: String,
    /// Identifier for the report, without angle brackets; unguessable, the boundary is made of it.
    pub message_id: String,
    /// Seconds since 1970 of the report itself.
    pub date: i64,
    /// Seconds since 1970 when the original arrived.
    pub arrival_date: Option<i64>,
    /// The sender's own identifier for the transaction (RFC 3461 §4.4), decoded.
    pub envelope_id: Option<String>,
    /// What happened, one entry for each recipient; all of one kind read best.
    pub recipients: Vec<RecipientReport>,
    /// The original message, or at least its header.
    pub original: Vec<u8>,
}

/// What happened for one recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecipientReport {
    /// The address the sender gave (RFC 3461 `ORCPT`), with its type: `rfc822;a@b`.
    pub original_recipient: Option<String>,
    /// The address delivery was tried to.
    pub final_recipient: String,
    /// What happened.
    pub action: Action,
    /// Enhanced status code, such as `5.1.1`.
    pub status: String,
    /// The server that answered.
    pub remote_mta: Option<String>,
    /// Its answer, such as `550 5.1.1 no such user`.
    pub diagnostic: Option<String>,
    /// Seconds since 1970 of the last attempt.
    pub last_attempt: Option<i64>,
    /// Seconds since 1970 until when delivery will be tried.
    pub will_retry_until: Option<i64>,
}

/// RFC 3464 §2.3.3 `action-value`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Not delivered, and will not be.
    Failed,
    /// Not delivered yet; still trying.
    Delayed,
    /// Delivered.
    Delivered,
    /// Handed to a server that does not report.
    Relayed,
    /// Handed on to several recipients.
    Expanded,
}

impl Action {
    const fn as_str(self) -> &'static str {
        match self {
            Action::Failed => "failed",
            Action::Delayed => "delayed",
            Action::Delivered => "delivered",
            Action::Relayed => "relayed",
            Action::Expanded => "expanded",
        }
    }

    const fn subject(self) -> &'static str {
        match self {
            Action::Failed => "Undelivered mail: returned to sender",
            Action::Delayed => "Delayed mail: still being retried",
            Action::Delivered | Action::Relayed | Action::Expanded => "Successful mail delivery",
        }
    }

    const fn opening(self) -> &'static str {
        match self {
            Action::Failed => {
                "Your message could not be delivered to the recipients below.\r\n\
                 No further attempt will be made."
            }
            Action::Delayed => {
                "Your message has not been delivered yet to the recipients below.\r\n\
                 You need not send it again: the server keeps trying."
            }
            Action::Delivered => "Your message was delivered to the recipients below.",
            Action::Relayed => {
                "Your message was handed to the servers of the recipients below,\r\n\
                 which do not confirm delivery."
            }
            Action::Expanded => "Your message was handed on to the members of the lists below.",
        }
    }
}

impl DeliveryReport {
    /// The report as a message: CRLF line ends, no bare CR or LF.
    #[must_use]
    pub fn render(&self) -> Vec<u8> {
        let original = Original::of(&self.original);
        let boundary = self.boundary(original.header);
        let mut out = Lines(Vec::with_capacity(4096 + original.header.len()));
        self.write_header(&boundary, &mut out);
        self.write_text(&boundary, &mut out);
        let mut status = Lines(Vec::new());
        self.write_status(&mut status);
        out.line(format_args!("--{boundary}"));
        if status.0.is_ascii() {
            out.line(format_args!("Content-Type: message/delivery-status"));
        } else {
            // RFC 6533 §4: a status in UTF-8 has a type of its own.
            out.line(format_args!("Content-Type: message/global-delivery-status"));
            out.line(format_args!("Content-Transfer-Encoding: 8bit"));
        }
        out.line(format_args!(""));
        out.0.append(&mut status.0);
        original.write(&boundary, &mut out);
        out.line(format_args!("--{boundary}--"));
        out.0
    }

    fn write_header(&self, boundary: &str, out: &mut Lines) {
        let worst = self.leading_action();
        out.field("From", &format!("Mail Delivery System <{}>", self.from));
        out.field("To", &format!("<{}>", self.to));
        out.field("Subject", worst.subject());
        out.field("Date", &date::format(self.date));
        out.field("Message-ID", &format!("<{}>", self.message_id));
        // RFC 3834 §5: nothing may answer this automatically.
        out.field("Auto-Submitted", "auto-replied");
        out.field("MIME-Version", "1.0");
        out.line(format_args!(
            "Content-Type: multipart/report; report-type=delivery-status;"
        ));
        out.line(format_args!("\tboundary=\"{boundary}\""));
        out.line(format_args!(""));
    }

    /// The part for people.
    fn write_text(&self, boundary: &str, out: &mut Lines) {
        out.line(format_args!("--{boundary}"));
        out.line(format_args!("Content-Type: text/plain; charset=utf-8"));
        out.line(format_args!("Content-Transfer-Encoding: 8bit"));
        out.line(format_args!(""));
        out.line(format_args!(
            "This is the mail system at {}.",
            Clean(&self.reporting_mta)
        ));
        for action in [
            Action::Failed,
            Action::Delayed,
            Action::Delivered,
            Action::Relayed,
            Action::Expanded,
        ] {
            let mut heading = Some(action.opening());
            for recipient in self.recipients.iter().filter(|r| r.action == action) {
                if let Some(heading) = heading.take() {
                    out.line(format_args!(""));
                    out.line(format_args!("{heading}"));
                }
                out.line(format_args!(""));
                out.line(format_args!("  <{}>", Clean(&recipient.final_recipient)));
                if let Some(diagnostic) = recipient.diagnostic() {
                    match &recipient.remote_mta {
                        Some(server) => {
                            out.line(format_args!("  {} said: {diagnostic}", Clean(server)));
                        }
                        None => out.line(format_args!("  {diagnostic}")),
                    }
                }
                if let Some(until) = recipient.will_retry_until {
                    out.line(format_args!("  Tried until: {}", date::format(until)));
                }
            }
        }
        out.line(format_args!(""));
    }

    /// RFC 3464 §2.1: `delivery-status-content = per-message-fields 1*(CRLF per-recipient-fields)`.
    fn write_status(&self, out: &mut Lines) {
        if let Some(id) = &self.envelope_id {
            out.field("Original-Envelope-Id", id);
        }
        out.field("Reporting-MTA", &format!("dns; {}", self.reporting_mta));
        if let Some(arrival) = self.arrival_date {
            out.field("Arrival-Date", &date::format(arrival));
        }
        for recipient in &self.recipients {
            out.line(format_args!(""));
            recipient.write_status(out);
        }
        out.line(format_args!(""));
    }

    fn leading_action(&self) -> Action {
        let has = |action| {
            self.recipients
                .iter()
                .any(|recipient| recipient.action == action)
        };
        match () {
            () if has(Action::Failed) => Action::Failed,
            () if has(Action::Delayed) => Action::Delayed,
            () => Action::Delivered,
        }
    }

    /// A boundary that the original's header does not contain. The identifier is not known to who
    /// wrote the original, so the first try succeeds unless they guessed it.
    fn boundary(&self, original: &[u8]) -> String {
        let id: String = self
            .message_id
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .collect();
        let id = id.get(..40).unwrap_or(&id);
        let mut boundary = format!("=_report_{id}");
        for attempt in 0..100 {
            if memmem::find(original, boundary.as_bytes()).is_none() {
                break;
            }
            boundary = format!("=_report_{id}_{attempt}");
        }
        boundary
    }
}

impl RecipientReport {
    /// The answer, short enough for a line.
    fn diagnostic(&self) -> Option<Clean<'_>> {
        let text = self.diagnostic.as_deref()?;
        let end = text.floor_char_boundary(MAX_DIAGNOSTIC);
        Some(Clean(text.get(..end).unwrap_or(text)))
    }

    /// RFC 3464 §2.3 `per-recipient-fields`.
    fn write_status(&self, out: &mut Lines) {
        if let Some(original) = &self.original_recipient {
            out.field("Original-Recipient", original);
        }
        let kind = if self.final_recipient.is_ascii() {
            "rfc822"
        } else {
            "utf-8"
        };
        out.field(
            "Final-Recipient",
            &format!("{kind}; {}", self.final_recipient),
        );
        out.field("Action", self.action.as_str());
        out.field("Status", &self.status);
        if let Some(server) = &self.remote_mta {
            out.field("Remote-MTA", &format!("dns; {server}"));
        }
        if let Some(diagnostic) = self.diagnostic() {
            out.field("Diagnostic-Code", &format!("smtp; {diagnostic}"));
        }
        if let Some(at) = self.last_attempt {
            out.field("Last-Attempt-Date", &date::format(at));
        }
        if let Some(until) = self.will_retry_until {
            out.field("Will-Retry-Until", &date::format(until));
        }
    }
}

/// The header of the original as it goes back.
struct Original<'a> {
    header: &'a [u8],
}

impl<'a> Original<'a> {
    fn of(raw: &'a [u8]) -> Original<'a> {
        let header = raw.get(..header_end(raw)).unwrap_or_default();
        let fits =
            header::fields(header).take_while(|field| field.range.end <= MAX_RETURNED_HEADER);
        let end = match header.len() <= MAX_RETURNED_HEADER {
            true => header.len(),
            false => fits.last().map_or(0, |field| field.range.end),
        };
        Original {
            header: header.get(..end).unwrap_or_default(),
        }
    }

    fn write(&self, boundary: &str, out: &mut Lines) {
        out.line(format_args!("--{boundary}"));
        if self.header.is_ascii() {
            out.line(format_args!("Content-Type: text/rfc822-headers"));
        } else {
            // RFC 6533 §6.3: `message/global-headers`.
            out.line(format_args!("Content-Type: message/global-headers"));
            out.line(format_args!("Content-Transfer-Encoding: 8bit"));
        }
        out.line(format_args!(""));
        for line in self.header.split(|&b| b == b'\n') {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if line.is_empty() {
                continue;
            }
            out.0.extend(
                line.iter()
                    .map(|&b| if matches!(b, b'\r' | 0) { b' ' } else { b }),
            );
            out.0.extend_from_slice(b"\r\n");
        }
        out.line(format_args!(""));
    }
}

/// Text without line breaks and other controls.
struct Clean<'a>(&'a str);

impl std::fmt::Display for Clean<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        use std::fmt::Write;
        self.0
            .chars()
            .try_for_each(|c| f.write_char(if c.is_control() { ' ' } else { c }))
    }
}

/// Lines that end in CRLF.
struct Lines(Vec<u8>);

impl Lines {
    fn line(&mut self, text: std::fmt::Arguments<'_>) {
        use std::io::Write;
        // Writing to a vector does not fail.
        let _ = write!(self.0, "{text}\r\n");
    }

    /// A header field, folded at spaces so that its lines stay under 78 characters where they can.
    fn field(&mut self, name: &str, value: &str) {
        let mut column = name.len() + 1;
        let mut line = format!("{name}:");
        for word in Clean(value)
            .to_string()
            .split(' ')
            .filter(|word| !word.is_empty())
        {
            if column + 1 + word.len() > 78 && column > name.len() + 1 {
                line.push_str("\r\n");
                column = 0;
            }
            line.push(' ');
            line.push_str(word);
            column += 1 + word.len();
        }
        self.line(format_args!("{line}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Structure;

    fn report() -> DeliveryReport {
        DeliveryReport {
            reporting_mta: "mx.example.org".into(),
            from: "postmaster@example.org".into(),
            to: "sender@example.com".into(),
            message_id: "4f1d2c@mx.example.org".into(),
            date: 0,
            arrival_date: Some(-60),
            envelope_id: Some("QQ314159".into()),
            recipients: vec![RecipientReport {
                original_recipient: Some("rfc822;u@example.net".into()),
                final_recipient: "user@example.net".into(),
                action: Action::Failed,
                status: "5.1.1".into(),
                remote_mta: Some("mail.example.net".into()),
                diagnostic: Some("550 5.1.1 no such user\r\nBcc: evil@example".into()),
                last_attempt: Some(0),
                will_retry_until: None,
            }],
            original: b"Subject: hi\nX: a\r\n b\r\n\r\nsecret body\r\n".to_vec(),
        }
    }

    const RENDERED: &str = "From: Mail Delivery System <postmaster@example.org>\r\n\
        To: <sender@example.com>\r\n\
        Subject: Undelivered mail: returned to sender\r\n\
        Date: Thu, 01 Jan 1970 00:00:00 +0000\r\n\
        Message-ID: <4f1d2c@mx.example.org>\r\n\
        Auto-Submitted: auto-replied\r\n\
        MIME-Version: 1.0\r\n\
        Content-Type: multipart/report; report-type=delivery-status;\r\n\
        \tboundary=\"=_report_4f1d2cmxexampleorg\"\r\n\
        \r\n\
        --=_report_4f1d2cmxexampleorg\r\n\
        Content-Type: text/plain; charset=utf-8\r\n\
        Content-Transfer-Encoding: 8bit\r\n\
        \r\n\
        This is the mail system at mx.example.org.\r\n\
        \r\n\
        Your message could not be delivered to the recipients below.\r\n\
        No further attempt will be made.\r\n\
        \r\n\
        \x20 <user@example.net>\r\n\
        \x20 mail.example.net said: 550 5.1.1 no such user  Bcc: evil@example\r\n\
        \r\n\
        --=_report_4f1d2cmxexampleorg\r\n\
        Content-Type: message/delivery-status\r\n\
        \r\n\
        Original-Envelope-Id: QQ314159\r\n\
        Reporting-MTA: dns; mx.example.org\r\n\
        Arrival-Date: Wed, 31 Dec 1969 23:59:00 +0000\r\n\
        \r\n\
        Original-Recipient: rfc822;u@example.net\r\n\
        Final-Recipient: rfc822; user@example.net\r\n\
        Action: failed\r\n\
        Status: 5.1.1\r\n\
        Remote-MTA: dns; mail.example.net\r\n\
        Diagnostic-Code: smtp; 550 5.1.1 no such user Bcc: evil@example\r\n\
        Last-Attempt-Date: Thu, 01 Jan 1970 00:00:00 +0000\r\n\
        \r\n\
        --=_report_4f1d2cmxexampleorg\r\n\
        Content-Type: text/rfc822-headers\r\n\
        \r\n\
        Subject: hi\r\n\
        X: a\r\n b\r\n\
        \r\n\
        --=_report_4f1d2cmxexampleorg--\r\n";

    #[test]
    fn renders_a_failure() {
        assert_eq!(String::from_utf8(report().render()).unwrap(), RENDERED);
    }

    #[test]
    fn is_a_report_of_three_parts_without_defects() {
        let mut report = report();
        report.recipients[0].final_recipient = "müller@example.net".into();
        report.recipients[0].action = Action::Delayed;
        report.original = [&b"Subject: \xC3\xA9\r\n"[..], &b"X: y\r\n".repeat(100_000)].concat();
        let raw = report.render();
        assert_eq!(crate::malformed(&raw), []);
        let structure = Structure::parse(&raw);
        let types: Vec<_> = structure
            .leaves()
            .map(|p| p.content_type.subtype.as_slice())
            .collect();
        assert_eq!(
            types,
            [&b"plain"[..], b"global-delivery-status", b"global-headers"]
        );
        assert!(structure.parts[3].size() <= u32::try_from(MAX_RETURNED_HEADER).unwrap());
    }

    #[test]
    fn a_guessed_boundary_is_avoided() {
        let mut report = report();
        report.original = b"X: y\r\n--=_report_4f1d2cmxexampleorg--\r\n".to_vec();
        assert_eq!(Structure::parse(&report.render()).parts.len(), 4);
    }
}
