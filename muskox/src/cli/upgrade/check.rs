//! `muskox upgrade check`: the upgrade to this program, tried on a copy.
//!
//! The copy is taken from one snapshot of the database, so a server may be running on the data; its
//! blobs are read where they lie. Nothing is written into the data directory.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ambient::{SystemClock, SystemRandom};
use clap::Args;
use mail::Mail;
use serde_json::{Value, json};
use store::{Db, Provenance, StoreOptions};

use super::by;
use crate::cli::output::{cell, printable, size};
use crate::cli::{Asker, Failed, Output, runtime};
use crate::config::Config;
use crate::server::StartError;
use crate::verification::{Verification, verify};
use crate::version::VERSION;

/// Where large temporary files belong, and stay on disk.
const WORK: &str = "/var/tmp";

#[derive(Debug, Args)]
pub(in crate::cli) struct Options {
    /// The data directory [default: the configuration's]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Where the copy is made, which needs as much space as the database
    /// [default: $TMPDIR, else /var/tmp]
    #[arg(long, value_name = "DIR")]
    work: Option<PathBuf>,
}

pub(super) fn run(options: &Options, asker: &Asker, output: &Output) -> Result<(), Failed> {
    let data = match &options.data {
        Some(data) => data.clone(),
        None => Config::load(&Config::path(asker.config.clone()))?.data_dir,
    };
    let work = options.work.clone();
    let work = work.or_else(|| std::env::var_os("TMPDIR").map(PathBuf::from));
    let work = work.unwrap_or_else(|| PathBuf::from(WORK));
    let copy = tempfile::Builder::new()
        .prefix("muskox-upgrade-")
        .tempdir_in(work)?;
    let runtime = runtime()?;
    let trial = Trial {
        data: &data,
        copy: copy.path(),
        output,
    };
    let report = runtime.block_on(async {
        tokio::select! {
            report = trial.run() => report,
            _ = tokio::signal::ctrl_c() => Err(Failed::Negative("interrupted".to_owned())),
        }
    });
    runtime.shutdown_background();
    copy.close()?;
    let report = report?;
    output.data("muskox.upgrade.check/1", &report.value(&data), show);
    if report.verification.findings.is_empty() {
        Ok(())
    } else {
        Err(Failed::Negative("the data have damage".to_owned()))
    }
}

/// An upgrade of a copy.
struct Trial<'a> {
    data: &'a Path,
    copy: &'a Path,
    output: &'a Output,
}

/// What came of it.
struct Report {
    before: Provenance,
    after: Provenance,
    database_bytes: u64,
    written_bytes: u64,
    verification: Verification,
    copying: Duration,
    migrating: Duration,
    verifying: Duration,
}

impl Trial<'_> {
    async fn run(&self) -> Result<Report, Failed> {
        let (copied, copying) = self.copy().await?;
        let (db, migrating) = self.migrate().await?;
        let written_bytes = db.metrics().wal_bytes;
        let result = self.verify(&db).await;
        let after = db.provenance().await;
        db.close().await;
        let (verification, verifying) = result?;
        Ok(Report {
            before: copied.provenance,
            after: after.map_err(|source| self.failed(source))?,
            database_bytes: copied.database_bytes,
            written_bytes,
            verification,
            copying,
            migrating,
            verifying,
        })
    }

    async fn copy(&self) -> Result<(store::Copied, Duration), Failed> {
        let _activity = self.output.activity("copying the database".to_owned());
        let (from, to) = (self.data.to_owned(), self.copy.to_owned());
        let started = Instant::now();
        match blocking(move || store::copy(&from, &to)).await? {
            Ok(copied) => Ok((copied, started.elapsed())),
            Err(store::Error::Full) => Err(Failed::Negative(
                "no space for a copy of the database; name another directory with --work"
                    .to_owned(),
            )),
            Err(source) => Err(self.failed(source)),
        }
    }

    async fn migrate(&self) -> Result<(Db, Duration), Failed> {
        let _activity = self.output.activity("upgrading the copy".to_owned());
        let random = Arc::new(SystemRandom::new());
        let mut options = StoreOptions::new(self.copy, Arc::new(SystemClock), random);
        options.program = VERSION.to_owned();
        let started = Instant::now();
        let db = blocking(move || Db::open(options)).await?;
        Ok((db.map_err(|source| self.failed(source))?, started.elapsed()))
    }

    async fn verify(&self, db: &Db) -> Result<(Verification, Duration), Failed> {
        let _activity = self.output.activity("checking the copy".to_owned());
        let started = Instant::now();
        let verification = verify(db, &Mail::new(db.clone())).await;
        let verification = verification.map_err(std::io::Error::other)?;
        Ok((verification, started.elapsed()))
    }

    fn failed(&self, source: store::Error) -> Failed {
        Failed::Start(StartError::Store {
            path: self.data.to_owned(),
            source,
        })
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> std::io::Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(std::io::Error::other)
}

impl Report {
    fn value(&self, data: &Path) -> Value {
        json!({
            "data": data,
            "version": VERSION,
            "opened_by": self.before.opened_by,
            "opened_at": self.before.opened_at,
            "schema_from": self.before.schema,
            "schema_to": self.after.schema,
            "can_go_back": self.after.oldest_schema <= self.before.schema,
            "database_bytes": self.database_bytes,
            "written_bytes": self.written_bytes,
            "copy_seconds": self.copying.as_secs_f64(),
            "migrate_seconds": self.migrating.as_secs_f64(),
            "check_seconds": self.verifying.as_secs_f64(),
            "blobs": self.verification.blobs,
            "bytes": self.verification.bytes,
            "findings": self.verification.findings,
        })
    }
}

fn show(output: &Output, data: &Value) {
    let text = |key| cell(data.get(key));
    let bytes = |key| size(data.get(key).and_then(Value::as_u64).unwrap_or_default());
    let seconds = |key| {
        let seconds = data.get(key).and_then(Value::as_f64).unwrap_or_default();
        format!("{seconds:.1} s")
    };
    output.line(format_args!("data       {}", text("data")));
    output.line(format_args!("opened     {}", by(data, "opened")));
    output.line(format_args!(
        "schema     {} -> {} with muskox {}",
        text("schema_from"),
        text("schema_to"),
        text("version")
    ));
    let changes = data.get("schema_from") != data.get("schema_to");
    let can_go_back = data.get("can_go_back") == Some(&Value::Bool(true));
    output.line(match (changes, can_go_back) {
        (false, _) => "going back possible: the schema stays",
        (true, true) => "going back possible until `muskox upgrade finalize`",
        (true, false) => "going back impossible: copy the data first",
    });
    output.line(format_args!(
        "copy       {} in {}, removed again",
        bytes("database_bytes"),
        seconds("copy_seconds")
    ));
    output.line(format_args!(
        "upgrade    {} written in {}",
        bytes("written_bytes"),
        seconds("migrate_seconds")
    ));
    let findings = data.get("findings").and_then(Value::as_array);
    for finding in findings.into_iter().flatten() {
        output.line(printable(finding.as_str().unwrap_or_default()));
    }
    output.line(format_args!(
        "check      {} blobs, {} in {}: {} findings",
        text("blobs"),
        bytes("bytes"),
        seconds("check_seconds"),
        findings.map_or(0, Vec::len)
    ));
}
