//! What a server offers: the keywords of its EHLO reply, read by a client.
//!
//! Implements RFC 5321 §4.1.1.1 (ehlo-line). Keywords we have no use for are skipped.
//!
//! Start at [`Extensions::parse`].

use crate::reply::Reply;

/// The extensions a server announced. All absent by default, as after HELO.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Extensions {
    /// RFC 1870: the largest message taken, in octets; zero where the server sets no fixed limit.
    pub size: Option<u64>,
    /// RFC 6152: BODY=8BITMIME is understood.
    pub eightbitmime: bool,
    /// RFC 6531: SMTPUTF8 is understood.
    pub smtputf8: bool,
    /// RFC 2920: commands may be sent without waiting for each reply.
    pub pipelining: bool,
    /// RFC 3207: TLS can be started.
    pub starttls: bool,
    /// RFC 4954: the mechanisms, in upper case.
    pub auth: Vec<String>,
    /// RFC 2034: replies carry enhanced codes.
    pub enhanced: bool,
    /// RFC 3461: RET, ENVID, NOTIFY and ORCPT are understood.
    pub dsn: bool,
    /// RFC 3030: BDAT is understood.
    pub chunking: bool,
    /// RFC 8689: REQUIRETLS is understood.
    pub requiretls: bool,
}

impl Extensions {
    /// Reads the reply to EHLO (or LHLO): the first line is the greeting, each further one a
    /// keyword with its parameters.
    ///
    /// RFC 5321 §4.1.1.1: `ehlo-line = ehlo-keyword *( SP ehlo-param )`
    pub fn parse(reply: &Reply) -> Self {
        let mut extensions = Self::default();
        for line in reply.lines().iter().skip(1) {
            // "AUTH=LOGIN PLAIN" is how some servers spell it for clients older than RFC 2554.
            let mut words = line.split([' ', '=']).filter(|word| !word.is_empty());
            let keyword = words.next().unwrap_or_default().to_ascii_uppercase();
            match keyword.as_str() {
                "SIZE" => {
                    let limit = words.next().and_then(|digits| digits.parse().ok());
                    extensions.size = Some(limit.unwrap_or(0));
                }
                "8BITMIME" => extensions.eightbitmime = true,
                "SMTPUTF8" => extensions.smtputf8 = true,
                "PIPELINING" => extensions.pipelining = true,
                "STARTTLS" => extensions.starttls = true,
                "AUTH" => {
                    for mechanism in words.map(str::to_ascii_uppercase) {
                        if !extensions.auth.contains(&mechanism) {
                            extensions.auth.push(mechanism);
                        }
                    }
                }
                "ENHANCEDSTATUSCODES" => extensions.enhanced = true,
                "DSN" => extensions.dsn = true,
                "CHUNKING" => extensions.chunking = true,
                "REQUIRETLS" => extensions.requiretls = true,
                _ => {}
            }
        }
        extensions
    }

    /// Whether a message of `octets` is within the announced limit.
    pub fn fits(&self, octets: u64) -> bool {
        self.size.is_none_or(|limit| limit == 0 || octets <= limit)
    }

    /// Whether the server offers `mechanism`, in any letter case.
    pub fn offers(&self, mechanism: &str) -> bool {
        self.auth
            .iter()
            .any(|offered| offered.eq_ignore_ascii_case(mechanism))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(lines: &[&'static str]) -> Extensions {
        let reply = Reply::bare(250, "mx.example.org SIZE DSN");
        Extensions::parse(
            &lines
                .iter()
                .fold(reply, |reply, line| reply.and_line(*line)),
        )
    }

    #[test]
    fn the_greeting_line_offers_nothing() {
        assert_eq!(parse(&[]), Extensions::default());
    }

    #[test]
    fn keywords_are_read_in_any_letter_case() {
        let all = parse(&[
            "size 10240000",
            "8bitmime",
            "SMTPUTF8",
            "PIPELINING",
            "StartTLS",
            "AUTH PLAIN login",
            "AUTH=LOGIN XOAUTH2",
            "ENHANCEDSTATUSCODES",
            "DSN",
            "CHUNKING",
            "REQUIRETLS",
            "X-UNKNOWN a b",
            "",
        ]);
        let expected = Extensions {
            size: Some(10_240_000),
            eightbitmime: true,
            smtputf8: true,
            pipelining: true,
            starttls: true,
            auth: vec!["PLAIN".into(), "LOGIN".into(), "XOAUTH2".into()],
            enhanced: true,
            dsn: true,
            chunking: true,
            requiretls: true,
        };
        assert_eq!(all, expected);
        assert!(all.offers("plain") && !all.offers("SCRAM-SHA-256"));
    }

    #[test]
    fn sizes_limit_only_when_given() {
        for (line, size, fits) in [
            ("SIZE 100", Some(100), false),
            ("SIZE 101", Some(101), true),
            ("SIZE 0", Some(0), true),
            ("SIZE", Some(0), true),
            ("SIZE many", Some(0), true),
            ("SIZES 1", None, true),
        ] {
            let extensions = parse(&[line]);
            assert_eq!(
                (extensions.size, extensions.fits(101)),
                (size, fits),
                "{line}"
            );
        }
    }
}
