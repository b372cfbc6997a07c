//! Builds the lane table: which lane goes where, the classes of bytes, and the bytes.

use std::collections::{BTreeMap, BTreeSet};

use super::lane::{CLASS, GROUP, HEADER};
use super::{ArmLists, pad, stored};
use crate::byteset::ByteSet;
use crate::plan::{LONGEST_LANE, Position};

/// Bits of a word.
const WORD: usize = 64;
/// Words of a group.
const WORDS: usize = 4;

/// Builds a table of lanes and the arms they start. A lane has 1 to [`LONGEST_LANE`] positions;
/// others are left out. What the last position would stay on is ignored. The order of the argument
/// does not matter.
pub(crate) fn build(lanes: &[(&[Position], u32)]) -> Vec<u8> {
    let mut lists = BTreeMap::<Lane, Vec<u32>>::new();
    for &(positions, arm) in lanes {
        if (1..=LONGEST_LANE).contains(&positions.len()) {
            lists.entry(Lane::new(positions)).or_default().push(arm);
        }
    }
    let lanes: Vec<(Lane, Vec<u32>)> = lists
        .into_iter()
        .map(|(lane, mut arms)| {
            arms.sort_unstable();
            arms.dedup();
            (lane, arms)
        })
        .collect();
    write(&lanes, &arrange(&lanes))
}

/// A lane's positions, as words of `enter` and of `stay`. The order is that of placing: longest
/// first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Lane {
    room: std::cmp::Reverse<usize>,
    positions: Vec<([u64; 4], [u64; 4])>,
}

impl Lane {
    fn new(positions: &[Position]) -> Self {
        let last = positions.len().saturating_sub(1);
        let words = |(at, position): (usize, &Position)| {
            let stay = if at == last {
                ByteSet::EMPTY
            } else {
                position.stay
            };
            (position.enter.words(), stay.words())
        };
        Self {
            room: std::cmp::Reverse(positions.len()),
            positions: positions.iter().enumerate().map(words).collect(),
        }
    }

    fn stays(&self) -> bool {
        self.positions.iter().any(|(_, stay)| *stay != [0; 4])
    }

    fn len(&self) -> usize {
        self.positions.len()
    }

    fn sets(&self) -> impl Iterator<Item = [u64; 4]> {
        self.positions
            .iter()
            .flat_map(|(enter, stay)| [*enter, *stay])
    }
}

/// A group while it fills: the lanes of each word, by number, and the sets of their positions.
struct Plan {
    words: [Vec<usize>; WORDS],
    used: [usize; WORDS],
    sets: BTreeSet<[u64; 4]>,
}

impl Plan {
    fn new() -> Self {
        Self {
            words: Default::default(),
            used: [0; WORDS],
            sets: BTreeSet::new(),
        }
    }

    /// The first word with room.
    fn word_for(&self, room: usize) -> Option<usize> {
        self.used.iter().position(|used| used + room <= WORD)
    }

    /// How many sets of the lane it has not seen.
    fn strange(&self, lane: &Lane) -> usize {
        lane.sets().filter(|set| !self.sets.contains(set)).count()
    }
}

/// Which bytes have been told apart so far.
struct Classes {
    of: [u8; 256],
    count: usize,
}

impl Classes {
    /// The classes that all the sets tell apart.
    fn new(sets: &BTreeSet<[u64; 4]>) -> Self {
        let mut classes = Self {
            of: [0; 256],
            count: 1,
        };
        for set in sets {
            classes.split(ByteSet::from_words(*set));
        }
        classes
    }

    /// Tells the set's bytes apart from the others. Classes are numbered in the order of their
    /// first byte.
    fn split(&mut self, set: ByteSet) {
        // The new class of the bytes of each old class, outside and inside the set.
        let mut renamed = [[None::<u8>; 2]; 256];
        let mut count = 0_usize;
        for (byte, class) in (0..=u8::MAX).zip(&mut self.of) {
            let pair = renamed.get_mut(usize::from(*class));
            let side = usize::from(set.contains(byte));
            if let Some(new) = pair.and_then(|pair| pair.get_mut(side)) {
                *class = *new.get_or_insert_with(|| {
                    count += 1;
                    u8::try_from(count - 1).unwrap_or(u8::MAX)
                });
            }
        }
        self.count = count;
    }
}

/// Deals the lanes to groups: as few groups as first-fit, longest first, needs; of those with room
/// the one that has seen most of its sets, so that it needs few classes. Lanes that stay share the last groups, so that the
/// others need no `STAY`.
fn arrange(lanes: &[(Lane, Vec<u32>)]) -> Vec<Plan> {
    let groups = |bits: usize| bits.div_ceil(WORD * WORDS);
    let bits = |stays: bool| -> usize {
        let those = lanes.iter().filter(|(lane, _)| lane.stays() || !stays);
        those.map(|(lane, _)| lane.len()).sum()
    };
    let moving = groups(bits(false)) - groups(bits(true));
    let mut plans: Vec<Plan> = (0..groups(bits(false))).map(|_| Plan::new()).collect();
    for (number, (lane, _)) in lanes.iter().enumerate() {
        let best = plans
            .iter()
            .enumerate()
            .filter_map(|(at, plan)| {
                let word = plan.word_for(lane.len())?;
                let wrong = (at < moving) == lane.stays();
                Some((wrong, plan.strange(lane), at, word))
            })
            .min();
        let (at, word) = best.map_or((plans.len(), 0), |(.., at, word)| (at, word));
        if at == plans.len() {
            plans.push(Plan::new());
        }
        if let Some(plan) = plans.get_mut(at) {
            plan.sets.extend(lane.sets());
            if let Some((lanes, used)) = plan.words.get_mut(word).zip(plan.used.get_mut(word)) {
                lanes.push(number);
                *used += lane.len();
            }
        }
    }
    plans.retain(|plan| plan.used != [0; WORDS]);
    plans
}

/// Masks of a group, one word per word of the group.
type Bits = [u64; WORDS];

/// What the group's record and class blocks hold.
struct Filled {
    /// The class of each byte.
    of: [u8; 256],
    first: Bits,
    last: Bits,
    /// `ENTER` and `STAY` of each class.
    classes: Vec<[Bits; 2]>,
}

impl Filled {
    fn new(plan: &Plan, lanes: &[(Lane, Vec<u32>)]) -> Self {
        let classes = Classes::new(&plan.sets);
        let mut filled = Self {
            of: classes.of,
            first: [0; WORDS],
            last: [0; WORDS],
            classes: vec![[[0; WORDS]; 2]; classes.count],
        };
        for (word, numbers) in plan.words.iter().enumerate() {
            let mut bit = 0;
            for (lane, _) in numbers.iter().filter_map(|number| lanes.get(*number)) {
                set_bit(&mut filled.first, word, bit);
                set_bit(&mut filled.last, word, bit + lane.len() - 1);
                for (enter, stay) in &lane.positions {
                    filled.add(word, bit, [*enter, *stay].map(ByteSet::from_words));
                    bit += 1;
                }
            }
        }
        filled
    }

    /// Sets a position's bit in the classes of its bytes.
    fn add(&mut self, word: usize, bit: usize, sets: [ByteSet; 2]) {
        for (byte, class) in (0..=u8::MAX).zip(self.of) {
            let masks = self.classes.get_mut(usize::from(class));
            for (mask, set) in masks.into_iter().flatten().zip(sets) {
                if set.contains(byte) {
                    set_bit(mask, word, bit);
                }
            }
        }
    }
}

fn set_bit(bits: &mut Bits, word: usize, bit: usize) {
    if let Some(word) = bits.get_mut(word) {
        *word |= 1 << bit;
    }
}

fn write(lanes: &[(Lane, Vec<u32>)], plans: &[Plan]) -> Vec<u8> {
    let filled: Vec<Filled> = plans.iter().map(|plan| Filled::new(plan, lanes)).collect();
    let placed = plans.iter().flat_map(|plan| plan.words.iter().flatten());
    let arms: Vec<&[u32]> = placed
        .filter_map(|number| Some(lanes.get(*number)?.1.as_slice()))
        .collect();
    let used: usize = filled.iter().map(|group| group.classes.len()).sum();
    // See the format in `lane`: 256 blocks can be read from the first of the last group.
    let unused = filled.last().map_or(0, |group| 256 - group.classes.len());
    let blocks = used + unused;
    let mut bytes = Vec::with_capacity(HEADER + plans.len() * GROUP + blocks * CLASS);
    let numbers = [
        plans.len(),
        blocks,
        arms.len(),
        arms.iter().map(|arms| arms.len()).sum(),
    ];
    bytes.extend(
        numbers
            .into_iter()
            .flat_map(|number| stored(number).to_le_bytes()),
    );
    pad(&mut bytes);
    let mut first_class = 0;
    let mut first_lane = 0;
    for (plan, group) in plans.iter().zip(&filled) {
        let masks = group.first.into_iter().chain(group.last);
        bytes.extend(masks.flat_map(u64::to_le_bytes));
        let stays = group.classes.iter().any(|[_, stay]| *stay != [0; WORDS]);
        let numbers = [first_class, group.classes.len(), usize::from(stays)];
        bytes.extend(
            numbers
                .into_iter()
                .flat_map(|number| stored(number).to_le_bytes()),
        );
        first_class += group.classes.len();
        for word in &plan.words {
            bytes.extend(stored(first_lane).to_le_bytes());
            first_lane += word.len();
        }
        pad(&mut bytes);
        bytes.extend(group.of);
    }
    let masks = filled
        .iter()
        .flat_map(|group| group.classes.iter().flatten().flatten());
    bytes.extend(masks.flat_map(|mask| mask.to_le_bytes()));
    bytes.resize(bytes.len() + unused * CLASS, 0);
    ArmLists::write(arms.into_iter(), &mut bytes);
    bytes
}
