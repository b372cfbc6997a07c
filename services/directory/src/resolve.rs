//! Resolution: where mail for an address goes, and who may write in its name.
//!
//! A local address is, in this order: an account, an alias, an account or alias without its
//! sub-address, the designated postmaster, the domain's catch-all. Aliases are followed breadth
//! first; an alias met twice is followed once, which cuts loops. What an alias names but does not
//! exist is left out.
//!
//! Pure functions over [`Reader`]; [`Directory::resolve`] runs them and keeps their results for as
//! long as the directory does not change. Start at [`Directory::resolve`].

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use smtp::address::{Address, ForwardPath, Localpart};
use store::{AccountId, DomainId, Reader};
use tokio::sync::watch;

use crate::account::{AccountState, Recipient};
use crate::alias;
use crate::domain::Place;
use crate::name::fold;
use crate::{Directory, Error, Identity, account, domain};

/// How many aliases deep an alias may lead.
pub const MAX_DEPTH: usize = 10;
/// How many targets all aliases of one expansion have together: lists of ten thousand, made of
/// smaller ones.
pub const MAX_EXPANSION: usize = 20_000;

/// The local part every domain must have (RFC 5321 §4.5.1).
const POSTMASTER: &str = "postmaster";

/// What the directory says about a recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolution {
    /// The domain is not ours: relay or refuse.
    NotLocal,
    /// The domain is ours and has no such address.
    Unknown,
    /// The address exists, but it or its domain is switched off.
    Disabled,
    /// Deliver to all of these; there is at least one.
    Deliver(Expansion),
}

/// Everyone a recipient address leads to, each once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expansion {
    /// Accounts of this server.
    pub local: Vec<LocalRecipient>,
    /// Addresses of others, reached through aliases.
    pub remote: Vec<Address>,
}

/// An account that gets a copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalRecipient {
    /// The account.
    pub account: AccountId,
    /// The domain it belongs to, which is not an alias domain.
    pub domain: DomainId,
    /// Its name.
    pub address: Address,
    /// The recipient as the client gave it.
    pub original: Address,
    /// What follows the separator of a sub-address, in the client's spelling; never empty.
    pub detail: Option<String>,
    /// Whether it has a quota and has used it up.
    pub over_quota: bool,
}

/// What one address is, before aliases are followed.
enum Target {
    NotLocal,
    Unknown,
    Disabled,
    Account(Recipient, Option<String>),
    Alias(alias::Found, Option<String>),
    /// The postmaster of a domain that has none of its own.
    Postmaster,
}

/// Answers [`Resolution`] for `original`, and whether only the directory's own changes can change
/// that answer (the use of an account with a quota changes with its mail).
pub(crate) fn resolve(
    rx: &mut dyn Reader,
    original: &Address,
    postmaster: Option<&Address>,
) -> Result<(Resolution, Lasting), Error> {
    let mut walk = Walk::new(original, postmaster);
    while let Some(step) = walk.next() {
        if let Target::NotLocal = walk.take(rx, step)? {
            return Ok((Resolution::NotLocal, Lasting::Yes));
        }
    }
    Ok(walk.finish())
}

/// Whether a resolution stays right until the directory changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lasting {
    Yes,
    No,
}

struct Step {
    address: Address,
    /// The detail of the sub-address that led here; the address's own one goes before it.
    detail: Option<String>,
    depth: usize,
}

/// A breadth-first walk over aliases.
struct Walk<'a> {
    original: &'a Address,
    postmaster: Option<&'a Address>,
    queue: VecDeque<Step>,
    /// Aliases that were followed.
    followed: HashSet<i64>,
    /// Targets that were seen, repeated ones included.
    targets: usize,
    accounts: HashSet<AccountId>,
    remotes: HashSet<Address>,
    expansion: Expansion,
    met_disabled: bool,
    lasting: Lasting,
}

impl<'a> Walk<'a> {
    fn new(original: &'a Address, postmaster: Option<&'a Address>) -> Self {
        let first = Step {
            address: original.clone(),
            detail: None,
            depth: 0,
        };
        Self {
            original,
            postmaster,
            queue: VecDeque::from([first]),
            followed: HashSet::new(),
            targets: 0,
            accounts: HashSet::new(),
            remotes: HashSet::new(),
            expansion: Expansion::default(),
            met_disabled: false,
            lasting: Lasting::Yes,
        }
    }

    fn next(&mut self) -> Option<Step> {
        self.queue.pop_front()
    }

    /// Takes one step; returns [`Target::NotLocal`] only for the first one.
    fn take(&mut self, rx: &mut dyn Reader, step: Step) -> Result<Target, Error> {
        match look_up(rx, &step.address, self.postmaster)? {
            Target::NotLocal if step.depth == 0 => return Ok(Target::NotLocal),
            Target::NotLocal => {
                if self.remotes.insert(step.address.clone()) {
                    self.expansion.remote.push(step.address);
                }
            }
            Target::Account(account, detail) => self.arrive(account, detail.or(step.detail)),
            Target::Alias(alias, detail) if alias.active => {
                if self.followed.insert(alias.id) {
                    let targets = alias::targets(rx, alias.id)?;
                    self.follow(targets, detail.or(step.detail), step.depth)?;
                }
            }
            Target::Postmaster => {
                // An own marker (ids start at 1): the designated postmaster is met once, too.
                if self.followed.insert(0) {
                    let designated = self.postmaster.into_iter().cloned().collect();
                    self.follow(designated, None, step.depth)?;
                }
            }
            Target::Disabled | Target::Alias(..) => self.met_disabled = true,
            Target::Unknown => {}
        }
        Ok(Target::Unknown)
    }

    fn arrive(&mut self, account: Recipient, detail: Option<String>) {
        if account.state == AccountState::Disabled {
            self.met_disabled = true;
            return;
        }
        let has_quota = account.quota_bytes > 0;
        if has_quota {
            self.lasting = Lasting::No;
        }
        if self.accounts.insert(account.id) {
            self.expansion.local.push(LocalRecipient {
                account: account.id,
                domain: account.domain,
                address: account.address,
                original: self.original.clone(),
                detail,
                over_quota: has_quota && account.used_bytes >= account.quota_bytes,
            });
        }
    }

    fn follow(
        &mut self,
        targets: Vec<Address>,
        detail: Option<String>,
        depth: usize,
    ) -> Result<(), Error> {
        self.targets = self.targets.saturating_add(targets.len());
        if depth >= MAX_DEPTH || self.targets > MAX_EXPANSION {
            // Leaving out a part of a list would lose its mail in silence.
            return Err(Error::Expansion(self.original.clone()));
        }
        let depth = depth.saturating_add(1);
        let step = |address| Step {
            address,
            detail: detail.clone(),
            depth,
        };
        self.queue.extend(targets.into_iter().map(step));
        Ok(())
    }

    fn finish(self) -> (Resolution, Lasting) {
        let nobody = self.expansion.local.is_empty() && self.expansion.remote.is_empty();
        let resolution = match (nobody, self.met_disabled) {
            (false, _) => Resolution::Deliver(self.expansion),
            (true, true) => Resolution::Disabled,
            (true, false) => Resolution::Unknown,
        };
        (resolution, self.lasting)
    }
}

fn look_up(
    rx: &mut dyn Reader,
    address: &Address,
    postmaster: Option<&Address>,
) -> Result<Target, Error> {
    let Some(place) = domain::place(rx, &address.domain)? else {
        return Ok(Target::NotLocal);
    };
    if !place.active {
        return Ok(Target::Disabled);
    }
    let localpart = fold(&address.localpart);
    if let Some(found) = look_up_name(rx, &place, &localpart, None)? {
        return Ok(found);
    }
    if let Some((user, detail)) = split(&address.localpart, place.separator)
        && let Some(found) = look_up_name(rx, &place, &fold(&user), detail)?
    {
        return Ok(found);
    }
    if localpart.as_str() == POSTMASTER && postmaster.is_some() {
        return Ok(Target::Postmaster);
    }
    let catch_all = alias::find(rx, place.id, "")?;
    // A catch-all that is switched off is as good as none.
    Ok(match catch_all.filter(|alias| alias.active) {
        Some(alias) => Target::Alias(alias, None),
        None => Target::Unknown,
    })
}

fn look_up_name(
    rx: &mut dyn Reader,
    place: &Place,
    localpart: &Localpart,
    detail: Option<String>,
) -> Result<Option<Target>, Error> {
    let name = Address {
        localpart: localpart.clone(),
        domain: place.name.clone(),
    };
    if let Some(account) = account::recipient(rx, &name)? {
        return Ok(Some(Target::Account(account, detail)));
    }
    let alias = alias::find(rx, place.id, localpart.as_str())?;
    Ok(alias.map(|alias| Target::Alias(alias, detail)))
}

/// RFC 5233 §1: user and detail of a sub-address, split at the first separator that has something
/// in front of it.
fn split(localpart: &Localpart, separator: Option<char>) -> Option<(Localpart, Option<String>)> {
    let separator = separator?;
    let content = localpart.as_str();
    let first = content.chars().next()?.len_utf8();
    let at = content.get(first..)?.find(separator)?.checked_add(first)?;
    let (user, rest) = content.split_at_checked(at)?;
    let detail = rest
        .strip_prefix(separator)
        .filter(|detail| !detail.is_empty());
    Some((
        Localpart::from_content(user).ok()?,
        detail.map(str::to_owned),
    ))
}

/// The most resolutions that are kept.
const MAX_KEPT: usize = 4_096;
/// The most recipients of one that is kept.
const MAX_KEPT_RECIPIENTS: usize = 16;

/// Resolutions of this generation of the directory.
#[derive(Debug)]
pub(crate) struct Kept {
    generation: watch::Receiver<u64>,
    entries: Mutex<(u64, HashMap<Address, Expansion>)>,
}

impl Kept {
    pub(crate) fn new(generation: watch::Receiver<u64>) -> Self {
        Self {
            generation,
            entries: Mutex::default(),
        }
    }

    /// To be read before the database is.
    fn generation(&self) -> u64 {
        *self.generation.borrow()
    }

    fn get(&self, address: &Address) -> Option<Expansion> {
        let now = self.generation();
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if entries.0 == now {
            entries.1.get(address).cloned()
        } else {
            None
        }
    }

    /// Keeps what was read from the database after `generation` was asked for.
    fn put(&self, generation: u64, address: Address, expansion: &Expansion) {
        let recipients = expansion.local.len().saturating_add(expansion.remote.len());
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if recipients > MAX_KEPT_RECIPIENTS || generation < entries.0 {
            return;
        }
        if entries.0 != generation || entries.1.len() >= MAX_KEPT {
            *entries = (generation, HashMap::new());
        }
        entries.1.insert(address, expansion.clone());
    }
}

impl Directory {
    /// Where mail for `address` goes.
    ///
    /// # Errors
    /// [`Error::Expansion`] when its aliases exceed [`MAX_DEPTH`] or [`MAX_EXPANSION`], and the
    /// store's: in both cases mail must wait, not be refused for good.
    pub async fn resolve(&self, address: &Address) -> Result<Resolution, Error> {
        if let Some(expansion) = self.kept.get(address) {
            return Ok(Resolution::Deliver(expansion));
        }
        let generation = self.kept.generation();
        let (original, postmaster) = (address.clone(), self.postmaster.clone());
        let (resolution, lasting) = self
            .db
            .read(move |rx| resolve(rx, &original, postmaster.as_deref()))
            .await?;
        if let (Resolution::Deliver(expansion), Lasting::Yes) = (&resolution, lasting) {
            self.kept.put(generation, address.clone(), expansion);
        }
        Ok(resolution)
    }

    /// Where mail for a recipient goes that may be the bare `<postmaster>` (RFC 5321 §4.5.1),
    /// which is the designated postmaster.
    ///
    /// # Errors
    /// As [`Directory::resolve`].
    pub async fn resolve_path(&self, path: &ForwardPath) -> Result<Resolution, Error> {
        match (path, &self.postmaster) {
            (ForwardPath::Address(address), _) => self.resolve(address).await,
            (ForwardPath::Postmaster, Some(postmaster)) => {
                self.resolve(&Arc::clone(postmaster)).await
            }
            (ForwardPath::Postmaster, None) => Ok(Resolution::Unknown),
        }
    }

    /// Whether the account may write as `address`: it may if mail to the address reaches it, be
    /// it as its own name, by sub-address, alias domain, alias or catch-all.
    ///
    /// # Errors
    /// Only the store's. An address whose aliases cannot be followed is not the account's.
    pub async fn may_send_as(&self, identity: &Identity, address: &Address) -> Result<bool, Error> {
        match self.resolve(address).await {
            Ok(Resolution::Deliver(expansion)) => Ok(expansion
                .local
                .iter()
                .any(|recipient| recipient.account == identity.account)),
            Ok(_) | Err(Error::Expansion(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sub_addresses_split_at_the_first_separator_with_a_user_before_it() {
        for (content, separator, expected) in [
            ("ann+news", Some('+'), Some(("ann", Some("news")))),
            ("ann+news+more", Some('+'), Some(("ann", Some("news+more")))),
            ("Ann+News", Some('+'), Some(("Ann", Some("News")))),
            ("ann+", Some('+'), Some(("ann", None))),
            ("+news", Some('+'), None),
            ("+", Some('+'), None),
            ("++x", Some('+'), Some(("+", Some("x")))),
            ("ann", Some('+'), None),
            ("ann+news", Some('-'), None),
            ("ann-b-c", Some('-'), Some(("ann", Some("b-c")))),
            ("ann+news", None, None),
            ("é+ü", Some('+'), Some(("é", Some("ü")))),
        ] {
            let localpart = Localpart::from_content(content).unwrap();
            let found = split(&localpart, separator);
            let found = found
                .as_ref()
                .map(|(user, detail)| (user.as_str(), detail.as_deref()));
            assert_eq!(found, expected, "{content}");
        }
    }

    #[test]
    fn resolutions_are_kept_until_the_directory_changes() {
        let generation = watch::Sender::new(1);
        let kept = Kept::new(generation.subscribe());
        let ann = Address::parse("ann@example.org").unwrap();
        let expansion = Expansion {
            local: Vec::new(),
            remote: vec![ann.clone()],
        };
        let read_at = kept.generation();
        kept.put(read_at, ann.clone(), &expansion);
        assert_eq!(kept.get(&ann), Some(expansion.clone()));
        generation.send_replace(2);
        assert_eq!(kept.get(&ann), None);
        // Read before the change, put after it.
        kept.put(read_at, ann.clone(), &expansion);
        assert_eq!(kept.get(&ann), None);
        kept.put(2, ann.clone(), &expansion);
        kept.put(read_at, ann.clone(), &Expansion::default());
        assert_eq!(kept.get(&ann), Some(expansion));
        let large = Expansion {
            remote: vec![ann.clone(); MAX_KEPT_RECIPIENTS + 1],
            ..Expansion::default()
        };
        let list = Address::parse("list@example.org").unwrap();
        kept.put(2, list.clone(), &large);
        assert_eq!(kept.get(&list), None);
        for number in 0..=MAX_KEPT {
            let address = Address::parse(&format!("u{number}@example.org")).unwrap();
            kept.put(2, address, &Expansion::default());
        }
        assert!(kept.entries.lock().unwrap().1.len() <= MAX_KEPT);
    }
}
