//! NAMESPACE (RFC 9051 §7.3.2, RFC 2342).

use super::Encode;
use crate::mailbox::{DELIMITER, MailboxName};
use crate::writer::Writer;

/// Where a namespace begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NamespacePrefix {
    /// The root: every name is in it.
    Root,
    /// Below this mailbox.
    Below(MailboxName),
}

/// The three kinds of namespaces; an empty one is `NIL`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NamespaceData {
    /// The user's own mailboxes.
    pub personal: Vec<NamespacePrefix>,
    /// Those of other users.
    pub other_users: Vec<NamespacePrefix>,
    /// Those of nobody.
    pub shared: Vec<NamespacePrefix>,
}

impl Encode for NamespaceData {
    /// `namespace-response = "NAMESPACE" SP namespace SP namespace SP namespace`
    fn encode(&self, writer: &mut Writer<'_>) {
        writer.bytes(b"* NAMESPACE");
        for prefixes in [&self.personal, &self.other_users, &self.shared] {
            writer.sp().namespace(prefixes);
        }
        writer.crlf();
    }
}

impl Writer<'_> {
    /// `namespace = nil / "(" 1*namespace-descr ")"`
    ///
    /// `namespace-descr = "(" string SP (DQUOTE QUOTED-CHAR DQUOTE / nil) … ")"`
    fn namespace(&mut self, prefixes: &[NamespacePrefix]) -> &mut Self {
        if prefixes.is_empty() {
            return self.bytes(b"NIL");
        }
        self.bytes(b"(");
        for prefix in prefixes {
            let mut wire = Vec::new();
            if let NamespacePrefix::Below(mailbox) = prefix {
                wire = mailbox.to_wire(self.mode());
                wire.extend(DELIMITER.to_string().bytes());
            }
            self.bytes(b"(").string(&wire).sp().delimiter().bytes(b")");
        }
        self.bytes(b")")
    }
}
