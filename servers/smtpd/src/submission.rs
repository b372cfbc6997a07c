//! What submission adds to a message: the fields it lacks (RFC 6409 §8) and DKIM signatures.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use filter::Input;
use mailauth::sign::SigningKey;
use mime::Summary;
use queue::SenderStanding;
use smtp::{Address, Domain, EnhancedCode, Localpart, Reply};

use crate::message::{Accepted, recipients_of};
use crate::session::Session;
use crate::transaction::Transaction;
use crate::{Server, refusal};

/// The parsed keys of a domain.
type Keys = Arc<[SigningKey]>;

/// Keys that were parsed already, by domain, for one state of the directory.
#[derive(Debug, Default)]
pub(crate) struct Signing {
    cache: Mutex<(u64, HashMap<Domain, Keys>)>,
}

/// Most domains whose keys are kept parsed.
const MAX_CACHED_DOMAINS: usize = 1_000;

impl Session {
    /// Completes and signs a user's message.
    pub(crate) async fn submit(
        &mut self,
        id: &str,
        transaction: Transaction,
        message: Vec<u8>,
    ) -> Result<Accepted, Reply> {
        let message = self.complete(id, message);
        let summary = Summary::parse(&message);
        if let Some(refusal) = self.author_refusal(&message, &summary).await {
            return Err(refusal);
        }
        let input = Input {
            raw: message.into(),
            summary: Arc::new(summary),
            auth: Arc::default(),
            ip: self.peer.ip(),
            helo: self.helo(),
            from: transaction.from.clone(),
            recipients: recipients_of(&transaction),
            origin: filter::Origin::Authenticated,
            account: self.identity.as_ref().map(|identity| identity.account),
            received_at: None,
        };
        let judged = self.judge(id, &input).await?;
        let signatures = match self.signing_domain(&input.summary, &transaction) {
            Some(domain) => self.server.sign(&domain, &input.raw).await,
            None => Vec::new(),
        };
        let origin = self.origin(id, &transaction, SenderStanding::Verified, signatures);
        Ok(Accepted {
            transaction,
            message: input.raw.clone(),
            summary: Summary::clone(&input.summary),
            origin,
            judged: Some((input, judged)),
        })
    }

    /// RFC 6409 §6.1: nobody writes in the name of another user here. Our signature would vouch for
    /// it, and every receiver believe it. Authors elsewhere are not ours to vouch for: such mail
    /// goes out unsigned.
    async fn author_refusal(&self, message: &[u8], summary: &Summary) -> Option<Reply> {
        let identity = self.identity.as_ref()?;
        let fields = mime::header::fields(message)
            .filter(|field| field.name.eq_ignore_ascii_case(b"From"))
            .count();
        if fields > 1 {
            return Some(Reply::new(
                550,
                EnhancedCode(5, 6, 0),
                "More than one From field",
            ));
        }
        let directory = &self.server.directory;
        for author in &summary.envelope.from {
            let host = author.host.as_deref().unwrap_or_default();
            let Ok(domain) = Domain::parse(&String::from_utf8_lossy(host)) else {
                continue;
            };
            let localpart = String::from_utf8_lossy(author.mailbox.as_deref().unwrap_or_default());
            let is_own = match directory.is_local_domain(&domain).await {
                Ok(false) => Ok(true),
                Ok(true) => match Localpart::from_content(&localpart) {
                    Ok(localpart) => {
                        let author = Address { localpart, domain };
                        directory.may_send_as(identity, &author).await
                    }
                    Err(_) => Ok(false),
                },
                Err(error) => Err(error),
            };
            match is_own {
                Ok(true) => {}
                Ok(false) => {
                    let text = "The author in From is not you";
                    return Some(Reply::new(550, EnhancedCode(5, 7, 1), text));
                }
                Err(error) => return Some(refusal::directory(&self.id, &error)),
            }
        }
        None
    }

    /// RFC 6409 §8: a message without Date or Message-ID gets one.
    fn complete(&self, id: &str, message: Vec<u8>) -> Vec<u8> {
        let has = |name: &[u8]| {
            mime::header::fields(&message).any(|field| field.name.eq_ignore_ascii_case(name))
        };
        let mut added = String::new();
        if !has(b"Date") {
            added.push_str(&format!(
                "Date: {}\r\n",
                mime::date::format(self.server.clock.now().0)
            ));
        }
        if !has(b"Message-ID") {
            added.push_str(&format!("Message-ID: <{id}@{}>\r\n", self.server.hostname));
        }
        if added.is_empty() {
            return message;
        }
        let mut completed = added.into_bytes();
        completed.extend_from_slice(&message);
        completed
    }

    /// The domain of the author: DMARC wants the signature to match the From field.
    fn signing_domain(&self, summary: &Summary, transaction: &Transaction) -> Option<Domain> {
        let author = summary
            .envelope
            .from
            .first()
            .and_then(|from| from.host.as_deref());
        author
            .and_then(|host| std::str::from_utf8(host).ok())
            .and_then(|host| Domain::parse(host).ok())
            .or_else(|| {
                transaction
                    .from
                    .as_address()
                    .map(|address| address.domain.clone())
            })
    }
}

impl Server {
    /// DKIM-Signature fields by the domain's keys; none when it has none, or signing fails: the
    /// message goes out all the same.
    async fn sign(&self, domain: &Domain, message: &[u8]) -> Vec<u8> {
        let keys = match self.keys(domain).await {
            Ok(keys) => keys,
            Err(error) => {
                tracing::error!(%domain, %error, "no keys to sign with");
                return Vec::new();
            }
        };
        match mailauth::sign::sign(message, &keys, self.clock.now()) {
            Ok(fields) => fields,
            Err(error) => {
                tracing::error!(%domain, %error, "a message could not be signed");
                Vec::new()
            }
        }
    }

    async fn keys(
        &self,
        domain: &Domain,
    ) -> Result<Keys, Box<dyn std::error::Error + Send + Sync>> {
        let generation = *self.db.hub().directory().borrow();
        {
            let mut cache = self
                .signing
                .cache
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            if cache.0 != generation || cache.1.len() >= MAX_CACHED_DOMAINS {
                *cache = (generation, HashMap::new());
            }
            if let Some(keys) = cache.1.get(domain) {
                return Ok(Arc::clone(keys));
            }
        }
        let records = self.directory.active_dkim_keys(domain).await?;
        let keys: Result<Vec<SigningKey>, _> = records
            .iter()
            .map(|record| {
                SigningKey::from_der(
                    &record.domain,
                    &record.selector,
                    record.private_key_der.expose(),
                )
            })
            .collect();
        let keys: Keys = keys?.into();
        let mut cache = self
            .signing
            .cache
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if cache.0 == generation {
            cache.1.insert(domain.clone(), Arc::clone(&keys));
        }
        Ok(keys)
    }
}
