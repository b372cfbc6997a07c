//! MAIL and RCPT: who may send what to whom.
//!
//! Everything that can be refused is refused here: unknown users, full mailboxes, relaying,
//! foreign senders. What is accepted is already expanded: aliases are resolved at RCPT.

use std::collections::HashSet;

use directory::{Identity, LocalRecipient, Resolution};
use policy::RecipientFacts;
use smtp::command::MailParams;
use smtp::{Address, Domain, EnhancedCode, ForwardPath, Localpart, Reply, ReversePath};

use crate::session::Session;
use crate::{Role, refusal};

/// A message in the making.
#[derive(Debug)]
pub(crate) struct Transaction {
    pub(crate) from: ReversePath,
    pub(crate) smtputf8: bool,
    /// Accepted RCPT commands.
    pub(crate) accepted: usize,
    /// Accounts that receive it, each once.
    pub(crate) local: Vec<LocalRecipient>,
    /// Addresses elsewhere, with the address before aliases, each once.
    pub(crate) remote: Vec<(Address, Address)>,
    seen: HashSet<String>,
}

impl Session {
    pub(crate) async fn mail(&mut self, from: ReversePath, params: MailParams) -> Reply {
        if self.transaction.is_some() {
            return Reply::new(503, EnhancedCode(5, 5, 1), "A message has begun already");
        }
        if self.accepted >= self.server.limits.messages {
            self.closing = true;
            return Reply::new(
                421,
                EnhancedCode(4, 7, 0),
                "Too many messages, connect again",
            );
        }
        // RFC 1870 §6.1: a declared size over the limit is refused before the message is sent.
        let size = params.size.unwrap_or_default();
        if size > self.server.limits.message_bytes {
            return Reply::new(552, EnhancedCode(5, 3, 4), "Message exceeds the size limit");
        }
        if let Some(refusal) = self.sender_refusal(&from).await {
            return refusal;
        }
        match self.server.db.free_bytes() {
            Ok(free) if free < self.server.limits.reserve_bytes.saturating_add(size) => {
                tracing::warn!(session = %self.id, free, "no space for mail");
                return refusal::full();
            }
            Ok(_) => {}
            Err(error) => return refusal::store(&self.id, &error),
        }
        self.transaction = Some(Transaction {
            from,
            smtputf8: params.smtputf8,
            accepted: 0,
            local: Vec::new(),
            remote: Vec::new(),
            seen: HashSet::new(),
        });
        Reply::new(250, EnhancedCode(2, 1, 0), "Sender OK")
    }

    /// RFC 6409 §4.3, §6.1: users sign in, and send as themselves.
    async fn sender_refusal(&self, from: &ReversePath) -> Option<Reply> {
        if self.role != Role::Submission {
            return None;
        }
        let Some(identity) = &self.identity else {
            return Some(Reply::new(
                530,
                EnhancedCode(5, 7, 0),
                "Authentication required",
            ));
        };
        if let Some(refusal) = self.limit_refusal(identity).await {
            return Some(refusal);
        }
        let ReversePath::Address(address) = from else {
            return None;
        };
        match self.server.directory.may_send_as(identity, address).await {
            Ok(true) => None,
            Ok(false) => {
                let text = "Sender address is not yours";
                Some(Reply::new(553, EnhancedCode(5, 7, 1), text))
            }
            Err(error) => Some(refusal::directory(&self.id, &error)),
        }
    }

    /// From where and how fast an account may send.
    async fn limit_refusal(&self, identity: &Identity) -> Option<Reply> {
        let policy = self.server.policy.snapshot();
        if !policy.may_submit(identity.account, self.peer.ip().to_canonical()) {
            let text = "Sending is not allowed from this network";
            return Some(Reply::new(550, EnhancedCode(5, 7, 1), text));
        }
        let domain = match self.server.directory.resolve(&identity.login).await {
            Ok(Resolution::Deliver(expansion)) => expansion.local.first().map(|own| own.domain),
            Ok(_) => None,
            Err(error) => return Some(refusal::directory(&self.id, &error)),
        };
        let account = RecipientFacts {
            account: Some(identity.account),
            domain,
        };
        let (limit, owner) = policy.rate_limit(&account)?;
        if self
            .server
            .rates
            .take(owner, limit, self.server.clock.now())
        {
            return None;
        }
        tracing::info!(session = %self.id, account = %identity.login, %limit, "sending limit reached");
        let text = "Sending limit reached, try again later";
        Some(Reply::new(450, EnhancedCode(4, 7, 1), text))
    }

    /// Addresses that only senders of our own domains may write to.
    async fn internal_refusal(&self, address: &Address) -> Option<Reply> {
        if self.role == Role::Submission
            || !self
                .server
                .policy
                .snapshot()
                .is_internal(&address.to_string())
        {
            return None;
        }
        let from = self.transaction.as_ref()?.from.as_address();
        let is_own = match from {
            Some(from) => self.server.directory.is_local_domain(&from.domain).await,
            None => Ok(false),
        };
        match is_own {
            Ok(true) => None,
            Ok(false) => {
                let text = "This address is for internal mail";
                Some(Reply::new(550, EnhancedCode(5, 7, 1), text))
            }
            Err(error) => Some(refusal::directory(&self.id, &error)),
        }
    }

    pub(crate) async fn rcpt(&mut self, to: ForwardPath) -> Reply {
        let Some(transaction) = &self.transaction else {
            return Reply::new(503, EnhancedCode(5, 5, 1), "Say MAIL first");
        };
        // RFC 5321 §4.5.3.1.10: the rest is sent in another transaction.
        if transaction.accepted >= self.server.limits.recipients {
            return Reply::new(452, EnhancedCode(4, 5, 3), "Too many recipients");
        }
        let address = match to {
            ForwardPath::Address(address) => address,
            ForwardPath::Postmaster => match self.postmaster().await {
                Some(address) => address,
                None => return unknown(),
            },
        };
        // RFC 6531 §3.4: such an address needs a transaction that is declared for it.
        if !address.is_ascii() && !transaction.smtputf8 {
            return Reply::new(553, EnhancedCode(5, 6, 7), "Address needs SMTPUTF8");
        }
        if let Some(refusal) = self.internal_refusal(&address).await {
            return refusal;
        }
        let resolution = match self.server.directory.resolve(&address).await {
            Ok(resolution) => resolution,
            Err(error) => return refusal::directory(&self.id, &error),
        };
        let (local, remote) = match resolution {
            Resolution::Deliver(expansion) => (expansion.local, expansion.remote),
            // Routes within a localpart (user%host, host!user, "user@host") are not for us to follow.
            Resolution::NotLocal
                if self.identity.is_some() && !address.localpart.looks_routed() =>
            {
                (Vec::new(), vec![address.clone()])
            }
            Resolution::NotLocal => {
                return Reply::new(554, EnhancedCode(5, 7, 1), "Relay access denied");
            }
            Resolution::Unknown => return unknown(),
            Resolution::Disabled => {
                return Reply::new(550, EnhancedCode(5, 2, 1), "Mailbox disabled");
            }
        };
        if !local.is_empty() && remote.is_empty() && local.iter().all(|one| one.over_quota) {
            return Reply::new(452, EnhancedCode(4, 2, 2), "Mailbox full");
        }
        self.add(&address, local, remote)
    }

    fn add(
        &mut self,
        original: &Address,
        local: Vec<LocalRecipient>,
        remote: Vec<Address>,
    ) -> Reply {
        let Some(transaction) = &mut self.transaction else {
            return refusal::later();
        };
        transaction.accepted += 1;
        // One full mailbox among an alias's targets neither blocks the others nor loses its copy: it
        // goes over its quota by this message.
        for recipient in local {
            if transaction.seen.insert(recipient.address.to_string()) {
                transaction.local.push(recipient);
            }
        }
        for address in remote {
            if transaction.seen.insert(address.to_string()) {
                transaction.remote.push((address, original.clone()));
            }
        }
        Reply::new(250, EnhancedCode(2, 1, 5), "Recipient OK")
    }

    /// RFC 5321 §4.1.1.3: `<postmaster>` without a domain is ours: that of our own name, or of the
    /// closest domain above it that is local.
    async fn postmaster(&self) -> Option<Address> {
        let localpart = Localpart::parse("postmaster").ok()?;
        let mut name = self.server.hostname.as_str();
        loop {
            let domain = Domain::parse(name).ok()?;
            if self.server.directory.is_local_domain(&domain).await.ok()? {
                return Some(Address { localpart, domain });
            }
            name = name.split_once('.')?.1;
        }
    }
}

fn unknown() -> Reply {
    Reply::new(550, EnhancedCode(5, 1, 1), "No such user here")
}
