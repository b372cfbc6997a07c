//! What verification found out, as values.

use std::fmt;
use std::ops::Range;

use smtp::address::Domain;

use crate::author::Author;

/// A result in the terms of RFC 8601 §2.7; not every method can have every one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Outcome {
    /// The check succeeded.
    Pass,
    /// The check failed.
    Fail,
    /// SPF only: the domain doubts the client and does not disown it.
    SoftFail,
    /// There is nothing to conclude from what is there.
    Neutral,
    /// There is nothing to check.
    #[default]
    None,
    /// Nobody could tell; another try may have a result.
    TempError,
    /// What is there cannot be used, now or later.
    PermError,
}

impl Outcome {
    /// The keyword of RFC 8601.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::SoftFail => "softfail",
            Self::Neutral => "neutral",
            Self::None => "none",
            Self::TempError => "temperror",
            Self::PermError => "permerror",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Which identity SPF was asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum SpfIdentity {
    /// The domain of MAIL FROM.
    #[default]
    MailFrom,
    /// RFC 7208 §2.4: the EHLO name, when the reverse path is null.
    Helo,
}

/// The result of SPF.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SpfOutcome {
    /// What SPF says.
    pub result: Outcome,
    /// About whom.
    pub identity: SpfIdentity,
    /// The domain that was asked; `None` when the identity holds none.
    pub domain: Option<Domain>,
    /// The identity as the client gave it.
    pub sender: String,
}

/// The result of one DKIM signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DkimVerdict {
    /// The signing domain (`d=`) as it stands in the signature; empty when it cannot be read.
    pub domain: String,
    /// The selector (`s=`).
    pub selector: String,
    /// `pass`, `fail`, `neutral`, `temperror` or `permerror`.
    pub result: Outcome,
    /// Why it is no pass.
    pub reason: Option<&'static str>,
    /// The first characters of the signature in base64, to tell signatures apart (RFC 6008).
    pub signature: String,
}

/// What a domain wants to happen to mail that fails DMARC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Policy {
    /// Nothing.
    #[default]
    None,
    /// Treat it as suspicious.
    Quarantine,
    /// Refuse it.
    Reject,
}

impl Policy {
    /// The keyword of RFC 9989.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Quarantine => "quarantine",
            Self::Reject => "reject",
        }
    }
}

/// Through which method a passing identifier agrees with the author's domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Aligned {
    /// SPF passed for an aligned domain.
    pub spf: bool,
    /// A DKIM signature of an aligned domain passed.
    pub dkim: bool,
}

/// The result of DMARC.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DmarcVerdict {
    /// `pass`, `fail`, `none`, `temperror` or `permerror`.
    pub result: Outcome,
    /// The policy that applies to this author domain, test mode taken into account.
    pub policy: Policy,
    /// The author's domain; `None` when the message has no single author.
    pub domain: Option<Domain>,
    /// What agreed with it.
    pub aligned: Aligned,
    /// Why there is a `permerror`.
    pub reason: Option<&'static str>,
}

/// The result of ARC.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ArcVerdict {
    /// `pass`, `fail`, `none` or `temperror`.
    pub result: Outcome,
    /// The domains that sealed the chain, the latest last; only to be believed on `pass`.
    pub sealers: Vec<String>,
}

/// Whether the client's address has a name that leads back to it (RFC 8601 §2.7.3).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct IprevVerdict {
    /// `pass`, `fail`, `temperror` or `permerror` (no name at all); `none` when not asked.
    pub result: Outcome,
    /// The confirmed name on `pass`, else the first one claimed.
    pub name: Option<Domain>,
}

/// Everything that was found out about one message.
///
/// The default holds no result at all: what there is to say about mail that was not checked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AuthResults {
    /// SPF.
    pub spf: SpfOutcome,
    /// DKIM, one verdict per signature, those not verified for being too many included.
    pub dkim: Vec<DkimVerdict>,
    /// DMARC.
    pub dmarc: DmarcVerdict,
    /// ARC.
    pub arc: ArcVerdict,
    /// The client's name.
    pub iprev: IprevVerdict,
    /// Who wrote the message, as far as one can say.
    pub author: Author,
    /// The Authentication-Results field, folded, ended by CRLF; goes above the message.
    pub header: String,
    /// Octet ranges of Authentication-Results fields in the message that claim to be ours. Whoever
    /// stores or forwards the message leaves them out (RFC 8601 §5).
    pub forged: Vec<Range<usize>>,
}

impl AuthResults {
    /// Whether the client may send for the envelope sender's domain: what makes it safe to return
    /// a message to that sender.
    #[must_use]
    pub fn spf_passed(&self) -> bool {
        self.spf.result == Outcome::Pass
    }

    /// The client's name, when it leads back to the client's address.
    #[must_use]
    pub fn client_name(&self) -> Option<&Domain> {
        self.iprev
            .name
            .as_ref()
            .filter(|_| self.iprev.result == Outcome::Pass)
    }

    /// Whether any signature passed.
    #[must_use]
    pub fn dkim_passed(&self) -> bool {
        self.dkim
            .iter()
            .any(|verdict| verdict.result == Outcome::Pass)
    }
}
