//! Asks the questions about a message, each within its time.
//!
//! [`Authenticator::message`] runs at the end of the data: SPF, signatures, chain and client name
//! side by side, then DMARC over what they found. [`Authenticator::spf`] alone can run as soon as
//! the envelope sender is known. The time limits below add up to less than twenty seconds for one
//! message. What is not known in time is `temperror`, never `fail`.

mod chain;
mod policy;
mod signatures;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ambient::Clock;
use dns::Resolver as _;
use mail_auth::dkim::Signature;
use mail_auth::dmarc::verify::DmarcParameters;
use mail_auth::spf::verify::SpfParameters;
use mail_auth::{
    AuthenticatedMessage, DkimOutput, DmarcResult, Error as Reason, MessageAuthenticator,
    SpfOutput, SpfResult,
};
use smtp::address::{Domain, ReversePath};
use tokio::runtime::RuntimeFlavor;
use tokio::time::timeout;

use crate::author::Author;
use crate::cache::Caches;
use crate::results::{
    Aligned, AuthResults, DmarcVerdict, IprevVerdict, Outcome, Policy, SpfIdentity, SpfOutcome,
};
use crate::{incoming, render};
use signatures::Verified;

/// SPF, ten lookups included.
const SPF_TIME: Duration = Duration::from_secs(10);
/// All signatures together; the chain and the client's name have as long beside them, and SPF runs
/// beside them too.
const DKIM_TIME: Duration = Duration::from_secs(3);
/// The walks up the DMARC tree.
const DMARC_TIME: Duration = Duration::from_secs(5);
/// Names of a client that are confirmed.
const NAMES_MAX: usize = 3;
/// From this size on the parser leaves the reactor: it hashes the body.
const OFF_REACTOR: usize = 256 * 1024;

/// What the session knows about a message beside its octets.
#[derive(Debug, Clone, Copy)]
pub struct Session<'a> {
    /// The client's address.
    pub ip: IpAddr,
    /// The client's EHLO name.
    pub helo: &'a str,
    /// The envelope sender.
    pub from: &'a ReversePath,
}

/// Verifies inbound mail. One for the whole server: clones share its cache.
#[derive(Clone)]
pub struct Authenticator {
    authserv_id: Domain,
    resolver: Arc<dns::System>,
    inner: MessageAuthenticator,
    caches: Arc<Caches>,
    clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authenticator")
            .field("authserv_id", &self.authserv_id)
            .finish_non_exhaustive()
    }
}

impl Authenticator {
    /// An authenticator that signs its results as `hostname` (the authserv-id of RFC 8601 §2.5).
    #[must_use]
    pub fn new(hostname: Domain, resolver: Arc<dns::System>, clock: Arc<dyn Clock>) -> Self {
        let inner = MessageAuthenticator(resolver.hickory());
        Self {
            authserv_id: hostname,
            resolver,
            inner,
            caches: Arc::new(Caches::new()),
            clock,
        }
    }

    /// Forgets every cached answer, the resolver's included.
    pub fn clear_cache(&self) {
        self.caches.clear();
        self.resolver.clear_cache();
    }

    /// What SPF says about the client at `ip` sending as `from`.
    ///
    /// RFC 7208 §4.6.4: at most ten terms that need the DNS, ten hosts per MX; the library counts.
    // TODO RFC 7208 §4.6.4: more than two lookups without an answer should be a permerror.
    pub async fn spf(&self, ip: IpAddr, helo: &str, from: &ReversePath) -> SpfOutcome {
        // An IPv4 client on a dual-stack socket is an IPv4 client to ip4: and a:.
        let ip = ip.to_canonical();
        let (identity, domain, sender) = match from.as_address() {
            Some(address) => (
                SpfIdentity::MailFrom,
                Some(address.domain.clone()),
                address.to_string(),
            ),
            // RFC 7208 §2.4: a null reverse path stands for postmaster at the EHLO name.
            None => (SpfIdentity::Helo, Domain::parse(helo).ok(), helo.to_owned()),
        };
        let Some(asked) = &domain else {
            return SpfOutcome {
                result: Outcome::None,
                identity,
                domain,
                sender,
            };
        };
        let host = self.authserv_id.as_str();
        let parameters = match identity {
            SpfIdentity::MailFrom => SpfParameters::verify_mail_from(ip, helo, host, &sender),
            SpfIdentity::Helo => SpfParameters::verify_ehlo(ip, asked.as_str(), host),
        };
        let evaluation = async {
            let output = self.inner.verify_spf(self.caches.with(parameters)).await;
            match output.result() {
                result @ (SpfResult::None | SpfResult::TempError) => result,
                result if self.policy_is_sound(asked).await => result,
                _ => SpfResult::PermError,
            }
        };
        let answer = timeout(SPF_TIME, evaluation).await;
        let result = answer.map_or(Outcome::TempError, |result| match result {
            SpfResult::Pass => Outcome::Pass,
            SpfResult::Fail => Outcome::Fail,
            SpfResult::SoftFail => Outcome::SoftFail,
            SpfResult::Neutral => Outcome::Neutral,
            SpfResult::TempError => Outcome::TempError,
            SpfResult::PermError => Outcome::PermError,
            SpfResult::None => Outcome::None,
        });
        SpfOutcome {
            result,
            identity,
            domain,
            sender,
        }
    }

    /// Whether the client's address has a name that leads back to it.
    pub async fn iprev(&self, ip: IpAddr) -> IprevVerdict {
        let ip = ip.to_canonical();
        timeout(DKIM_TIME, self.confirm(ip))
            .await
            .unwrap_or(IprevVerdict {
                result: Outcome::TempError,
                name: None,
            })
    }

    /// RFC 8601 §2.7.3: a name of the address, one of whose addresses is the address.
    async fn confirm(&self, ip: IpAddr) -> IprevVerdict {
        let names = match self.resolver.ptr(ip).await {
            Ok(names) => names,
            Err(error) if error.is_temporary() => {
                return IprevVerdict {
                    result: Outcome::TempError,
                    name: None,
                };
            }
            Err(_) => {
                return IprevVerdict {
                    result: Outcome::PermError,
                    name: None,
                };
            }
        };
        let mut result = Outcome::Fail;
        for name in names.iter().take(NAMES_MAX) {
            match self.resolver.addresses(name).await {
                Ok(addresses) if addresses.contains(&ip) => {
                    return IprevVerdict {
                        result: Outcome::Pass,
                        name: Some(name.clone()),
                    };
                }
                Err(error) if error.is_temporary() => result = Outcome::TempError,
                _ => {}
            }
        }
        IprevVerdict {
            result,
            name: names.into_iter().next(),
        }
    }

    /// Everything there is to find out about `raw`, a whole message as it was received.
    pub async fn message(&self, raw: &[u8], session: &Session<'_>) -> AuthResults {
        let author = Author::find(raw);
        let mut reading = off_reactor(raw.len(), || Reading::of(raw));
        let candidates = signatures::select(&mut reading, author.domain(), self.clock.now());
        let chain = chain::prepare(&mut reading, self.clock.now());
        let (spf, mut verified, arc, iprev) = tokio::join!(
            self.spf(session.ip, session.helo, session.from),
            self.verify_signatures(&reading.message, candidates.to_verify),
            self.verify_chain(&reading.message, chain),
            self.iprev(session.ip),
        );
        let dmarc = self.dmarc(reading.message, &author, &spf, &verified).await;
        verified.extend(candidates.refused);
        let mut results = AuthResults {
            spf,
            dkim: verified.into_iter().map(|v| v.verdict).collect(),
            dmarc,
            arc,
            iprev,
            author,
            header: String::new(),
            forged: incoming::forged(raw, &self.authserv_id),
        };
        results.header = render::field(&self.authserv_id, session.ip.to_canonical(), &results);
        results
    }

    /// RFC 9989 §4.10: the author's domain must agree with a domain that SPF or DKIM vouches for.
    async fn dmarc(
        &self,
        mut message: AuthenticatedMessage<'_>,
        author: &Author,
        spf: &SpfOutcome,
        verified: &[Verified],
    ) -> DmarcVerdict {
        let Some(domain) = author.domain() else {
            let reason = author.defect();
            return DmarcVerdict {
                result: Outcome::PermError,
                reason,
                ..DmarcVerdict::default()
            };
        };
        // The library is told whom we take for the author, whatever it made of the field itself.
        message.from = vec![format!("author@{domain}")];
        let signatures: Vec<(Outcome, Signature)> = verified
            .iter()
            .filter(|v| matches!(v.verdict.result, Outcome::Pass | Outcome::TempError))
            .map(|v| {
                let signature = Signature {
                    d: v.verdict.domain.clone(),
                    ..Signature::default()
                };
                (v.verdict.result, signature)
            })
            .collect();
        let outputs: Vec<DkimOutput<'_>> = signatures
            .iter()
            .map(|(result, signature)| match result {
                Outcome::Pass => DkimOutput::pass().with_signature(signature),
                _ => DkimOutput::temp_err(temporary()).with_signature(signature),
            })
            .collect();
        let envelope = spf.domain.as_ref().map_or("", Domain::as_str);
        let spf = SpfOutput::new(envelope.to_owned()).with_result(match spf.result {
            Outcome::Pass => SpfResult::Pass,
            Outcome::TempError => SpfResult::TempError,
            _ => SpfResult::None,
        });
        let parameters = DmarcParameters::new(&message, &outputs, envelope, &spf);
        let walk = self.inner.verify_dmarc(self.caches.with(parameters));
        let output = timeout(DMARC_TIME, walk).await.ok();
        let Some(output) = output else {
            let domain = Some(domain.clone());
            return DmarcVerdict {
                result: Outcome::TempError,
                domain,
                ..DmarcVerdict::default()
            };
        };
        let (result, reason) = match output.result() {
            DmarcResult::Pass => (Outcome::Pass, None),
            DmarcResult::Fail(_) => (Outcome::Fail, None),
            DmarcResult::TempError(_) => (Outcome::TempError, None),
            DmarcResult::PermError(_) => (Outcome::PermError, Some("unusable policy record")),
            DmarcResult::None => (Outcome::None, None),
        };
        DmarcVerdict {
            result,
            policy: match output.policy() {
                mail_auth::dmarc::Policy::Reject => Policy::Reject,
                mail_auth::dmarc::Policy::Quarantine => Policy::Quarantine,
                _ => Policy::None,
            },
            domain: Some(domain.clone()),
            aligned: Aligned {
                spf: *output.spf_result() == DmarcResult::Pass,
                dkim: *output.dkim_result() == DmarcResult::Pass,
            },
            reason,
        }
    }
}

/// The library's error for "nobody could tell".
fn temporary() -> Reason {
    Reason::Dns(mail_auth::DnsError::Resolver(String::new()))
}

/// A message as the library reads it.
struct Reading<'x> {
    message: AuthenticatedMessage<'x>,
    /// Whether the header that the library sees is the header that everybody else here sees. If
    /// not, no signature can say anything about what readers will be shown.
    agrees: bool,
}

impl<'x> Reading<'x> {
    fn of(raw: &'x [u8]) -> Self {
        let Some(mut message) = AuthenticatedMessage::parse_with_opts(raw, None, true) else {
            return Self {
                message: AuthenticatedMessage::default(),
                agrees: false,
            };
        };
        // RFC 6376 §3.4.2: white space around the colon does not make another field. Without this
        // `Subject :` could be added to a message whose signature covers every Subject.
        for (name, _) in &mut message.headers {
            *name = name.trim_ascii();
        }
        let body = usize::try_from(message.body_offset).unwrap_or(usize::MAX);
        let agrees = body == mime::header::header_end(raw);
        Self { message, agrees }
    }
}

/// Runs `work` where it may take its time when `size` says that it will.
fn off_reactor<T>(size: usize, work: impl FnOnce() -> T) -> T {
    let threads = tokio::runtime::Handle::try_current()
        .is_ok_and(|handle| handle.runtime_flavor() == RuntimeFlavor::MultiThread);
    if size >= OFF_REACTOR && threads {
        tokio::task::block_in_place(work)
    } else {
        work()
    }
}
