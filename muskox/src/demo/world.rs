//! What a server finds outside, on loopback: DNS for `*.test`, a CA, and servers that take mail.

#![expect(
    clippy::disallowed_methods,
    reason = "one small file, written before any session"
)]

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use dns::{System, Zone, ZoneServer};
use tls::{Authority, Identity};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::capture::{CaptureServer, Captures};
use crate::server::{Parts, Services, StartError};

/// The demo server's name.
pub(super) const HOSTNAME: &str = "mail.demo.test";
/// The domain of the demo's accounts.
pub(super) const DOMAIN: &str = "demo.test";
/// Everybody else's mail server.
const OUTSIDE: &str = "mx.outside.test";

/// The outside of a demo.
#[derive(Debug)]
pub struct World {
    /// The DNS, which a test may change while all runs.
    pub zone: Arc<Zone>,
    /// Who signed the server's certificate.
    pub authority: Authority,
    /// What was sent out.
    pub captures: Captures,
    identity: Identity,
    server: ZoneServer,
    mx_port: u16,
    shutdown: CancellationToken,
    task: JoinHandle<()>,
}

impl World {
    /// Starts DNS and the capturing mail server.
    ///
    /// # Errors
    /// No port of loopback is free, or no key can be made.
    pub async fn start() -> Result<Self, StartError> {
        let authority = Authority::generate()?;
        let identity = authority.issue(&[HOSTNAME, "localhost", "127.0.0.1"])?;
        let outside = authority.issue(&[OUTSIDE])?;
        let captures = Captures::default();
        let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let capture =
            CaptureServer::bind(anywhere, tls::server_config(&outside)?, captures.clone()).await?;
        let mx_port = capture.address()?.port();
        let zone = Arc::new(zone());
        let server = ZoneServer::loopback(Arc::clone(&zone)).await?;
        let shutdown = CancellationToken::new();
        let task = tokio::spawn(capture.run(shutdown.clone()));
        Ok(Self {
            zone,
            authority,
            captures,
            identity,
            server,
            mx_port,
            shutdown,
            task,
        })
    }

    /// The parts of a server in this world. Remote hosts listen on the capturing server's port.
    ///
    /// # Errors
    /// The resolver cannot be made.
    pub fn parts(&self) -> Result<Parts, StartError> {
        Ok(Parts {
            resolver: Some(System::new(&[self.server.local_addr()])?),
            identity: Some(self.identity.clone()),
            mx_port: Some(self.mx_port),
            captures: Some(self.captures.clone()),
            ..Parts::default()
        })
    }

    /// Publishes the DKIM keys of every local domain.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub async fn publish_keys(&self, services: &Services) -> Result<(), StartError> {
        for domain in services.directory.list_domains().await? {
            for key in services.directory.list_dkim_keys(&domain.name).await? {
                let (name, value) = crate::control::dkim_record(&key);
                self.zone.txt(&name, &value);
            }
        }
        Ok(())
    }

    /// Writes the CA's certificate where clients can be pointed to it.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write_ca(&self, directory: &Path) -> std::io::Result<()> {
        std::fs::write(ca_path(directory), self.authority.certificate_pem())
    }

    /// Stops it all.
    pub async fn stop(self) {
        self.shutdown.cancel();
        let _ = self.task.await;
        self.server.stop().await;
    }
}

/// Where [`World::write_ca`] writes.
#[must_use]
pub fn ca_path(directory: &Path) -> PathBuf {
    directory.join("demo-ca.pem")
}

/// Our domain with SPF and DMARC, and everybody else with a mail server.
fn zone() -> Zone {
    let zone = Zone::new();
    zone.a(HOSTNAME, Ipv4Addr::LOCALHOST)
        .mx(DOMAIN, 10, HOSTNAME)
        .txt(DOMAIN, "v=spf1 mx -all")
        .txt(&format!("_dmarc.{DOMAIN}"), "v=DMARC1; p=reject")
        .a(OUTSIDE, Ipv4Addr::LOCALHOST)
        .mx("*.test", 10, OUTSIDE)
        .a("*.test", Ipv4Addr::LOCALHOST)
        .ptr(IpAddr::V4(Ipv4Addr::LOCALHOST), OUTSIDE);
    // A sender whose mail passes every check when it comes from loopback, and one that forgers
    // like: nobody may send for it, and it says so.
    zone.txt("example.test", "v=spf1 a -all")
        .mx("example.test", 10, OUTSIDE)
        .a("example.test", Ipv4Addr::LOCALHOST)
        .txt("_dmarc.example.test", "v=DMARC1; p=none")
        .mx("bank.test", 10, OUTSIDE)
        .a("bank.test", Ipv4Addr::new(192, 0, 2, 1))
        .txt("bank.test", "v=spf1 -all")
        .txt("_dmarc.bank.test", "v=DMARC1; p=quarantine");
    zone
}
