//! Which programs wrote the data, and which may open them.

use crate::{Error, Reader, Tx};

/// SQLite only: the schema's version in the header is what every program looks at first.
const SCHEMA: &str = "PRAGMA user_version";
/// SQLite only. Databases before schema 5 lack the table.
const RECORDED: &str = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'provenance'";
const SELECT: &str = "SELECT name, value FROM provenance";
const RECORD: &str = "INSERT INTO provenance (name, value) VALUES (?1, ?2)
     ON CONFLICT (name) DO UPDATE SET value = excluded.value";

const CREATED_BY: &str = "created_by";
const CREATED_AT: &str = "created_at";
const OPENED_BY: &str = "opened_by";
const OPENED_AT: &str = "opened_at";
const OLDEST_SCHEMA: &str = "oldest_schema";

/// What the data say about the programs that wrote them. Dates are in the form of RFC 3339.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Provenance {
    /// The version of the program that made the database; `None` before schema 5.
    pub created_by: Option<String>,
    /// When that was.
    pub created_at: Option<String>,
    /// The version of the program that opened it last; `None` before schema 5.
    pub opened_by: Option<String>,
    /// When that was.
    pub opened_at: Option<String>,
    /// The version of the schema.
    pub schema: u32,
    /// A program may open the data if it knows this version of the schema. Always ≤ `schema`; less
    /// as long as it is possible to go back to an older program.
    pub oldest_schema: u32,
}

/// What the database says. One without the table may be opened by programs that know its schema.
pub(crate) fn read(reader: &mut dyn Reader) -> Result<Provenance, Error> {
    let schema = reader.query_one(SCHEMA, &[], |row| row.u32(0))?;
    let schema = schema.unwrap_or_default();
    let mut found = Provenance {
        schema,
        oldest_schema: schema,
        ..Provenance::default()
    };
    if !is_recorded(reader)? {
        return Ok(found);
    }
    reader.query(SELECT, &[], &mut |row| {
        let value = row.text(1)?;
        let text = Some(value.to_owned());
        match row.text(0)? {
            CREATED_BY => found.created_by = text,
            CREATED_AT => found.created_at = text,
            OPENED_BY => found.opened_by = text,
            OPENED_AT => found.opened_at = text,
            OLDEST_SCHEMA => found.oldest_schema = value.parse().unwrap_or(schema),
            _ => {}
        }
        Ok(())
    })?;
    Ok(found)
}

/// Writes down what is known of `provenance`, if the database has the table for it.
pub(crate) fn record(tx: &mut dyn Tx, provenance: &Provenance) -> Result<(), Error> {
    if !is_recorded(tx)? {
        return Ok(());
    }
    let numbers = [provenance.schema, provenance.oldest_schema].map(|number| number.to_string());
    let [schema, oldest_schema] = numbers.map(Some);
    for (name, value) in [
        (CREATED_BY, &provenance.created_by),
        (CREATED_AT, &provenance.created_at),
        (OPENED_BY, &provenance.opened_by),
        (OPENED_AT, &provenance.opened_at),
        ("schema", &schema),
        (OLDEST_SCHEMA, &oldest_schema),
    ] {
        if let Some(value) = value {
            tx.exec(RECORD, &[name.into(), value.into()])?;
        }
    }
    Ok(())
}

fn is_recorded(reader: &mut dyn Reader) -> Result<bool, Error> {
    Ok(reader.query_one(RECORDED, &[], |_| Ok(()))?.is_some())
}
