//! Why a recipient was not reached, in the terms a delivery report needs.
//!
//! Start at [`Failure`].

use std::fmt;

use smtp::{EnhancedCode, Reply};

/// Whether trying again can help.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Severity {
    /// The same attempt may succeed later.
    Temporary,
    /// The same attempt will fail again.
    Permanent,
}

/// Whether another host of the same destination may take what this one did not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Elsewhere {
    /// The host was the trouble: ask the next one.
    Try,
    /// The verdict holds for the destination, or asking elsewhere could deliver twice.
    Final,
}

/// One failed attempt for one or more recipients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) severity: Severity,
    /// RFC 3463; its class agrees with `severity`.
    pub(crate) code: EnhancedCode,
    /// What happened, in our words; without control characters.
    pub(crate) text: String,
    /// What the remote server said, if it was its verdict.
    pub(crate) reply: Option<Reply>,
    /// The host that said it or that could not be reached.
    pub(crate) host: Option<String>,
    pub(crate) elsewhere: Elsewhere,
}

impl Failure {
    pub(crate) fn temporary(subject: u16, detail: u16, text: impl Into<String>) -> Self {
        Self {
            severity: Severity::Temporary,
            code: EnhancedCode(4, subject, detail),
            text: text.into(),
            reply: None,
            host: None,
            elsewhere: Elsewhere::Try,
        }
    }

    pub(crate) fn permanent(subject: u16, detail: u16, text: impl Into<String>) -> Self {
        Self {
            severity: Severity::Permanent,
            code: EnhancedCode(5, subject, detail),
            text: text.into(),
            reply: None,
            host: None,
            elsewhere: Elsewhere::Final,
        }
    }

    /// The verdict of a reply that is not positive. A 3xx where none belongs is a temporary
    /// failure of the host.
    pub(crate) fn from_reply(reply: Reply, what: &str) -> Self {
        let permanent = reply.is_permanent();
        let class = if permanent { 5 } else { 4 };
        // RFC 3463 §3.1: X.0.0 where the server gave no code of its own.
        let code = reply
            .enhanced()
            .filter(|own| own.0 == class)
            .unwrap_or(EnhancedCode(class, 0, 0));
        Self {
            severity: if permanent {
                Severity::Permanent
            } else {
                Severity::Temporary
            },
            code,
            text: format!("the server refused {what}"),
            reply: Some(reply),
            host: None,
            elsewhere: if permanent {
                Elsewhere::Final
            } else {
                Elsewhere::Try
            },
        }
    }

    pub(crate) fn at(mut self, host: &str) -> Self {
        self.host = Some(host.to_owned());
        self
    }

    pub(crate) fn with(mut self, elsewhere: Elsewhere) -> Self {
        self.elsewhere = elsewhere;
        self
    }

    pub(crate) fn is_permanent(&self) -> bool {
        self.severity == Severity::Permanent
    }

    /// The same failure as the last word.
    ///
    /// RFC 3463 §3.5: X.4.7, delivery time expired.
    pub(crate) fn expired(mut self) -> Self {
        self.severity = Severity::Permanent;
        self.code = EnhancedCode(5, 4, 7);
        self.elsewhere = Elsewhere::Final;
        self
    }
}

impl fmt::Display for Failure {
    /// One line for the queue listing and the log: `mx.example: the server refused the recipient
    /// (450 4.2.1 busy)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(host) = &self.host {
            write!(f, "{host}: ")?;
        }
        f.write_str(&self.text)?;
        match &self.reply {
            Some(reply) => write!(f, " ({reply})"),
            None => write!(f, " ({})", self.code),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_decides_severity_and_only_an_agreeing_code_is_kept() {
        for (code, enhanced, severity, expected) in [
            (
                550,
                EnhancedCode(5, 1, 1),
                Severity::Permanent,
                EnhancedCode(5, 1, 1),
            ),
            (
                550,
                EnhancedCode(4, 1, 1),
                Severity::Permanent,
                EnhancedCode(5, 0, 0),
            ),
            (
                451,
                EnhancedCode(4, 7, 1),
                Severity::Temporary,
                EnhancedCode(4, 7, 1),
            ),
            (
                354,
                EnhancedCode(2, 0, 0),
                Severity::Temporary,
                EnhancedCode(4, 0, 0),
            ),
        ] {
            let failure = Failure::from_reply(Reply::new(code, enhanced, "no"), "it");
            assert_eq!(
                (failure.severity, failure.code),
                (severity, expected),
                "{code}"
            );
        }
    }

    #[test]
    fn the_status_line_names_host_situation_and_reply() {
        let reply = Reply::new(450, EnhancedCode(4, 2, 1), "busy");
        let failure = Failure::from_reply(reply, "the recipient").at("mx.example");
        assert_eq!(
            failure.to_string(),
            "mx.example: the server refused the recipient (450 4.2.1 busy)"
        );
        assert_eq!(failure.expired().code, EnhancedCode(5, 4, 7));
    }
}
