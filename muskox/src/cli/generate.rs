//! `muskox generate`: what packages carry that is made from the program itself. Hidden, for
//! whoever packages.

#![expect(
    clippy::disallowed_methods,
    reason = "a command that runs alone and writes small files"
)]

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::{Args, Command, CommandFactory as _};
use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, italic, roman};

use super::{Cli, Failed};
use crate::config::{Config, reference};

/// What stands below every page: the manual it is of, and the program's version.
const MANUAL: &str = "Muskox";
const SOURCE: &str = concat!("muskox ", env!("MUSKOX_VERSION"));

/// Options of `muskox generate`.
#[derive(Debug, Args)]
pub(super) struct Options {
    /// An empty directory
    directory: PathBuf,
}

/// Writes `man/`, `completions/` and an example, `muskox.toml`.
pub(super) fn run(options: &Options) -> Result<(), Failed> {
    let hostname = smtp::Domain::parse("mail.example.org")
        .map_err(|error| Failed::Usage(error.to_string()))?;
    let defaults = Config::new(hostname);
    let directory = &options.directory;
    let man = directory.join("man");
    fs::create_dir_all(&man)?;
    pages(&man)?;
    fs::write(man.join("muskox.toml.5"), reference::man(&defaults))?;
    completions(&directory.join("completions"))?;
    fs::write(directory.join("muskox.toml"), reference::example(&defaults))?;
    Ok(())
}

/// A page for every command: `muskox.1`, `muskox-account.1`, `muskox-account-add.1` and so on.
fn pages(directory: &Path) -> io::Result<()> {
    let mut cli = Cli::command().disable_help_subcommand(true);
    cli.build();
    for command in cli.get_subcommands() {
        page_with_verbs(command, directory)?;
    }
    let page = directory.join("muskox.1");
    let man = Man::new(cli).manual(MANUAL).source(SOURCE);
    let mut text = Vec::new();
    man.render_title(&mut text)?;
    man.render_name_section(&mut text)?;
    man.render_synopsis_section(&mut text)?;
    man.render_description_section(&mut text)?;
    man.render_options_section(&mut text)?;
    man.render_subcommands_section(&mut text)?;
    closing_sections().to_writer(&mut text)?;
    fs::write(page, text)
}

fn page_with_verbs(command: &Command, directory: &Path) -> io::Result<()> {
    if command.is_hide_set() {
        return Ok(());
    }
    for verb in command.get_subcommands() {
        page_with_verbs(verb, directory)?;
    }
    Man::new(command.clone())
        .manual(MANUAL)
        .source(SOURCE)
        .generate_to(directory)?;
    Ok(())
}

/// What the command line's definition does not know: files, exit codes, other pages.
fn closing_sections() -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", ["FILES"]);
    for (path, meaning) in [
        ("/etc/muskox/muskox.toml", "The server's own settings."),
        ("/var/lib/muskox", "Accounts, mail and the queue."),
        (
            "/var/cache/muskox",
            "What can be made again, such as compiled patterns.",
        ),
        (
            "/run/muskox/control.sock",
            "Where commands find the running server; whoever may open it is an administrator.",
        ),
    ] {
        roff.control("TP", []);
        roff.text([italic(path)]);
        roff.text([roman(meaning)]);
    }
    roff.control("SH", ["EXIT STATUS"]);
    for (code, meaning) in super::exit::CODES {
        roff.control("TP", []);
        roff.text([bold(code.to_string())]);
        roff.text([roman(*meaning)]);
    }
    roff.control("SH", ["SEE ALSO"]);
    roff.text([bold("muskox.toml"), roman("(5)")]);
    roff
}

fn completions(directory: &Path) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        clap_complete::generate_to(shell, &mut Cli::command(), "muskox", directory)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_visible_command_has_a_page_and_the_shells_know_it() {
        let place = tempfile::tempdir().unwrap();
        let directory = place.path().to_owned();
        run(&Options { directory }).unwrap();
        let read = |name: &str| fs::read_to_string(place.path().join(name)).unwrap();
        assert!(read("man/muskox-account-add.1").contains("hashed"));
        assert!(read("man/muskox.1").contains("EXIT STATUS"));
        assert!(read("man/muskox.toml.5").contains("max_message_bytes"));
        assert!(!place.path().join("man/muskox-generate.1").exists());
        assert!(read("completions/muskox.bash").contains("quarantine"));
        assert!(read("completions/_muskox").starts_with("#compdef muskox"));
        assert!(read("completions/muskox.fish").contains("quarantine"));
    }
}
