//! Instructions per octet for lists of words: `benches patterns-instructions`.
//!
//! An emulator counts what the probe executes when it scans a text once and when it scans it three
//! times; half the difference is one scan. Start, loading and first use of memory fall out, and the
//! figures are the same on every machine and at every load.

#![expect(clippy::disallowed_methods, reason = "writes rules and reads counters")]

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Args;
use probe::rules::{self, Rule};
use probe::stream::Stream;

use super::child::{Probe, pair};
use super::library::{HYPERSCAN, Package, VECTORSCAN, VECTORSCAN_ARM64};
use super::{emulators, generated, part, scopes};
use crate::error::{Context as _, Error, Result};
use crate::report::{Better, Report, Samples, progress};
use crate::stage::run_with;

/// The source of the plugin that counts.
const PLUGIN: &str = include_str!("../../instructions/count.c");
/// Octets of text that are scanned.
const TEXT: usize = 1_000_000;
/// Words in a list.
const LISTS: [usize; 3] = [20, 200, 3000];
/// Generated rules of all kinds in the set that is not only words.
const MIXTURE: usize = 400;

/// What to count with.
#[derive(Debug, Clone, Args)]
pub(crate) struct Options {
    /// Messages: a directory, an mbox, or a packed tree
    #[arg(long, value_name = "PATH")]
    corpus: PathBuf,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
    /// Where peers' libraries and the cross build are kept
    #[arg(long, value_name = "DIR", default_value = "target/bench-patterns")]
    cache: PathBuf,
}

/// A processor: its emulator, the probe built for it, and the peers there.
struct Processor {
    name: &'static str,
    emulator: &'static str,
    probe: Probe,
    peers: Vec<Package>,
}

/// Where things are.
struct Bench {
    cache: PathBuf,
    directory: tempfile::TempDir,
    plugin: PathBuf,
    text: PathBuf,
    octets: f64,
}

/// `benches patterns-instructions`.
pub(crate) fn run(options: &Options) -> Result<()> {
    emulators::ensure()?;
    let name = || options.cache.display().to_string();
    fs::create_dir_all(&options.cache).context(name())?;
    let cache = options.cache.canonicalize().context(name())?;
    let messages = super::corpus::read(&options.corpus)?;
    let streams = scopes::collect(&messages, ["body"])?;
    let body = streams.get("body").cloned().unwrap_or_default();
    let words = generated::words(&body);
    let text = part(&body, TEXT).remove("body").unwrap_or_default();
    let bench = Bench::new(cache, &text)?;
    let processors = [
        Processor {
            name: "x86_64",
            emulator: emulators::X86_64,
            probe: Probe::beside()?,
            peers: vec![HYPERSCAN, VECTORSCAN],
        },
        Processor {
            name: "arm64",
            emulator: emulators::AARCH64,
            probe: emulators::cross_build(&bench.cache)?,
            peers: vec![VECTORSCAN_ARM64],
        },
    ];
    let mut report = Report::default();
    for (set, rules) in sets(&words) {
        for processor in &processors {
            bench.compare(&mut report, processor, &set, &rules)?;
        }
    }
    if options.json {
        report.json()
    } else {
        report.table("peer")
    }
}

/// Lists of words and one mixture, each with its name.
fn sets(words: &[String]) -> Vec<(String, Vec<Rule>)> {
    let lists = LISTS.map(|count| (format!("words_{count}"), generated::literals(words, count)));
    let mut sets = Vec::from(lists);
    let mixture = generated::mixture(words, MIXTURE);
    sets.push((format!("mixture_{MIXTURE}"), mixture));
    sets
}

impl Bench {
    fn new(cache: PathBuf, text: &Stream) -> Result<Self> {
        let directory = tempfile::tempdir_in(&cache).context("a temporary directory")?;
        let source = directory.path().join("count.c");
        let plugin = directory.path().join("count.so");
        fs::write(&source, PLUGIN).context("the plugin's source")?;
        let mut compiler = Command::new("gcc");
        compiler.args(["-O2", "-shared", "-fPIC", "-o"]);
        run_with(compiler.arg(&plugin).arg(&source), "")?;
        let path = directory.path().join("text.stream");
        text.save(&path)?;
        Ok(Self {
            cache,
            directory,
            plugin,
            text: path,
            octets: f64::from(u32::try_from(text.size()).unwrap_or(u32::MAX)),
        })
    }

    fn compare(
        &self,
        report: &mut Report,
        processor: &Processor,
        set: &str,
        rules: &[Rule],
    ) -> Result<()> {
        let directory = self.directory.path();
        let table = directory.join("rules.tsv");
        fs::write(&table, rules::write(rules)).context("the table of rules")?;
        let database = directory.join("ours.database");
        let words = ["ours".as_ref(), table.as_os_str(), database.as_os_str()];
        Probe::beside()?.run("compile", words)?;
        let own = vec!["ours".into(), database.into(), pair("body", &self.text)];
        let (ours, wanted) = self.count(processor, &own)?;
        for peer in &processor.peers {
            let library = peer.library(&self.cache)?;
            let database = directory.join("peer.database");
            let arguments: [&std::ffi::OsStr; 4] = [
                library.as_os_str(),
                table.as_os_str(),
                "body".as_ref(),
                database.as_os_str(),
            ];
            let emulated = processor.probe.under([processor.emulator, "-cpu", "max"]);
            emulated.run("compile", arguments)?;
            let words = vec![library.into(), pair(&database, &self.text)];
            let (theirs, found) = self.count(processor, &words)?;
            if (found - wanted).abs() > 0.5 {
                return Err(Error::Engine(format!(
                    "{set}: {found} hits of {}, {wanted} of ours",
                    peer.name
                )));
            }
            let samples = Samples {
                ours: vec![ours],
                peer: vec![theirs],
            };
            let metric = format!("instructions_{set}_{}_{}", processor.name, peer.name);
            progress(&format!("{metric}: {ours:.2} and {theirs:.2}"));
            report.add(&metric, "1/B", Better::Less, &samples);
        }
        Ok(())
    }

    /// Instructions per octet of one scan, and the hits of three.
    fn count(&self, processor: &Processor, words: &[OsString]) -> Result<(f64, f64)> {
        let (once, _) = self.executed(processor, "1", words)?;
        let (thrice, hits) = self.executed(processor, "3", words)?;
        Ok(((thrice - once) / 2.0 / self.octets, hits))
    }

    fn executed(
        &self,
        processor: &Processor,
        times: &str,
        words: &[OsString],
    ) -> Result<(f64, f64)> {
        let out = self.directory.path().join("executed");
        let mut plugin = self.plugin.as_os_str().to_owned();
        plugin.push(",out=");
        plugin.push(&out);
        let emulator: [&std::ffi::OsStr; 5] = [
            processor.emulator.as_ref(),
            "-cpu".as_ref(),
            "max".as_ref(),
            "-plugin".as_ref(),
            &plugin,
        ];
        let arguments = [OsString::from(times)]
            .into_iter()
            .chain(words.iter().cloned());
        let answer = processor.probe.under(emulator).run("count", arguments)?;
        Ok((counter(&out)?, answer.number("hits")?))
    }
}

fn counter(path: &Path) -> Result<f64> {
    let text = fs::read_to_string(path).context("the counter")?;
    text.trim()
        .parse()
        .map_err(|_| Error::Missing("the counter is no number".to_owned()))
}
