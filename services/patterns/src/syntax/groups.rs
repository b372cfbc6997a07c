//! Numbers and names of groups, and what refers to them.

use std::collections::{BTreeMap, BTreeSet};

use super::{MAX_GROUPS, Node, SyntaxError, SyntaxReason};

/// How long what a part of the pattern matches is, in characters (bytes without flag u).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    /// Always this long.
    Fixed(u32),
    /// Not always the same.
    Varies,
}

impl Extent {
    pub(super) fn plus(self, other: Self) -> Self {
        match (self, other) {
            (Self::Fixed(one), Self::Fixed(other)) => Self::Fixed(one.saturating_add(other)),
            _ => Self::Varies,
        }
    }

    pub(super) fn times(self, min: u32, max: Option<u32>) -> Self {
        match self {
            Self::Fixed(length) if max == Some(min) => Self::Fixed(length.saturating_mul(min)),
            _ => Self::Varies,
        }
    }
}

/// The group a reference means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    Number(u32),
    Name(Vec<u8>),
}

/// The groups of a pattern while it is being read.
#[derive(Debug, Default)]
pub(super) struct Groups {
    /// How many have been opened: the number of the last one. A branch reset sets it back.
    pub(super) count: u32,
    /// How many numbers have been given out.
    highest: u32,
    names: BTreeMap<Vec<u8>, u32>,
    named: BTreeMap<u32, Vec<u8>>,
    /// Of the groups that have been closed.
    extents: BTreeMap<u32, Extent>,
    /// Whether numbers have been given out twice.
    resets: bool,
    /// What refers to a group, and where in the pattern.
    references: Vec<(Target, usize)>,
}

impl Groups {
    /// Opens the next group.
    pub(super) fn open(&mut self) -> Result<u32, SyntaxReason> {
        if self.count >= MAX_GROUPS {
            return Err(SyntaxReason::TooManyGroups);
        }
        self.count += 1;
        self.highest = self.highest.max(self.count);
        Ok(self.count)
    }

    /// Opens the next group and names it.
    pub(super) fn open_named(&mut self, name: &[u8]) -> Result<u32, SyntaxReason> {
        let group = self.open()?;
        match self.names.get(name) {
            Some(&other) if other == group => return Ok(group),
            Some(_) => return Err(SyntaxReason::DuplicateName),
            None => {}
        }
        if self.named.insert(group, name.to_vec()).is_some() {
            return Err(SyntaxReason::NamesDiffer);
        }
        self.names.insert(name.to_vec(), group);
        Ok(group)
    }

    /// Notes how long a group is that has been closed.
    pub(super) fn close(&mut self, group: u32, extent: Extent) {
        self.extents.insert(group, extent);
    }

    /// Starts another branch of a branch reset that began after `count` groups.
    pub(super) fn reset(&mut self, count: u32) {
        self.resets = true;
        self.count = count;
    }

    /// A reference at `offset`. The node's number is that of the reference until
    /// [`finish`](Self::finish).
    pub(super) fn refer(
        &mut self,
        target: Target,
        offset: usize,
        caseless: bool,
    ) -> (Node, Extent) {
        let number = match &target {
            Target::Number(number) => Some(number),
            Target::Name(name) => self.names.get(name),
        };
        let extent = number
            .and_then(|number| self.extents.get(number))
            .filter(|_| !self.resets);
        let extent = extent.copied().unwrap_or(Extent::Varies);
        let group = u32::try_from(self.references.len()).unwrap_or(u32::MAX);
        self.references.push((target, offset));
        (Node::Backreference { group, caseless }, extent)
    }

    /// Keeps the groups something refers to, numbered from 1 without gaps, and points the
    /// references to them. Returns the tree and the number of groups it has.
    pub(super) fn finish(&self, node: Node) -> Result<(Node, u32), SyntaxError> {
        let mut referred = Vec::with_capacity(self.references.len());
        for (target, offset) in &self.references {
            let group = match target {
                Target::Number(number) => Some(*number).filter(|&group| group <= self.highest),
                Target::Name(name) => self.names.get(name).copied(),
            };
            referred.push(group.ok_or(SyntaxError {
                offset: *offset,
                reason: SyntaxReason::NoSuchGroup,
            })?);
        }
        let mut present = BTreeSet::new();
        node.any(&mut |node| {
            if let Node::Capture { group, .. } = node {
                present.insert(*group);
            }
            false
        });
        let kept = referred.iter().copied().collect::<BTreeSet<u32>>();
        let numbers: BTreeMap<u32, u32> = kept.intersection(&present).copied().zip(1..).collect();
        let count = u32::try_from(numbers.len()).unwrap_or(u32::MAX);
        let renumbering = Renumbering { numbers, referred };
        Ok((renumbering.apply(node), count))
    }
}

struct Renumbering {
    /// New numbers of the groups that stay.
    numbers: BTreeMap<u32, u32>,
    /// The groups the references mean, by their old numbers.
    referred: Vec<u32>,
}

impl Renumbering {
    /// Builds the tree again; it is as deep as the pattern's groups are nested.
    fn apply(&self, node: Node) -> Node {
        match node {
            Node::Concat(nodes) => Node::concat(self.apply_all(nodes)),
            Node::Alternation(nodes) => Node::alternation(self.apply_all(nodes)),
            Node::Repeat(repeat) => Node::repeat(
                self.apply(repeat.node),
                repeat.min,
                repeat.max,
                repeat.greed,
            ),
            Node::Look(look) => Node::look(look.direction, look.sense, self.apply(look.node)),
            Node::Atomic(node) => Node::atomic(self.apply(*node)),
            Node::Capture { group, node } => {
                let node = self.apply(*node);
                match self.numbers.get(&group) {
                    Some(&group) => Node::Capture {
                        group,
                        node: Box::new(node),
                    },
                    None => node,
                }
            }
            Node::Backreference { group, caseless } => usize::try_from(group)
                .ok()
                .and_then(|reference| self.referred.get(reference))
                .and_then(|group| self.numbers.get(group))
                // A group that was repeated `{0}` times: nothing ever sets it.
                .map_or(Node::FAIL, |&group| Node::Backreference { group, caseless }),
            other @ (Node::Empty | Node::Set(_) | Node::Assert(_) | Node::Keep | Node::Mark(_)) => {
                other
            }
        }
    }

    fn apply_all(&self, nodes: Vec<Node>) -> Vec<Node> {
        nodes.into_iter().map(|node| self.apply(node)).collect()
    }
}
