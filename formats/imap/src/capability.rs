//! Capability names, as announced, enabled and asked for.

use crate::atom::Atom;
use crate::error::Error;
use crate::reader::Reader;
use crate::writer::Writer;

macro_rules! capabilities {
    ($($(#[$doc:meta])* $variant:ident => $text:literal,)*) => {
        /// A capability.
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        pub enum Capability {
            $($(#[$doc])* $variant,)*
            /// `AUTH=…`, with the mechanism's name.
            Auth(Atom),
            /// `APPENDLIMIT=n`: the largest message in octets (RFC 7889).
            AppendLimit(u64),
            /// One that this crate does not know.
            Other(Atom),
        }

        impl Capability {
            const NAMED: &'static [(&'static str, Self)] = &[$(($text, Self::$variant),)*];

            /// The fixed name, when it has one.
            fn name(&self) -> Option<&'static str> {
                match self {
                    $(Self::$variant => Some($text),)*
                    Self::Auth(_) | Self::AppendLimit(_) | Self::Other(_) => None,
                }
            }
        }
    };
}

capabilities! {
    /// RFC 3501
    Imap4Rev1 => "IMAP4rev1",
    /// RFC 9051
    Imap4Rev2 => "IMAP4rev2",
    /// RFC 3348
    Children => "CHILDREN",
    /// RFC 7162
    CondStore => "CONDSTORE",
    /// RFC 5161
    Enable => "ENABLE",
    /// RFC 4731
    ESearch => "ESEARCH",
    /// RFC 2971
    Id => "ID",
    /// RFC 2177
    Idle => "IDLE",
    /// RFC 5258
    ListExtended => "LIST-EXTENDED",
    /// RFC 5819
    ListStatus => "LIST-STATUS",
    /// RFC 7888: non-synchronizing literals of any size.
    LiteralPlus => "LITERAL+",
    /// RFC 7888: non-synchronizing literals of at most 4,096 octets.
    LiteralMinus => "LITERAL-",
    /// LOGIN is refused (RFC 9051 §6.2.3).
    LoginDisabled => "LOGINDISABLED",
    /// RFC 6851
    Move => "MOVE",
    /// RFC 2342
    Namespace => "NAMESPACE",
    /// RFC 4959
    SaslIr => "SASL-IR",
    /// RFC 6154
    SpecialUse => "SPECIAL-USE",
    /// RFC 6154: `CREATE … (USE (…))`
    CreateSpecialUse => "CREATE-SPECIAL-USE",
    /// RFC 9051 §6.2.1
    StartTls => "STARTTLS",
    /// RFC 8438
    StatusSize => "STATUS=SIZE",
    /// RFC 4315
    UidPlus => "UIDPLUS",
    /// RFC 3691
    Unselect => "UNSELECT",
    /// RFC 6855
    Utf8Accept => "UTF8=ACCEPT",
}

impl Capability {
    /// The capability written as `text`, in any case; `None` when it is no atom.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let named = Self::NAMED
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(text));
        if let Some((_, capability)) = named {
            return Some(capability.clone());
        }
        let atom = Atom::new(&text.to_ascii_uppercase())?;
        if let Some(mechanism) = atom.as_str().strip_prefix("AUTH=").and_then(Atom::new) {
            return Some(Self::Auth(mechanism));
        }
        let limit = atom.as_str().strip_prefix("APPENDLIMIT=");
        if let Some(limit) = limit.and_then(|digits| digits.parse().ok()) {
            return Some(Self::AppendLimit(limit));
        }
        Some(Self::Other(atom))
    }
}

impl Reader<'_> {
    /// `capability = ("AUTH=" auth-type) / atom`
    pub(crate) fn capability(&mut self) -> Result<Capability, Error> {
        Capability::parse(self.atom_text()?).ok_or(Error::Expected("a capability"))
    }
}

impl Writer<'_> {
    /// `capability`
    pub fn capability(&mut self, capability: &Capability) -> &mut Self {
        match capability {
            Capability::Auth(mechanism) => self.bytes(b"AUTH=").text(mechanism.as_str()),
            Capability::AppendLimit(limit) => self.bytes(b"APPENDLIMIT=").number(*limit),
            Capability::Other(atom) => self.text(atom.as_str()),
            named => self.text(named.name().unwrap_or_default()),
        }
    }

    /// Capabilities, each after a space.
    pub(crate) fn capabilities(&mut self, capabilities: &[Capability]) -> &mut Self {
        for capability in capabilities {
            self.sp().capability(capability);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_capabilities_read_back() {
        for text in [
            "IMAP4rev1",
            "UTF8=ACCEPT",
            "AUTH=PLAIN",
            "APPENDLIMIT=26214400",
            "X-FOO",
        ] {
            let capability = Capability::parse(&text.to_ascii_lowercase()).unwrap();
            let mut out = Vec::new();
            Writer::new(&mut out, crate::Utf8Mode::Utf8).capability(&capability);
            assert_eq!(String::from_utf8(out).unwrap(), text);
        }
        assert_eq!(Capability::parse("a b"), None);
        assert_eq!(Capability::parse(""), None);
    }
}
