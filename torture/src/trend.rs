//! What a process uses over time, and whether it becomes more.

use std::fs;
use std::time::Instant;

use crate::crowd;
use crate::figure::{Figures, Target};

/// What a process used at one moment.
#[derive(Debug, Clone, Copy)]
struct Sample {
    hours: f64,
    memory: f64,
    files: f64,
    threads: f64,
}

/// Samples of one process, in order.
#[derive(Debug)]
pub(crate) struct Trend {
    pid: u32,
    started: Instant,
    samples: Vec<Sample>,
}

impl Trend {
    /// Of a process, from now on.
    pub(crate) fn of(pid: u32) -> Self {
        Self {
            pid,
            started: Instant::now(),
            samples: Vec::new(),
        }
    }

    /// Looks once.
    pub(crate) fn look(&mut self) {
        let entries = |name: &str| {
            let directory = fs::read_dir(format!("/proc/{}/{name}", self.pid));
            directory.map_or(f64::NAN, |entries| entries.count() as f64)
        };
        self.samples.push(Sample {
            hours: self.started.elapsed().as_secs_f64() / 3_600.0,
            memory: crowd::memory_mib(self.pid, "VmRSS"),
            files: entries("fd"),
            threads: entries("task"),
        });
    }

    /// Says how what is used has changed after the first third, in which caches fill. Only when
    /// `judged`, since noise decides over less than an hour.
    pub(crate) fn tell(&self, judged: bool, figures: &mut Figures) {
        let late = self.samples.get(self.samples.len() / 3..).unwrap_or(&[]);
        for (what, unit, most, value) in [
            (
                "memory",
                "MiB",
                0.5,
                (|one| one.memory) as fn(&Sample) -> f64,
            ),
            ("open files", "", 1.0, |one| one.files),
            ("threads", "", 1.0, |one| one.threads),
        ] {
            let points: Vec<(f64, f64)> = late.iter().map(|one| (one.hours, value(one))).collect();
            let target = if judged {
                Target::AtMost(most)
            } else {
                Target::Shown
            };
            let last = points.last().map_or(f64::NAN, |point| point.1);
            figures.measure(&format!("{what} at the end"), last, unit, Target::Shown);
            let what = format!("{what}: more in each hour");
            figures.measure(&what, slope(&points), unit, target);
        }
    }
}

/// The slope of the line that fits best, by least squares.
fn slope(points: &[(f64, f64)]) -> f64 {
    let count = points.len() as f64;
    let mean = |sum: f64| sum / count;
    let x = mean(points.iter().map(|point| point.0).sum());
    let y = mean(points.iter().map(|point| point.1).sum());
    let rise: f64 = points
        .iter()
        .map(|point| (point.0 - x) * (point.1 - y))
        .sum();
    let run: f64 = points.iter().map(|point| (point.0 - x).powi(2)).sum();
    rise / run
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slope_is_that_of_the_line_through_the_noise() {
        let line: Vec<(f64, f64)> = (0..100_u32)
            .map(|at| {
                let noise = if at % 2 == 0 { 0.5 } else { -0.5 };
                (f64::from(at), 7.0 + 3.0 * f64::from(at) + noise)
            })
            .collect();
        assert!((slope(&line) - 3.0).abs() < 0.01, "{}", slope(&line));
        assert!(slope(&[]).is_nan() && slope(&line[..1]).is_nan());
    }

    #[test]
    fn this_process_is_seen() {
        let mut trend = Trend::of(std::process::id());
        (0..6).for_each(|_| trend.look());
        let mut figures = Figures::default();
        trend.tell(false, &mut figures);
        assert!(figures.list()[0].value > 0.5 && figures.list()[2].value >= 3.0);
        assert_eq!(figures.list().len(), 6);
    }
}
