//! Whole IMAP sessions, from each of their states: every command has one tagged response, every
//! response is well formed, a mailbox takes signing in, and another account's mail never shows.
#![no_main]

use std::net::SocketAddr;

use fuzz::{Client, Ended, PASSWORD, Pace, Script, Site, USER, balanced};
use imapd::Connection;
use libfuzzer_sys::fuzz_target;
use tokio_util::sync::CancellationToken;

/// Where a script begins: what has been said.
const STATES: &[&[&str]] = &[
    &[],
    &["STARTTLS"],
    &["STARTTLS", SIGN_IN],
    &["STARTTLS", SIGN_IN, MESSAGE, "SELECT INBOX"],
    &["STARTTLS", SIGN_IN, MESSAGE, "EXAMINE INBOX"],
    &["STARTTLS", SIGN_IN, MESSAGE, "SELECT INBOX", "IDLE"],
    &["STARTTLS", SIGN_IN, "APPEND INBOX {200}"],
    &[
        "STARTTLS",
        SIGN_IN,
        "ENABLE IMAP4rev2 CONDSTORE UTF8=ACCEPT",
        MESSAGE,
        "SELECT INBOX",
    ],
];
/// Stands for the command that signs in.
const SIGN_IN: &str = "LOGIN";
/// Something to look at.
const MESSAGE: &str = "APPEND INBOX {187+}\n\
    From: Ann <ann@example.org>\r\nTo: u@example.org\r\nSubject: hello\r\nMIME-Version: 1.0\r\n\
    Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\none\r\n--b\r\n\
    Content-Type: text/html\r\n\r\n<p>two\r\n--b--\r\n";
/// Octets of a literal that the client has patience for.
const LONGEST_LITERAL: usize = 16 << 10;
/// RFC 9051 §6.1, §6.2: what is for everybody.
const BEFORE_LOGIN: &[&str] = &[
    "CAPABILITY",
    "NOOP",
    "LOGOUT",
    "ID",
    "STARTTLS",
    "LOGIN",
    "AUTHENTICATE",
];

/// A response without its last CRLF, literals within.
type Response = Vec<u8>;

/// The size in a literal's head at the end of `line`, and whether the server has to agree to it.
fn literal(line: &[u8]) -> Option<(usize, bool)> {
    let rest = line.strip_suffix(b"}")?;
    let (rest, waits) = match rest.strip_suffix(b"+") {
        Some(rest) => (rest, false),
        None => (rest, true),
    };
    let open = rest.iter().rposition(|&octet| octet == b'{')?;
    let digits = &rest[open + 1..];
    let is_number = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    let size = is_number.then(|| std::str::from_utf8(digits).expect("digits").parse());
    Some((size?.unwrap_or(usize::MAX), waits))
}

/// Whether a response is data rather than a status, whose text ends as it likes.
fn is_data(response: &[u8]) -> bool {
    let statuses = [&b"* OK "[..], b"* NO ", b"* BAD ", b"* BYE "];
    response.starts_with(b"* ") && !statuses.iter().any(|status| response.starts_with(status))
}

/// RFC 9051 §7: takes a response off the front, if a whole one is there.
fn take_response(arrived: &mut Vec<u8>) -> Option<Response> {
    let mut end = 0;
    loop {
        let rest = arrived.get(end..)?;
        let line = &rest[..rest.iter().position(|&octet| octet == b'\n')?];
        end += line.len() + 1;
        let line = line.strip_suffix(b"\r").expect("CRLF");
        assert!(!line.contains(&b'\r') && !line.contains(&0));
        match literal(line).filter(|_| is_data(arrived)) {
            Some((size, _)) => end += size,
            None => break,
        }
    }
    if end > arrived.len() {
        return None;
    }
    let mut response: Vec<u8> = arrived.drain(..end).collect();
    response.truncate(end - 2);
    Some(response)
}

fn contains(octets: &[u8], part: &[u8]) -> bool {
    octets.windows(part.len()).any(|window| window == part)
}

/// The name of a command, that after UID where it has one.
fn verb(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text).to_ascii_uppercase();
    let mut words = text.split(|c: char| !c.is_ascii_alphanumeric());
    let first = words.next().unwrap_or_default();
    let second = words.next().unwrap_or_default();
    if first == "UID" { second } else { first }.to_owned()
}

/// The client's side of a conversation, one command after the other.
struct Conversation<'s> {
    client: Client,
    site: &'s Site,
    commands: u32,
    signed_in: bool,
    /// The selected mailbox may not be changed.
    read_only: bool,
    /// The server has said goodbye, or the client waits for nothing any more.
    is_over: bool,
}

impl Conversation<'_> {
    /// The next response.
    async fn response(&mut self) -> Result<Response, Ended> {
        loop {
            if let Some(response) = take_response(&mut self.client.arrived) {
                self.look_at(&response);
                return Ok(response);
            }
            self.client.fill().await?;
        }
    }

    /// What holds of every response.
    fn look_at(&mut self, response: &[u8]) {
        let shown = contains(response, self.site.secret.as_bytes());
        assert!(!shown, "a neighbour's mail");
        let Some(data) = response.strip_prefix(b"* ") else {
            return;
        };
        let word = data
            .split(|&octet| octet == b' ')
            .next()
            .unwrap_or_default();
        match word {
            b"OK" | b"NO" | b"BAD" => {}
            b"BYE" => self.is_over = true,
            b"CAPABILITY" | b"ENABLED" | b"FLAGS" | b"ID" => balanced(data),
            _ => {
                assert!(self.signed_in, "{}", data.escape_ascii());
                balanced(data);
            }
        }
    }

    /// One command with its literals and what it asks for; its tagged response without the tag.
    async fn command(&mut self, text: &[u8], script: &mut Script) -> Result<Response, Ended> {
        self.commands += 1;
        let tag = format!("t{} ", self.commands);
        let mut line = [tag.as_bytes(), text].concat();
        let starts_tls = text.eq_ignore_ascii_case(b"STARTTLS");
        let mut is_response = false;
        loop {
            let literal = literal(&line).filter(|_| !is_response);
            line.extend_from_slice(b"\r\n");
            let _ = if starts_tls {
                // CVE-2011-0411: what comes in clear with the command is not obeyed afterwards.
                line.extend_from_slice(b"t0 NOOP\r\n");
                self.client.send_whole(&line).await
            } else {
                self.client.send(&line).await
            };
            if let Some((size, false)) = literal {
                line = self.literal(size, script).await?;
                continue;
            }
            let response = self.until(&tag).await?;
            if response.starts_with(b"+") {
                is_response = literal.is_none();
                line = match literal {
                    Some((size, _)) => self.literal(size, script).await?,
                    None => script.line().unwrap_or_else(|| b"DONE".to_vec()),
                };
                continue;
            }
            let answer = response[tag.len()..].to_vec();
            if starts_tls && !answer.starts_with(b"OK") {
                self.until("t0 ").await?;
            }
            self.is_silent();
            return Ok(answer);
        }
    }

    /// Sends a literal; the line that follows it.
    async fn literal(&mut self, size: usize, script: &mut Script) -> Result<Vec<u8>, Ended> {
        if size > LONGEST_LITERAL {
            self.is_over = true;
            return Err(Ended);
        }
        let mut octets = script.take(size);
        octets.resize(size, b'x');
        let _ = self.client.send(&octets).await;
        Ok(script.line().unwrap_or_default())
    }

    /// Reads up to the response with this tag, or to a continuation request.
    async fn until(&mut self, tag: &str) -> Result<Response, Ended> {
        loop {
            let response = self.response().await?;
            if let Some(answer) = response.strip_prefix(tag.as_bytes()) {
                let status = answer.split(|&octet| octet == b' ').next();
                assert!(matches!(status, Some(b"OK" | b"NO" | b"BAD")));
                return Ok(response);
            }
            match response.first() {
                Some(b'+') => return Ok(response),
                first => assert_eq!(first, Some(&b'*'), "{}", response.escape_ascii()),
            }
        }
    }

    /// Nothing is left over, unless the server says goodbye.
    fn is_silent(&mut self) {
        while let Some(response) = take_response(&mut self.client.arrived) {
            self.look_at(&response);
            assert!(self.is_over, "{}", response.escape_ascii());
        }
    }

    /// Looks at all that has arrived.
    fn drained(&mut self) {
        while let Some(response) = take_response(&mut self.client.arrived) {
            self.look_at(&response);
        }
    }

    /// Says the whole script; whether LOGOUT was in it.
    async fn say(&mut self, mut script: Script) -> Result<bool, Ended> {
        while let Some(line) = script.line() {
            let text = if line == SIGN_IN.as_bytes() {
                format!("LOGIN {USER} \"{PASSWORD}\"").into_bytes()
            } else {
                line
            };
            let answer = self.command(&text, &mut script).await?;
            if answer.starts_with(b"OK") {
                let verb = verb(&text);
                self.obeyed(&verb, &text, &answer).await;
                if verb == "LOGOUT" {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Says the whole script, then LOGOUT.
    async fn run(&mut self, script: Script) -> Result<(), Ended> {
        if !self.say(script).await? {
            self.command(b"LOGOUT", &mut Script::new(&[], b"")).await?;
        }
        self.ends().await
    }

    /// After BYE there is nothing but the end.
    async fn ends(&mut self) -> Result<(), Ended> {
        assert!(self.is_over);
        while self.client.fill().await.is_ok() {}
        assert!(self.client.arrived.is_empty());
        Ok(())
    }

    /// A command was carried out: was it one for this state?
    async fn obeyed(&mut self, verb: &str, text: &[u8], response: &[u8]) {
        assert!(
            self.signed_in || BEFORE_LOGIN.contains(&verb),
            "{}",
            text.escape_ascii()
        );
        let changes = matches!(verb, "STORE" | "MOVE" | "EXPUNGE");
        assert!(!self.read_only || !changes, "{}", text.escape_ascii());
        match verb {
            "STARTTLS" => self.client.encrypt(&self.site.trust).await,
            "LOGIN" | "AUTHENTICATE" => self.signed_in = true,
            "SELECT" | "EXAMINE" => self.read_only = response.starts_with(b"OK [READ-ONLY]"),
            "CLOSE" | "UNSELECT" => self.read_only = false,
            _ => {}
        }
    }
}

/// Runs one session with what `client` does at its other end.
fn session<T>(site: &Site, pace: Pace, client: impl AsyncFnOnce(Client) -> T) -> T {
    let (ours, stream) = Client::new(pace);
    let peer: SocketAddr = ([192, 0, 2, 1], 40_000).into();
    site.runtime.block_on(async {
        let session = site
            .imapd
            .session(Connection { stream, peer }, CancellationToken::new());
        tokio::join!(session, client(ours)).1
    })
}

fuzz_target!(|input: (u8, u8, bool, &[u8])| {
    let (state, pace, is_stream, said) = input;
    let prelude = STATES[usize::from(state) % STATES.len()];
    Site::lend(|site| {
        // libFuzzer sees what is compared, and comes to say it itself.
        if contains(said, site.secret.as_bytes()) {
            return;
        }
        session(site, Pace(pace), async |client| {
            let mut conversation = Conversation {
                client,
                site,
                commands: 0,
                signed_in: false,
                read_only: false,
                is_over: false,
            };
            let greeting = conversation.response().await.expect("a greeting");
            assert!(greeting.starts_with(b"* OK "));
            if is_stream {
                conversation
                    .say(Script::new(prelude, b""))
                    .await
                    .expect("a state");
                conversation.client.pour(said).await;
                conversation.drained();
            } else {
                let ended = conversation.run(Script::new(prelude, said)).await;
                assert!(ended.is_ok() || conversation.is_over, "an end without BYE");
            }
            assert!(conversation.client.arrived.is_empty(), "half a response");
        });
    });
});
