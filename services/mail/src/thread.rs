//! Which conversation a message belongs to.
//!
//! Two messages are in one thread when they share a message identifier among their Message-ID,
//! In-Reply-To and References (RFC 8621 §3, without its optional look at subjects: equal subjects
//! of unrelated messages never join). A message that connects several threads joins the oldest of
//! them; the others stay what they are, because a thread's identity never changes.
//!
//! `thread_ref` keeps a hash of every identifier seen, so a reply finds its thread also when what
//! it replies to has been removed or arrives later.

use mime::Summary;
use store::Value;

use crate::Error;
use crate::change::Change;

/// Identifiers of one message that are looked at: its own, then the nearest ancestors.
const MAX_IDENTIFIERS: usize = 16;

const FIND_ONE: &str =
    "SELECT msgid_hash, thread_id FROM thread_ref WHERE account_id = ?1 AND msgid_hash = ?2";
// Sixteen at once: the unused places repeat the last hash.
const FIND_MANY: &str = "SELECT msgid_hash, thread_id FROM thread_ref WHERE account_id = ?1 \
    AND msgid_hash IN (?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)";
const REMEMBER: &str =
    "INSERT INTO thread_ref (account_id, msgid_hash, thread_id) VALUES (?1, ?2, ?3)";

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[FIND_ONE, FIND_MANY, REMEMBER];

/// The thread of a new message: that of an identifier it shares, or a new one called `number`.
pub(crate) fn assign(
    change: &mut Change<'_>,
    summary: &Summary,
    number: u32,
) -> Result<i64, Error> {
    let hashes = identifiers(summary);
    let known = find(change, &hashes)?;
    let thread = known
        .iter()
        .map(|(_, thread)| *thread)
        .min()
        .unwrap_or_else(|| number.into());
    for hash in hashes
        .iter()
        .filter(|hash| !known.iter().any(|(seen, _)| seen == *hash))
    {
        let params = [change.account.into(), (*hash).into(), thread.into()];
        change.tx.exec(REMEMBER, &params)?;
    }
    Ok(thread)
}

/// The known ones among `hashes`, each with its threads.
fn find(change: &mut Change<'_>, hashes: &[i64]) -> Result<Vec<(i64, i64)>, Error> {
    let account: Value<'_> = change.account.into();
    let found = match hashes {
        [] => return Ok(Vec::new()),
        [one] => change
            .tx
            .query_all(FIND_ONE, &[account, (*one).into()], pair)?,
        [.., last] => {
            let mut params = [Value::Int(*last); MAX_IDENTIFIERS + 1];
            let values = std::iter::once(account).chain(hashes.iter().map(|hash| (*hash).into()));
            for (place, value) in params.iter_mut().zip(values) {
                *place = value;
            }
            change.tx.query_all(FIND_MANY, &params, pair)?
        }
    };
    Ok(found)
}

fn pair(row: &store::Row<'_>) -> Result<(i64, i64), store::Error> {
    Ok((row.int(0)?, row.int(1)?))
}

/// Hashes of the identifiers, none twice.
fn identifiers(summary: &Summary) -> Vec<i64> {
    let own = summary.envelope.message_id.as_deref().unwrap_or_default();
    let replied = summary.envelope.in_reply_to.as_deref().unwrap_or_default();
    let own = mime::header::message_ids(own).take(1);
    let replied = mime::header::message_ids(replied);
    // RFC 5322 §3.6.4: the last reference is the parent.
    let ancestors = summary.references.iter().rev().map(Vec::as_slice);
    let mut hashes = Vec::new();
    for id in own.chain(replied.take(MAX_IDENTIFIERS)).chain(ancestors) {
        let hash = hash(id);
        if hashes.len() < MAX_IDENTIFIERS && !hashes.contains(&hash) {
            hashes.push(hash);
        }
    }
    hashes
}

/// Stored, so it must stay the same in every version.
fn hash(id: &[u8]) -> i64 {
    let digest = blake3::hash(id);
    let mut first = [0; 8];
    for (to, from) in first.iter_mut().zip(digest.as_bytes()) {
        *to = *from;
    }
    i64::from_le_bytes(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_the_messages_own_then_its_nearest_ancestors() {
        let raw = b"Message-ID: <own@x>\r\nIn-Reply-To: <parent@x>\r\n\
            References: <root@x> <middle@x>\r\n <parent@x>\r\n\r\n";
        let expected = ["own@x", "parent@x", "middle@x", "root@x"].map(|id| hash(id.as_bytes()));
        assert_eq!(identifiers(&Summary::parse(raw)), expected);
    }

    #[test]
    fn a_thousand_references_are_capped() {
        let references: String = (0..1000).map(|n| format!(" <{n}@x>\r\n")).collect();
        let raw = format!("References:{references}\r\n\r\n");
        assert_eq!(
            identifiers(&Summary::parse(raw.as_bytes())).len(),
            MAX_IDENTIFIERS
        );
        assert!(identifiers(&Summary::parse(b"Subject: x\r\n\r\n")).is_empty());
    }

    #[test]
    fn the_stored_hash_never_changes() {
        assert_eq!(
            hash(b"a@b"),
            i64::from_le_bytes(blake3::hash(b"a@b").as_bytes()[..8].try_into().unwrap())
        );
    }
}
