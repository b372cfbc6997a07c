//! Parameters of MAIL and RCPT, and the encodings of their values.
//!
//! Implements RFC 5321 §4.1.1.11, RFC 1870 §3 (SIZE), RFC 6152 (BODY), RFC 6531 §3.4 (SMTPUTF8),
//! RFC 4954 §5 (AUTH), RFC 3461 §4 (RET, ENVID, NOTIFY, ORCPT). A parameter that the server did not
//! announce is unknown; one that occurs twice is an error.
//!
//! Start at [`MailParams`] and [`RcptParams`].

use std::fmt;

use super::CommandError;

/// RFC 3461 §4.4: characters of ENVID as sent.
const MAX_ENVID: usize = 100;
/// RFC 3461 §4.2: characters of ORCPT as sent.
const MAX_ORCPT: usize = 500;
/// RFC 1870 §3: digits of SIZE.
const MAX_SIZE_DIGITS: usize = 20;
/// Characters of an unknown keyword that are repeated to the client.
const MAX_ECHO: usize = 32;

/// Which optional parameters the server announced. SIZE, 8BITMIME and SMTPUTF8 always are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Announced {
    /// RFC 3461: RET and ENVID on MAIL, NOTIFY and ORCPT on RCPT.
    pub dsn: bool,
}

/// The character set of the message's lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Body {
    /// ASCII, the default.
    #[default]
    SevenBit,
    /// Octets with the high bit set as well.
    EightBitMime,
}

/// RFC 3461 §4.3: how much of the message a failure notification returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Return {
    /// All of it.
    Full,
    /// The header.
    Headers,
}

/// What a client says about a message in MAIL.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct MailParams {
    /// RFC 1870: the size in octets; `u64::MAX` for a number beyond it.
    pub size: Option<u64>,
    /// RFC 6152: 7BIT or 8BITMIME.
    pub body: Body,
    /// RFC 6531: addresses or header may be UTF-8.
    pub smtputf8: bool,
    /// RFC 4954 §5: who submitted the message at first, decoded; `<>` for nobody known. A claim:
    /// worth something only from a trusted relay.
    pub auth: Option<String>,
    /// RFC 3461: what a notification returns.
    pub ret: Option<Return>,
    /// RFC 3461: the sender's name for the transaction, decoded.
    pub envid: Option<String>,
}

impl MailParams {
    /// RFC 5321 §4.1.1.11: `Mail-parameters = esmtp-param *(SP esmtp-param)`
    pub(super) fn parse(text: &str, announced: Announced) -> Result<Self, CommandError> {
        let mut params = Self::default();
        let mut body = None;
        let mut smtputf8 = None;
        for (keyword, value) in esmtp_params(text) {
            match keyword.to_ascii_uppercase().as_str() {
                "SIZE" => set(&mut params.size, "SIZE", value.and_then(parse_size))?,
                "BODY" => set(&mut body, "BODY", value.and_then(parse_body))?,
                "SMTPUTF8" => set(&mut smtputf8, "SMTPUTF8", value.is_none().then_some(()))?,
                "AUTH" => set(&mut params.auth, "AUTH", value.and_then(decode_xtext))?,
                "RET" if announced.dsn => set(&mut params.ret, "RET", value.and_then(parse_ret))?,
                "ENVID" if announced.dsn => {
                    let short = value.filter(|value| value.len() <= MAX_ENVID);
                    set(&mut params.envid, "ENVID", short.and_then(decode_xtext))?;
                }
                _ => return Err(unknown(keyword)),
            }
        }
        params.body = body.unwrap_or_default();
        params.smtputf8 = smtputf8.is_some();
        Ok(params)
    }
}

impl fmt::Display for MailParams {
    /// Each parameter with a space in front.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(size) = self.size {
            write!(f, " SIZE={size}")?;
        }
        if self.body == Body::EightBitMime {
            f.write_str(" BODY=8BITMIME")?;
        }
        if self.smtputf8 {
            f.write_str(" SMTPUTF8")?;
        }
        if let Some(auth) = &self.auth {
            write!(f, " AUTH={}", Xtext(auth))?;
        }
        match self.ret {
            Some(Return::Full) => f.write_str(" RET=FULL")?,
            Some(Return::Headers) => f.write_str(" RET=HDRS")?,
            None => {}
        }
        if let Some(envid) = &self.envid {
            write!(f, " ENVID={}", Xtext(envid))?;
        }
        Ok(())
    }
}

/// RFC 3461 §4.1: when the sender wants a notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Notify {
    /// Not even of failure.
    Never,
    /// In the cases that are set, of which there is at least one.
    On {
        /// On delivery.
        success: bool,
        /// On failure.
        failure: bool,
        /// While delivery takes unusually long.
        delay: bool,
    },
}

impl Notify {
    /// RFC 3461 §4.1: `notify-esmtp-value = "NEVER" / 1#notify-list-element`
    fn parse(value: &str) -> Option<Self> {
        if value.eq_ignore_ascii_case("NEVER") {
            return Some(Self::Never);
        }
        let (mut success, mut failure, mut delay) = (false, false, false);
        for event in value.split(',') {
            match event.to_ascii_uppercase().as_str() {
                "SUCCESS" => success = true,
                "FAILURE" => failure = true,
                "DELAY" => delay = true,
                _ => return None,
            }
        }
        Some(Self::On {
            success,
            failure,
            delay,
        })
    }
}

impl fmt::Display for Notify {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::On {
            success,
            failure,
            delay,
        } = *self
        else {
            return f.write_str("NEVER");
        };
        let events = [(success, "SUCCESS"), (failure, "FAILURE"), (delay, "DELAY")];
        let events: Vec<_> = events
            .iter()
            .filter(|event| event.0)
            .map(|event| event.1)
            .collect();
        f.write_str(&events.join(","))
    }
}

/// RFC 3461 §4.2: the recipient as the sender first wrote it, for notifications only.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct OriginalRecipient {
    /// The kind of address, in lower case, mostly `rfc822` or `utf-8`.
    pub kind: String,
    /// The address, decoded from xtext. Never a route: printable ASCII and otherwise unchecked. An
    /// address of kind `utf-8` keeps the escapes of RFC 6533 §3.
    pub address: String,
}

impl OriginalRecipient {
    /// RFC 3461 §4.2: `original-recipient-address = addr-type ";" xtext`
    fn parse(value: &str) -> Option<Self> {
        if value.len() > MAX_ORCPT {
            return None;
        }
        let (kind, address) = value.split_once(';')?;
        let valid = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.');
        if kind.is_empty() || !kind.bytes().all(valid) || address.is_empty() {
            return None;
        }
        Some(Self {
            kind: kind.to_ascii_lowercase(),
            address: decode_xtext(address)?,
        })
    }
}

impl fmt::Display for OriginalRecipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{};{}", self.kind, Xtext(&self.address))
    }
}

/// What a client says about a recipient in RCPT.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct RcptParams {
    /// When to notify the sender.
    pub notify: Option<Notify>,
    /// The recipient as first written.
    pub orcpt: Option<OriginalRecipient>,
}

impl RcptParams {
    /// RFC 5321 §4.1.1.11: `Rcpt-parameters = esmtp-param *(SP esmtp-param)`
    pub(super) fn parse(text: &str, announced: Announced) -> Result<Self, CommandError> {
        let mut params = Self::default();
        for (keyword, value) in esmtp_params(text) {
            match keyword.to_ascii_uppercase().as_str() {
                "NOTIFY" if announced.dsn => {
                    set(&mut params.notify, "NOTIFY", value.and_then(Notify::parse))?;
                }
                "ORCPT" if announced.dsn => {
                    set(
                        &mut params.orcpt,
                        "ORCPT",
                        value.and_then(OriginalRecipient::parse),
                    )?;
                }
                _ => return Err(unknown(keyword)),
            }
        }
        Ok(params)
    }
}

impl fmt::Display for RcptParams {
    /// Each parameter with a space in front.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(notify) = &self.notify {
            write!(f, " NOTIFY={notify}")?;
        }
        if let Some(orcpt) = &self.orcpt {
            write!(f, " ORCPT={orcpt}")?;
        }
        Ok(())
    }
}

/// RFC 5321 §4.1.2: `esmtp-param = esmtp-keyword ["=" esmtp-value]`
fn esmtp_params(text: &str) -> impl Iterator<Item = (&str, Option<&str>)> {
    text.split(' ')
        .filter(|word| !word.is_empty())
        .map(|word| match word.split_once('=') {
            Some((keyword, value)) => (keyword, Some(value)),
            None => (word, None),
        })
}

/// Fills a parameter in, once, with a value that could be read.
fn set<T>(
    slot: &mut Option<T>,
    keyword: &'static str,
    value: Option<T>,
) -> Result<(), CommandError> {
    if slot.is_some() {
        return Err(CommandError::DuplicateParameter(keyword));
    }
    *slot = Some(value.ok_or(CommandError::BadParameter(keyword))?);
    Ok(())
}

fn unknown(keyword: &str) -> CommandError {
    let safe = |c: char| if c.is_ascii_graphic() { c } else { '?' };
    CommandError::UnknownParameter(keyword.chars().take(MAX_ECHO).map(safe).collect())
}

/// RFC 1870 §3: `size-value = 1*20DIGIT`
fn parse_size(value: &str) -> Option<u64> {
    let valid = (1..=MAX_SIZE_DIGITS).contains(&value.len());
    if !valid || !value.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    // All digits, so the only thing wrong with the number can be its size.
    Some(value.parse().unwrap_or(u64::MAX))
}

/// RFC 6152 §2: `body-value = "7BIT" / "8BITMIME"`
fn parse_body(value: &str) -> Option<Body> {
    match value.to_ascii_uppercase().as_str() {
        "7BIT" => Some(Body::SevenBit),
        "8BITMIME" => Some(Body::EightBitMime),
        _ => None,
    }
}

/// RFC 3461 §4.3: `ret-value = "FULL" / "HDRS"`
fn parse_ret(value: &str) -> Option<Return> {
    match value.to_ascii_uppercase().as_str() {
        "FULL" => Some(Return::Full),
        "HDRS" => Some(Return::Headers),
        _ => None,
    }
}

/// Decodes xtext that stands for printable ASCII.
///
/// RFC 3461 §4: `xtext = *( xchar / hexchar ), hexchar = "+" two upper case hexadecimal digits`
fn decode_xtext(value: &str) -> Option<String> {
    let mut text = String::with_capacity(value.len());
    let mut octets = value.bytes();
    while let Some(octet) = octets.next() {
        let octet = match octet {
            b'+' => {
                let high = char::from(octets.next()?).to_digit(16)?;
                let low = char::from(octets.next()?).to_digit(16)?;
                u8::try_from(high * 16 + low).ok()?
            }
            b'=' => return None,
            octet => octet,
        };
        // RFC 3461 §4.2: the decoded value is printable, which here includes the space.
        if !octet.is_ascii_graphic() && octet != b' ' {
            return None;
        }
        text.push(char::from(octet));
    }
    Some(text)
}

/// Prints a text as xtext. What is not printable ASCII has no place in it and becomes `?`.
struct Xtext<'a>(&'a str);

impl fmt::Display for Xtext<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '+' | '=' | ' ' => write!(f, "+{:02X}", u32::from(c))?,
                c if c.is_ascii_graphic() => write!(f, "{c}")?,
                _ => f.write_str("?")?,
            }
        }
        Ok(())
    }
}
