//! Which programs wrote the data, and the end of an upgrade.

use serde_json::json;

use super::{Handler, Outcome};
use crate::control::protocol::{Failure, FailureKind, UpgradeRequest};
use crate::version::{CHANNEL, VERSION};

impl Handler {
    pub(super) async fn upgrade(&self, request: UpgradeRequest) -> Outcome {
        let db = &self.services.db;
        let data = match request {
            UpgradeRequest::Status => db.provenance().await?,
            UpgradeRequest::Finalize => {
                let data = db.finalize().await?;
                tracing::info!(schema = data.schema, "the upgrade is finalized");
                data
            }
        };
        Ok(json!({
            "version": VERSION,
            "channel": CHANNEL,
            "created_by": data.created_by,
            "created_at": data.created_at,
            "opened_by": data.opened_by,
            "opened_at": data.opened_at,
            "schema": data.schema,
            "oldest_schema": data.oldest_schema,
        }))
    }
}

impl From<store::Error> for Failure {
    fn from(error: store::Error) -> Self {
        let kind = match error {
            store::Error::NotNewest { .. } => FailureKind::Conflict,
            _ => FailureKind::Internal,
        };
        Self::new(kind, error)
    }
}
