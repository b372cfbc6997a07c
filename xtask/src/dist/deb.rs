//! The Debian package, for Debian 12 and what is made from it or comes after it.
//!
//! The files of `packaging/debian` are its templates; `dpkg-shlibdeps` says which libraries the
//! program needs, `dpkg-deb` packs.

#![expect(
    clippy::disallowed_methods,
    reason = "reads files of the repository and what dpkg-deb has made"
)]

use std::io;
use std::path::Path;
use std::process::Command;

use super::build::Arch;
use super::content::Content;
use super::output;
use super::release::Release;
use super::tree::{Tree, gzip};

const DOC: &str = "usr/share/doc/muskox";

/// The package's content.
pub(super) fn package(
    root: &Path,
    content: &Content,
    release: &Release,
    arch: Arch,
) -> io::Result<Vec<u8>> {
    let packaging = root.join("packaging");
    let template = |name: &str| std::fs::read_to_string(packaging.join("debian").join(name));
    let mut files = installed(&packaging, content)?;
    let changelog = fill(
        &template("changelog")?,
        &[
            ("VERSION", &release.debian()),
            ("DATE", &release.dated("%a, %d %b %Y %H:%M:%S +0000")),
        ],
    );
    files.file(
        &format!("{DOC}/changelog.Debian.gz"),
        gzip(changelog.as_bytes())?,
    );
    let mit = std::fs::read_to_string(root.join("LICENSE-MIT"))?;
    let copyright = fill(&template("copyright")?, &[("MIT", &paragraph(&mit))]);
    files.file(&format!("{DOC}/copyright"), copyright);
    files.file(
        "usr/share/lintian/overrides/muskox",
        template("lintian-overrides")?,
    );

    let place = tempfile::tempdir()?;
    let control = fill(
        &template("control")?,
        &[
            ("VERSION", &release.debian()),
            ("ARCH", arch.name()),
            ("SIZE", &kibibytes(&files).to_string()),
            ("LIBRARIES", &libraries(content, arch)?),
        ],
    );
    let md5sums = md5sums(place.path(), &files)?;
    files.file("DEBIAN/control", control);
    files.file("DEBIAN/conffiles", "/etc/muskox/muskox.toml\n");
    files.file("DEBIAN/md5sums", md5sums);
    for script in ["postinst", "prerm", "postrm"] {
        files.program(&format!("DEBIAN/{script}"), template(script)?);
    }
    pack(&place.path().join("package"), &files, release)
}

/// What the package installs, but for what names its version.
fn installed(packaging: &Path, content: &Content) -> io::Result<Tree> {
    let mut files = Tree::default();
    files.program("usr/bin/muskox", content.shared.clone());
    files.file("etc/muskox/muskox.toml", content.configuration.clone());
    for (from, to) in [
        ("muskox.service", "usr/lib/systemd/system/muskox.service"),
        ("muskox.sysusers", "usr/lib/sysusers.d/muskox.conf"),
        ("muskox.tmpfiles", "usr/lib/tmpfiles.d/muskox.conf"),
    ] {
        files.file(to, std::fs::read(packaging.join(from))?);
    }
    for (name, page) in content.man.files() {
        let section = name.rsplit('.').next().unwrap_or("1");
        files.file(
            &format!("usr/share/man/man{section}/{name}.gz"),
            gzip(page)?,
        );
    }
    for (name, text) in content.completions.files() {
        let path = match name {
            "muskox.bash" => "usr/share/bash-completion/completions/muskox".to_owned(),
            "_muskox" => "usr/share/zsh/vendor-completions/_muskox".to_owned(),
            fish => format!("usr/share/fish/vendor_completions.d/{fish}"),
        };
        files.file(&path, text);
    }
    for (name, page) in content.pages.files() {
        match name {
            "CHANGELOG.md" => files.file(&format!("{DOC}/changelog.gz"), gzip(page)?),
            _ => files.file(&format!("{DOC}/{name}"), page),
        }
    }
    files.file(
        &format!("{DOC}/crates.txt.gz"),
        gzip(content.licences.as_bytes())?,
    );
    Ok(files)
}

/// `template` with each `@NAME@` replaced.
fn fill(template: &str, values: &[(&str, &str)]) -> String {
    values
        .iter()
        .fold(template.to_owned(), |text, (name, value)| {
            text.replace(&format!("@{name}@"), value)
        })
}

/// `text` as it stands in a field of a control file: indented, empty lines as a dot.
fn paragraph(text: &str) -> String {
    let lines: Vec<_> = text
        .trim()
        .lines()
        .map(|line| {
            if line.is_empty() {
                " .".to_owned()
            } else {
                format!(" {line}")
            }
        })
        .collect();
    lines.join("\n")
}

/// Disk space in KiB, each file and directory counted as Debian does.
fn kibibytes(files: &Tree) -> usize {
    files
        .files()
        .map(|(_, content)| content.len().div_ceil(1024))
        .sum()
}

/// The packages of the libraries that the program uses, as in `libc6 (>= 2.34)`.
fn libraries(content: &Content, arch: Arch) -> io::Result<String> {
    let place = tempfile::tempdir()?;
    let mut files = Tree::default();
    files.file(
        "debian/control",
        "Source: muskox\n\nPackage: muskox\nArchitecture: any\n",
    );
    files.program("debian/muskox/usr/bin/muskox", content.shared.clone());
    files.directory("debian/muskox/DEBIAN", 0o755, 0);
    files.write(place.path())?;
    let found = output(
        Command::new("dpkg-shlibdeps")
            .args(["-O", "debian/muskox/usr/bin/muskox"])
            .env("DEB_HOST_ARCH", arch.name())
            .current_dir(place.path()),
    )?;
    found
        .trim()
        .strip_prefix("shlibs:Depends=")
        .map(ToOwned::to_owned)
        .ok_or_else(|| io::Error::other(format!("dpkg-shlibdeps said {found:?}")))
}

/// The checksums that `dpkg --verify` compares.
fn md5sums(place: &Path, files: &Tree) -> io::Result<String> {
    let place = place.join("sums");
    files.create(&place)?;
    // Files of the configuration have their checksums elsewhere.
    let names = files.files().map(|(name, _)| name);
    let names = names.filter(|name| !name.starts_with("etc/"));
    output(Command::new("md5sum").args(names).current_dir(&place))
}

fn pack(place: &Path, files: &Tree, release: &Release) -> io::Result<Vec<u8>> {
    files.create(place)?;
    let package = place.with_extension("deb");
    let mut dpkg = Command::new("dpkg-deb");
    dpkg.args(["--root-owner-group", "-Zxz", "--threads-max=1", "--build"])
        .args([place, &package])
        .env("SOURCE_DATE_EPOCH", release.epoch().to_string());
    // It says what it does, and would on every run.
    output(&mut dpkg)?;
    std::fs::read(package)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_are_filled_and_paragraphs_indented() {
        assert_eq!(fill("a @X@ @Y@ @X@", &[("X", "1"), ("Y", "2")]), "a 1 2 1");
        assert_eq!(paragraph("one\n\ntwo\n"), " one\n .\n two");
    }

    #[test]
    fn every_template_says_what_it_leaves_open() {
        let debian = crate::root().join("packaging/debian");
        let read = |name| std::fs::read_to_string(debian.join(name)).unwrap();
        let control = fill(
            &read("control"),
            &[
                ("VERSION", "1"),
                ("ARCH", "arm64"),
                ("SIZE", "1"),
                ("LIBRARIES", "libc6"),
            ],
        );
        let changelog = fill(&read("changelog"), &[("VERSION", "1"), ("DATE", "today")]);
        let copyright = fill(&read("copyright"), &[("MIT", "text")]);
        for text in [control, changelog, copyright] {
            let open = text.split_whitespace().find(|word| {
                let name = word.trim_matches(['(', ')', ',']);
                name.len() > 2 && name.starts_with('@') && name.ends_with('@')
            });
            assert_eq!(open, None);
        }
    }
}
