//! What keeper and worker give up.
//!
//! A kernel without Landlock or seccomp is no error, as in the server: an emulator has neither. What is
//! left there are the limits of memory and time, and a process of its own.

use std::collections::BTreeMap;
use std::io;

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, Ruleset, RulesetAttr as _,
    RulesetCreatedAttr as _, path_beneath_rules,
};
use rustix::process::{
    DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit,
};
use rustix::thread::{
    CapabilitySet, CapabilitySets, clear_ambient_capability_set, set_capabilities, set_no_new_privs,
};
use rustix::time::{ClockId, clock_gettime};
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition,
    SeccompFilter, SeccompRule, TargetArch, apply_filter,
};

use crate::Error;

/// The newest rights this program knows; an older kernel enforces those it has.
const RIGHTS: ABI = ABI::V5;
/// Octets of address space of a worker.
const MEMORY: u64 = 1 << 30;
/// Seconds of processor time of a job, to the next whole one.
const SECONDS: u64 = 5;

/// What programs are started with.
const PROGRAMS: &[&str] = &[
    "/proc/self/exe",
    "/lib",
    "/lib64",
    "/usr/lib",
    "/usr/lib64",
    "/usr/local/lib",
    "/etc/ld.so.cache",
    "/etc/ld.so.preload",
];

/// What neither the keeper nor a program that it has just started does.
const REFUSED: &[libc::c_long] = &[
    libc::SYS_socket,
    libc::SYS_connect,
    libc::SYS_bind,
    libc::SYS_listen,
    libc::SYS_accept4,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_pidfd_getfd,
    libc::SYS_mount,
    libc::SYS_setns,
    libc::SYS_unshare,
    libc::SYS_chroot,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup,
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_kexec_load,
];

/// All that a worker does: it reads, computes in memory, writes, and ends.
const ALLOWED: &[libc::c_long] = &[
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_close,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_madvise,
    libc::SYS_brk,
    libc::SYS_futex,
    libc::SYS_clock_gettime,
    libc::SYS_getrandom,
    libc::SYS_prlimit64,
    libc::SYS_sched_yield,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_restart_syscall,
    libc::SYS_exit,
    libc::SYS_exit_group,
];

/// What makes memory, of which none is to be executed: the third argument says what it is for.
const MAPPINGS: &[libc::c_long] = &[libc::SYS_mmap, libc::SYS_mprotect];

/// The calls and, of each, which ones are meant: all, unless there are rules.
type Calls = BTreeMap<i64, Vec<SeccompRule>>;

/// Leaves this process what a worker needs: memory and time within limits, and what it holds open.
/// Must be called while there is one thread.
///
/// # Errors
/// The system refuses a limit.
pub fn confine_worker() -> Result<(), Error> {
    never_privileged()?;
    for (resource, limit) in [
        (Resource::As, MEMORY),
        (Resource::Fsize, 0),
        (Resource::Core, 0),
    ] {
        set_limit(resource, limit).map_err(Error::at("a limit"))?;
    }
    restrict(&[])?;
    // Nothing can be opened from here on, whatever the kernel knows.
    set_limit(Resource::Nofile, 0).map_err(Error::at("a limit"))?;
    let mut allowed = all_of(ALLOWED);
    for call in MAPPINGS {
        let rule = not_executable().map_err(|error| Error::rules("seccomp", &error))?;
        allowed.insert(*call, vec![rule]);
    }
    filter(allowed, SeccompAction::Errno(EPERM), SeccompAction::Allow)
}

/// Leaves this process what the keeper needs: starting this program.
pub(crate) fn confine_keeper() -> Result<(), Error> {
    never_privileged()?;
    set_limit(Resource::Core, 0).map_err(Error::at("a limit"))?;
    restrict(PROGRAMS)?;
    let refused = all_of(REFUSED);
    filter(refused, SeccompAction::Allow, SeccompAction::Errno(EPERM))
}

fn all_of(calls: &[libc::c_long]) -> Calls {
    calls.iter().map(|call| (*call, Vec::new())).collect()
}

fn not_executable() -> Result<SeccompRule, BackendError> {
    let executable = u64::from(libc::PROT_EXEC.unsigned_abs());
    let masked = SeccompCmpOp::MaskedEq(executable);
    let condition = SeccompCondition::new(2, SeccompCmpArgLen::Dword, masked, 0)?;
    SeccompRule::new(vec![condition])
}

const EPERM: u32 = libc::EPERM.unsigned_abs();

fn set_limit(resource: Resource, limit: u64) -> io::Result<()> {
    let both = Rlimit {
        current: Some(limit),
        maximum: Some(limit),
    };
    Ok(setrlimit(resource, both)?)
}

/// Gives a job its time; the kernel ends a process that needs more.
pub(crate) fn allow_processor_time() -> io::Result<()> {
    let used = u64::try_from(clock_gettime(ClockId::ProcessCPUTime).tv_sec).unwrap_or(0);
    let limit = Rlimit {
        current: Some(used + SECONDS),
        maximum: getrlimit(Resource::Cpu).maximum,
    };
    Ok(setrlimit(Resource::Cpu, limit)?)
}

/// No rights, none to be had by starting something, and nobody of the same user looks in.
fn never_privileged() -> Result<(), Error> {
    let none = CapabilitySets {
        effective: CapabilitySet::empty(),
        permitted: CapabilitySet::empty(),
        inheritable: CapabilitySet::empty(),
    };
    clear_ambient_capability_set().map_err(Error::at("no ambient capabilities"))?;
    set_capabilities(None, none).map_err(Error::at("no capabilities"))?;
    set_no_new_privs(true).map_err(Error::at("no new privileges"))?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(Error::at("not dumpable"))
}

/// Leaves this process these files, to be read and executed, and no network.
fn restrict(files: &[&str]) -> Result<(), Error> {
    let readable: BitFlags<AccessFs> = AccessFs::from_read(RIGHTS);
    let rules = Ruleset::default()
        .handle_access(AccessFs::from_all(RIGHTS))
        .and_then(|rules| rules.handle_access(AccessNet::from_all(RIGHTS)))
        .and_then(Ruleset::create)
        .and_then(|rules| rules.add_rules(path_beneath_rules(files, readable)))
        .and_then(|rules| {
            let nowhere = AccessFs::ReadFile | AccessFs::WriteFile;
            rules.add_rules(path_beneath_rules(["/dev/null"], nowhere))
        });
    rules
        .and_then(landlock::RulesetCreated::restrict_self)
        .map(drop)
        .map_err(|error| Error::rules("landlock", &error))
}

/// Has the kernel do one thing for these calls and another for all the rest.
fn filter(calls: Calls, otherwise: SeccompAction, listed: SeccompAction) -> Result<(), Error> {
    let program = TargetArch::try_from(std::env::consts::ARCH)
        .and_then(|architecture| SeccompFilter::new(calls, otherwise, listed, architecture))
        .and_then(BpfProgram::try_from)
        .map_err(|error| Error::rules("seccomp", &error))?;
    match apply_filter(&program) {
        Err(seccompiler::Error::Seccomp(error) | seccompiler::Error::Prctl(error))
            if matches!(error.raw_os_error(), Some(libc::ENOSYS | libc::EINVAL)) =>
        {
            Ok(())
        }
        other => other.map_err(|error| Error::rules("seccomp", &error)),
    }
}
