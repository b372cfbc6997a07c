//! Whole SMTP sessions, from each of their states: every command has one reply, every reply is well
//! formed, what comes after a message or a handshake is no command of before, and nobody relays.
#![no_main]

use std::net::SocketAddr;

use base64::Engine as _;
use fuzz::{Client, Ended, LOCAL_DOMAIN, PASSWORD, Pace, Script, Site, USER};
use libfuzzer_sys::fuzz_target;
use smtp::Domain;
use smtpd::{Connection, Role};
use tokio_util::sync::CancellationToken;

/// RFC 5321 §4.5.3.1.5: octets of a reply line.
const LONGEST_LINE: usize = 512;

/// Where a script begins: a listener and what has been said.
const STATES: &[(Role, &[&str])] = &[
    (Role::Mx, &[]),
    (Role::Mx, &["EHLO sender.test"]),
    (
        Role::Mx,
        &["EHLO sender.test", "STARTTLS", "EHLO sender.test"],
    ),
    (
        Role::Mx,
        &["EHLO sender.test", "MAIL FROM:<a@sender.test>", TO_USER],
    ),
    (
        Role::Mx,
        &[
            "HELO sender.test",
            "MAIL FROM:<a@sender.test>",
            TO_USER,
            "DATA",
        ],
    ),
    (Role::Submission, &[]),
    (Role::Submission, &["EHLO me", "STARTTLS", "EHLO me"]),
    (
        Role::Submission,
        &["EHLO me", "STARTTLS", "EHLO me", SIGN_IN],
    ),
    (
        Role::Submission,
        &[
            "EHLO me", "STARTTLS", "EHLO me", SIGN_IN, FROM_USER, TO_OTHER,
        ],
    ),
    (
        Role::Submission,
        &[
            "EHLO me", "STARTTLS", "EHLO me", SIGN_IN, FROM_USER, TO_OTHER, "DATA",
        ],
    ),
    (Role::Lmtp, &[]),
    (Role::Lmtp, &["LHLO front"]),
    (
        Role::Lmtp,
        &["LHLO front", "MAIL FROM:<>", TO_USER, TO_NEIGHBOUR],
    ),
    (
        Role::Lmtp,
        &["LHLO front", "MAIL FROM:<>", TO_USER, TO_NEIGHBOUR, "DATA"],
    ),
];
const TO_USER: &str = "RCPT TO:<alice@example.org>";
const TO_NEIGHBOUR: &str = "RCPT TO:<bob@example.org>";
const TO_OTHER: &str = "RCPT TO:<c@elsewhere.test>";
const FROM_USER: &str = "MAIL FROM:<alice@example.org>";
/// Stands for the line that signs in.
const SIGN_IN: &str = "AUTH PLAIN";

/// A reply without its line ends.
struct Reply {
    code: u16,
    octets: Vec<u8>,
}

/// RFC 5321 §4.2: takes a reply off the front, if a whole one is there.
fn take_reply(arrived: &mut Vec<u8>) -> Option<Reply> {
    let mut end = 0;
    loop {
        let rest = &arrived[end..];
        let line = &rest[..rest.iter().position(|&octet| octet == b'\n')?];
        end += line.len() + 1;
        let line = line.strip_suffix(b"\r").expect("CRLF");
        assert!(line.len() + 2 <= LONGEST_LINE);
        assert!(line.len() >= 3 && line[..3].iter().all(u8::is_ascii_digit));
        assert!(line.iter().all(|octet| (b' '..=b'~').contains(octet)));
        assert_eq!(line[..3], arrived[..3], "one code");
        match line.get(3) {
            Some(b'-') => continue,
            None | Some(b' ') => break,
            Some(_) => panic!("neither space nor hyphen after the code"),
        }
    }
    let octets: Vec<u8> = arrived.drain(..end).collect();
    let code = std::str::from_utf8(&octets[..3])
        .expect("digits")
        .parse()
        .expect("a number");
    assert!((200..600).contains(&code));
    // RFC 2034 §4: the class of an enhanced code is that of the reply.
    if octets.get(5) == Some(&b'.') && octets[4].is_ascii_digit() && octets[6].is_ascii_digit() {
        assert_eq!(octets[0], octets[4]);
    }
    Some(Reply { code, octets })
}

/// RFC 5321 §4.1.2: the domain of the path in a command, whatever is quoted before it; none for
/// `<postmaster>`.
fn domain_of(command: &[u8]) -> Option<Vec<u8>> {
    let start = command
        .iter()
        .position(|&octet| octet == b':')
        .expect("a path");
    let mut octets = command[start..].iter();
    let (mut is_quoted, mut domain) = (false, None);
    while let Some(&octet) = octets.next() {
        match octet {
            b'\\' if is_quoted => drop(octets.next()),
            b'"' => is_quoted = !is_quoted,
            _ if is_quoted => {}
            b'>' => break,
            b'@' => domain = Some(Vec::new()),
            octet => {
                if let Some(domain) = &mut domain {
                    domain.push(octet.to_ascii_lowercase());
                }
            }
        }
    }
    domain
}

/// The client's side of a conversation, one command after the other.
struct Conversation<'s> {
    client: Client,
    site: &'s Site,
    role: Role,
    /// The code of the latest reply.
    code: u16,
    signed_in: bool,
    /// Recipients of the transaction that were accepted.
    recipients: usize,
}

impl Conversation<'_> {
    /// The next reply.
    async fn reply(&mut self) -> Result<Reply, Ended> {
        loop {
            if let Some(reply) = take_reply(&mut self.client.arrived) {
                self.code = reply.code;
                return Ok(reply);
            }
            self.client.fill().await?;
        }
    }

    /// One command: one reply, then silence, but for a 421.
    async fn command(&mut self, line: &[u8], script: &mut Script) -> Result<Reply, Ended> {
        let starts_tls = line.eq_ignore_ascii_case(b"STARTTLS");
        let mut wire = [line, b"\r\n"].concat();
        let _ = if starts_tls {
            // CVE-2011-0411: what comes in clear with the command is not obeyed after the handshake.
            wire.extend_from_slice(b"NOOP\r\n");
            self.client.send_whole(&wire).await
        } else {
            self.client.send(&wire).await
        };
        let mut reply = self.reply().await?;
        while reply.code == 334 {
            let response = script.line().unwrap_or_else(|| b"*".to_vec());
            let _ = self.client.send(&[&response[..], b"\r\n"].concat()).await;
            reply = self.reply().await?;
        }
        match reply.code {
            220 => {
                self.client.encrypt(&self.site.trust).await;
                self.recipients = 0;
            }
            235 => self.signed_in = true,
            354 => reply = self.message(script).await?,
            _ => {}
        }
        // A refused STARTTLS leaves the command that came with it, which is obeyed.
        if starts_tls && reply.code != 220 {
            let _ = self.reply().await?;
        }
        self.is_silent();
        Ok(reply)
    }

    /// Nothing is left over, unless the server says goodbye.
    fn is_silent(&mut self) {
        while let Some(reply) = take_reply(&mut self.client.arrived) {
            assert_eq!(reply.code, 421, "{}", reply.octets.escape_ascii());
            self.code = reply.code;
        }
    }

    /// The lines of a message up to a lone dot; the last of its replies.
    async fn message(&mut self, script: &mut Script) -> Result<Reply, Ended> {
        let mut wire = Vec::new();
        while let Some(line) = script.line() {
            wire.extend_from_slice(&line);
            wire.extend_from_slice(b"\r\n");
            if line == b"." {
                break;
            }
        }
        if !wire.ends_with(b"\r\n.\r\n") && wire != b".\r\n" {
            wire.extend_from_slice(b".\r\n");
        }
        let _ = self.client.send(&wire).await;
        // RFC 2033 §4.2: one reply for each recipient.
        let replies = if self.role == Role::Lmtp {
            self.recipients
        } else {
            1
        };
        let mut reply = self.reply().await?;
        for _ in 1..replies {
            reply = self.reply().await?;
        }
        self.recipients = 0;
        Ok(reply)
    }

    /// Says the whole script.
    async fn say(&mut self, mut script: Script) -> Result<(), Ended> {
        while let Some(line) = script.line() {
            let line = if line == SIGN_IN.as_bytes() {
                sign_in()
            } else {
                line
            };
            let reply = self.command(&line, &mut script).await?;
            self.judge(&line, &reply);
        }
        Ok(())
    }

    /// Says the whole script, then QUIT.
    async fn run(&mut self, script: Script) -> Result<(), Ended> {
        self.say(script).await?;
        let reply = self.command(b"QUIT", &mut Script::new(&[], b"")).await?;
        assert!(
            matches!(reply.code, 221 | 421),
            "{}",
            reply.octets.escape_ascii()
        );
        while self.client.fill().await.is_ok() {}
        self.is_silent();
        Ok(())
    }

    /// What a reply says about the rules of mail.
    fn judge(&mut self, line: &[u8], reply: &Reply) {
        let verb = line.get(..4).unwrap_or_default().to_ascii_uppercase();
        let is_good = (200..300).contains(&reply.code);
        match &verb[..] {
            b"RCPT" if is_good => {
                self.recipients += 1;
                let is_local = domain_of(line).is_none_or(|domain| {
                    let domain = Domain::parse(&String::from_utf8_lossy(&domain));
                    domain.expect("a domain").as_str() == LOCAL_DOMAIN
                });
                assert!(
                    is_local || self.signed_in,
                    "a relay: {}",
                    line.escape_ascii()
                );
            }
            b"MAIL" if is_good => {
                assert!(self.role != Role::Submission || self.signed_in);
                self.recipients = 0;
            }
            b"RSET" | b"EHLO" | b"HELO" | b"LHLO" if is_good => self.recipients = 0,
            _ => {}
        }
    }
}

fn sign_in() -> Vec<u8> {
    let response = format!("\0{USER}\0{PASSWORD}");
    let response = base64::engine::general_purpose::STANDARD.encode(response);
    format!("AUTH PLAIN {response}").into_bytes()
}

/// Runs one session with what `client` does at its other end.
fn session<T>(site: &Site, role: Role, pace: Pace, client: impl AsyncFnOnce(Client) -> T) -> T {
    let (ours, stream) = Client::new(pace);
    let peer: SocketAddr = ([192, 0, 2, 1], 40_000).into();
    let connection = Connection { stream, peer, role };
    site.runtime.block_on(async {
        let session = site.smtpd.session(connection, CancellationToken::new());
        tokio::join!(session, client(ours)).1
    })
}

fuzz_target!(|input: (u8, u8, bool, &[u8])| {
    let (state, pace, is_stream, said) = input;
    let (role, prelude) = STATES[usize::from(state) % STATES.len()];
    Site::lend(|site| {
        let waiting = || site.runtime.block_on(site.queue.count()).expect("a count");
        let before = waiting();
        let signed_in = session(site, role, Pace(pace), async |client| {
            let mut conversation = Conversation {
                client,
                site,
                role,
                code: 0,
                signed_in: false,
                recipients: 0,
            };
            let greeting = conversation.reply().await.expect("a greeting");
            assert_eq!(greeting.code, 220);
            if is_stream {
                conversation
                    .say(Script::new(prelude, b""))
                    .await
                    .expect("a state");
                conversation.client.pour(said).await;
                while take_reply(&mut conversation.client.arrived).is_some() {}
            } else {
                let ended = conversation.run(Script::new(prelude, said)).await;
                // Who closes the connection says so.
                assert!(ended.is_ok() || matches!(conversation.code, 221 | 421 | 500..));
            }
            assert!(conversation.client.arrived.is_empty(), "half a reply");
            conversation.signed_in
        });
        assert!(signed_in || waiting() == before, "a relay");
    });
});
