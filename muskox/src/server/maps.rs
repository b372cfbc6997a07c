//! The administrator's maps as Rspamd's clients read and save them: behind [`filterd`]'s protocol.

use filterd::{MapError, MapSaved, MapSummary, Maps};
use futures_util::future::BoxFuture;
use policy::{Error, MapChange};

use super::Services;

/// Reads and saves maps for other programs.
#[derive(Debug)]
pub(super) struct FilterMaps {
    services: Services,
}

impl FilterMaps {
    pub(super) fn new(services: Services) -> Self {
        Self { services }
    }

    async fn saved(&self, name: &str, text: String) -> Result<MapSaved, MapError> {
        let change = MapChange {
            text: Some(text),
            ..MapChange::default()
        };
        let changed = self.services.policy.change_map(name, change).await;
        changed.map_err(refusal)?;
        let (revision, layers) = self.services.filter.refresh().await.map_err(|error| {
            tracing::error!(map = name, %error, "a saved map could not be put in force");
            MapError::Internal
        })?;
        tracing::info!(map = name, revision, "map saved by another program");
        Ok(MapSaved {
            revision,
            refused: layers.into_iter().flat_map(|layer| layer.refused).collect(),
        })
    }
}

impl Maps for FilterMaps {
    fn list(&self) -> BoxFuture<'_, Result<Vec<MapSummary>, MapError>> {
        Box::pin(async {
            let maps = self.services.policy.maps().await.map_err(refusal)?;
            Ok(maps
                .into_iter()
                .map(|map| MapSummary {
                    name: map.name,
                    kind: map.kind.name().to_owned(),
                    description: map.description,
                    active: map.active,
                })
                .collect())
        })
    }

    fn text(&self, name: String) -> BoxFuture<'_, Result<String, MapError>> {
        Box::pin(async move {
            let map = self.services.policy.map(&name).await.map_err(refusal)?;
            Ok(map.text)
        })
    }

    fn save(&self, name: String, text: String) -> BoxFuture<'_, Result<MapSaved, MapError>> {
        Box::pin(async move { self.saved(&name, text).await })
    }
}

fn refusal(error: Error) -> MapError {
    match error {
        Error::NotFound(_) => MapError::NotFound,
        error @ (Error::Store(_) | Error::Internal(_) | Error::NotLive { .. }) => {
            tracing::error!(%error, "a map could not be read or saved for another program");
            MapError::Internal
        }
        error => MapError::Invalid(error.to_string()),
    }
}
