//! The filter and what it works with, put together from a configuration.

use std::path::PathBuf;
use std::sync::Arc;

use ambient::Clock;
use antivirus::{Antivirus, OnFailure};
use blocklist::Blocklist;
use dns::Resolver;
use filter::{Filter, Thresholds, Tuning};
use learn::Learn;
use parsebox::Parsebox;
use policy::Policy;
use store::Db;

use super::StartError;
use crate::config::{self, Config};

/// What the filter needs beside the configuration.
#[derive(Debug)]
pub(crate) struct Surroundings {
    pub(crate) db: Db,
    pub(crate) clock: Arc<dyn Clock>,
    /// Name servers; none are asked without.
    pub(crate) resolver: Option<Arc<dyn Resolver>>,
    /// Who reads pages and attachments.
    pub(crate) parsers: Parsebox,
    /// Where compiled patterns are kept.
    pub(crate) cache: Option<PathBuf>,
}

/// The filter and its parts.
#[derive(Debug, Clone)]
pub(crate) struct Filtering {
    pub(crate) filter: Filter,
    pub(crate) policy: Policy,
    pub(crate) learn: Learn,
    /// Names of the block lists that are asked.
    pub(crate) lists: Arc<[String]>,
}

impl Filtering {
    /// Opens everything. Rules that have to be compiled are, in the background.
    pub(crate) async fn open(
        config: &Config,
        surroundings: Surroundings,
    ) -> Result<Self, StartError> {
        let Surroundings {
            db,
            clock,
            resolver,
            parsers,
            cache,
        } = surroundings;
        let policy = Policy::open(db.clone())
            .await
            .map_err(|error| StartError::Filter(error.to_string()))?;
        let learn = Learn::new(&db, &clock, &learn::Options::default());
        let blocklist = match resolver.filter(|_| config.filter.network) {
            Some(resolver) => Some(block_lists(config, resolver, &clock)?),
            None => None,
        };
        let lists = blocklist
            .iter()
            .flat_map(Blocklist::lists)
            .map(|list| list.name.clone())
            .collect();
        let filter = Filter::start(filter::Options {
            hostname: config.hostname.clone(),
            clock,
            db,
            policy: policy.clone(),
            learn: learn.clone(),
            blocklist,
            antivirus: antivirus(config)?,
            parsers,
            cache,
            tuning: tuning(config),
        })?;
        Ok(Self {
            filter,
            policy,
            learn,
            lists,
        })
    }
}

fn tuning(config: &Config) -> Tuning {
    let filter = &config.filter;
    Tuning {
        thresholds: Thresholds {
            greylist: filter.greylist_score,
            junk: Some(filter.junk_score),
            rewrite: filter.rewrite_score,
            quarantine: filter.quarantine_score,
            reject: Some(filter.reject_score),
            discard: filter.discard_score,
        },
        subject_prefix: filter.subject_prefix.clone(),
        autolearn: filter.autolearn,
        learn_spam: filter.learn_spam_score,
        learn_ham: filter.learn_ham_score,
    }
}

fn block_lists(
    config: &Config,
    resolver: Arc<dyn Resolver>,
    clock: &Arc<dyn Clock>,
) -> Result<Blocklist, StartError> {
    let mut lists = blocklist::Config::default();
    let switches = [
        (&config.filter.lists, true),
        (&config.filter.lists_off, false),
    ];
    for (names, enabled) in switches {
        for name in names {
            lists.overrides.entry(name.clone()).or_default().enabled = Some(enabled);
        }
    }
    Blocklist::new(resolver, Arc::clone(clock), lists)
        .map_err(|error| StartError::Filter(error.to_string()))
}

fn antivirus(config: &Config) -> Result<Option<(Antivirus, OnFailure)>, StartError> {
    let Some(address) = &config.antivirus.clamd else {
        return Ok(None);
    };
    let on_failure = match config.antivirus.on_failure {
        config::OnFailure::Accept => OnFailure::Accept,
        config::OnFailure::Defer => OnFailure::Defer,
    };
    let address = address
        .parse()
        .map_err(|error| StartError::Filter(format!("[antivirus] clamd: {error}")))?;
    let antivirus = Antivirus::new(antivirus::Options {
        address,
        timeout_seconds: config.antivirus.timeout_seconds.into(),
        max_bytes: usize::try_from(config.antivirus.max_bytes).unwrap_or(usize::MAX),
        on_failure,
        ..antivirus::Options::default()
    });
    Ok(Some((antivirus, on_failure)))
}
