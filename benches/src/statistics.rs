//! The few statistics that figures are made of.

/// The middle of `samples`, the mean of the two middle ones of an even number; `None` of none.
pub(crate) fn median(samples: &[f64]) -> Option<f64> {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let upper = sorted.len() / 2;
    let above = *sorted.get(upper)?;
    if sorted.len() % 2 == 1 {
        return Some(above);
    }
    sorted
        .get(upper.checked_sub(1)?)
        .map(|below| f64::midpoint(*below, above))
}

/// The smallest and the largest sample.
pub(crate) fn range(samples: &[f64]) -> Option<(f64, f64)> {
    let smallest = samples.iter().copied().min_by(f64::total_cmp)?;
    let largest = samples.iter().copied().max_by(f64::total_cmp)?;
    Some((smallest, largest))
}

/// How many times an operation of `once` seconds is repeated so that a sample lasts about
/// `target` seconds: 1 to `most`.
pub(crate) fn repetitions(once: f64, target: f64, most: u32) -> u32 {
    (1..=most)
        .find(|count| once * f64::from(*count) >= target)
        .unwrap_or(most)
        .max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        let cases: &[(&[f64], Option<f64>)] = &[
            (&[], None),
            (&[3.0], Some(3.0)),
            (&[5.0, 1.0], Some(3.0)),
            (&[9.0, 1.0, 2.0], Some(2.0)),
            (&[4.0, 1.0, 3.0, 2.0], Some(2.5)),
        ];
        for (samples, wanted) in cases {
            assert_eq!(median(samples), *wanted, "{samples:?}");
        }
    }

    #[test]
    fn ranges() {
        assert_eq!(range(&[]), None);
        assert_eq!(range(&[2.0, -1.0, 7.0]), Some((-1.0, 7.0)));
    }

    #[test]
    fn short_operations_are_repeated_and_long_ones_run_once() {
        let cases = [
            (2.0, 0.5, 100, 1),
            (0.1, 0.5, 100, 5),
            (0.0, 0.5, 100, 100),
            (0.3, 0.5, 1, 1),
        ];
        for (once, target, most, wanted) in cases {
            assert_eq!(repetitions(once, target, most), wanted, "{once}");
        }
    }
}
