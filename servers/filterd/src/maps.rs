//! The administrator's maps, as Rspamd's controller shows and saves them.

use std::fmt;

use futures_util::future::BoxFuture;

/// The maps behind `/maps`, `/getmap` and `/savemap`.
pub trait Maps: Send + Sync + fmt::Debug {
    /// All of them, without their lines.
    fn list(&self) -> BoxFuture<'_, Result<Vec<MapSummary>, MapError>>;

    /// The lines of one.
    fn text(&self, name: String) -> BoxFuture<'_, Result<String, MapError>>;

    /// Replaces the lines of one. The answer comes when they are on disk and in force.
    fn save(&self, name: String, text: String) -> BoxFuture<'_, Result<MapSaved, MapError>>;
}

/// A map in the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MapSummary {
    /// Its name, by which it is asked for.
    pub name: String,
    /// What its lines are, such as `pattern`.
    pub kind: String,
    /// For people.
    pub description: String,
    /// Whether it counts.
    pub active: bool,
}

/// What came of saving.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MapSaved {
    /// The revision of the rules that is in force now.
    pub revision: u64,
    /// Lines that are kept but cannot be used, each with the reason.
    pub refused: Vec<String>,
}

/// Why there is no answer. What it displays may be shown to the peer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MapError {
    /// There is none of this name.
    #[error("there is no such map")]
    NotFound,
    /// The lines cannot be used: which, where and why. Nothing was changed.
    #[error("{0}")]
    Invalid(String),
    /// Something of ours is broken; reasons are the implementation's to log.
    #[error("the maps cannot be reached")]
    Internal,
}
