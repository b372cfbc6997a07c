//! The order in which rules can be evaluated: each after those it depends on.

/// Orders `count` rules. `dependencies` appends the numbers a rule refers to; those that are no
/// rules are passed over. Of rules that could come next, the one that was free first comes first.
///
/// # Errors
///
/// The rules of one circle, each depending on the next one and the last on the first.
pub(super) fn order(
    count: usize,
    mut dependencies: impl FnMut(usize, &mut Vec<u32>),
) -> Result<Vec<u32>, Vec<u32>> {
    let mut graph = Graph {
        waits_for: vec![Vec::new(); count],
        left: vec![0; count],
        dependents: vec![Vec::new(); count],
    };
    for rule in 0..count {
        let mut found = Vec::new();
        dependencies(rule, &mut found);
        found.retain(|&other| (other as usize) < count);
        found.sort_unstable();
        found.dedup();
        graph.add(rule, found);
    }
    let order = graph.sort();
    if order.len() == count {
        Ok(order)
    } else {
        Err(graph.circle())
    }
}

struct Graph {
    waits_for: Vec<Vec<u32>>,
    /// How many of them have no place yet.
    left: Vec<usize>,
    dependents: Vec<Vec<u32>>,
}

impl Graph {
    fn add(&mut self, rule: usize, waits_for: Vec<u32>) {
        let number = u32::try_from(rule).unwrap_or(u32::MAX);
        for &other in &waits_for {
            if let Some(dependents) = self.dependents.get_mut(other as usize) {
                dependents.push(number);
            }
        }
        if let Some(left) = self.left.get_mut(rule) {
            *left = waits_for.len();
        }
        if let Some(place) = self.waits_for.get_mut(rule) {
            *place = waits_for;
        }
    }

    fn sort(&mut self) -> Vec<u32> {
        let mut order: Vec<u32> = (0_u32..)
            .zip(&self.left)
            .filter(|&(_, &left)| left == 0)
            .map(|(rule, _)| rule)
            .collect();
        let mut at = 0;
        while let Some(&rule) = order.get(at) {
            at += 1;
            for &dependent in self.dependents.get(rule as usize).into_iter().flatten() {
                if let Some(left) = self.left.get_mut(dependent as usize) {
                    *left -= 1;
                    if *left == 0 {
                        order.push(dependent);
                    }
                }
            }
        }
        order
    }

    /// A circle among the rules that have no place: each of them waits for another one of them.
    fn circle(&self) -> Vec<u32> {
        let waits = |rule: u32| self.left.get(rule as usize).is_some_and(|&left| left > 0);
        let mut path: Vec<u32> = Vec::new();
        let mut place = vec![None; self.left.len()];
        let mut next = (0_u32..).zip(&self.left).find(|&(_, &left)| left > 0);
        let mut rule = next.take().map(|(rule, _)| rule);
        while let Some(current) = rule {
            let Some(seen) = place.get_mut(current as usize) else {
                break;
            };
            if let Some(begin) = *seen {
                return path.split_off(begin);
            }
            *seen = Some(path.len());
            path.push(current);
            rule = (self.waits_for.get(current as usize).into_iter().flatten())
                .copied()
                .find(|&other| waits(other));
        }
        path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(graph: &[&[u32]]) -> Result<Vec<u32>, Vec<u32>> {
        order(graph.len(), |rule, found| found.extend(graph[rule]))
    }

    #[test]
    fn rules_come_after_those_they_depend_on() {
        assert_eq!(run(&[]), Ok(vec![]));
        assert_eq!(run(&[&[], &[]]), Ok(vec![0, 1]));
        assert_eq!(run(&[&[1, 1, 9], &[2], &[]]), Ok(vec![2, 1, 0]));
        assert_eq!(run(&[&[3], &[], &[0, 1], &[1]]), Ok(vec![1, 3, 0, 2]));
    }

    #[test]
    fn a_circle_is_named_without_what_hangs_on_it() {
        assert_eq!(run(&[&[0]]), Err(vec![0]));
        assert_eq!(run(&[&[1], &[2], &[3], &[1], &[]]), Err(vec![1, 2, 3]));
        assert_eq!(run(&[&[], &[2, 0], &[1], &[2]]), Err(vec![1, 2]));
    }

    #[test]
    fn a_long_chain_takes_no_stack() {
        let count = 100_000;
        let chain = order(count, |rule, found| {
            found.extend(u32::try_from(rule + 1).ok());
        });
        assert_eq!(chain.unwrap().first(), Some(&99_999));
    }
}
