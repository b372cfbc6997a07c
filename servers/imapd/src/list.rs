//! LIST with its options, and LSUB.

use std::collections::BTreeSet;

use imap::command::{List, ListReturn, ListSelection, Lsub};
use imap::response::{ListData, ListDelimiter, ListKind, MailboxAttribute};
use imap::{DELIMITER, ListPattern, MailboxName};
use mail::MailboxInfo;

use crate::client::{Answer, Client, done};
use crate::user::User;

/// One name that may be listed: a mailbox, or a subscription without one.
enum Candidate {
    Mailbox(MailboxInfo),
    Absent(MailboxName),
}

impl Candidate {
    fn name(&self) -> &MailboxName {
        match self {
            Self::Mailbox(info) => &info.name,
            Self::Absent(name) => name,
        }
    }

    fn is_subscribed(&self) -> bool {
        match self {
            Self::Mailbox(info) => info.subscribed,
            Self::Absent(_) => true,
        }
    }

    /// Whether the selection options take it.
    fn is_selected(&self, selection: ListSelection) -> bool {
        let has_use = match self {
            Self::Mailbox(info) => info.role.and_then(mail::Role::special_use).is_some(),
            Self::Absent(_) => false,
        };
        (!selection.subscribed || self.is_subscribed()) && (!selection.special_use || has_use)
    }

    fn attributes(&self, tells_subscribed: bool) -> Vec<MailboxAttribute> {
        let mut attributes = Vec::with_capacity(3);
        match self {
            Self::Mailbox(info) => {
                attributes.push(match info.has_children {
                    true => MailboxAttribute::HasChildren,
                    false => MailboxAttribute::HasNoChildren,
                });
                let special_use = info.role.and_then(mail::Role::special_use);
                attributes.extend(special_use.map(MailboxAttribute::SpecialUse));
            }
            Self::Absent(_) => attributes.push(MailboxAttribute::NonExistent),
        }
        if tells_subscribed && self.is_subscribed() {
            attributes.push(MailboxAttribute::Subscribed);
        }
        attributes
    }
}

impl Client {
    /// RFC 9051 §6.3.9. Children and special uses are always told.
    pub(crate) async fn list(&mut self, user: &User, list: &List) -> Answer {
        if !list.is_extended() && list.patterns.iter().all(ListPattern::is_empty) {
            self.say(&ListDelimiter(ListKind::List));
            return Ok(done("LIST"));
        }
        let selection = list.selection.unwrap_or_default();
        let returns = list.returns.clone().unwrap_or_default();
        let mut candidates = self.mailboxes(user).await?;
        if selection.subscribed {
            candidates.extend(self.absent(user).await?);
            candidates.sort_by(|a, b| sort_key(a.name()).cmp(&sort_key(b.name())));
        }
        let patterns = patterns(&list.reference, &list.patterns);
        let parents = match selection.recursive_match {
            true => parents_of_hidden(&candidates, selection, &patterns),
            false => BTreeSet::new(),
        };
        for candidate in &candidates {
            let is_parent = parents.contains(candidate.name().as_str());
            let is_listed = candidate.is_selected(selection) || is_parent;
            if is_listed
                && patterns
                    .iter()
                    .any(|pattern| pattern.matches(candidate.name()))
            {
                self.tell_candidate(candidate, selection, &returns, is_parent);
                self.io.flush_if_large().await?;
            }
        }
        Ok(done("LIST"))
    }

    fn tell_candidate(
        &mut self,
        candidate: &Candidate,
        selection: ListSelection,
        returns: &ListReturn,
        is_parent: bool,
    ) {
        let attributes = candidate.attributes(selection.subscribed || returns.subscribed);
        self.say(&ListData {
            kind: ListKind::List,
            attributes: &attributes,
            mailbox: candidate.name(),
            child_subscribed: is_parent && selection.subscribed,
            old_name: None,
        });
        // RFC 5819 §2: STATUS follows LIST, only for what can be selected.
        if let Candidate::Mailbox(info) = candidate
            && !returns.status.is_empty()
        {
            self.tell_status(&info.name, &info.status, &returns.status);
        }
    }

    /// RFC 3501 §6.3.9: subscriptions; a level that `%` stops at is shown as `\Noselect` when only
    /// names below it are subscribed.
    pub(crate) async fn lsub(&mut self, user: &User, lsub: &Lsub) -> Answer {
        if lsub.pattern.is_empty() {
            self.say(&ListDelimiter(ListKind::Lsub));
            return Ok(done("LSUB"));
        }
        let mut subscribed = self.mailboxes(user).await?;
        subscribed.retain(Candidate::is_subscribed);
        subscribed.extend(self.absent(user).await?);
        let patterns = patterns(&lsub.reference, std::slice::from_ref(&lsub.pattern));
        let stops = lsub.pattern.as_str().ends_with('%');
        let mut names: Vec<(&MailboxName, &[MailboxAttribute])> = Vec::new();
        let mut above: BTreeSet<MailboxName> = BTreeSet::new();
        for candidate in &subscribed {
            let name = candidate.name();
            if patterns.iter().any(|pattern| pattern.matches(name)) {
                names.push((name, &[]));
            } else if stops {
                let parents = std::iter::successors(name.parent(), MailboxName::parent);
                above.extend(parents.filter(|parent| patterns.iter().any(|p| p.matches(parent))));
            }
        }
        for (name, _) in &names {
            above.remove(*name);
        }
        names.extend(
            above
                .iter()
                .map(|name| (name, &[MailboxAttribute::NoSelect][..])),
        );
        names.sort_by(|a, b| sort_key(a.0).cmp(&sort_key(b.0)));
        for (mailbox, attributes) in names {
            let (kind, child_subscribed, old_name) = (ListKind::Lsub, false, None);
            self.say(&ListData {
                kind,
                attributes,
                mailbox,
                child_subscribed,
                old_name,
            });
            self.io.flush_if_large().await?;
        }
        Ok(done("LSUB"))
    }

    async fn mailboxes(&self, user: &User) -> Result<Vec<Candidate>, mail::Error> {
        let mailboxes = self.server.mail.list(user.account()).await?;
        Ok(mailboxes.into_iter().map(Candidate::Mailbox).collect())
    }

    async fn absent(&self, user: &User) -> Result<Vec<Candidate>, mail::Error> {
        let names = self
            .server
            .mail
            .absent_subscriptions(user.account())
            .await?;
        Ok(names.into_iter().map(Candidate::Absent).collect())
    }
}

/// The INBOX first, then by name.
fn sort_key(name: &MailboxName) -> (bool, &MailboxName) {
    (!name.is_inbox(), name)
}

/// RFC 9051 §6.3.9: patterns interpreted from the reference. What is too long matches nothing.
fn patterns(reference: &ListPattern, patterns: &[ListPattern]) -> Vec<ListPattern> {
    patterns
        .iter()
        .filter_map(|pattern| reference.join(pattern).ok())
        .collect()
}

/// RFC 9051 §6.3.9.6: the names above those that the selection takes and no pattern shows.
fn parents_of_hidden<'c>(
    candidates: &'c [Candidate],
    selection: ListSelection,
    patterns: &[ListPattern],
) -> BTreeSet<&'c str> {
    let mut parents = BTreeSet::new();
    for candidate in candidates
        .iter()
        .filter(|candidate| candidate.is_selected(selection))
    {
        let name = candidate.name();
        if !patterns.iter().any(|pattern| pattern.matches(name)) {
            let name = name.as_str();
            parents.extend(
                name.match_indices(DELIMITER)
                    .filter_map(|(at, _)| name.get(..at)),
            );
        }
    }
    parents
}
