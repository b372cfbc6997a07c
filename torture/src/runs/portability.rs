//! One data directory on two architectures: made here, started under an emulated ARM64, and back.
//!
//! On each stop the same is asked: the log of the start, verdicts on a corpus, an IMAP session. What
//! is compiled from nothing must be the same file on both sides. Then the processors: each that the
//! emulators know, with and without vector units, and pages of three sizes, scan with one database.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use testkit::process::Site;

use crate::context::{Context, Result, Stopped};
use crate::figure::{Figures, Target};
use crate::ledger;
use crate::messages;

const ARM64: &str = "qemu-aarch64";
const X86_64: &str = "qemu-x86_64";
/// SSE2 alone, SSE4.2, AVX2, all that the emulator has. It has no AVX-512.
const X86_64_PROCESSORS: [&str; 4] = ["qemu64", "Nehalem", "Haswell", "max"];
/// Old and small, old and large, a server's, all that the emulator has.
const ARM64_PROCESSORS: [&str; 4] = ["cortex-a53", "cortex-a72", "neoverse-n1", "max"];
/// Sizes of pages in octets.
const PAGES: [&str; 2] = ["16384", "65536"];

/// Patterns that need every engine there is.
const MAP: &str =
    "/\\bcasino\\b/i\n/mort?gage/i\n/v.?i.?a.?g.?r.?a/i\n/[a-z]{3,9}\\d+@/\n/(win)ner.*\\1/i\n";

pub(crate) fn run(context: &Context) -> Result<Figures> {
    for emulator in [ARM64, X86_64] {
        if Command::new(emulator).arg("-version").output().is_err() {
            let why = format!("there is no {emulator}: install qemu-user");
            return Err(Stopped::NotPossible(why));
        }
    }
    let arm64 = context.arm64()?;
    let corpus = Corpus::write(context)?;
    let mut figures = Figures::default();
    moving(context, &arm64, &corpus, &mut figures)?;
    processors(context, &arm64, &corpus, &mut figures)?;
    Ok(figures)
}

/// The messages that are judged.
struct Corpus {
    directory: PathBuf,
    count: usize,
}

impl Corpus {
    fn write(context: &Context) -> Result<Self> {
        let directory = context.directory().join("corpus");
        fs::create_dir(&directory)?;
        let mut count = context.depth(60, 1_000);
        for number in 0..count {
            fs::write(
                directory.join(format!("{number:05}.eml")),
                messages::message(number),
            )?;
        }
        if let Some(more) = &context.options().corpus {
            for entry in fs::read_dir(more)? {
                let path = entry?.path();
                if path.is_file() {
                    fs::copy(&path, directory.join(format!("{count:05}.eml")))?;
                    count += 1;
                }
            }
        }
        Ok(Self { directory, count })
    }
}

/// What a server says on one stop of the journey.
#[derive(Debug)]
struct Stop {
    verdicts: Vec<String>,
    transcript: Vec<String>,
    /// What would worry an administrator.
    noises: Vec<String>,
    /// Pattern databases that were not just loaded.
    rebuilt: usize,
}

impl Stop {
    /// Starts a server, asks it everything, and stops it.
    fn visit(context: &Context, site: &Site, name: &str, corpus: &Corpus) -> Result<Self> {
        let log = context.directory().join(format!("{name}.log"));
        let process = site.start_logging(&log);
        let verdicts = verdicts(site, corpus)?;
        let transcript = context.block_on(transcript(site))?;
        let status = process.terminate();
        let text = fs::read_to_string(&log)?;
        let mut noises: Vec<String> = warnings(&text).map(str::to_owned).collect();
        if status != Some(0) {
            noises.push(format!("exit {status:?}"));
        }
        let ready = text
            .lines()
            .filter(|line| line.contains("pattern database ready"));
        let ready: Vec<&str> = ready.collect();
        if ready.is_empty() {
            noises.push("no line about the pattern database".to_owned());
        }
        eprintln!("   {name}:");
        for line in &ready {
            eprintln!("     {}", line.split(" INFO ").last().unwrap_or(line));
        }
        for noise in &noises {
            eprintln!("     {noise}");
        }
        let loaded = ready
            .iter()
            .filter(|line| line.contains("origin=\"loaded\""));
        Ok(Self {
            rebuilt: ready.len() - loaded.count(),
            verdicts,
            transcript,
            noises,
        })
    }
}

/// The journey of a data directory.
fn moving(context: &Context, arm64: &Path, corpus: &Corpus, figures: &mut Figures) -> Result<()> {
    let data = context.directory().join("site");
    fs::create_dir(&data)?;
    let names = context.names()?;
    // Each stop has ports of its own: a site writes its configuration when it is made.
    let place = |binary: &Path| {
        let site = Site::at(&data, binary);
        site.resolve_at(names.local_addr());
        site
    };
    let here = || place(context.binary());
    let there = || place(arm64).under(&[ARM64, "-cpu", "cortex-a72"]);
    fill(&here(), corpus, &context.directory().join("made here.log"))?;
    let stops = [
        Stop::visit(context, &here(), "here", corpus)?,
        Stop::visit(context, &there(), "on ARM64", corpus)?,
        Stop::visit(context, &here(), "back here", corpus)?,
    ];
    compare(&stops, corpus, figures);
    let there = there();
    let ours = databases(&there.cache())?;
    fs::remove_dir_all(there.cache())?;
    let process = there.start();
    wait_for_rules(&there)?;
    process.terminate();
    let theirs = databases(&there.cache())?;
    // Ours may have more: the cache keeps what an earlier set was compiled to.
    let different = theirs.difference(&ours).count();
    figures.count(
        "pattern databases compiled on both sides",
        theirs.len(),
        Target::AtLeast(2.0),
    );
    figures.count("of them different", different, Target::Exactly(0.0));
    Ok(())
}

/// What the stops say, beside what the first one says.
fn compare(stops: &[Stop; 3], corpus: &Corpus, figures: &mut Figures) {
    let [first, others @ ..] = stops;
    let different = |of: fn(&Stop) -> &Vec<String>| -> usize {
        let differences = others.iter().map(|stop| {
            let pairs = of(first).iter().zip(of(stop));
            let same = pairs.filter(|(ours, theirs)| ours == theirs).count();
            of(first).len().max(of(stop).len()) - same
        });
        differences.sum()
    };
    let noises: usize = stops.iter().map(|stop| stop.noises.len()).sum();
    let rebuilt: usize = stops.iter().map(|stop| stop.rebuilt).sum();
    figures.checked((first.verdicts.len() + first.transcript.len()) as u64);
    figures.count(
        "messages judged on each stop",
        first.verdicts.len(),
        Target::AtLeast(corpus.count as f64),
    );
    for (what, count) in [
        ("verdicts that differ", different(|stop| &stop.verdicts)),
        (
            "responses of IMAP that differ",
            different(|stop| &stop.transcript),
        ),
        ("warnings and errors", noises),
        ("pattern databases made again", rebuilt),
    ] {
        figures.count(what, count, Target::Exactly(0.0));
    }
}

/// Accounts, mail, rules, what was learned.
fn fill(site: &Site, corpus: &Corpus, log: &Path) -> Result<()> {
    let process = site.start_logging(log);
    ledger::populate(site);
    let must = |arguments: &[&str], input: &str| -> Result<()> {
        let (done, text) = site.command_with(arguments, input);
        if done {
            Ok(())
        } else {
            Err(Stopped::Failed(format!("{arguments:?}: {text}")))
        }
    };
    let add = [
        "map",
        "add",
        "torture.map",
        "-",
        "--symbol",
        "TORTURE",
        "--score",
        "1.5",
    ];
    must(&add, MAP)?;
    let mut files: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(&corpus.directory)? {
        files.push(entry?.path());
    }
    files.sort();
    for (number, file) in files.iter().take(40).enumerate() {
        let class = if number % 2 == 0 { "spam" } else { "ham" };
        must(&["learn", class, &file.display().to_string()], "")?;
    }
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        let mut smtp = testkit::client::Smtp {
            client: testkit::client::Client::connect(site.lmtp()).await?,
        };
        smtp.reply().await?;
        smtp.command("LHLO load.test").await?;
        for file in files.iter().take(60) {
            let message = fs::read(file)?;
            // What is refused is refused on every machine.
            smtp.deliver("load@example.test", &[ledger::ACCOUNT], &message)
                .await?;
        }
        std::io::Result::Ok(())
    })?;
    wait_for_rules(site)?;
    if process.terminate() == Some(0) {
        Ok(())
    } else {
        Err(Stopped::Failed("the server did not stop well".to_owned()))
    }
}

/// Waits until the rules in force are written into the cache.
fn wait_for_rules(site: &Site) -> Result<()> {
    for _ in 0..600 {
        let found = databases(&site.cache()).unwrap_or_default();
        let kinds: BTreeSet<&str> = found.iter().map(|(kind, _, _)| kind.as_str()).collect();
        if kinds.len() == 2 {
            return Ok(());
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    Err(Stopped::Failed(
        "no pattern databases are written".to_owned(),
    ))
}

/// The pattern databases of a cache: whose, name, octets.
fn databases(cache: &Path) -> Result<BTreeSet<(String, String, Vec<u8>)>> {
    let mut found = BTreeSet::new();
    for kind in ["maps", "rules"] {
        for entry in fs::read_dir(cache.join("patterns").join(kind))? {
            let path = entry?.path();
            if path
                .extension()
                .is_some_and(|extension| extension == "patterns")
            {
                let name = path
                    .file_name()
                    .unwrap_or_default()
                    .to_string_lossy()
                    .into_owned();
                found.insert((kind.to_owned(), name, fs::read(&path)?));
            }
        }
    }
    Ok(found)
}

/// Lines of a log that would worry an administrator.
pub(super) fn warnings(log: &str) -> impl Iterator<Item = &str> {
    let worry = |line: &&str| {
        [" WARN ", " ERROR ", "panicked"]
            .iter()
            .any(|word| line.contains(word))
    };
    log.lines().filter(worry)
}

/// What the running server thinks of each message, without what differs from second to second.
fn verdicts(site: &Site, corpus: &Corpus) -> Result<Vec<String>> {
    let directory = corpus.directory.display().to_string();
    let (_, text) = site.command(&["filter", "scan", "--live", "--lines", &directory]);
    comparable(&text)
}

fn comparable(text: &str) -> Result<Vec<String>> {
    let mut lines = Vec::new();
    for line in text.lines().filter(|line| line.starts_with('{')) {
        let mut verdict: Value = serde_json::from_str(line)
            .map_err(|error| Stopped::Failed(format!("{error}: {line}")))?;
        if let Some(verdict) = verdict.as_object_mut() {
            verdict.remove("timing");
            verdict.remove("at");
        }
        lines.push(verdict.to_string());
    }
    lines.sort();
    Ok(lines)
}

/// A session that reads everything and changes nothing.
async fn transcript(site: &Site) -> Result<Vec<String>> {
    let mut imap = ledger::sign_in(site.imaps()).await?;
    let mut lines = Vec::new();
    for command in [
        "CAPABILITY",
        "NAMESPACE",
        "LIST \"\" \"*\" RETURN (STATUS (MESSAGES UIDNEXT UIDVALIDITY UNSEEN SIZE))",
        "EXAMINE INBOX",
        "UID FETCH 1:* (FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODYSTRUCTURE)",
        "UID FETCH 1:* (BODY.PEEK[])",
        "UID SEARCH TEXT casino",
        "UID SEARCH OR SUBJECT report LARGER 2000",
        "EXAMINE Junk",
        "UID FETCH 1:* (FLAGS ENVELOPE BODYSTRUCTURE BODY.PEEK[HEADER])",
    ] {
        let answer = imap.command(command).await?;
        lines.extend(
            answer
                .untagged
                .iter()
                .map(|line| String::from_utf8_lossy(line).into_owned()),
        );
        lines.push(
            answer
                .tagged
                .split_once(' ')
                .map_or("", |(_, rest)| rest)
                .to_owned(),
        );
    }
    Ok(lines)
}

/// The processors and page sizes.
fn processors(
    context: &Context,
    arm64: &Path,
    corpus: &Corpus,
    figures: &mut Figures,
) -> Result<()> {
    let rules = context.directory().join("rules.tsv");
    fs::write(&rules, table())?;
    let database = context.directory().join("rules.patterns");
    let paths = [&rules, &database, &corpus.directory].map(|path| path.display().to_string());
    let [rules, database, messages] = paths.each_ref().map(String::as_str);
    let compile = |launcher: &[&str], binary: &Path, output: &str| {
        output_of(
            launcher,
            binary,
            &["patterns", "compile", rules, "--output", output],
        )
    };
    compile(&[], context.binary(), database)?;
    let scan = [
        "patterns",
        "scan",
        "--scope",
        "body",
        "--offsets",
        database,
        messages,
    ];
    let judge = ["filter", "scan", "--lines", messages];
    let wanted = output_of(&[], context.binary(), &scan)?;
    let wanted_verdicts = comparable(&output_of(&[], context.binary(), &judge)?)?;
    let machines = machines(context.binary(), arm64);
    let (mut different, mut verdicts) = (0_usize, 0_usize);
    for (name, launcher, binary) in &machines {
        let found = output_of(launcher, binary, &scan)?;
        let judged = comparable(&output_of(launcher, binary, &judge)?)?;
        let (same, alike) = (found == wanted, judged == wanted_verdicts);
        eprintln!(
            "   {name}: {}",
            if same && alike {
                "the same"
            } else {
                "DIFFERENT"
            }
        );
        different += usize::from(!same);
        verdicts += usize::from(!alike);
    }
    let again = context
        .directory()
        .join("again.patterns")
        .display()
        .to_string();
    compile(&[ARM64], arm64, &again)?;
    let same = fs::read(&again)? == fs::read(database)?;
    figures.checked(machines.len() as u64);
    figures.count(
        "matches in the list",
        wanted.lines().count(),
        Target::AtLeast(10.0),
    );
    figures.count(
        "processors and page sizes",
        machines.len(),
        Target::AtLeast(10.0),
    );
    figures.count(
        "of them with other matches",
        different,
        Target::Exactly(0.0),
    );
    figures.count(
        "of them with other verdicts",
        verdicts,
        Target::Exactly(0.0),
    );
    figures.count(
        "database compiled on ARM64 that differs",
        usize::from(!same),
        Target::Exactly(0.0),
    );
    Ok(())
}

/// Rules as `muskox patterns compile` reads them.
fn table() -> String {
    let words = (0..400).map(|number| {
        let word = ["win", "pay", "rep"][number % 3];
        format!("R{number}\tbody\t\t\\b{word}{number}\\b\n")
    });
    let lines = MAP.lines().enumerate().map(|(at, line)| {
        let pattern = line.trim_end_matches('i').trim_matches('/');
        format!("M{at}\tbody\ti\t{pattern}\n")
    });
    words.chain(lines).collect()
}

/// An emulated machine: its name, its emulator with options, the binary for it.
type Machine<'a> = (String, [&'static str; 3], &'a Path);

fn machines<'a>(x86_64: &'a Path, arm64: &'a Path) -> Vec<Machine<'a>> {
    let x86_64 = X86_64_PROCESSORS.map(|processor| {
        (
            format!("x86-64 {processor}"),
            [X86_64, "-cpu", processor],
            x86_64,
        )
    });
    let processors = ARM64_PROCESSORS.map(|processor| {
        (
            format!("ARM64 {processor}"),
            [ARM64, "-cpu", processor],
            arm64,
        )
    });
    let pages = PAGES.map(|size| {
        (
            format!("ARM64, pages of {size}"),
            [ARM64, "-p", size],
            arm64,
        )
    });
    x86_64.into_iter().chain(processors).chain(pages).collect()
}

/// What a command prints; exit code 1 is an answer.
fn output_of(launcher: &[&str], binary: &Path, arguments: &[&str]) -> Result<String> {
    let mut command = match launcher {
        [] => Command::new(binary),
        [emulator, options @ ..] => {
            let mut command = Command::new(emulator);
            command.args(options).arg(binary);
            command
        }
    };
    let output = command.args(arguments).output()?;
    if !matches!(output.status.code(), Some(0 | 1)) {
        let errors = String::from_utf8_lossy(&output.stderr);
        return Err(Stopped::Failed(format!(
            "{launcher:?} {arguments:?}: {errors}"
        )));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
