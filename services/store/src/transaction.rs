//! What a closure sees of the database.
//!
//! Both traits are synchronous and object-safe, so that domain code is written once for every back
//! end. A closure gets `&mut dyn Tx` or `&mut dyn Reader`; the former coerces to the latter where
//! a function only reads.

use ambient::Timestamp;

use crate::{Error, Event, Row, Value};

/// One read transaction: every query sees the same state.
pub trait Reader {
    /// Runs `sql` and calls `each` for every row; an error of `each` ends the query and is
    /// returned. In a [`Tx`] this is also how a statement with `RETURNING` runs.
    ///
    /// # Errors
    /// Those of the engine, a wrong number of `params`, and those of `each`.
    fn query(
        &mut self,
        sql: &'static str,
        params: &[Value<'_>],
        each: &mut dyn FnMut(&Row<'_>) -> Result<(), Error>,
    ) -> Result<(), Error>;
}

/// One write transaction. It commits when its closure returns `Ok` and leaves no trace when the
/// closure returns `Err` or panics.
pub trait Tx: Reader {
    /// Runs a statement that returns no rows; answers how many rows it changed.
    ///
    /// # Errors
    /// Those of the engine; [`Error::Constraint`] leaves the transaction usable.
    fn exec(&mut self, sql: &'static str, params: &[Value<'_>]) -> Result<usize, Error>;

    /// Publishes `event` once this transaction is on disk; never if it fails.
    fn after_commit(&mut self, event: Event);

    /// The time of this transaction; it stands still while the closure runs.
    fn now(&self) -> Timestamp;
}

impl dyn Reader + '_ {
    /// The first row of a query, or `None`. Further rows are passed over.
    ///
    /// # Errors
    /// Those of [`Reader::query`] and of `map`.
    pub fn query_one<T>(
        &mut self,
        sql: &'static str,
        params: &[Value<'_>],
        mut map: impl FnMut(&Row<'_>) -> Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        let mut found = None;
        self.query(sql, params, &mut |row| {
            if found.is_none() {
                found = Some(map(row)?);
            }
            Ok(())
        })?;
        Ok(found)
    }

    /// All rows of a query. Callers bound the number of rows in the SQL.
    ///
    /// # Errors
    /// Those of [`Reader::query`] and of `map`.
    pub fn query_all<T>(
        &mut self,
        sql: &'static str,
        params: &[Value<'_>],
        mut map: impl FnMut(&Row<'_>) -> Result<T, Error>,
    ) -> Result<Vec<T>, Error> {
        let mut found = Vec::new();
        self.query(sql, params, &mut |row| {
            found.push(map(row)?);
            Ok(())
        })?;
        Ok(found)
    }
}

impl dyn Tx + '_ {
    /// The first row of a query or of a statement with `RETURNING`, or `None`.
    ///
    /// # Errors
    /// Those of [`Reader::query`] and of `map`.
    pub fn query_one<T>(
        &mut self,
        sql: &'static str,
        params: &[Value<'_>],
        map: impl FnMut(&Row<'_>) -> Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        let reader: &mut dyn Reader = self;
        reader.query_one(sql, params, map)
    }

    /// All rows of a query or of a statement with `RETURNING`.
    ///
    /// # Errors
    /// Those of [`Reader::query`] and of `map`.
    pub fn query_all<T>(
        &mut self,
        sql: &'static str,
        params: &[Value<'_>],
        map: impl FnMut(&Row<'_>) -> Result<T, Error>,
    ) -> Result<Vec<T>, Error> {
        let reader: &mut dyn Reader = self;
        reader.query_all(sql, params, map)
    }
}
