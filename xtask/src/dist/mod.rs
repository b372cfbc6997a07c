//! `cargo xtask dist`: packages of one release for every architecture, from one command.
//!
//! A Debian package, a tarball with a program that needs nothing else, an image for containers of
//! all architectures, a bill of materials, and checksums of all that. Two builds of one commit
//! are meant to be the same octets (`--twice` compares), and `--verify` installs the packages into
//! fresh systems. Nothing is signed or published here. Start at [`Options`] and [`run`].

mod build;
mod content;
mod crates;
mod deb;
mod licences;
mod oci;
mod release;
mod sbom;
mod tarball;
mod tree;
mod verify;

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest as _, Sha256};

use crate::{Findings, say};
use build::{Arch, Build};
use content::Content;
use crates::Crates;
use release::{Channel, Release};

/// The list of checksums, in the form that `sha256sum --check` reads.
const CHECKSUMS: &str = "SHA256SUMS";

/// What to package.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Architectures to package for
    #[arg(long, value_delimiter = ',', default_value = "amd64,arm64")]
    arch: Vec<Arch>,
    /// What the release is for
    #[arg(long, default_value = "stable")]
    channel: Channel,
    /// Cargo's profile; others than `dist` are quicker to build, for trying
    #[arg(long, default_value = "dist")]
    profile: String,
    /// Where the packages go [default: dist-packages in the target directory]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Build again from a clone in another directory, and compare
    #[arg(long)]
    twice: bool,
    /// Build nothing; install the packages of --out into fresh Debian systems (needs root)
    #[arg(long, conflicts_with = "twice")]
    verify: bool,
    /// Debian mirror for --verify [default: debootstrap's]
    #[arg(long, value_name = "URL", requires = "verify")]
    mirror: Option<String>,
}

/// Packages, or tries packages.
pub(crate) fn run(root: &Path, options: &Options) -> io::Result<Findings> {
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| root.join("target"), |path| root.join(path));
    let out = options
        .out
        .clone()
        .unwrap_or_else(|| target.join("dist-packages"));
    let release = Release::of_tree(root, options.channel)?;
    if options.verify {
        return verify::run(&verify::Roots {
            packages: &out,
            work: &target.join("dist-verify"),
            release: &release,
            mirror: options.mirror.as_deref(),
            archs: &options.arch,
        });
    }
    if options.twice && release.is_dirty() {
        return Ok(vec![
            "commit first: the second build is of a clone".to_owned(),
        ]);
    }
    let work = target.join("dist-build");
    let sums = package(root, &work, &out, options, &release)?;
    if options.twice {
        return again(root, &target, &sums, options, &release);
    }
    Ok(Findings::new())
}

/// Builds and packages the tree at `root` into `out`; gives back the checksums.
fn package(
    root: &Path,
    work: &Path,
    out: &Path,
    options: &Options,
    release: &Release,
) -> io::Result<String> {
    let mut files = tree::Tree::default();
    let mut images = Vec::new();
    let mut archs = options.arch.clone();
    archs.sort_unstable();
    archs.dedup();
    for arch in archs {
        say(&format!("== {} for {}", release.name(), arch.name()));
        let build = Build {
            root,
            target: work,
            profile: &options.profile,
            release,
            arch,
        };
        let programs = build.run()?;
        let crates = Crates::linked(root, arch)?;
        let content = Content::gather(root, arch, &programs, &crates)?;
        let name = format!("muskox-{}-linux-{}", release.name(), arch.name());
        let deb = format!("muskox_{}_{}.deb", release.debian(), arch.name());
        files.file(&deb, deb::package(root, &content, release, arch)?);
        let tarball = tarball::pack(root, &name, &content, release)?;
        files.file(&format!("{name}.tar.gz"), tarball);
        files.file(&format!("{name}.cdx.json"), sbom::write(&crates, release)?);
        images.push(oci::Image::of(&content, release, arch)?);
    }
    let image = oci::archive(&images, release)?;
    files.file(&format!("muskox-{}-oci.tar", release.name()), image);
    let sums = checksums(&files);
    files.file(CHECKSUMS, sums.clone());
    store(&files, out)?;
    Ok(sums)
}

/// Leaves `files`, and nothing older, in `out`.
#[expect(
    clippy::disallowed_methods,
    reason = "only files that a packaging before this one listed"
)]
fn store(files: &tree::Tree, out: &Path) -> io::Result<()> {
    std::fs::create_dir_all(out)?;
    let before = std::fs::read_to_string(out.join(CHECKSUMS)).unwrap_or_default();
    for (_, name) in before.lines().filter_map(|line| line.split_once("  ")) {
        let _ = std::fs::remove_file(out.join(name));
    }
    files.write(out)?;
    for (name, content) in files.files() {
        say(&format!(
            "{:>12} {}",
            content.len(),
            out.join(name).display()
        ));
    }
    Ok(())
}

/// Builds the same commit from a clone, and says what differs.
fn again(
    root: &Path,
    target: &Path,
    sums: &str,
    options: &Options,
    release: &Release,
) -> io::Result<Findings> {
    let place = tempfile::Builder::new()
        .prefix("dist-again-")
        .tempdir_in(target)?;
    let source = place.path().join("source");
    let mut clone = Command::new("git");
    clone.args(["clone", "--quiet"]).arg(root).arg(&source);
    succeed(&mut clone)?;
    let work = place.path().join("build");
    let out = place.path().join("packages");
    let second = package(&source, &work, &out, options, release)?;
    let findings = differences(sums, &second);
    if findings.is_empty() {
        say("both builds are the same, octet for octet");
    }
    Ok(findings)
}

/// One line for each file of which two lists of checksums say different things.
fn differences(one: &str, other: &str) -> Findings {
    one.lines()
        .filter(|line| !other.lines().any(|again| again == *line))
        .map(|line| format!("differs in a second build: {line}"))
        .collect()
}

fn checksums(files: &tree::Tree) -> String {
    let mut list = String::new();
    for (name, content) in files.files() {
        let _ = writeln!(list, "{}  {name}", sha256(content));
    }
    list
}

/// The SHA-256 of `content` in hexadecimal digits.
fn sha256(content: &[u8]) -> String {
    hex(&Sha256::digest(content))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Runs a command whose output is for people.
fn succeed(command: &mut Command) -> io::Result<()> {
    let status = command.status().map_err(|error| not_run(command, &error))?;
    if status.success() {
        Ok(())
    } else {
        Err(io::Error::other(format!("{command:?}: {status}")))
    }
}

/// What a command prints.
fn output(command: &mut Command) -> io::Result<String> {
    let output = command.output().map_err(|error| not_run(command, &error))?;
    if output.status.success() {
        String::from_utf8(output.stdout).map_err(io::Error::other)
    } else {
        let program = command.get_program().display();
        let reason = String::from_utf8_lossy(&output.stderr);
        let status = output.status;
        Err(io::Error::other(format!("{program}: {status}\n{reason}")))
    }
}

fn not_run(command: &Command, error: &io::Error) -> io::Error {
    io::Error::other(format!("{}: {error}", command.get_program().display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_those_that_sha256sum_prints() {
        let mut files = tree::Tree::default();
        files.file("a", "abc");
        assert_eq!(
            checksums(&files),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  a\n"
        );
    }

    #[test]
    fn a_file_that_differs_in_a_second_build_is_named() {
        assert_eq!(differences("1  a\n2  b\n", "1  a\n2  b\n"), Findings::new());
        let findings = differences("1  a\n2  b\n", "1  a\n3  b\n");
        assert_eq!(findings, ["differs in a second build: 2  b"]);
    }

    #[test]
    fn what_an_earlier_packaging_left_goes_and_other_files_stay() {
        let directory = tempfile::tempdir().unwrap();
        let names = || {
            let mut names: Vec<_> = tree::Tree::read(directory.path())
                .unwrap()
                .files()
                .map(|(name, _)| name.to_owned())
                .collect();
            names.sort_unstable();
            names
        };
        let mut files = tree::Tree::default();
        files.file("notes", "mine");
        files.write(directory.path()).unwrap();
        for name in ["muskox-1", "muskox-2"] {
            let mut files = tree::Tree::default();
            files.file(name, name);
            let sums = checksums(&files);
            files.file(CHECKSUMS, sums);
            store(&files, directory.path()).unwrap();
        }
        assert_eq!(names(), [CHECKSUMS, "muskox-2", "notes"]);
    }
}
