//! What the running server may still do, as the kernel tells it, and as somebody in its place finds.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use testkit::process::Site;

use crate::context::{Context, Result, Stopped, need_root, root};
use crate::figure::{Figures, Target};
use crate::ledger;

/// A user that has nothing on any machine.
const NOBODY: &str = "65534:65534";

pub(crate) fn run(context: &Context) -> Result<Figures> {
    need_root("become another user")?;
    let mut figures = Figures::default();
    refusal(context, &mut figures)?;
    let directory = context.directory().join("site");
    fs::create_dir(&directory)?;
    // The user must get there, and may write there and nowhere else.
    for path in [context.directory(), &directory] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o777))?;
    }
    let site = Site::at(&directory, context.binary());
    configure(&site, "root = true", &format!("user = \"{NOBODY}\""))?;
    let process = context.start(&site);
    ledger::populate(&site);
    let pid = process.id();
    let mut threads = 0_usize;
    let (mut privileged, mut unfiltered, mut regaining) = (0, 0, 0);
    for entry in fs::read_dir(format!("/proc/{pid}/task"))? {
        let status = fs::read_to_string(entry?.path().join("status"))?;
        let is = |name: &str, wanted: &str| {
            let line = status
                .lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            line.is_some_and(|line| line.trim() == wanted)
        };
        threads += 1;
        // CAP_NET_BIND_SERVICE is bit 10.
        let bound = is("CapEff", "0000000000000400") || is("CapEff", "0000000000000000");
        privileged += usize::from(!bound || !is("Uid", "65534\t65534\t65534\t65534"));
        unfiltered += usize::from(!is("Seccomp", "2"));
        regaining += usize::from(!is("NoNewPrivs", "1"));
    }
    let dumps = fs::metadata(format!("/proc/{pid}/status"))?;
    let owned_by_root = std::os::unix::fs::MetadataExt::uid(&dumps) == 0;
    process.terminate();
    figures.checked(threads as u64);
    figures.count("threads", threads, Target::AtLeast(4.0));
    figures.count(
        "of them with another user or more than low ports",
        privileged,
        Target::Exactly(0.0),
    );
    figures.count(
        "of them without a filter of calls",
        unfiltered,
        Target::Exactly(0.0),
    );
    figures.count(
        "of them that could regain rights",
        regaining,
        Target::Exactly(0.0),
    );
    figures.count(
        "not dumpable",
        usize::from(owned_by_root),
        Target::Exactly(1.0),
    );
    attempts(context, &mut figures)?;
    exposure(&mut figures)?;
    figures.count("panics", context.panics(), Target::Exactly(0.0));
    Ok(figures)
}

/// Root has to be asked for.
fn refusal(context: &Context, figures: &mut Figures) -> Result<()> {
    let site = context.site();
    configure(&site, "root = true", "root = false")?;
    let output = Command::new(context.binary())
        .args(["serve", "--config"])
        .arg(site.config())
        .output()?;
    let text = String::from_utf8_lossy(&output.stderr);
    let refused = !output.status.success() && text.contains("[service]");
    figures.checked(1_u64);
    figures.count(
        "refuses to be root unasked",
        usize::from(refused),
        Target::Exactly(1.0),
    );
    Ok(())
}

/// Has another process enter the sandbox and try.
fn attempts(context: &Context, figures: &mut Figures) -> Result<()> {
    let site = context.site();
    let output = Command::new(std::env::current_exe()?)
        .arg("attempts")
        .arg(site.config())
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let results: Vec<&str> = text.lines().collect();
    let allowed = results.iter().filter(|line| line.starts_with("allowed"));
    for line in allowed.clone() {
        eprintln!("   {line}");
    }
    let own = results.iter().filter(|line| line.starts_with("own work"));
    figures.checked(results.len() as u64);
    figures.count(
        "things that the server needs and may do",
        own.count(),
        Target::Exactly(4.0),
    );
    let refused = results.iter().filter(|line| line.starts_with("refused"));
    figures.count(
        "attempts that are refused",
        refused.count(),
        Target::AtLeast(14.0),
    );
    figures.count(
        "attempts that succeed",
        allowed.count(),
        Target::Exactly(0.0),
    );
    Ok(())
}

/// In a process of its own: enters the sandbox of a configuration as the server does, then tries
/// what an attacker would.
pub(crate) fn attempt(file: &Path) -> Result<()> {
    let failed = |error: &dyn std::fmt::Display| Stopped::Failed(error.to_string());
    let config = muskox::config::Config::load(file).map_err(|error| failed(&error))?;
    muskox::sandbox::enter(&config, file).map_err(|error| failed(&error))?;
    muskox::sandbox::close().map_err(|error| failed(&error))?;
    let tell = |what: &str, done: bool| {
        println!("{} {what}", if done { "allowed" } else { "refused" });
    };
    for path in [
        "/etc/shadow",
        "/etc/passwd",
        "/proc/1/environ",
        "/var/log/dpkg.log",
    ] {
        tell(&format!("reading {path}"), fs::read(path).is_ok());
    }
    for path in ["/root", "/home", "/"] {
        tell(&format!("listing {path}"), fs::read_dir(path).is_ok());
    }
    for path in [
        "/etc/muskox-was-here",
        "/tmp/muskox-was-here",
        "/usr/bin/muskox-was-here",
    ] {
        tell(&format!("writing {path}"), fs::write(path, "x").is_ok());
    }
    let program = Command::new("/bin/true").status();
    tell("starting a program", program.is_ok());
    use rustix::net::{AddressFamily, SocketType, socket};
    for (name, family) in [
        ("netlink", AddressFamily::NETLINK),
        ("packet", AddressFamily::PACKET),
        ("vsock", AddressFamily::VSOCK),
    ] {
        tell(
            &format!("a {name} socket"),
            socket(family, SocketType::RAW, None).is_ok(),
        );
    }
    tell("another root", rustix::process::chroot("/").is_ok());
    let nobody = rustix::process::Uid::from_raw(65_534);
    tell(
        "another user",
        rustix::thread::set_thread_uid(nobody).is_ok(),
    );
    let own = |what: &str, done: bool| {
        if done {
            println!("own work: {what}");
        }
    };
    let mine = config.data_dir.join("probe");
    own(
        "writing its data",
        fs::write(&mine, "x").is_ok() && fs::remove_file(&mine).is_ok(),
    );
    own("reading its configuration", fs::read(file).is_ok());
    own("threads", std::thread::spawn(|| ()).join().is_ok());
    let listener = std::net::TcpListener::bind("127.0.0.1:0");
    own("listening", listener.is_ok());
    Ok(())
}

/// systemd's own opinion of the unit.
fn exposure(figures: &mut Figures) -> Result<()> {
    let unit = root().join("packaging/muskox.service");
    let output = Command::new("systemd-analyze")
        .args(["security", "--offline=yes", "--no-pager"])
        .arg(&unit)
        .output();
    let Ok(output) = output else {
        eprintln!("   no systemd-analyze: the unit is not looked at");
        return Ok(());
    };
    let text = String::from_utf8_lossy(&output.stdout);
    let level = text.lines().rev().find_map(|line| {
        let (_, rest) = line.split_once("exposure level for ")?;
        rest.split_ascii_whitespace()
            .find_map(|word| word.parse::<f64>().ok())
    });
    let level = level.ok_or_else(|| Stopped::Failed(format!("systemd-analyze: {text}")))?;
    figures.checked(1_u64);
    figures.measure(
        "exposure of the unit, as systemd rates it",
        level,
        "",
        Target::AtMost(1.5),
    );
    Ok(())
}

fn configure(site: &Site, from: &str, to: &str) -> Result<()> {
    let text = fs::read_to_string(site.config())?;
    let changed = text.replace(from, to);
    if changed == text {
        return Err(Stopped::Failed(format!(
            "the configuration has no {from:?}"
        )));
    }
    write(&site.config(), &changed)
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text)?;
    Ok(fs::set_permissions(
        path,
        fs::Permissions::from_mode(0o644),
    )?)
}
