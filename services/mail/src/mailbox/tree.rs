//! Listing: from rows that know their parent to full names.

use std::collections::HashMap;

use imap::{DELIMITER, MailboxName};
use store::{AccountId, Reader};

use super::{MailboxInfo, MailboxStatus};
use crate::{Error, MailboxId, Role};

const LIST: &str = "SELECT id, COALESCE(parent_id, 0), name, role, subscribed, \
    uidvalidity, uidnext, modseq, total, unseen, deleted, size \
    FROM mailbox WHERE account_id = ?1";
const SUBSCRIPTIONS: &str = "SELECT name FROM subscription WHERE account_id = ?1 ORDER BY name";

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[LIST, SUBSCRIPTIONS];

struct Node {
    id: i64,
    parent: i64,
    level: String,
    role: Option<Role>,
    subscribed: bool,
    status: MailboxStatus,
}

/// Every mailbox of the account: the INBOX first, then by name.
pub(super) fn list(rx: &mut dyn Reader, account: AccountId) -> Result<Vec<MailboxInfo>, Error> {
    let nodes = rx.query_all(LIST, &[account.into()], |row| {
        Ok(Node {
            id: row.int(0)?,
            parent: row.int(1)?,
            level: row.text(2)?.to_owned(),
            role: row.opt_text(3)?.and_then(Role::parse),
            subscribed: row.bool(4)?,
            status: MailboxStatus::read(row, 5)?,
        })
    })?;
    let by_id: HashMap<i64, &Node> = nodes.iter().map(|node| (node.id, node)).collect();
    let parents: std::collections::HashSet<i64> = nodes.iter().map(|node| node.parent).collect();
    let mut list = nodes
        .iter()
        .map(|node| {
            Ok(MailboxInfo {
                id: MailboxId(node.id),
                name: full_name(&by_id, node)?,
                role: node.role,
                subscribed: node.subscribed,
                has_children: parents.contains(&node.id),
                status: node.status,
            })
        })
        .collect::<Result<Vec<_>, Error>>()?;
    list.sort_by(|a, b| (!a.name.is_inbox(), &a.name).cmp(&(!b.name.is_inbox(), &b.name)));
    Ok(list)
}

fn full_name(by_id: &HashMap<i64, &Node>, node: &Node) -> Result<MailboxName, Error> {
    let mut levels = vec![node.level.as_str()];
    let mut parent = node.parent;
    while parent != 0 {
        let node = by_id
            .get(&parent)
            .ok_or(Error::Damaged("a mailbox without its parent"))?;
        if levels.len() >= MailboxName::MAX_DEPTH {
            return Err(Error::Damaged("mailboxes that are each other's parents"));
        }
        levels.push(&node.level);
        parent = node.parent;
    }
    levels.reverse();
    MailboxName::new(&levels.join(DELIMITER.encode_utf8(&mut [0; 4])))
        .map_err(|_| Error::Damaged("a mailbox with an impossible name"))
}

/// The names subscribed to that are no mailboxes.
pub(super) fn absent_subscriptions(
    rx: &mut dyn Reader,
    account: AccountId,
) -> Result<Vec<MailboxName>, Error> {
    let names = rx.query_all(SUBSCRIPTIONS, &[account.into()], |row| {
        Ok(MailboxName::new(row.text(0)?).ok())
    })?;
    Ok(names.into_iter().flatten().collect())
}
