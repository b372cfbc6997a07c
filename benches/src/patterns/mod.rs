//! The pattern engine beside Hyperscan and Vectorscan, on the same rules and the same octets.
//!
//! [`run`] is `benches patterns`: rules of a spam filter over real mail, and 10,000 generated ones.
//! [`instructions`] counts instructions on two processors, [`portability`] scans with one database
//! file everywhere. What the figures mean is in the README; start at [`contest`].

mod agreement;
mod child;
mod contest;
pub(crate) mod corpus;
mod emulators;
mod generated;
pub(crate) mod instructions;
mod library;
mod oracle;
mod peer;
pub(crate) mod portability;
mod rounds;
mod rules;
mod scopes;
mod tags;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use probe::stream::Stream;

use child::Probe;
use contest::{Contest, Plan, Workshop};
use peer::{Kept, Peer};
use scopes::Streams;

use crate::error::{Context as _, Error, Result};
use crate::report::{Report, progress};

/// Octets of messages that `--quick` takes.
const QUICK_CORPUS: usize = 4_000_000;
/// Octets of text for which PCRE2 is asked about generated rules.
const CHECKED: usize = 300_000;
/// Octets of text that generated rules scan.
const GENERATED_TEXT: usize = 4_000_000;
/// How many rules are generated.
const GENERATED: usize = 10_000;
const GENERATED_SUFFIX: &str = "_10000";

const FULL: Plan = Plan {
    scans: 5,
    sample: Duration::from_millis(200),
    loads: 31,
    changes: 5,
    kept: Kept::Refused,
};
const QUICK: Plan = Plan {
    scans: 5,
    sample: Duration::from_millis(80),
    loads: 11,
    changes: 3,
    kept: Kept::Allowed,
};

/// What to measure with.
#[derive(Debug, Clone, Args)]
pub(crate) struct Options {
    /// A table of rules, or a directory of SpamAssassin's .cf files
    #[arg(long, value_name = "FILE")]
    rules: PathBuf,
    /// Messages: a directory, an mbox, or a packed tree
    #[arg(long, value_name = "PATH")]
    corpus: PathBuf,
    /// A part of the corpus, Hyperscan only, its databases and their cost from an earlier run
    #[arg(long)]
    quick: bool,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
    /// Where peers' libraries and databases are kept
    #[arg(long, value_name = "DIR", default_value = "target/bench-patterns")]
    cache: PathBuf,
}

impl Options {
    /// The directory of what is kept between runs.
    fn cache(&self) -> Result<PathBuf> {
        let name = || self.cache.display().to_string();
        fs::create_dir_all(&self.cache).context(name())?;
        self.cache.canonicalize().context(name())
    }

    /// The messages, fewer of them for a quick run.
    fn messages(&self) -> Result<corpus::Messages> {
        let messages = corpus::read(&self.corpus)?;
        Ok(if self.quick {
            corpus::thinned(messages, QUICK_CORPUS)
        } else {
            messages
        })
    }

    fn print(&self, report: &Report, peer: &str) -> Result<()> {
        if self.json {
            report.json()
        } else {
            report.table(peer)
        }
    }
}

/// `benches patterns`.
pub(crate) fn run(options: &Options) -> Result<()> {
    let cache = options.cache()?;
    let rules = rules::read(&options.rules)?;
    let messages = options.messages()?;
    let wanted = rules.iter().map(|rule| rule.scope.as_str());
    let streams = scopes::collect(&messages, wanted.chain(["body"]))?;
    for (name, stream) in &streams {
        progress(&format!(
            "{name}: {} haystacks, {} octets",
            stream.len(),
            stream.size()
        ));
    }
    let probe = Probe::beside()?;
    let workshop = Workshop {
        peers: peers(&cache, &probe, options)?,
        probe,
        directory: tempfile::tempdir_in(&cache).context("a temporary directory")?,
        plan: if options.quick { QUICK } else { FULL },
        cache,
    };
    let mut report = Report::default();
    let mut wrong = Contest::new(&workshop, "", rules, (&streams, &streams)).run(&mut report)?;
    let body = streams.get("body").cloned().unwrap_or_default();
    let generated = generated::mixture(&generated::words(&body), GENERATED);
    if !generated.is_empty() {
        progress(&format!("{} generated rules", generated.len()));
        let (text, checked) = (part(&body, GENERATED_TEXT), part(&body, CHECKED));
        let streams = (&text, &checked);
        wrong += Contest::new(&workshop, GENERATED_SUFFIX, generated, streams).run(&mut report)?;
    }
    options.print(&report, "Hyperscan")?;
    if wrong > 0 {
        return Err(Error::Wrong(wrong));
    }
    Ok(())
}

fn peers(cache: &Path, probe: &Probe, options: &Options) -> Result<Vec<Peer>> {
    let packages = [library::HYPERSCAN, library::VECTORSCAN];
    let count = if options.quick { 1 } else { packages.len() };
    packages
        .into_iter()
        .take(count)
        .map(|package| {
            let peer = Peer::new(package.name, package.library(cache)?, probe, cache)?;
            progress(&format!("{}: {}", peer.name, peer.version()));
            Ok(peer)
        })
        .collect()
}

/// About `most` octets of `stream`, taken evenly, as the stream of the scope `body`.
fn part(stream: &Stream, most: usize) -> Streams {
    let step = stream.size().div_ceil(most.max(1)).max(1);
    let mut part = Stream::default();
    for (message, haystack) in stream.messages().step_by(step) {
        part.push(message, haystack);
    }
    Streams::from([("body".to_owned(), part)])
}
