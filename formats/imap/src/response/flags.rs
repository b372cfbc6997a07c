//! FLAGS (RFC 9051 §7.3.5) and the flags of PERMANENTFLAGS.

use super::Encode;
use crate::flag::Flag;
use crate::writer::Writer;

/// `"FLAGS" SP flag-list`: the flags that exist in the mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlagsData<'a>(pub &'a [Flag]);

impl Encode for FlagsData<'_> {
    fn encode(&self, writer: &mut Writer<'_>) {
        writer.bytes(b"* FLAGS ").flags(self.0).crlf();
    }
}

/// What PERMANENTFLAGS says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PermanentFlags {
    /// Flags that the client can change for good.
    pub flags: Vec<Flag>,
    /// `\*`: it can also make new keywords.
    pub new_keywords: bool,
}

impl PermanentFlags {
    /// `flag-perm = flag / "\*"`
    pub(super) fn encode(&self, writer: &mut Writer<'_>) {
        let names = self.flags.iter().map(Flag::as_str);
        let wildcard = self.new_keywords.then_some("\\*");
        writer.parenthesized(names.chain(wildcard), |writer, name| {
            writer.text(name);
        });
    }
}
