//! What the running server may still do, as the kernel tells it, and as somebody in its place finds.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use muskox::config::Config;
use rustix::net::{AddressFamily, SocketType, socket};
use testkit::client::Smtp;
use testkit::process::{Process, Site, family};

use crate::context::{Context, Result, Stopped, need_root, root};
use crate::figure::{Figures, Target};
use crate::ledger;

/// A user that has nothing on any machine.
const NOBODY: &str = "65534:65534";
/// A message that somebody has to read.
const PAGE: &str = "From: <a@example.test>\r\nTo: <alice@demo.test>\r\nSubject: minutes\r\n\
    MIME-Version: 1.0\r\nContent-Type: text/html\r\n\r\n<p>As agreed.</p>\r\n";

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
    let names = context.names()?;
    site.resolve_at(names.local_addr());
    let process = context.start(&site);
    ledger::populate(&site);
    // Its page has a worker started.
    context.block_on(deliver(&site))?;
    rights(&process, &mut figures)?;
    process.terminate();
    attempts(context, &mut figures)?;
    attempts_of_a_worker(&mut figures)?;
    exposure(&mut figures)?;
    figures.count("panics", context.panics(), Target::Exactly(0.0));
    Ok(figures)
}

async fn deliver(site: &Site) -> Result<()> {
    let mut smtp = Smtp::connect(site.mx()).await?;
    let to = [ledger::ACCOUNT];
    match smtp.deliver("a@example.test", &to, PAGE.as_bytes()).await? {
        (250, _) => Ok(()),
        reply => Err(Stopped::Failed(format!("{reply:?}"))),
    }
}

/// What the kernel says of the threads of the server, its keeper and its workers.
fn rights(process: &Process, figures: &mut Figures) -> Result<()> {
    let pids = family(process.id());
    let (mut threads, mut dumpable) = (0_usize, 0);
    let (mut privileged, mut unfiltered, mut regaining) = (0, 0, 0);
    for pid in &pids {
        let is_server = *pid == process.id();
        for entry in fs::read_dir(format!("/proc/{pid}/task"))? {
            let status = fs::read_to_string(entry?.path().join("status"))?;
            threads += 1;
            // CAP_NET_BIND_SERVICE is bit 10.
            let bound = is_server && says(&status, "CapEff", "0000000000000400")
                || says(&status, "CapEff", "0000000000000000");
            let user = says(&status, "Uid", "65534\t65534\t65534\t65534");
            privileged += usize::from(!(bound && user));
            unfiltered += usize::from(!says(&status, "Seccomp", "2"));
            regaining += usize::from(!says(&status, "NoNewPrivs", "1"));
        }
        let status = fs::metadata(format!("/proc/{pid}/status"))?;
        dumpable += usize::from(std::os::unix::fs::MetadataExt::uid(&status) != 0);
    }
    figures.checked(threads as u64);
    figures.count(
        "processes: server, keeper, parse workers",
        pids.len(),
        Target::AtLeast(3.0),
    );
    figures.count("threads", threads, Target::AtLeast(6.0));
    for (what, count) in [
        (
            "of them with another user or more than low ports",
            privileged,
        ),
        ("of them without a filter of calls", unfiltered),
        ("of them that could regain rights", regaining),
        ("processes that others may look into", dumpable),
    ] {
        figures.count(what, count, Target::Exactly(0.0));
    }
    Ok(())
}

/// A line of /proc/PID/status.
fn says(status: &str, name: &str, wanted: &str) -> bool {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.is_some_and(|line| line.trim() == wanted)
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

/// Has another process enter the server's sandbox and try.
fn attempts(context: &Context, figures: &mut Figures) -> Result<()> {
    let site = context.site();
    let results = tried(&[site.config()])?;
    let own = results.iter().filter(|line| line.starts_with("own work"));
    figures.count(
        "things that the server needs and may do",
        own.count(),
        Target::Exactly(4.0),
    );
    count(&results, "in the server", 14.0, figures);
    Ok(())
}

/// The same in the place of a parse worker.
fn attempts_of_a_worker(figures: &mut Figures) -> Result<()> {
    count(&tried(&[])?, "in a parse worker", 20.0, figures);
    Ok(())
}

fn tried(arguments: &[PathBuf]) -> Result<Vec<String>> {
    let output = Command::new(std::env::current_exe()?)
        .arg("attempts")
        .args(arguments)
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text.lines().map(str::to_owned).collect())
}

fn count(results: &[String], place: &str, least: f64, figures: &mut Figures) {
    let allowed = results.iter().filter(|line| line.starts_with("allowed"));
    for line in allowed.clone() {
        eprintln!("   {place}: {line}");
    }
    let refused = results.iter().filter(|line| line.starts_with("refused"));
    figures.checked(results.len() as u64);
    figures.count(
        &format!("attempts {place} that are refused"),
        refused.count(),
        Target::AtLeast(least),
    );
    figures.count(
        &format!("attempts {place} that succeed"),
        allowed.count(),
        Target::Exactly(0.0),
    );
}

/// In a process of its own: enters the sandbox of a configuration as the server does, or that of a
/// parse worker, then tries what an attacker would.
pub(crate) fn attempt(file: Option<&Path>) -> Result<()> {
    let failed = |error: &dyn std::fmt::Display| Stopped::Failed(error.to_string());
    let Some(file) = file else {
        parsebox::confine_worker().map_err(|error| failed(&error))?;
        try_everything();
        try_what_the_server_may();
        return Ok(());
    };
    let config = muskox::config::Config::load(file).map_err(|error| failed(&error))?;
    let keeper = muskox::sandbox::enter(&config, file).map_err(|error| failed(&error))?;
    muskox::sandbox::close().map_err(|error| failed(&error))?;
    try_everything();
    do_own_work(&config, file);
    drop(keeper);
    Ok(())
}

fn tell(what: &str, done: bool) {
    println!("{} {what}", if done { "allowed" } else { "refused" });
}

/// What neither server nor worker may.
fn try_everything() {
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
}

/// What the server does every day, and a worker never.
fn try_what_the_server_may() {
    for (name, family) in [
        ("TCP", AddressFamily::INET),
        ("TCP over IPv6", AddressFamily::INET6),
        ("local", AddressFamily::UNIX),
    ] {
        tell(
            &format!("a {name} socket"),
            socket(family, SocketType::STREAM, None).is_ok(),
        );
    }
    for path in ["/etc/resolv.conf", "/proc/self/status", "/dev/null"] {
        tell(&format!("reading {path}"), fs::read(path).is_ok());
    }
    let thread = std::thread::Builder::new().spawn(|| ());
    tell("a thread", thread.is_ok());
    tell(
        "more memory than it has",
        Vec::<u8>::new().try_reserve_exact(1 << 30).is_ok(),
    );
}

fn do_own_work(config: &Config, file: &Path) {
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
