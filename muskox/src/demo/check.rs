//! `muskox demo --check`: the way of a message, proven step by step.
//!
//! Each step is a line; the first that fails ends the check. What is looked at is what a client, a
//! receiving server and the database see, not what the code believes.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parsebox::Keeper;
use rustls::ClientConfig;
use tls::Verification;

use super::client::{ImapClient, MailClient};
use super::{Captured, Demo, Person, Ports, configuration, seed, world};
use crate::cli::{Failed, Output};
use crate::version::VERSION;

/// How long mail may take to arrive.
const PATIENCE: Duration = Duration::from_secs(5);

/// Starts a demo on free ports, takes the steps and stops it.
pub(super) async fn run(
    directory: &Path,
    keeper: Option<Arc<Keeper>>,
    output: &Output,
) -> Result<(), Failed> {
    let started = Instant::now();
    let config = configuration(directory, Ports::Any)?;
    let demo = Demo::start(&config, keeper).await?;
    output.line(format_args!("muskox {} demo --check", VERSION));
    let mut check = Check {
        demo: &demo,
        output,
        steps: 0,
        since: started,
    };
    check.passed("start", "server, DNS for *.test, CA, DKIM keys in DNS");
    let result = check.all().await;
    let steps = check.steps;
    demo.stop().await;
    match result {
        Ok(()) => {
            let seconds = started.elapsed().as_secs_f32();
            output.line(format_args!("{steps} steps, all good, in {seconds:.1} s"));
            Ok(())
        }
        Err(failure) => {
            output.line(format_args!("[{}] {failure}", output.bad("no")));
            Err(Failed::Negative("the check failed".to_owned()))
        }
    }
}

struct Check<'a> {
    demo: &'a Demo,
    output: &'a Output,
    steps: usize,
    since: Instant,
}

/// A step and what was seen instead of what should be.
#[derive(Debug, thiserror::Error)]
#[error("{step}: {reason}")]
struct Failure {
    step: &'static str,
    reason: String,
}

type Step<T> = Result<T, Failure>;

fn failed(step: &'static str, reason: impl ToString) -> Failure {
    Failure {
        step,
        reason: reason.to_string(),
    }
}

impl Check<'_> {
    async fn all(&mut self) -> Step<()> {
        let tls = self.client_config()?;
        self.inbound(&tls).await?;
        self.forgery(&tls).await?;
        self.between_accounts(&tls).await?;
        self.outbound(&tls).await?;
        self.refusals().await?;
        self.database().await
    }

    fn passed(&mut self, step: &str, seen: &str) {
        let milliseconds = self.since.elapsed().as_millis();
        self.since = Instant::now();
        self.steps += 1;
        let ok = self.output.good("ok");
        self.output.line(format_args!(
            "[{ok}] {step:<12} {seen}  ({milliseconds} ms)"
        ));
    }

    fn client_config(&self) -> Step<Arc<ClientConfig>> {
        let ours = Verification::Authority(self.demo.world.authority.certificate());
        tls::outbound_config(ours).map_err(|error| failed("tls", error))
    }

    fn person(&self, login: &str, step: &'static str) -> Step<&Person> {
        let person = self.demo.people.iter().find(|person| person.login == login);
        person.ok_or_else(|| failed(step, format!("no account {login}")))
    }

    fn address(&self, name: &'static str) -> Step<std::net::SocketAddr> {
        self.demo
            .server
            .address(name)
            .ok_or_else(|| failed(name, "no listener"))
    }

    /// Fetches the message with this subject, waiting for it.
    async fn fetch(
        &self,
        step: &'static str,
        tls: &Arc<ClientConfig>,
        (login, mailbox, subject): (&str, &str, &str),
    ) -> Step<String> {
        let person = self.person(login, step)?;
        let address = self.address("imaps")?;
        let mut imap =
            ImapClient::sign_in(address, Arc::clone(tls), &person.login, &person.password)
                .await
                .map_err(|error| failed(step, format!("IMAP sign-in: {error}")))?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            let response = async {
                imap.command(&format!("SELECT {mailbox}")).await?;
                imap.command(&format!("UID SEARCH HEADER Subject \"{subject}\""))
                    .await
            };
            let found = response.await.map_err(|error| failed(step, error))?;
            let found = String::from_utf8_lossy(&found).into_owned();
            let uid = found
                .split_whitespace()
                .skip_while(|word| *word != "SEARCH")
                .nth(1);
            if let Some(uid) = uid {
                let body = imap
                    .command(&format!("UID FETCH {uid} (FLAGS BODY.PEEK[])"))
                    .await;
                let body = body.map_err(|error| failed(step, error))?;
                return Ok(String::from_utf8_lossy(&body).into_owned());
            }
            if Instant::now() > deadline {
                return Err(failed(
                    step,
                    format!("{subject:?} is not in {login}'s {mailbox}"),
                ));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// A stranger's message: MX, SPF, DMARC, filter, store, FETCH.
    async fn inbound(&mut self, tls: &Arc<ClientConfig>) -> Step<()> {
        let message = message("Bob <bob@example.test>", "check inbound");
        let reply = self
            .deliver("inbound", "bob@example.test", &message)
            .await?;
        if !reply.is_positive() {
            return Err(failed("inbound", reply.text()));
        }
        self.passed(
            "inbound",
            &format!("MX accepted after fsync: 250 {}", reply.text()),
        );
        let stored = self
            .fetch("stored", tls, (seed::FIRST, "INBOX", "check inbound"))
            .await?;
        for wanted in [
            "Return-Path: <bob@example.test>",
            "spf=pass",
            "dmarc=pass",
            "Received: from",
        ] {
            if !stored.contains(wanted) {
                return Err(failed("stored", format!("no {wanted:?} in\n{stored}")));
            }
        }
        self.passed(
            "stored",
            "INBOX by IMAP: SPF and DMARC pass, trace fields in place",
        );
        Ok(())
    }

    /// A forged message of a domain that asks to quarantine forgeries.
    async fn forgery(&mut self, tls: &Arc<ClientConfig>) -> Step<()> {
        let message = message("Your Bank <security@bank.test>", "check forgery");
        let reply = self
            .deliver("filter", "security@bank.test", &message)
            .await?;
        if !reply.is_positive() {
            return Err(failed("filter", reply.text()));
        }
        let stored = self
            .fetch("filter", tls, (seed::FIRST, "Junk", "check forgery"))
            .await?;
        if !stored.contains("dmarc=fail") {
            return Err(failed("filter", format!("no dmarc=fail in\n{stored}")));
        }
        self.passed("filter", "a forgery failed DMARC and went to Junk");
        Ok(())
    }

    /// Submission, signed, to another account here.
    async fn between_accounts(&mut self, tls: &Arc<ClientConfig>) -> Step<()> {
        let message = message("Alice <alice@demo.test>", "check local");
        self.submit("submission", tls, &["bob@demo.test"], &message)
            .await?;
        self.passed("submission", "STARTTLS, AUTH, 250 after fsync");
        let stored = self
            .fetch("signed", tls, ("bob@demo.test", "INBOX", "check local"))
            .await?;
        if stored.matches("DKIM-Signature:").count() != 2 {
            return Err(failed("signed", format!("not two signatures in\n{stored}")));
        }
        self.passed(
            "signed",
            "delivered to bob@demo.test with RSA and Ed25519 signatures",
        );
        Ok(())
    }

    /// Submission to another server: queue, MX, TLS, and signatures that its DNS confirms.
    async fn outbound(&mut self, tls: &Arc<ClientConfig>) -> Step<()> {
        let message = message("Alice <alice@demo.test>", "check outbound");
        self.submit("outbound", tls, &["friend@elsewhere.test"], &message)
            .await?;
        let wanted = |captured: &Captured| captured.to == ["friend@elsewhere.test"];
        let captured = self.demo.world.captures.wait_for(wanted);
        let captured = tokio::time::timeout(PATIENCE, captured)
            .await
            .map_err(|_| failed("outbound", "nothing arrived at elsewhere.test"))?;
        if !captured.encrypted {
            return Err(failed(
                "outbound",
                "it came in clear although STARTTLS was offered",
            ));
        }
        self.passed("outbound", "queued, MX looked up, captured over TLS");
        let from =
            smtp::ReversePath::parse(&captured.from).map_err(|error| failed("verified", error))?;
        let session = mailauth::Session {
            ip: std::net::Ipv4Addr::LOCALHOST.into(),
            helo: world::HOSTNAME,
            from: &from,
        };
        let services = &self.demo.server.services;
        let results = services
            .authenticator
            .message(&captured.message, &session)
            .await;
        let passed = results
            .dkim
            .iter()
            .filter(|verdict| verdict.result == mailauth::Outcome::Pass)
            .count();
        if passed != 2 {
            return Err(failed(
                "verified",
                format!("{passed} of 2 signatures: {}", results.header),
            ));
        }
        self.passed(
            "verified",
            "both DKIM signatures verify against DNS at the receiver",
        );
        Ok(())
    }

    /// What must not pass.
    async fn refusals(&mut self) -> Step<()> {
        let message = message("Bob <bob@example.test>", "check refusals");
        for (to, code) in [("nobody@demo.test", 550), ("someone@elsewhere.test", 554)] {
            let mut client = self.connect("refusals").await?;
            let reply = client.send("bob@example.test", &[to], &message).await;
            let reply = reply.map_err(|error| failed("refusals", error))?;
            if reply.code() != code {
                return Err(failed("refusals", format!("{to}: {}", reply.text())));
            }
            client.quit().await;
        }
        self.passed("refusals", "unknown user 550, relaying 554");
        Ok(())
    }

    async fn database(&mut self) -> Step<()> {
        let services = &self.demo.server.services;
        let mail = services
            .mail
            .fsck()
            .await
            .map_err(|error| failed("database", error))?;
        let blobs = services
            .db
            .fsck()
            .await
            .map_err(|error| failed("database", error))?;
        if let Some(finding) = mail.first() {
            return Err(failed("database", finding));
        }
        if let Some(problem) = blobs.problems.first() {
            return Err(failed("database", problem));
        }
        let seen = format!(
            "{} blobs read, every counter and reference right",
            blobs.blobs
        );
        self.passed("database", &seen);
        Ok(())
    }

    async fn connect(&self, step: &'static str) -> Step<MailClient> {
        let address = self.address("mx")?;
        MailClient::connect(address)
            .await
            .map_err(|error| failed(step, error))
    }

    async fn deliver(&self, step: &'static str, from: &str, message: &[u8]) -> Step<smtp::Reply> {
        let mut client = self.connect(step).await?;
        let reply = client.send(from, &[seed::FIRST], message).await;
        client.quit().await;
        reply.map_err(|error| failed(step, error))
    }

    async fn submit(
        &self,
        step: &'static str,
        tls: &Arc<ClientConfig>,
        to: &[&str],
        message: &[u8],
    ) -> Step<()> {
        let alice = self.person(seed::FIRST, step)?;
        let address = self.address("submission")?;
        let submission = async {
            let client = MailClient::connect(address).await?;
            let mut client = client
                .sign_in(Arc::clone(tls), &alice.login, &alice.password)
                .await?;
            let reply = client.send(seed::FIRST, to, message).await?;
            client.quit().await;
            Ok::<_, std::io::Error>(reply)
        };
        let reply = submission.await.map_err(|error| failed(step, error))?;
        if reply.is_positive() {
            Ok(())
        } else {
            Err(failed(step, reply.text()))
        }
    }
}

fn message(from: &str, subject: &str) -> Vec<u8> {
    format!(
        "From: {from}\r\nTo: <alice@demo.test>\r\nSubject: {subject}\r\n\
         Date: Mon, 23 Nov 2026 12:00:00 +0000\r\nMessage-ID: <{}@example.test>\r\n\r\nHello.\r\n",
        subject.replace(' ', "-")
    )
    .into_bytes()
}
