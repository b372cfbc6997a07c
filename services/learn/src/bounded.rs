//! Keeping a table small: rows expire, and beyond a limit the oldest go.

use ambient::Timestamp;
use store::{Db, Value};

use crate::Error;

/// Rows deleted in one transaction.
const BATCH: i64 = 2_000;

/// How a table is kept small. Statements are made by [`bounded!`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounded {
    /// The time of the newest row that is one too many: ?1 is the limit.
    pub(crate) surplus: &'static str,
    /// Deletes some rows of ?1 and before, ?2 at most.
    pub(crate) delete: &'static str,
    /// The most rows.
    pub(crate) limit: i64,
    /// Seconds from the time in the row until it expires.
    pub(crate) lifetime: i64,
}

/// `bounded!("table", "key columns", "column of the time", limit, lifetime)`.
macro_rules! bounded {
    ($table:literal, $key:literal, $time:literal, $limit:expr, $lifetime:expr) => {
        $crate::bounded::Bounded {
            surplus: concat!(
                "SELECT ",
                $time,
                " FROM ",
                $table,
                " ORDER BY ",
                $time,
                " DESC LIMIT 1 OFFSET ?1"
            ),
            delete: concat!(
                "DELETE FROM ",
                $table,
                " WHERE (",
                $key,
                ") IN (SELECT ",
                $key,
                " FROM ",
                $table,
                " WHERE ",
                $time,
                " <= ?1 ORDER BY ",
                $time,
                " LIMIT ?2)"
            ),
            limit: $limit,
            lifetime: $lifetime,
        }
    };
}
pub(crate) use bounded;

impl Bounded {
    /// Deletes what has expired at `now` and what is beyond the limit; answers how many rows.
    pub(crate) async fn purge(&self, db: &Db, now: Timestamp) -> Result<u64, Error> {
        let (surplus, limit) = (self.surplus, self.limit);
        let surplus: Option<Timestamp> = db
            .read::<_, store::Error, _>(move |rx| {
                rx.query_one(surplus, &[limit.into()], |row| row.time(0))
            })
            .await?;
        let expired = now.plus(-self.lifetime).plus(-1);
        let until = surplus.map_or(expired, |surplus| surplus.max(expired));
        let delete = self.delete;
        let mut deleted = 0;
        loop {
            let batch = db
                .write::<_, store::Error, _>(move |tx| {
                    tx.exec(delete, &[until.into(), Value::Int(BATCH)])
                })
                .await?;
            let batch = u64::try_from(batch).unwrap_or(u64::MAX);
            deleted += batch;
            if batch < BATCH.unsigned_abs() {
                return Ok(deleted);
            }
        }
    }
}
