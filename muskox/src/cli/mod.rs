//! The command line: `muskox <noun> <verb>`.
//!
//! Data goes to standard output, notes to standard error; `--json` prints the data as one stable
//! JSON document. Exit codes are in [`exit`]. Commands on accounts, domains and the queue speak
//! to the running server over its control socket; those on pattern databases work on files. Start
//! at [`Cli`].

mod account;
mod alias;
mod captured;
mod config;
mod dkim;
mod domain;
pub mod exit;
mod files;
mod filter;
mod generate;
mod install;
mod learn;
mod map;
mod message;
mod output;
mod patterns;
mod quarantine;
mod queue;
mod rules;
mod sender;
mod serve;
mod setting;
mod status;
mod upgrade;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use serde_json::Value;

use crate::config::Config;
use crate::control::{Client, Request};
use crate::demo;

pub(crate) use account::random_password;
pub use exit::Failed;
pub use output::Output;

/// A complete self-hosted mail server in one binary.
#[derive(Debug, Parser)]
#[command(
    name = "muskox",
    version = crate::version::VERSION,
    max_term_width = 100,
    arg_required_else_help = true
)]
pub struct Cli {
    /// The configuration file [default: $MUSKOX_CONFIG, else /etc/muskox/muskox.toml]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The control socket of the running server [default: the configuration's]
    #[arg(long, global = true, value_name = "SOCKET", env = "MUSKOX_SOCKET")]
    socket: Option<PathBuf>,
    /// Print data as JSON
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server
    Serve,
    /// Try everything: a server on loopback with two accounts, its own DNS and seeded mail
    Demo(demo::Options),
    /// Domains this server receives mail for
    #[command(subcommand)]
    Domain(domain::Verb),
    /// Accounts: who signs in and has mailboxes
    #[command(subcommand)]
    Account(account::Verb),
    /// Aliases: addresses that lead to others
    #[command(subcommand)]
    Alias(alias::Verb),
    /// Keys that sign outgoing mail
    #[command(subcommand)]
    Dkim(dkim::Verb),
    /// Mail on its way out
    #[command(subcommand)]
    Queue(queue::Verb),
    /// Mail that the demo captured instead of sending it
    #[command(subcommand)]
    Captured(captured::Verb),
    /// Whether the server runs, and what it does
    Status,
    /// The database
    #[command(subcommand)]
    Db(status::DbVerb),
    /// From one version of the program to the next
    #[command(subcommand)]
    Upgrade(upgrade::Verb),
    /// The configuration
    #[command(subcommand)]
    Config(config::Verb),
    /// The spam filter: judge mail, block lists
    #[command(subcommand)]
    Filter(filter::Verb),
    /// Rule sets of the filter
    #[command(subcommand)]
    Rules(rules::Verb),
    /// Lists and patterns of the administrator
    #[command(subcommand)]
    Map(map::Verb),
    /// Who is welcome and who is not
    #[command(subcommand)]
    Sender(sender::Verb),
    /// Thresholds, tags, limits, networks, special addresses
    #[command(subcommand)]
    Setting(setting::Verb),
    /// Teach the classifier
    #[command(subcommand)]
    Learn(learn::Verb),
    /// Why mail was treated as it was
    #[command(subcommand)]
    Message(message::Verb),
    /// Mail that was kept back
    #[command(subcommand)]
    Quarantine(quarantine::Verb),
    /// Pattern databases: compile rules, look into a file, try it on mail
    #[command(subcommand)]
    Patterns(patterns::Verb),
    /// Install the systemd unit and the system user's declaration
    InstallService(install::Options),
    /// Write man pages, completions and an example configuration
    #[command(hide = true)]
    Generate(generate::Options),
    /// For the server: starts its parse workers
    #[command(name = parsebox::KEEPER, hide = true)]
    ParseKeeper,
    /// For the server: reads pages and attachments
    #[command(name = parsebox::WORKER, hide = true)]
    ParseWorker,
}

impl Cli {
    /// Runs the command and tells the shell how it went.
    #[must_use]
    pub fn run(self) -> ExitCode {
        let output = Output::new(self.json);
        let result = match self.command {
            Command::Serve => serve::run(self.config),
            Command::Demo(options) => demo::run(options, &output),
            Command::Config(verb) => config::run(&verb, self.config, &output),
            Command::Patterns(verb) => patterns::run(&verb, &output),
            Command::InstallService(options) => install::run(&options, &output),
            Command::Generate(options) => generate::run(&options),
            Command::ParseKeeper => return parsebox::keep(),
            Command::ParseWorker => return parsebox::work(),
            command => {
                let asker = Asker {
                    config: self.config,
                    socket: self.socket,
                };
                ask_server(&command, &asker, &output)
            }
        };
        match result {
            Ok(()) => ExitCode::SUCCESS,
            Err(failed) => {
                output.error(&failed);
                failed.code()
            }
        }
    }
}

/// Commands that need a running server.
fn ask_server(command: &Command, asker: &Asker, output: &Output) -> Result<(), Failed> {
    match command {
        Command::Domain(verb) => domain::run(verb, asker, output),
        Command::Account(verb) => account::run(verb, asker, output),
        Command::Alias(verb) => alias::run(verb, asker, output),
        Command::Dkim(verb) => dkim::run(verb, asker, output),
        Command::Queue(verb) => queue::run(verb, asker, output),
        Command::Captured(verb) => captured::run(verb, asker, output),
        Command::Filter(verb) => filter::run(verb, asker, output),
        Command::Rules(verb) => rules::run(verb, asker, output),
        Command::Map(verb) => map::run(verb, asker, output),
        Command::Sender(verb) => sender::run(verb, asker, output),
        Command::Setting(verb) => setting::run(verb, asker, output),
        Command::Learn(verb) => learn::run(verb, asker, output),
        Command::Message(verb) => message::run(verb, asker, output),
        Command::Quarantine(verb) => quarantine::run(verb, asker, output),
        Command::Status => status::run(asker, output),
        Command::Db(status::DbVerb::Check) => status::check(asker, output),
        Command::Upgrade(verb) => upgrade::run(verb, asker, output),
        Command::Serve
        | Command::Demo(_)
        | Command::Config(_)
        | Command::Patterns(_)
        | Command::InstallService(_)
        | Command::Generate(_)
        | Command::ParseKeeper
        | Command::ParseWorker => Ok(()),
    }
}

/// Finds the running server's socket and asks there.
#[derive(Debug)]
struct Asker {
    config: Option<PathBuf>,
    socket: Option<PathBuf>,
}

/// A connection to the running server, for a command that asks more than once.
struct Connection {
    runtime: tokio::runtime::Runtime,
    client: Client,
}

impl Connection {
    fn ask(&mut self, request: &Request) -> Result<Value, Failed> {
        Ok(self.runtime.block_on(self.client.ask(request))?)
    }
}

impl Asker {
    fn ask(&self, request: &Request) -> Result<Value, Failed> {
        self.connect()?.ask(request)
    }

    fn connect(&self) -> Result<Connection, Failed> {
        let socket = match &self.socket {
            Some(socket) => socket.clone(),
            None => {
                Config::load(&Config::path(self.config.clone()))?
                    .control
                    .socket
            }
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let client = runtime.block_on(Client::connect(&socket))?;
        Ok(Connection { runtime, client })
    }
}

/// Starts the multi-threaded runtime that servers run on.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime, Failed> {
    Ok(tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("muskox")
        .build()?)
}
