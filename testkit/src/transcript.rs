//! Transcripts: protocol conversations that people can read and the tests replay.
//!
//! A transcript is a text file of lines:
//!
//! | line | meaning |
//! |---|---|
//! | `# …` | a comment |
//! | `@listener imap` | where the connections go: mx, submission, submissions, lmtp, imap or imaps |
//! | `@deliver alice FILE` | delivers `tests/messages/FILE` to alice through the MX first |
//! | `@append alice FILE` | puts the octets of `tests/messages/FILE` into alice's INBOX first |
//! | `@account ADDRESS` | creates an account first, with the password of all accounts |
//! | `@alias NAME TARGET…` | creates an alias first; `@domain` as its name is a catch-all |
//! | `@quota ADDRESS OCTETS` | sets an account's quota first |
//! | `C: text` | the client sends `text` and CRLF |
//! | `C: {tls}` | the client goes over to TLS |
//! | `C" text` | the client sends `text` as it is, with `\r \n \0 \\ \xHH` escapes and no line end |
//! | `S: text` | the server sends this line |
//! | `S: …{any}…` | `{any}` stands for any text; `{name}` for any text that stays the same below, and is filled into later `C:` lines |
//! | `S* text` | any number of lines, then this one |
//! | `S& text`, `S! text` | among the lines up to the next `S:`, in any order, is one of this form, or none |
//! | `S: {close}` | the server closes the connection |
//! | `C2: …`, `S2: …` | the same on a second connection |
//!
//! Start at [`Transcript::parse`].

use std::collections::BTreeMap;

/// A file as steps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transcript {
    /// Which listener the connections go to.
    pub listener: String,
    /// What is there before the conversation, in order.
    pub preparations: Vec<Preparation>,
    /// What happens, in order.
    pub steps: Vec<Step>,
}

/// Something that is done before the conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Preparation {
    /// A message comes through the MX: account and file.
    Deliver(String, String),
    /// A message is put into the INBOX: account and file.
    Append(String, String),
    /// An account.
    Account(String),
    /// An alias and its targets.
    Alias(String, Vec<String>),
    /// An account's quota in octets.
    Quota(String, u64),
}

/// A line of the conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The line in the file, from 1.
    pub line: usize,
    /// Which connection, from 1.
    pub connection: usize,
    /// What happens there.
    pub action: Action,
}

/// What happens on a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// The client sends a line; CRLF is added.
    Send(String),
    /// The client sends exactly these octets.
    SendRaw(Vec<u8>),
    /// The client starts a TLS handshake.
    StartTls,
    /// The server sends a line of this pattern.
    Expect(String),
    /// The server sends any lines up to one of the pattern `end`; among those are, in any order,
    /// one of each pattern of `wanted` and none of those of `unwanted`.
    Among {
        /// One line for each.
        wanted: Vec<String>,
        /// No line for any.
        unwanted: Vec<String>,
        /// The last line.
        end: String,
    },
    /// The server sends any number of lines, then one of this pattern.
    Await(String),
    /// The server closes.
    Closed,
}

impl Transcript {
    /// Reads a transcript.
    ///
    /// # Errors
    /// The line that has no meaning.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut transcript = Self {
            listener: String::new(),
            preparations: Vec::new(),
            steps: Vec::new(),
        };
        for (index, line) in text.lines().enumerate() {
            let number = index + 1;
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            if let Some(directive) = line.strip_prefix('@') {
                transcript
                    .direct(directive)
                    .map_err(|why| format!("line {number}: {why}"))?;
                continue;
            }
            let step = step(number, line).ok_or(format!("line {number}: no such line: {line}"))?;
            transcript
                .push(step)
                .map_err(|why| format!("line {number}: {why}"))?;
        }
        if transcript.listener.is_empty() {
            return Err("no @listener".to_owned());
        }
        if let Some(step) = transcript.steps.last().filter(|step| step.is_open()) {
            return Err(format!("line {}: no S: line after it", step.line));
        }
        let checks = |step: &Step| {
            !matches!(
                step.action,
                Action::Send(_) | Action::SendRaw(_) | Action::StartTls
            )
        };
        if !transcript.steps.iter().any(checks) {
            return Err("it expects nothing".to_owned());
        }
        Ok(transcript)
    }

    fn direct(&mut self, directive: &str) -> Result<(), String> {
        match directive.split_whitespace().collect::<Vec<_>>()[..] {
            ["listener", name] => self.listener = name.to_owned(),
            ["deliver", account, file] => {
                self.preparations
                    .push(Preparation::Deliver(account.to_owned(), file.to_owned()));
            }
            ["append", account, file] => {
                self.preparations
                    .push(Preparation::Append(account.to_owned(), file.to_owned()));
            }
            ["account", address] => {
                self.preparations
                    .push(Preparation::Account(address.to_owned()));
            }
            ["alias", name, ref targets @ ..] if !targets.is_empty() => {
                let targets = targets.iter().map(|&target| target.to_owned()).collect();
                self.preparations
                    .push(Preparation::Alias(name.to_owned(), targets));
            }
            ["quota", address, octets] => {
                let octets = octets
                    .parse()
                    .map_err(|_| "a quota is a number".to_owned())?;
                self.preparations
                    .push(Preparation::Quota(address.to_owned(), octets));
            }
            _ => return Err(format!("no such directive: @{directive}")),
        }
        Ok(())
    }
}

impl Transcript {
    /// Adds a step; the lines `S&`, `S!` and the `S:` that ends them become one.
    fn push(&mut self, step: Step) -> Result<(), String> {
        let Some(open) = self.steps.last_mut().filter(|step| step.is_open()) else {
            self.steps.push(step);
            return Ok(());
        };
        let Action::Among {
            wanted,
            unwanted,
            end,
        } = &mut open.action
        else {
            return Err("unreachable: only Among is open".to_owned());
        };
        match step.action {
            _ if step.connection != open.connection => {
                Err("another connection before the S: line".to_owned())
            }
            Action::Among {
                wanted: more,
                unwanted: less,
                ..
            } => {
                wanted.extend(more);
                unwanted.extend(less);
                Ok(())
            }
            Action::Expect(pattern) => {
                *end = pattern;
                Ok(())
            }
            _ => Err("an S: line must end the S& and S! lines".to_owned()),
        }
    }
}

impl Step {
    /// Whether the `S:` line is missing that ends `S&` and `S!` lines.
    fn is_open(&self) -> bool {
        matches!(&self.action, Action::Among { end, .. } if end.is_empty())
    }
}

fn step(line: usize, text: &str) -> Option<Step> {
    let side = text.chars().next()?;
    let rest = text.get(1..)?;
    let (connection, rest) = match rest.chars().next()? {
        digit @ '1'..='9' => (digit.to_digit(10)? as usize, rest.get(1..)?),
        _ => (1, rest),
    };
    let kind = rest.chars().next()?;
    let content = rest.get(1..)?;
    let content = content.strip_prefix(' ').unwrap_or(content).to_owned();
    let action = match (side, kind) {
        ('C', ':') if content == "{tls}" => Action::StartTls,
        ('C', ':') => Action::Send(content),
        ('C', '"') => Action::SendRaw(unescape(&content)?),
        ('S', ':') if content == "{close}" => Action::Closed,
        ('S', ':') => Action::Expect(content),
        ('S', '*') => Action::Await(content),
        ('S', '&') => Action::Among {
            wanted: vec![content],
            unwanted: Vec::new(),
            end: String::new(),
        },
        ('S', '!') => Action::Among {
            wanted: Vec::new(),
            unwanted: vec![content],
            end: String::new(),
        },
        _ => return None,
    };
    Some(Step {
        line,
        connection,
        action,
    })
}

fn unescape(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        out.push(match rest.next()? {
            b'r' => b'\r',
            b'n' => b'\n',
            b'0' => 0,
            b'\\' => b'\\',
            b'x' => {
                let digits = [rest.next()?, rest.next()?];
                u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
            }
            _ => return None,
        });
    }
    Some(out)
}

/// What `{name}` holes have matched so far.
pub type Holes = BTreeMap<String, String>;

/// Whether `line` has the form of `pattern`; fills `holes`.
#[must_use]
pub fn matches(pattern: &str, line: &str, holes: &mut Holes) -> bool {
    let Some(start) = pattern.find('{') else {
        return pattern == line;
    };
    let Some(end) = pattern[start..].find('}').map(|end| start + end) else {
        return pattern == line;
    };
    let (name, after) = (&pattern[start + 1..end], &pattern[end + 1..]);
    // What looks like a literal's length ({12}) is text.
    if name.is_empty()
        || name
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'+')
    {
        let literal = &pattern[..=end];
        return line
            .strip_prefix(literal)
            .is_some_and(|line| matches(after, line, holes));
    }
    let Some(rest) = line.strip_prefix(&pattern[..start]) else {
        return false;
    };
    if let Some(known) = holes.get(name).cloned() {
        return rest
            .strip_prefix(known.as_str())
            .is_some_and(|rest| matches(after, rest, holes));
    }
    let ends = rest.char_indices().map(|(at, _)| at).chain([rest.len()]);
    for at in ends {
        let mut tried = holes.clone();
        if name != "any" {
            tried.insert(name.to_owned(), rest[..at].to_owned());
        }
        if matches(after, &rest[at..], &mut tried) {
            *holes = tried;
            return true;
        }
    }
    false
}

/// `text` with every known `{name}` filled in.
#[must_use]
pub fn fill(text: &str, holes: &Holes) -> String {
    holes.iter().fold(text.to_owned(), |text, (name, value)| {
        text.replace(&format!("{{{name}}}"), value)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_become_steps() {
        let text = "# why\n@listener imap\n@deliver alice plain.eml\n\nC: a NOOP\nS2* a OK {any}\nC\" x\\r\\x00\nS: {close}\n";
        let transcript = Transcript::parse(text).unwrap();
        assert_eq!(transcript.listener, "imap");
        let delivery = Preparation::Deliver("alice".to_owned(), "plain.eml".to_owned());
        assert_eq!(transcript.preparations, [delivery]);
        let actions: Vec<_> = transcript
            .steps
            .iter()
            .map(|step| step.action.clone())
            .collect();
        let wanted = [
            Action::Send("a NOOP".to_owned()),
            Action::Await("a OK {any}".to_owned()),
            Action::SendRaw(b"x\r\0".to_vec()),
            Action::Closed,
        ];
        assert_eq!(actions, wanted);
        assert_eq!(transcript.steps[1].connection, 2);
    }

    #[test]
    fn a_transcript_that_checks_nothing_is_refused() {
        assert!(Transcript::parse("@listener mx\nC: NOOP\n").is_err());
        assert!(Transcript::parse("@listener mx\nX: NOOP\nS: 250\n").is_err());
        assert!(Transcript::parse("S: 250\n").is_err());
        assert!(Transcript::parse("@listener mx\nS& 250\n").is_err());
        assert!(Transcript::parse("@listener mx\nS& 250\nC: NOOP\nS: 250\n").is_err());
    }

    #[test]
    fn lines_in_any_order_become_one_step() {
        let text = "@listener imap\nS& * a\nS! * b\nS& * c\nS: t OK {any}\nC: {tls}\n";
        let transcript = Transcript::parse(text).unwrap();
        let wanted = [
            Action::Among {
                wanted: vec!["* a".to_owned(), "* c".to_owned()],
                unwanted: vec!["* b".to_owned()],
                end: "t OK {any}".to_owned(),
            },
            Action::StartTls,
        ];
        let actions: Vec<_> = transcript
            .steps
            .into_iter()
            .map(|step| step.action)
            .collect();
        assert_eq!(actions, wanted);
    }

    #[test]
    fn holes_match_any_text_and_named_ones_stay_the_same() {
        let mut holes = Holes::new();
        assert!(matches(
            "* OK {any} ready {host}",
            "* OK [X] is ready mx.test",
            &mut holes
        ));
        assert_eq!(holes["host"], "mx.test");
        assert!(matches("bye {host}.", "bye mx.test.", &mut holes));
        assert!(!matches("bye {host}.", "bye other.test.", &mut holes));
        assert!(matches("BODY[] {12}", "BODY[] {12}", &mut Holes::new()));
        assert!(!matches("BODY[] {12}", "BODY[] {13}", &mut Holes::new()));
        assert_eq!(fill("EHLO {host}", &holes), "EHLO mx.test");
    }
}
