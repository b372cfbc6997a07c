//! Response codes (RFC 9051 §7.1, RFC 5530, RFC 4315, RFC 7162, RFC 4469, RFC 8514).

use super::PermanentFlags;
use crate::capability::Capability;
use crate::number::{ModSeq, Uid, UidValidity};
use crate::sequence::UidSet;
use crate::writer::Writer;

/// The character set that searches take.
pub const UTF_8: &str = "UTF-8";

/// Which UIDs became which (RFC 9051 §7.1, RFC 4315 §3). Both sets have as many members, at least
/// one, and the smallest of one became the smallest of the other, and so on upwards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyUid {
    validity: UidValidity,
    source: UidSet,
    target: UidSet,
}

impl CopyUid {
    /// The UIDs copied, in the source mailbox and in the target mailbox, whose validity it is.
    /// `None` when the sets are empty or differ in size.
    #[must_use]
    pub fn new(validity: UidValidity, source: UidSet, target: UidSet) -> Option<Self> {
        let fits = !source.is_empty() && source.len() == target.len();
        fits.then_some(Self {
            validity,
            source,
            target,
        })
    }
}

/// What a status response says to the client's program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ResponseCode {
    /// `ALERT`: the text must be shown to the user.
    Alert,
    /// `ALREADYEXISTS`
    AlreadyExists,
    /// `APPENDUID`: where APPEND put the message.
    AppendUid(UidValidity, Uid),
    /// `AUTHENTICATIONFAILED`
    AuthenticationFailed,
    /// `AUTHORIZATIONFAILED`
    AuthorizationFailed,
    /// `BADCHARSET`, with what is supported.
    BadCharset(Vec<&'static str>),
    /// `CANNOT`
    Cannot,
    /// `CAPABILITY`
    Capability(Vec<Capability>),
    /// `CLIENTBUG`
    ClientBug,
    /// `CLOSED`: the mailbox open before is closed, what follows is of the next.
    Closed,
    /// `CONTACTADMIN`
    ContactAdmin,
    /// `COPYUID`
    CopyUid(CopyUid),
    /// `CORRUPTION`
    Corruption,
    /// `EXPIRED`
    Expired,
    /// `EXPUNGEISSUED`
    ExpungeIssued,
    /// `HASCHILDREN`
    HasChildren,
    /// `HIGHESTMODSEQ`
    HighestModSeq(ModSeq),
    /// `INUSE`
    InUse,
    /// `LIMIT`
    Limit,
    /// `MODIFIED`: the messages that STORE passed over; sequence numbers or UIDs as in the
    /// command. Must not be empty.
    Modified(UidSet),
    /// `NOMODSEQ`
    NoModSeq,
    /// `NONEXISTENT`
    NonExistent,
    /// `NOPERM`
    NoPerm,
    /// `NOTSAVED`: the result that `$` stands for is empty from now.
    NotSaved,
    /// `OVERQUOTA`
    OverQuota,
    /// `PARSE`
    Parse,
    /// `PERMANENTFLAGS`
    PermanentFlags(PermanentFlags),
    /// `PRIVACYREQUIRED`
    PrivacyRequired,
    /// `READ-ONLY`
    ReadOnly,
    /// `READ-WRITE`
    ReadWrite,
    /// `SERVERBUG`
    ServerBug,
    /// `TOOBIG`
    TooBig,
    /// `TRYCREATE`
    TryCreate,
    /// `UIDNEXT`
    UidNext(u32),
    /// `UIDNOTSTICKY`
    UidNotSticky,
    /// `UIDVALIDITY`
    UidValidity(UidValidity),
    /// `UNAVAILABLE`
    Unavailable,
    /// `UNSEEN`: the first unseen message's number (RFC 3501).
    Unseen(u32),
    /// `USEATTR`: a special use cannot be given (RFC 6154).
    UseAttr,
}

impl ResponseCode {
    /// The code's name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Alert => "ALERT",
            Self::AlreadyExists => "ALREADYEXISTS",
            Self::AppendUid(..) => "APPENDUID",
            Self::AuthenticationFailed => "AUTHENTICATIONFAILED",
            Self::AuthorizationFailed => "AUTHORIZATIONFAILED",
            Self::BadCharset(_) => "BADCHARSET",
            Self::Cannot => "CANNOT",
            Self::Capability(_) => "CAPABILITY",
            Self::ClientBug => "CLIENTBUG",
            Self::Closed => "CLOSED",
            Self::ContactAdmin => "CONTACTADMIN",
            Self::CopyUid(_) => "COPYUID",
            Self::Corruption => "CORRUPTION",
            Self::Expired => "EXPIRED",
            Self::ExpungeIssued => "EXPUNGEISSUED",
            Self::HasChildren => "HASCHILDREN",
            Self::HighestModSeq(_) => "HIGHESTMODSEQ",
            Self::InUse => "INUSE",
            Self::Limit => "LIMIT",
            Self::Modified(_) => "MODIFIED",
            Self::NoModSeq => "NOMODSEQ",
            Self::NonExistent => "NONEXISTENT",
            Self::NoPerm => "NOPERM",
            Self::NotSaved => "NOTSAVED",
            Self::OverQuota => "OVERQUOTA",
            Self::Parse => "PARSE",
            Self::PermanentFlags(_) => "PERMANENTFLAGS",
            Self::PrivacyRequired => "PRIVACYREQUIRED",
            Self::ReadOnly => "READ-ONLY",
            Self::ReadWrite => "READ-WRITE",
            Self::ServerBug => "SERVERBUG",
            Self::TooBig => "TOOBIG",
            Self::TryCreate => "TRYCREATE",
            Self::UidNext(_) => "UIDNEXT",
            Self::UidNotSticky => "UIDNOTSTICKY",
            Self::UidValidity(_) => "UIDVALIDITY",
            Self::Unavailable => "UNAVAILABLE",
            Self::Unseen(_) => "UNSEEN",
            Self::UseAttr => "USEATTR",
        }
    }

    /// `"[" resp-text-code "]"`
    pub(super) fn encode(&self, writer: &mut Writer<'_>) {
        writer.bytes(b"[").text(self.name());
        match self {
            // resp-code-apnd = "APPENDUID" SP nz-number SP append-uid
            Self::AppendUid(validity, uid) => {
                writer.sp().number(*validity).sp().number(*uid);
            }
            Self::BadCharset(charsets) => {
                writer.sp().parenthesized(charsets, |writer, charset| {
                    writer.text(charset);
                });
            }
            Self::Capability(capabilities) => {
                writer.capabilities(capabilities);
            }
            // resp-code-copy = "COPYUID" SP nz-number SP uid-set SP uid-set
            Self::CopyUid(copied) => {
                writer.sp().number(copied.validity).sp();
                writer
                    .number_set(&copied.source)
                    .sp()
                    .number_set(&copied.target);
            }
            Self::HighestModSeq(mod_seq) => {
                writer.sp().number(*mod_seq);
            }
            Self::Modified(set) => {
                writer.sp().number_set(set);
            }
            Self::PermanentFlags(flags) => {
                writer.sp();
                flags.encode(writer);
            }
            Self::UidNext(number) | Self::Unseen(number) => {
                writer.sp().number(*number);
            }
            Self::UidValidity(validity) => {
                writer.sp().number(*validity);
            }
            _ => {}
        }
        writer.bytes(b"]");
    }
}
