//! The full check of a program's bytes.

use super::emitter::{LONGEST_SECTION, MOST_REGISTERS};
use super::instruction::{
    LOOK_AHEAD, LOOK_NEGATIVE, NEXT_EDGE, NONE, PEEK_AHEAD, TABLE_SETS, TARGET_EDGE, TARGET_FIRST,
    Word, assertion, has_target, index, op, scan, width,
};
use super::machine::contains;
use super::search::Starts;
use super::simulate::Layout;
use super::{KEEPS, Program, SIMULATED, decode_entry, field};
use crate::damage::Damage;

/// How deep inner programs and loops nest.
const DEEPEST_REGION: usize = 600;
/// Bytes a masked comparison tests at most.
const LONGEST_MASKED: u8 = 8;

/// A section, an inner program or a counted loop: jumps stay inside.
#[derive(Clone, Copy, Debug)]
struct Region {
    end: usize,
    parent: u32,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A section or the content of a look-around or an atomic group.
    Program,
    /// A counted loop.
    Loop,
}

/// What a section may contain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Content {
    /// Anything.
    Full,
    /// Nothing that depends on order.
    Regular,
}

impl<'a> Program<'a> {
    /// Opens untrusted bytes after a check of everything in them.
    pub(crate) fn verify(bytes: &'a [u8]) -> Result<Self, Damage> {
        let program = Self::trusted(bytes).ok_or(Damage("program is cut short"))?;
        let length = super::HEADER
            + size_of_val(program.entries)
            + size_of_val(program.code)
            + size_of_val(program.sets);
        check(length == bytes.len(), "program has bytes to spare")?;
        check(
            program.registers() <= MOST_REGISTERS,
            "program has too many registers",
        )?;
        let flags = program.field(field::FLAGS);
        check(flags <= SIMULATED | KEEPS, "program has unknown flags")?;
        check(
            !program.keeps() || program.registers() > 0,
            "program lacks the register it keeps a start in",
        )?;
        let mut verifier = Verifier {
            program,
            owners: vec![0; program.code.len()],
            regions: vec![Region {
                end: 0,
                parent: 0,
                kind: Kind::Program,
            }],
            leading: Vec::new(),
        };
        verifier.sections()?;
        Ok(program)
    }
}

fn check(holds: bool, reason: &'static str) -> Result<(), Damage> {
    holds.then_some(()).ok_or(Damage(reason))
}

struct Verifier<'a> {
    program: Program<'a>,
    /// Per word that starts an instruction: its region, from 1; zero for operands.
    owners: Vec<u32>,
    regions: Vec<Region>,
    /// The instructions of the current section that lead elsewhere.
    leading: Vec<(usize, Word)>,
}

impl Verifier<'_> {
    fn sections(&mut self) -> Result<(), Damage> {
        let program = self.program;
        let at = |place: usize| index(program.field(place));
        let (reverse, exact) = (at(field::REVERSE), at(field::EXACT));
        let (ordered, end) = (at(field::ORDERED), at(field::WORDS));
        check(
            0 < reverse && reverse < exact && exact <= ordered && ordered <= end,
            "program sections are out of order",
        )?;
        let forward_root = self.section(0, reverse, Content::Regular)?;
        let reverse_root = self.section(reverse, exact, Content::Regular)?;
        if exact < ordered {
            self.section(exact, ordered, Content::Full)?;
        }
        if ordered < end {
            self.section(ordered, end, Content::Full)?;
        }
        check(
            self.owner(at(field::START)) == forward_root
                && self.owner(at(field::SEARCH)) == forward_root,
            "program starts nowhere",
        )?;
        self.starts(field::FORWARD_STARTS, true)?;
        self.starts(field::EXACT_STARTS, exact < ordered)?;
        self.starts(field::ORDERED_STARTS, ordered < end)?;
        let forward = program.code.get(..reverse).unwrap_or_default();
        check(
            Layout::new(reverse).lay_out(forward).is_some()
                == (program.field(field::FLAGS) & SIMULATED != 0),
            "program is wrong about its simulation",
        )?;
        check(
            program
                .entries
                .is_sorted_by(|a, b| decode_entry(*a) < decode_entry(*b)),
            "program entries are out of order",
        )?;
        for entry in program.entries {
            let (forward, reverse) = decode_entry(*entry);
            check(
                self.owner(index(forward)) == forward_root
                    && self.owner(index(reverse)) == reverse_root,
                "program entry leads nowhere",
            )?;
        }
        Ok(())
    }

    fn starts(&self, place: usize, present: bool) -> Result<(), Damage> {
        let starts = self.program.starts(place);
        let consistent = match self.program.sets.get(usize::from(starts.set)) {
            Some(set) if present => starts.is_consistent(set),
            _ => !present && starts == Starts::default(),
        };
        check(consistent, "program is wrong about where matches start")
    }

    fn owner(&self, pc: usize) -> u32 {
        self.owners.get(pc).copied().unwrap_or(0)
    }

    fn word(&self, pc: usize) -> Word {
        let bytes = self.program.code.get(pc).copied();
        Word::from_bytes(bytes.unwrap_or_default())
    }

    /// Checks a section and returns the number of its outermost region.
    fn section(&mut self, start: usize, end: usize, content: Content) -> Result<u32, Damage> {
        check(
            end - start <= LONGEST_SECTION,
            "program section is too long",
        )?;
        self.leading.clear();
        let root = self.open(Region {
            end,
            parent: 0,
            kind: Kind::Program,
        });
        let (mut region, mut region_end, mut depth) = (root, end, 0);
        let (mut last, mut pc) = (op::JUMP, start);
        while pc < end {
            while pc == region_end {
                check(is_terminal(last), "program runs out of a part of it")?;
                region = self.region(region).parent;
                region_end = self.region(region).end;
                depth -= 1;
            }
            let word = self.word(pc);
            if let Some(owner) = self.owners.get_mut(pc) {
                *owner = region;
            }
            let following = pc + width(word.op);
            check(following <= region_end, "program instruction is cut short")?;
            check(
                self.operands(pc, word, content),
                "program instruction is invalid",
            )?;
            if has_target(word.op) {
                self.leading.push((pc, word));
            }
            if let Some(kind) = opens(word.op) {
                let end = index(word.c);
                depth += 1;
                check(
                    following < end && end < region_end && depth < DEEPEST_REGION,
                    "program parts overlap",
                )?;
                region = self.open(Region {
                    end,
                    parent: region,
                    kind,
                });
                region_end = end;
            }
            (last, pc) = (word.op, following);
        }
        check(
            region == root && is_terminal(last),
            "program runs out of a section",
        )?;
        self.targets()?;
        Ok(root)
    }

    /// Numbers a region.
    fn open(&mut self, region: Region) -> u32 {
        self.regions.push(region);
        u32::try_from(self.regions.len() - 1).unwrap_or(0)
    }

    fn region(&self, number: u32) -> Region {
        self.regions.get(index(number)).copied().unwrap_or(Region {
            end: usize::MAX,
            parent: 0,
            kind: Kind::Program,
        })
    }

    /// Checks where the instructions of a section lead.
    fn targets(&self) -> Result<(), Damage> {
        for &(pc, word) in &self.leading {
            let owner = self.owner(pc);
            let target = self.owner(index(word.c));
            let outside = || {
                let region = self.region(owner);
                region.kind == Kind::Loop && target == region.parent
            };
            let holds = match word.op {
                op::COUNT => outside(),
                op::ADVANCE => target == owner || outside(),
                op::STEP => target == owner && self.word(index(word.c)).op == op::COUNT,
                _ => target == owner,
            };
            check(holds && target != 0, "program jump leads astray")?;
        }
        Ok(())
    }

    /// Whether an instruction's operands are valid, except for targets.
    #[inline(always)]
    fn operands(&self, pc: usize, word: Word, content: Content) -> bool {
        match word.op {
            op::FAIL | op::MATCH | op::BYTE | op::JUMP | op::FORK => true,
            op::SET => self.is_set(u32::from(word.b)),
            op::MASKED => {
                let mask = u64::from_le_bytes(self.word(pc + 2).to_bytes());
                (1..=LONGEST_MASKED).contains(&word.a)
                    && mask.checked_shr(8 * u32::from(word.a)).unwrap_or(0) == 0
            }
            _ => self.rare_operands(pc, word, content),
        }
    }

    /// The same for the operations that are rarer or have more to check.
    fn rare_operands(&self, pc: usize, word: Word, content: Content) -> bool {
        let (second, third) = (self.word(pc + 1), self.word(pc + 2));
        let flags = |known: u8| word.a & !known == 0;
        let full = content == Content::Full;
        match word.op {
            op::RUN | op::LAZY | op::GREEDY => {
                flags(NEXT_EDGE) && word.c <= second.c && self.is_span(word, second)
            }
            op::BRANCH => {
                flags(NEXT_EDGE | TARGET_EDGE | TARGET_FIRST)
                    && self.is_set(u32::from(word.b))
                    && self.is_set(second.c)
            }
            op::SWITCH => {
                word.c
                    .checked_add(TABLE_SETS - 1)
                    .is_some_and(|last| self.is_set(last))
                    && (1..=usize::from(word.a)).all(|jump| self.word(pc + jump).op == op::JUMP)
            }
            op::ASSERT => assertion::decode(word.a).is_some(),
            op::PEEK => flags(NEXT_EDGE | PEEK_AHEAD) && self.is_set(u32::from(word.b)),
            op::LOOK => flags(LOOK_AHEAD | LOOK_NEGATIVE),
            op::ENTER => self.is_register(word.b) && second.op == op::COUNT && second.b == word.b,
            op::COUNT => {
                flags(NEXT_EDGE | TARGET_EDGE | TARGET_FIRST)
                    && self.is_register(word.b)
                    && self.is_set(u32::from(second.b))
                    && self.is_set(u32::from(third.b))
                    && second.c <= third.c
                    && (second.c < NONE)
            }
            op::STEP | op::PLACE => self.is_register(word.b),
            op::ADVANCE => {
                self.is_register(word.b) && (second.c == 0 || self.is_register(second.b))
            }
            op::ATOMIC => full,
            op::OPEN | op::CLOSE | op::BACKREFERENCE => {
                full && word
                    .b
                    .checked_add(2)
                    .is_some_and(|last| self.is_register(last))
            }
            op::KEEP => full && self.program.keeps(),
            _ => false,
        }
    }

    fn is_set(&self, set: u32) -> bool {
        index(set) < self.program.sets.len()
    }

    fn is_register(&self, register: u16) -> bool {
        u32::from(register) < self.program.registers()
    }

    /// Whether the sets of a span exist and what it says about finding its end is true.
    fn is_span(&self, word: Word, operand: Word) -> bool {
        let sets = self.program.sets;
        let (Some(set), true) = (
            sets.get(usize::from(word.b)),
            self.is_set(u32::from(operand.b)),
        ) else {
            return false;
        };
        let missing = || set.iter().map(|bits| bits.count_zeros()).sum::<u32>();
        match operand.a {
            scan::SET => true,
            scan::ALL => missing() == 0,
            scan::ALL_BUT_ONE => missing() == 1 && !contains(set, operand.op),
            _ => false,
        }
    }
}

/// What the operation opens.
fn opens(operation: u8) -> Option<Kind> {
    match operation {
        op::LOOK | op::ATOMIC => Some(Kind::Program),
        op::ENTER => Some(Kind::Loop),
        _ => None,
    }
}

/// Whether nothing runs on behind the operation.
fn is_terminal(operation: u8) -> bool {
    matches!(operation, op::FAIL | op::MATCH | op::JUMP)
}
