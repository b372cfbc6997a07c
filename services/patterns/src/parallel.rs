//! Independent jobs on all cores, with results in order: what comes out never depends on how many
//! threads there were.

use std::sync::atomic::{AtomicUsize, Ordering};

/// More threads than that are not started.
const MOST_THREADS: usize = 16;

/// Runs `count` jobs on as many threads as the machine has cores, each at least `share` of them;
/// gives their results by number. A job's panic goes on in the caller.
pub(crate) fn map<T: Send>(count: usize, share: usize, job: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let threads = count
        .checked_div(share)
        .unwrap_or(1)
        .min(MOST_THREADS)
        .min(cores());
    if threads <= 1 {
        return (0..count).map(job).collect();
    }
    let next = AtomicUsize::new(0);
    let run = || {
        let take = || next.fetch_add(1, Ordering::Relaxed);
        let numbers = std::iter::repeat_with(take).take_while(|&number| number < count);
        numbers
            .map(|number| (number, job(number)))
            .collect::<Vec<_>>()
    };
    let mut done = std::thread::scope(|scope| {
        // Without a thread the others do its part.
        let spawn = |_| std::thread::Builder::new().spawn_scoped(scope, run).ok();
        let threads: Vec<_> = (1..threads).filter_map(spawn).collect();
        let mut done = run();
        for thread in threads {
            match thread.join() {
                Ok(more) => done.extend(more),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        done
    });
    done.sort_unstable_by_key(|(number, _)| *number);
    done.into_iter().map(|(_, result)| result).collect()
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_in_order() {
        for (count, share) in [(0, 1), (1, 1), (1_000, 1), (1_000, 10), (7, 100), (5, 0)] {
            let squares: Vec<usize> = (0..count).map(|number| number * number).collect();
            assert_eq!(map(count, share, |number| number * number), squares);
        }
    }

    #[test]
    #[should_panic(expected = "job 5")]
    fn a_panic_is_the_callers() {
        map(100, 1, |number| assert!(number != 5, "job {number}"));
    }
}
