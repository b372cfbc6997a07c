//! The rules in force: rule sets and the administrator's maps, compiled, replaced while mail flows.
//!
//! Two layers: the rule sets, which change seldom, and the maps, which change with every click.
//! Each has its own pattern database, so that editing a map compiles and stores nothing else. Maps
//! are asked first, so that rules may refer to their symbols.
//!
//! Starting never waits for a compiler: databases that lie in the cache directory are mapped before
//! [`Rulebook::start`] returns; anything else is compiled in the background, and who judges a
//! message meanwhile waits for it ([`Rulebook::ready`]). A set that cannot be compiled later leaves
//! the one before it in force.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use patterns::live::{Live, Origin, Ticket};
use patterns::store::{Loaded, Store};
use patterns::{Compiler, Database, PatternSet, Refused};
use rules::{Book, RuleError, RuleSet};
use serde::Serialize;
use tokio::sync::watch;

/// One book and the database of its patterns.
#[derive(Debug, Clone)]
pub(crate) struct Layer {
    pub(crate) book: Arc<Book>,
    pub(crate) database: Database,
}

/// What messages are judged by.
#[derive(Debug)]
pub(crate) struct Rules {
    /// Grows with every change since the start.
    pub(crate) revision: u64,
    pub(crate) maps: Layer,
    pub(crate) sets: Layer,
}

/// Which layer is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Which {
    Maps,
    Sets,
}

impl Which {
    fn name(self) -> &'static str {
        match self {
            Self::Maps => "maps",
            Self::Sets => "rules",
        }
    }
}

/// How a layer came into force.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LayerStatus {
    /// `rules` or `maps`.
    pub layer: &'static str,
    /// `loaded` from the cache, `compiled`, or `unchanged`.
    pub origin: &'static str,
    /// Rules of the layer.
    pub rules: usize,
    /// Its patterns.
    pub patterns: usize,
    /// Of them those that cannot be compiled; a message each.
    pub refused: Vec<String>,
    /// Patterns compiled for it, and those taken over from before.
    pub compiled: usize,
    /// Those taken over from an earlier database.
    pub reused: usize,
    /// Octets of the database.
    pub bytes: usize,
    /// Milliseconds from the rules as text until they were in force.
    pub milliseconds: f64,
    /// The digest of its patterns, which names its file.
    pub digest: String,
    /// What went wrong on the way without keeping it from coming into force.
    pub troubles: Vec<String>,
}

/// What `muskox rules status` shows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RulesStatus {
    /// The revision in force.
    pub revision: u64,
    /// Both layers.
    pub layers: Vec<LayerStatus>,
    /// Symbols that rules ask for and nobody gives.
    pub unresolved: Vec<String>,
}

/// Why rules did not come into force. Those before them stay.
#[derive(Debug, thiserror::Error)]
pub enum RulebookError {
    /// They contradict themselves.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Rules(Vec<RuleError>),
    /// Patterns cannot be compiled.
    #[error("{0}")]
    Patterns(String),
}

/// What is applied to one layer: its lock makes changes of a layer come one after another.
#[derive(Debug, Default)]
struct Desk {
    live: Option<Live>,
}

/// The rules in force.
#[derive(Debug)]
pub(crate) struct Rulebook {
    cache: Option<PathBuf>,
    current: ArcSwapOption<Rules>,
    status: Mutex<[Option<LayerStatus>; 2]>,
    maps: Mutex<Desk>,
    sets: Mutex<Desk>,
    /// What the layers in force were made of.
    sources: Mutex<[Vec<Arc<RuleSet>>; 2]>,
    /// Joins layers: only held for moments.
    join: Mutex<[Option<Layer>; 2]>,
    ready: watch::Sender<bool>,
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Rulebook {
    /// A rulebook without rules yet. Databases are kept below `cache`; without it nothing outlives
    /// the process.
    pub(crate) fn new(cache: Option<PathBuf>) -> Self {
        Self {
            cache,
            current: ArcSwapOption::empty(),
            status: Mutex::default(),
            maps: Mutex::default(),
            sets: Mutex::default(),
            sources: Mutex::default(),
            join: Mutex::default(),
            ready: watch::Sender::new(false),
        }
    }

    /// Puts the first rules in force: at once what the cache has, the rest in the background.
    /// Returns a handle of the background work, which need not be waited for.
    pub(crate) fn start(
        self: &Arc<Self>,
        sets: Vec<Arc<RuleSet>>,
        maps: Arc<RuleSet>,
    ) -> std::io::Result<std::thread::JoinHandle<()>> {
        let mut left = Vec::new();
        for (which, sets) in [(Which::Maps, vec![maps]), (Which::Sets, sets)] {
            match self.load(which, &sets) {
                Ok(Some(status)) => self.announce(which, &status),
                Ok(None) => left.push((which, sets, None)),
                Err(reason) => left.push((which, sets, Some(reason))),
            }
        }
        let book = Arc::clone(self);
        std::thread::Builder::new()
            .name("rules".to_owned())
            .spawn(move || {
                for (which, sets, reason) in left {
                    if let Err(error) = book.apply(which, &sets, reason) {
                        tracing::error!(layer = which.name(), %error, "the rules cannot be used");
                    }
                }
                book.ready.send_replace(true);
            })
    }

    /// Puts a layer in force whose database lies in the cache; none when it does not, an error when
    /// what lies there is no good.
    fn load(&self, which: Which, sets: &[Arc<RuleSet>]) -> Result<Option<LayerStatus>, String> {
        let started = Instant::now();
        let Some(store) = self.store(which) else {
            return Ok(None);
        };
        // Rules that contradict themselves are reported by whoever compiles them.
        let Ok(book) = Book::new(&sets.iter().map(Arc::as_ref).collect::<Vec<_>>()) else {
            return Ok(None);
        };
        let Ok(patterns) = book.patterns() else {
            return Ok(None);
        };
        let digest = patterns.digest();
        let database = match store.load(&digest) {
            Loaded::Ready(database) => database,
            Loaded::Missing => return Ok(None),
            Loaded::Unusable(reason) => return Err(reason.to_string()),
        };
        let status = LayerStatus {
            layer: which.name(),
            origin: "loaded",
            rules: book.rules().count(),
            patterns: patterns.len(),
            refused: database.refused().map(|refused| told(&refused)).collect(),
            compiled: 0,
            reused: patterns.len(),
            bytes: database.as_bytes().len(),
            milliseconds: milliseconds(started.elapsed()),
            digest: digest.to_string(),
            troubles: Vec::new(),
        };
        self.install(
            which,
            Layer {
                book: Arc::new(book),
                database,
            },
            sets,
        );
        Ok(Some(status))
    }

    fn store(&self, which: Which) -> Option<Store> {
        let directory = self.cache.as_ref()?.join(which.name());
        match Store::open(&directory) {
            Ok(store) => Some(store),
            Err(error) => {
                tracing::info!(%error, "no pattern cache: patterns are compiled at every start");
                None
            }
        }
    }

    /// Puts other rule sets in force; none when they are those that are.
    pub(crate) fn replace_sets(
        &self,
        sets: &[Arc<RuleSet>],
    ) -> Result<Option<LayerStatus>, RulebookError> {
        self.replace(Which::Sets, sets)
    }

    /// Puts other maps in force; none when they are those that are.
    pub(crate) fn replace_maps(
        &self,
        maps: &Arc<RuleSet>,
    ) -> Result<Option<LayerStatus>, RulebookError> {
        self.replace(Which::Maps, std::slice::from_ref(maps))
    }

    fn replace(
        &self,
        which: Which,
        sets: &[Arc<RuleSet>],
    ) -> Result<Option<LayerStatus>, RulebookError> {
        let same = {
            let sources = lock(&self.sources);
            let source = sources.get(which as usize).map_or(&[][..], Vec::as_slice);
            let pairs = source.iter().zip(sets);
            source.len() == sets.len()
                && self.current().is_some()
                && pairs
                    .into_iter()
                    .all(|(old, new)| Arc::ptr_eq(old, new) || old == new)
        };
        if same {
            return Ok(None);
        }
        self.apply(which, sets, None).map(Some)
    }

    /// Compiles a layer and puts it in force. Blocks for as long as that takes. `trouble` is why
    /// there was no database to begin with.
    fn apply(
        &self,
        which: Which,
        sets: &[Arc<RuleSet>],
        trouble: Option<String>,
    ) -> Result<LayerStatus, RulebookError> {
        let desk = match which {
            Which::Maps => &self.maps,
            Which::Sets => &self.sets,
        };
        let mut desk = lock(desk);
        let started = Instant::now();
        let book = Book::new(&sets.iter().map(Arc::as_ref).collect::<Vec<_>>())
            .map_err(RulebookError::Rules)?;
        let patterns = book
            .patterns()
            .map_err(|error| RulebookError::Rules(vec![error]))?;
        let count = patterns.len();
        let (database, mut status) = self.compile(which, &mut desk, patterns)?;
        status.rules = book.rules().count();
        status.patterns = count;
        let layer = Layer {
            book: Arc::new(book),
            database,
        };
        self.install(which, layer, sets);
        status.milliseconds = milliseconds(started.elapsed());
        status.troubles.extend(trouble);
        self.announce(which, &status);
        Ok(status)
    }

    fn compile(
        &self,
        which: Which,
        desk: &mut Desk,
        patterns: PatternSet,
    ) -> Result<(Database, LayerStatus), RulebookError> {
        let failed = |error: patterns::live::Failed| RulebookError::Patterns(error.to_string());
        let applied = match &desk.live {
            Some(live) => {
                let ticket: Ticket = live.submit(patterns);
                ticket.wait().map_err(failed)?
            }
            None => {
                let live = Live::start(self.store(which), patterns).map_err(failed)?;
                let first = live.first();
                desk.live = Some(live);
                first
            }
        };
        let live = desk
            .live
            .as_ref()
            .ok_or_else(|| RulebookError::Patterns("no compiler".to_owned()))?;
        let database = live.current().database().clone();
        let refused = applied.refused.iter().map(told).collect();
        let status = LayerStatus {
            layer: which.name(),
            origin: match applied.origin {
                Origin::Unchanged => "unchanged",
                Origin::Stored => "loaded",
                Origin::Compiled => "compiled",
            },
            rules: 0,
            patterns: 0,
            refused,
            compiled: applied.compiled,
            reused: applied.reused,
            bytes: database.as_bytes().len(),
            milliseconds: 0.0,
            digest: applied.digest.to_string(),
            troubles: applied.troubles.iter().map(ToString::to_string).collect(),
        };
        Ok((database, status))
    }

    /// Says in one line how a layer came into force, and keeps it for the status.
    fn announce(&self, which: Which, status: &LayerStatus) {
        tracing::info!(
            layer = status.layer,
            origin = status.origin,
            patterns = status.patterns,
            ms = status.milliseconds,
            compiled = status.compiled,
            refused = status.refused.len(),
            reason = status.troubles.first().map_or("", String::as_str),
            "pattern database ready"
        );
        if let Some(slot) = lock(&self.status).get_mut(which as usize) {
            *slot = Some(status.clone());
        }
    }

    /// Swaps one layer; messages that are being judged finish on the old one.
    fn install(&self, which: Which, layer: Layer, sets: &[Arc<RuleSet>]) {
        if let Some(source) = lock(&self.sources).get_mut(which as usize) {
            *source = sets.to_vec();
        }
        let mut joined = lock(&self.join);
        if let Some(slot) = joined.get_mut(which as usize) {
            *slot = Some(layer);
        }
        if let [Some(maps), Some(sets)] = &*joined {
            let revision = self
                .current
                .load()
                .as_ref()
                .map_or(0, |rules| rules.revision);
            self.current.store(Some(Arc::new(Rules {
                revision: revision + 1,
                maps: maps.clone(),
                sets: sets.clone(),
            })));
        }
    }

    /// The rules in force; none before the first are.
    pub(crate) fn current(&self) -> Option<Arc<Rules>> {
        self.current.load_full()
    }

    /// The rules in force, waiting for the first ones at most `patience`.
    pub(crate) async fn ready(&self, patience: Duration) -> Option<Arc<Rules>> {
        if let Some(rules) = self.current() {
            return Some(rules);
        }
        let mut ready = self.ready.subscribe();
        // Both an end of the wait and of the sender leave what there is.
        let _ = tokio::time::timeout(patience, ready.wait_for(|ready| *ready)).await;
        self.current()
    }

    /// Waits until nothing of the start is left to be done.
    pub(crate) async fn started(&self) {
        // The sender lives as long as the rulebook.
        let _ = self.ready.subscribe().wait_for(|ready| *ready).await;
    }

    pub(crate) fn status(&self) -> RulesStatus {
        let rules = self.current();
        RulesStatus {
            revision: rules.as_ref().map_or(0, |rules| rules.revision),
            layers: lock(&self.status).iter().flatten().cloned().collect(),
            unresolved: rules.map_or_else(Vec::new, |rules| {
                rules.sets.book.unresolved().map(str::to_owned).collect()
            }),
        }
    }
}

/// Whether rule sets fit together, and whether all patterns of the last one can be compiled. What
/// `previous` has compiled is not compiled again.
pub(crate) fn check(
    sets: &[Arc<RuleSet>],
    previous: Option<&Database>,
) -> Result<(), RulebookError> {
    let sets: Vec<&RuleSet> = sets.iter().map(Arc::as_ref).collect();
    let book = Book::new(&sets).map_err(RulebookError::Rules)?;
    let patterns = book
        .patterns()
        .map_err(|error| RulebookError::Rules(vec![error]))?;
    let rules = sets.last().map_or(&[][..], |set| &set.rules);
    let own: HashSet<&str> = rules.iter().map(|rule| rule.symbol.as_str()).collect();
    let compiled = Compiler::new().compile(&patterns, previous);
    let refused = compiled.refused.iter();
    let refused: Vec<String> = refused
        .filter(|refused| own.contains(refused.name.as_str()))
        .map(told)
        .collect();
    match refused.is_empty() {
        true => Ok(()),
        false => Err(RulebookError::Patterns(refused.join("; "))),
    }
}

/// A refused pattern in one line.
fn told(refused: &Refused) -> String {
    format!("{} ({}): {}", refused.name, refused.scope, refused.reason)
}

fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}
