//! CPU time and memory of a server's processes, read from `/proc`.
//!
//! A server is the tree below its master process. CPU time is that of all living processes and of
//! all those that their parents have reaped, so that nothing is lost when a worker ends. Kernel
//! threads (journal, writeback) work for both sides and are counted for neither.

#![expect(clippy::disallowed_methods, reason = "reads /proc")]

use std::collections::HashMap;
use std::fs;

/// What `/proc/PID/stat` says about one process, in clock ticks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stat {
    pid: u32,
    parent: u32,
    own: u64,
    reaped: u64,
}

impl Stat {
    /// The line of `/proc/PID/stat`: `pid (name) state ppid …`; the name may hold anything.
    fn parse(line: &str) -> Option<Self> {
        let (head, tail) = line.rsplit_once(')')?;
        let pid = head.split_once(' ')?.0.parse().ok()?;
        // proc(5) counts from 1, and the state, the first here, is its field 3.
        let fields: Vec<&str> = tail.split_ascii_whitespace().collect();
        let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
        Some(Self {
            pid,
            parent: u32::try_from(number(4)?).ok()?,
            own: number(14)? + number(15)?,
            reaped: number(16)? + number(17)?,
        })
    }
}

fn processes() -> Vec<Stat> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().parse::<u32>().is_ok())
        .filter_map(|entry| fs::read_to_string(entry.path().join("stat")).ok())
        .filter_map(|line| Stat::parse(&line))
        .collect()
}

/// The processes below `roots`, and these.
fn trees(all: &[Stat], roots: &[u32]) -> Vec<Stat> {
    let mut children: HashMap<u32, Vec<Stat>> = HashMap::new();
    for stat in all {
        children.entry(stat.parent).or_default().push(*stat);
    }
    let mut found: Vec<Stat> = all
        .iter()
        .filter(|stat| roots.contains(&stat.pid))
        .copied()
        .collect();
    let mut next = 0;
    while let Some(stat) = found.get(next).copied() {
        // A process has one parent, so that nothing comes twice unless a root is below a root.
        for child in children.remove(&stat.pid).unwrap_or_default() {
            if !found.iter().any(|known| known.pid == child.pid) {
                found.push(child);
            }
        }
        next += 1;
    }
    found
}

/// Seconds of CPU time that the trees below `roots` have used, user and system.
pub(crate) fn cpu_seconds(roots: &[u32]) -> f64 {
    let ticks: u64 = trees(&processes(), roots)
        .iter()
        .map(|stat| stat.own + stat.reaped)
        .sum();
    ticks as f64 / rustix::param::clock_ticks_per_second() as f64
}

/// Proportional memory of the trees below `roots` in MiB: shared pages are divided among those
/// that share them.
pub(crate) fn memory_mib(roots: &[u32]) -> f64 {
    let kib: u64 = trees(&processes(), roots)
        .iter()
        .filter_map(|stat| fs::read_to_string(format!("/proc/{}/smaps_rollup", stat.pid)).ok())
        .filter_map(|text| pss_kib(&text))
        .sum();
    kib as f64 / 1024.0
}

/// The `Pss:` line of `/proc/PID/smaps_rollup`.
fn pss_kib(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    line.trim().strip_suffix("kB")?.trim_end().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = "77 (a ) b) S 12 77 77 0 -1 4194304 100 200 0 0 15 5 40 2 20 0 1 0 100 0 0";

    #[test]
    fn a_stat_line_is_read_whatever_the_name() {
        assert_eq!(
            Stat::parse(LINE),
            Some(Stat {
                pid: 77,
                parent: 12,
                own: 20,
                reaped: 42
            })
        );
        assert_eq!(Stat::parse("77 (name) S 12 77"), None);
        assert_eq!(Stat::parse(""), None);
    }

    #[test]
    fn a_tree_holds_descendants_only_and_each_once() {
        let stat = |pid, parent| Stat {
            pid,
            parent,
            own: 1,
            reaped: 0,
        };
        let all = [stat(1, 0), stat(5, 1), stat(7, 5), stat(6, 1), stat(9, 7)];
        let pids = |roots: &[u32]| {
            let mut pids: Vec<u32> = trees(&all, roots).iter().map(|stat| stat.pid).collect();
            pids.sort_unstable();
            pids
        };
        assert_eq!(pids(&[5]), [5, 7, 9]);
        assert_eq!(pids(&[5, 7]), [5, 7, 9]);
        assert_eq!(pids(&[6, 7]), [6, 7, 9]);
        assert_eq!(pids(&[99]), [0; 0]);
    }

    #[test]
    fn proportional_memory_is_found_among_the_others() {
        let text =
            "55d0-7ffd ---p 0 00:00 0 [rollup]\nRss:    900 kB\nPss:    312 kB\nPss_Anon: 5 kB\n";
        assert_eq!(pss_kib(text), Some(312));
        assert_eq!(pss_kib("Rss: 1 kB\n"), None);
    }

    #[test]
    fn this_process_uses_memory() {
        assert!(memory_mib(&[std::process::id()]) > 0.1);
    }
}
