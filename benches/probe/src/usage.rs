//! CPU time and memory of this process, as the kernel counts them.

#![expect(clippy::disallowed_methods, reason = "reads /proc")]

use std::fs;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// CPU time of the calling thread since it began.
#[must_use]
pub fn thread() -> Duration {
    read(ClockId::ThreadCPUTime)
}

/// CPU time of all threads of this process since it began.
#[must_use]
pub fn process() -> Duration {
    read(ClockId::ProcessCPUTime)
}

fn read(clock: ClockId) -> Duration {
    Duration::try_from(clock_gettime(clock)).unwrap_or_default()
}

/// The most memory this process has had, in bytes: `VmHWM`, pages of mapped files included.
/// `None` where `/proc` does not say it, as under an emulator.
#[must_use]
pub fn peak_memory() -> Option<u64> {
    parse_peak(&fs::read_to_string("/proc/self/status").ok()?)
}

fn parse_peak(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim_end().parse().ok()?;
    kibibytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_go_forward() {
        let (thread_before, process_before) = (thread(), process());
        let mut sum = 0_u64;
        while thread() == thread_before {
            sum = std::hint::black_box(sum.wrapping_add(1));
        }
        assert!(thread() > thread_before);
        assert!(process() > process_before);
    }

    #[test]
    fn the_peak_is_a_line_of_the_status() {
        let status = "Name:\tprobe\nVmPeak:\t  9000 kB\nVmHWM:\t    1200 kB\n";
        assert_eq!(parse_peak(status), Some(1_228_800));
        assert_eq!(parse_peak("Name:\tprobe\n"), None);
    }
}
