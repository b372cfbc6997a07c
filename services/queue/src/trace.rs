//! The trace fields this server puts in front of a message.
//!
//! A stored message is `prefix` + blob: the blob is what came over the wire, shared by all
//! recipients, and the prefix is what we add for one of them. From the top, a local recipient gets
//! Return-Path and Delivered-To, and every copy gets the fields that other services made
//! (Authentication-Results, signatures, the filter's) and our Received.
//!
//! RFC 5321 §4.4 (Received, Return-Path), RFC 3848 and RFC 6531 §4.3 (`with` protocols), RFC 8601
//! §5 (order). Start at [`Origin`].

use std::fmt::Write as _;
use std::net::IpAddr;

use ambient::Timestamp;
use smtp::{Address, Domain, ReversePath};
use store::AccountId;

/// RFC 5321 §6.3: Received fields from which on a message is taken to loop. The RFC asks for at
/// least 100 in 2008's network; today's routes are short, and Postfix counts to 50 as well.
pub const MAX_HOPS: usize = 50;

/// How and from whom a message came in.
#[derive(Debug, Clone)]
pub struct Origin {
    /// Our name for the transaction: in the Received field, the log and the reply. Letters, digits
    /// and `-`.
    pub id: String,
    /// Who handed the message over; `None` for mail made by this server, and where the address of
    /// the submitter is nobody's business.
    pub client: Option<Client>,
    /// The protocol as Received names it.
    pub with: Transport,
    /// What the TLS handshake agreed on, such as `TLSv1.3 TLS_AES_256_GCM_SHA384`; `None` in clear.
    pub tls: Option<String>,
    /// The account that signed in to submit it.
    pub account: Option<AccountId>,
    /// Whether reports of failure may go to the sender.
    pub sender: SenderStanding,
    /// Whole header fields that other services made for this message, each ending in CRLF:
    /// Authentication-Results, DKIM-Signature, the filter's. May be empty.
    pub fields: Vec<u8>,
}

/// The other side of the connection that a message came over.
#[derive(Debug, Clone)]
pub struct Client {
    /// The argument of EHLO or HELO.
    pub helo: String,
    /// The address.
    pub address: IpAddr,
    /// The name of the address, confirmed by a forward lookup.
    pub name: Option<Domain>,
}

/// The `with` clause: which protocol, and which of its extensions (RFC 3848, RFC 6531 §4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// HELO.
    Smtp,
    /// EHLO.
    Esmtp,
    /// EHLO under TLS.
    Esmtps,
    /// EHLO with AUTH.
    Esmtpa,
    /// EHLO under TLS with AUTH.
    Esmtpsa,
    /// As [`Self::Esmtp`] with SMTPUTF8 in use.
    Utf8Smtp,
    /// As [`Self::Esmtps`] with SMTPUTF8 in use.
    Utf8Smtps,
    /// As [`Self::Esmtpa`] with SMTPUTF8 in use.
    Utf8Smtpa,
    /// As [`Self::Esmtpsa`] with SMTPUTF8 in use.
    Utf8Smtpsa,
    /// Made by this server.
    Local,
}

impl Transport {
    /// The registered name; `None` where no protocol was involved.
    #[must_use]
    pub fn as_str(self) -> Option<&'static str> {
        Some(match self {
            Self::Smtp => "SMTP",
            Self::Esmtp => "ESMTP",
            Self::Esmtps => "ESMTPS",
            Self::Esmtpa => "ESMTPA",
            Self::Esmtpsa => "ESMTPSA",
            Self::Utf8Smtp => "UTF8SMTP",
            Self::Utf8Smtps => "UTF8SMTPS",
            Self::Utf8Smtpa => "UTF8SMTPA",
            Self::Utf8Smtpsa => "UTF8SMTPSA",
            Self::Local => return None,
        })
    }

    /// Whether SMTPUTF8 was in use.
    #[must_use]
    pub fn is_utf8(self) -> bool {
        matches!(
            self,
            Self::Utf8Smtp | Self::Utf8Smtps | Self::Utf8Smtpa | Self::Utf8Smtpsa
        )
    }
}

/// Whether the reverse-path is known to be the sender's own.
///
/// A report to a forged address is backscatter, so mail whose sender nobody vouches for (forwarded
/// by an alias, SPF not passed) fails without a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SenderStanding {
    /// Signed in, one of our own, or confirmed by SPF.
    Verified,
    /// Anybody may have written it.
    Unverified,
}

impl Origin {
    /// The origin of a message that this server makes itself.
    #[must_use]
    pub fn local(id: String) -> Self {
        Self {
            id,
            client: None,
            with: Transport::Local,
            tls: None,
            account: None,
            sender: SenderStanding::Verified,
            fields: Vec::new(),
        }
    }

    /// The fields that every copy gets: [`Origin::fields`], then Received.
    ///
    /// `only` is the recipient if there is just one: RFC 5321 §7.2 warns of showing each recipient
    /// the others.
    pub(crate) fn trace(&self, own: &Domain, now: Timestamp, only: Option<&Address>) -> Vec<u8> {
        let mut trace = self.fields.clone();
        trace.extend_from_slice(self.received(own, now, only).as_bytes());
        trace
    }

    /// RFC 5321 §4.4: Time-stamp-line = "Received:" FWS Stamp CRLF
    fn received(&self, own: &Domain, now: Timestamp, only: Option<&Address>) -> String {
        let mut field = String::from("Received: ");
        // Writing to a String does not fail.
        if let Some(client) = &self.client {
            let literal = address_literal(client.address);
            write!(field, "from {} (", token(&client.helo)).ok();
            if let Some(name) = &client.name {
                write!(field, "{name} ").ok();
            }
            write!(field, "{literal})\r\n\t").ok();
        }
        write!(field, "by {own} (Muskox)").ok();
        if let Some(with) = self.with.as_str() {
            write!(field, " with {with}").ok();
        }
        write!(field, " id {}", token(&self.id)).ok();
        if let Some(tls) = &self.tls {
            write!(field, "\r\n\t({})", comment(tls)).ok();
        }
        if let Some(recipient) = only {
            write!(field, "\r\n\tfor <{recipient}>").ok();
        }
        write!(field, ";\r\n\t{}\r\n", mime::date::format(now.0)).ok();
        field
    }
}

/// The fields on top of a local recipient's copy.
pub(crate) fn delivery(from: &ReversePath, recipient: &Address) -> Vec<u8> {
    format!("Return-Path: {from}\r\nDelivered-To: {recipient}\r\n").into_bytes()
}

/// RFC 5321 §4.1.3: the address in brackets, IPv6 with its tag.
fn address_literal(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => format!("[{address}]"),
        IpAddr::V6(address) => format!("[IPv6:{address}]"),
    }
}

/// What a client said, made safe to stand as one word in a header field.
fn token(text: &str) -> String {
    let kept: String = text
        .chars()
        .filter(|c| c.is_alphanumeric() || ".-_:[]".contains(*c))
        .take(255)
        .collect();
    if kept.is_empty() {
        "unknown".to_owned()
    } else {
        kept
    }
}

/// Text made safe to stand in a comment.
fn comment(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_control() && !"()\\".contains(*c))
        .take(255)
        .collect()
}

/// How many servers `message` has passed: its Received fields, counted to just above [`MAX_HOPS`].
pub fn hops(message: &[u8]) -> usize {
    mime::header::fields(message)
        .filter(|field| field.is("Received"))
        .take(MAX_HOPS + 1)
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin() -> Origin {
        Origin {
            client: Some(Client {
                helo: "mail.example".into(),
                address: "192.0.2.7".parse().unwrap(),
                name: Some(Domain::parse("out.example").unwrap()),
            }),
            with: Transport::Esmtps,
            tls: Some("TLSv1.3 TLS_AES_128_GCM_SHA256".into()),
            fields: b"Authentication-Results: us.test; spf=pass\r\n".to_vec(),
            ..Origin::local("k3".into())
        }
    }

    fn trace(origin: &Origin, only: Option<&str>) -> String {
        let own = Domain::parse("us.test").unwrap();
        let only = only.map(|only| Address::parse(only).unwrap());
        String::from_utf8(origin.trace(&own, Timestamp(1_700_000_000), only.as_ref())).unwrap()
    }

    #[test]
    fn a_trace_names_client_protocol_tls_and_the_only_recipient() {
        assert_eq!(
            trace(&origin(), Some("a@us.test")),
            "Authentication-Results: us.test; spf=pass\r\n\
             Received: from mail.example (out.example [192.0.2.7])\r\n\
             \tby us.test (Muskox) with ESMTPS id k3\r\n\
             \t(TLSv1.3 TLS_AES_128_GCM_SHA256)\r\n\
             \tfor <a@us.test>;\r\n\
             \tTue, 14 Nov 2023 22:13:20 +0000\r\n"
        );
    }

    #[test]
    fn several_recipients_do_not_see_each_other_and_local_mail_has_no_client() {
        assert!(!trace(&origin(), None).contains("for <"));
        let local = trace(&Origin::local("x".into()), None);
        assert_eq!(
            local,
            "Received: by us.test (Muskox) id x;\r\n\tTue, 14 Nov 2023 22:13:20 +0000\r\n"
        );
    }

    #[test]
    fn nothing_a_client_says_leaves_its_place_in_the_field() {
        for helo in ["a\r\nX-Evil: 1", "a) (b", "a;b for <x@y>", "", "\0"] {
            let mut origin = origin();
            origin.tls = Some("a)\r\nX-Evil: 1".into());
            if let Some(client) = &mut origin.client {
                client.helo = helo.into();
            }
            let trace = trace(&origin, None);
            assert!(!trace.contains("\nX-Evil"), "{trace}");
            assert_eq!(trace.matches(';').count(), 2, "{trace}");
            assert_eq!(
                trace.matches('(').count(),
                trace.matches(')').count(),
                "{trace}"
            );
        }
        let ipv6 = address_literal("2001:db8::1".parse().unwrap());
        assert_eq!(ipv6, "[IPv6:2001:db8::1]");
        assert_eq!(
            address_literal("::ffff:192.0.2.1".parse().unwrap()),
            "[192.0.2.1]"
        );
    }

    #[test]
    fn hops_are_the_received_fields_of_the_header_only() {
        let mut message = "received: a\r\n".repeat(3);
        message.push_str("Received-SPF: pass\r\nRECEIVED:\r\n b\r\n\r\nReceived: no\r\n");
        assert_eq!(hops(message.as_bytes()), 4);
        assert_eq!(
            hops("Received: a\r\n".repeat(5_000).as_bytes()),
            MAX_HOPS + 1
        );
    }
}
