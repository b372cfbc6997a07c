//! The rows of `keyword`: a user's own keywords, by message.

use imap::Keyword;
use store::{Reader, Tx};

use crate::{Error, MessageId};

// In the order of their bytes: sorted again below, without regard to case.
const OF_MESSAGE: &str = "SELECT name FROM keyword WHERE message_id = ?1";
const ADD: &str = "INSERT INTO keyword (message_id, name) VALUES (?1, ?2)";
const REMOVE: &str = "DELETE FROM keyword WHERE message_id = ?1 AND name = ?2";
const COPY: &str = "INSERT INTO keyword (message_id, name) \
    SELECT ?2, name FROM keyword WHERE message_id = ?1";

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[OF_MESSAGE, ADD, REMOVE, COPY];

/// A keyword as stored. One that is no keyword any more is passed over.
pub(crate) fn read(name: &str) -> Option<Keyword> {
    Keyword::new(name)
}

/// The keywords of a message, sorted.
pub(crate) fn of(rx: &mut dyn Reader, message: MessageId) -> Result<Vec<Keyword>, Error> {
    let names = rx.query_all(OF_MESSAGE, &[message.0.into()], |row| {
        Ok(read(row.text(0)?))
    })?;
    let mut keywords: Vec<_> = names.into_iter().flatten().collect();
    keywords.sort();
    keywords.dedup();
    Ok(keywords)
}

/// Gives a message keywords that it does not have.
pub(crate) fn add(tx: &mut dyn Tx, message: MessageId, keywords: &[Keyword]) -> Result<(), Error> {
    for keyword in keywords {
        tx.exec(ADD, &[message.0.into(), keyword.as_str().into()])?;
    }
    Ok(())
}

/// Takes keywords, spelt as they are stored, from a message.
pub(crate) fn remove(
    tx: &mut dyn Tx,
    message: MessageId,
    keywords: &[Keyword],
) -> Result<(), Error> {
    for keyword in keywords {
        tx.exec(REMOVE, &[message.0.into(), keyword.as_str().into()])?;
    }
    Ok(())
}

/// Gives the keywords of one message to another that has none.
pub(crate) fn copy(tx: &mut dyn Tx, from: MessageId, to: MessageId) -> Result<(), Error> {
    tx.exec(COPY, &[from.0.into(), to.0.into()])?;
    Ok(())
}
