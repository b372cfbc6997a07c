//! End-to-end tests of the whole server.
//!
//! | module | what |
//! |---|---|
//! | `transcripts` | the conversations in `transcripts/`, one file per rule |
//! | `mailflow` | the way of a message through every door |
//! | `outbound` | queue, retries, reports, captured mail |
//! | `hostile` | smuggling, injection, floods, broken MIME |
//! | `console` | what a start logs |
//! | `durability` | restart, disk trouble |
//! | `patterns` | pattern databases on the command line |
//! | `filter` | verdicts, maps, lists, thresholds: what becomes of a message |
//! | `learning` | what users and administrators teach |
//! | `rulesets` | rule sets, and pattern databases over restarts |
//! | `filterd` | the filter for other mail servers: rspamc, Postfix |
//! | `antivirus` | clamd |
//! | `operator` | configuration, command line, signals, metrics |
//! | `upgrade` | data of earlier releases; channels, `muskox upgrade` |
//! | `interop` | real clients and servers of Debian |

#[path = "e2e/antivirus.rs"]
mod antivirus;
#[path = "e2e/console.rs"]
mod console;
#[path = "e2e/durability.rs"]
mod durability;
#[path = "e2e/filter.rs"]
mod filter;
#[path = "e2e/filterd.rs"]
mod filterd;
#[path = "e2e/hostile.rs"]
mod hostile;
#[path = "e2e/interop.rs"]
mod interop;
#[path = "e2e/learning.rs"]
mod learning;
#[path = "e2e/mailflow.rs"]
mod mailflow;
#[path = "e2e/operator.rs"]
mod operator;
#[path = "e2e/outbound.rs"]
mod outbound;
#[path = "e2e/patterns.rs"]
mod patterns;
#[path = "e2e/rulesets.rs"]
mod rulesets;
#[path = "e2e/transcripts.rs"]
mod transcripts;
#[path = "e2e/upgrade.rs"]
mod upgrade;

/// The binary under test.
fn binary() -> &'static std::path::Path {
    static BUILT: std::sync::LazyLock<std::path::PathBuf> = std::sync::LazyLock::new(|| {
        // The test binary is target/<profile>/deps/e2e-…; the product is beside `deps`.
        let this = std::env::current_exe().expect("our own path");
        let profile = this
            .parent()
            .and_then(std::path::Path::parent)
            .expect("a target directory");
        let status = std::process::Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--package", "muskox"])
            .args(profile.ends_with("release").then_some("--release"))
            .status()
            .expect("cargo runs");
        assert!(status.success(), "the server does not build");
        profile.join("muskox")
    });
    &BUILT
}
