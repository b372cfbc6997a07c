//! A zone, a resolver that asks it, an authenticator and keys for `example.test`.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "shared by several test binaries, none uses all"
)]

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use ambient::{Clock, FakeClock, Timestamp};
use dns::{Zone, ZoneServer};
use mailauth::sign::{Algorithm, SigningKey, dns_name, generate, sign};
use mailauth::{AuthResults, Authenticator, Outcome, Session};
use smtp::address::{Domain, ReversePath};

/// When everything happens; far from the system's clock on purpose.
pub const NOW: Timestamp = Timestamp(1_500_000_000);
/// The authserv-id.
pub const OURS: &str = "mx.receiver.test";

pub struct World {
    pub zone: Arc<Zone>,
    server: ZoneServer,
    pub clock: Arc<FakeClock>,
    pub authenticator: Authenticator,
    pub keys: Vec<SigningKey>,
}

/// `example.test` with both keys and `p=reject`; nothing else exists.
pub async fn world() -> World {
    let mut world = without_keys().await;
    for (selector, algorithm) in [("rsa", Algorithm::Rsa2048), ("ed", Algorithm::Ed25519)] {
        let generated = generate(algorithm).unwrap();
        let signer = domain("example.test");
        world
            .zone
            .txt(&dns_name(&signer, selector), &generated.dns_txt());
        world
            .keys
            .push(SigningKey::from_der(&signer, selector, &generated.private_key).unwrap());
    }
    world.zone.txt("_dmarc.example.test", "v=DMARC1; p=reject");
    world
}

/// Nothing exists.
pub async fn without_keys() -> World {
    let zone = Arc::new(Zone::new());
    let server = ZoneServer::loopback(Arc::clone(&zone)).await.unwrap();
    let resolver = dns::System::new(&[server.local_addr()]).unwrap();
    let clock = Arc::new(FakeClock::new(NOW));
    let authenticator = Authenticator::new(domain(OURS), Arc::new(resolver), clock.clone());
    World {
        zone,
        server,
        clock,
        authenticator,
        keys: Vec::new(),
    }
}

pub fn domain(name: &str) -> Domain {
    Domain::parse(name).unwrap()
}

pub fn client() -> IpAddr {
    IpAddr::from([192, 0, 2, 1])
}

impl World {
    /// Where the zone is served.
    pub fn nameserver(&self) -> SocketAddr {
        self.server.local_addr()
    }

    /// `message` with both signatures above it.
    pub fn signed(&self, message: &str) -> String {
        let fields = sign(message.as_bytes(), &self.keys, self.clock.now()).unwrap();
        format!("{}{message}", String::from_utf8(fields).unwrap())
    }

    /// What is found out about `message` from `client()`, sent as bounce@bounces.test.
    pub async fn check(&self, message: &str) -> AuthResults {
        self.check_from(message, "bounce@bounces.test").await
    }

    pub async fn check_from(&self, message: &str, from: &str) -> AuthResults {
        let from = ReversePath::parse(from).unwrap();
        let session = Session {
            ip: client(),
            helo: "client.test",
            from: &from,
        };
        self.authenticator
            .message(message.as_bytes(), &session)
            .await
    }
}

/// The result of every signature with its reason.
pub fn dkim(results: &AuthResults) -> Vec<(Outcome, &'static str)> {
    results
        .dkim
        .iter()
        .map(|v| (v.result, v.reason.unwrap_or_default()))
        .collect()
}
