//! Trying packages where they will be used: the package in a fresh Debian 12 of its architecture,
//! the image with a root that cannot be written.
//!
//! Needs root, debootstrap, and for another architecture than the machine's qemu-user-static. The
//! fresh system is kept and copied for each run; nothing is ever installed into the machine's own.

#![expect(
    clippy::disallowed_methods,
    reason = "reads and writes directories of its own"
)]

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::build::Arch;
use super::release::Release;
use super::{oci, output, succeed};
use crate::{Findings, say};

/// The Debian release that packages are made for.
const SUITE: &str = "bookworm";

/// How the image is tried: a shell script with the directory it is unpacked in.
const IMAGE: &str = include_str!("verify/image.sh");

/// Where the kernel keeps which program runs which format.
const FORMATS: &str = "/proc/sys/fs/binfmt_misc";
/// Our entry there.
const ENTRY: &str = "muskox-dist";
/// How programs begin: 64 bits, little-endian, executable or shared, and the machine.
const X86_64: &str = r"\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x3e\x00";
const AARCH64: &str = r"\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00";
/// Which bits of that count: neither the system's name nor executable against shared.
const MASK: &str =
    r"\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff";

/// What to try, and where.
#[derive(Debug)]
pub(super) struct Roots<'a> {
    /// The directory of packages.
    pub(super) packages: &'a Path,
    /// Where systems are made.
    pub(super) work: &'a Path,
    pub(super) release: &'a Release,
    pub(super) mirror: Option<&'a str>,
    pub(super) archs: &'a [Arch],
}

/// A name and what a shell in the system does about it; it fails at the first command that does.
struct Step(&'static str, &'static str);

const STEPS: &[Step] = &[
    Step(
        "installs",
        "apt-get install --quiet --yes --no-install-recommends /root/muskox.deb",
    ),
    Step(
        "every file is as packed",
        "test -z \"$(dpkg --verify muskox)\"",
    ),
    Step(
        "says its version",
        "test \"$(muskox --version)\" = \"muskox $VERSION\"",
    ),
    Step(
        "user and directories",
        "test \"$(stat --format='%U %a' /var/lib/muskox /var/cache/muskox | uniq)\" = 'muskox 700'",
    ),
    Step(
        "man pages and completions",
        "test -s /usr/share/man/man1/muskox.1.gz -a -s /usr/share/man/man5/muskox.toml.5.gz
         test -s /usr/share/bash-completion/completions/muskox",
    ),
    Step(
        "the unit is sound",
        "systemd-analyze verify --man=no /usr/lib/systemd/system/muskox.service",
    ),
    Step(
        "does not start by itself, and says what it lacks",
        "test ! -e /etc/systemd/system/multi-user.target.wants/muskox.service
         muskox config check && exit 1 || test $? = 7",
    ),
    Step(
        "the example with a name is a configuration",
        "sed -i 's/^#hostname = .*/hostname = \"mail.example.org\"/' /etc/muskox/muskox.toml
         muskox config check",
    ),
    Step("demo", "runuser --user muskox -- muskox demo --check"),
    Step(
        "an upgrade keeps configuration and mail",
        "echo mail >/var/lib/muskox/kept
         dpkg --install --force-confdef /root/muskox.deb
         muskox config check",
    ),
    Step(
        "purged, only mail and its owner stay",
        "apt-get purge --quiet --yes muskox
         test ! -e /usr/bin/muskox -a ! -e /etc/muskox -a ! -e /var/cache/muskox
         test -s /var/lib/muskox/kept
         getent passwd muskox
         test ! -e /usr/share/doc/muskox",
    ),
];

/// Tries all of it.
pub(super) fn run(roots: &Roots<'_>) -> io::Result<Findings> {
    std::fs::create_dir_all(roots.work)?;
    let mut findings = Findings::new();
    for arch in roots.archs {
        let _emulation = if arch.is_native() {
            None
        } else {
            Emulation::of(*arch)?
        };
        findings.extend(roots.package(*arch)?);
        findings.extend(roots.image(*arch)?);
    }
    Ok(findings)
}

impl Roots<'_> {
    /// Takes the package through its life.
    fn package(&self, arch: Arch) -> io::Result<Findings> {
        let name = format!("muskox_{}_{}.deb", self.release.debian(), arch.name());
        say(&format!("== {name}"));
        let package = self.read(&name)?;
        let fresh = self.fresh(arch)?;
        let place = tempfile::tempdir_in(self.work)?;
        let root = place.path().join("root");
        succeed(Command::new("cp").arg("--archive").args([&fresh, &root]))?;
        std::fs::write(root.join("root/muskox.deb"), package)?;
        for Step(what, script) in STEPS {
            if let Err(error) = inside(&root, &self.release.name(), script) {
                return Ok(vec![format!("{}: {what}: {error}", arch.name())]);
            }
            say(&format!("[ok] {what}"));
        }
        Ok(Findings::new())
    }

    /// One of the packages.
    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        let path = self.packages.join(name);
        std::fs::read(&path).map_err(|error| {
            io::Error::other(format!(
                "{}: {error}: run `cargo xtask dist` first, with the same --channel, --arch and --out",
                path.display()
            ))
        })
    }

    /// A Debian of `arch` as it is after its installation. It is made once.
    fn fresh(&self, arch: Arch) -> io::Result<PathBuf> {
        let fresh = self.work.join(format!("{SUITE}-{}", arch.name()));
        if fresh.exists() {
            return Ok(fresh);
        }
        let place = tempfile::tempdir_in(self.work)?;
        let root = place.path().join("root");
        let mut debootstrap = Command::new("debootstrap");
        debootstrap
            .args(["--variant=minbase", "--arch", arch.name(), SUITE])
            .arg(&root)
            .args(self.mirror);
        say(&format!("making a Debian {SUITE} for {}", arch.name()));
        output(&mut debootstrap)?;
        std::fs::rename(&root, &fresh)?;
        Ok(fresh)
    }

    /// Runs the image's program as its user, with nothing to write but what the image says.
    fn image(&self, arch: Arch) -> io::Result<Findings> {
        let name = format!("muskox-{}-oci.tar", self.release.name());
        say(&format!("== {name} for {}", arch.name()));
        let place = tempfile::tempdir_in(self.work)?;
        let root = place.path();
        let archive = self.read(&name)?;
        let layer = oci::layer(&archive, arch)?;
        let mut layer = tar::Archive::new(layer.as_slice());
        layer.set_preserve_ownerships(true);
        layer.set_preserve_permissions(true);
        layer.unpack(root)?;
        std::fs::write(
            root.join("etc/muskox/muskox.toml"),
            "hostname = \"mail.example.org\"\n",
        )?;
        let tried = output(
            Command::new("unshare")
                .args(["--mount", "--net", "--pid", "--fork", "--kill-child"])
                .args(["/bin/sh", "-euc", IMAGE, "sh"])
                .arg(root),
        );
        Ok(match tried {
            Ok(said) => {
                said.lines().for_each(say);
                Findings::new()
            }
            Err(error) => vec![format!("image for {}: {error}", arch.name())],
        })
    }
}

/// Runs a shell script in the system at `root`, in namespaces that end with it.
fn inside(root: &Path, version: &str, script: &str) -> io::Result<String> {
    output(
        Command::new("unshare")
            .args(["--mount", "--pid", "--fork", "--kill-child"])
            .arg(format!("--mount-proc={}", root.join("proc").display()))
            .arg("chroot")
            .arg(root)
            .args(["/usr/bin/env", "--ignore-environment"])
            .args(["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8"])
            .args(["DEBIAN_FRONTEND=noninteractive", "HOME=/root"])
            .arg(format!("VERSION={version}"))
            .args(["/bin/sh", "-euc", script]),
    )
}

/// The kernel's switch that runs programs of another architecture in an emulator: taken back when
/// this is dropped.
#[derive(Debug)]
struct Emulation {
    mounted: bool,
}

impl Emulation {
    /// Switches it on unless the system has done so.
    fn of(arch: Arch) -> io::Result<Option<Self>> {
        let (system, magic) = match arch {
            Arch::Amd64 => ("qemu-x86_64", X86_64),
            Arch::Arm64 => ("qemu-aarch64", AARCH64),
        };
        let formats = Path::new(FORMATS);
        if formats.join(system).exists() {
            return Ok(None);
        }
        let mounted = !formats.join("register").exists();
        if mounted {
            let mut mount = Command::new("mount");
            succeed(mount.args(["-t", "binfmt_misc", "binfmt_misc", FORMATS]))?;
        }
        let emulation = Self { mounted };
        if !formats.join(ENTRY).exists() {
            let emulator = format!("/usr/bin/{system}-static");
            if !Path::new(&emulator).exists() {
                let missing = format!("{emulator} is missing: install qemu-user-static");
                return Err(io::Error::other(missing));
            }
            // F: the emulator is opened now, and found in every root.
            let entry = format!(":{ENTRY}:M::{magic}:{MASK}:{emulator}:F");
            std::fs::write(formats.join("register"), entry)?;
        }
        Ok(Some(emulation))
    }
}

impl Drop for Emulation {
    fn drop(&mut self) {
        // Nothing is left to do about an error here.
        let _ = std::fs::write(Path::new(FORMATS).join(ENTRY), "-1");
        if self.mounted {
            let _ = succeed(Command::new("umount").arg(FORMATS));
        }
    }
}
