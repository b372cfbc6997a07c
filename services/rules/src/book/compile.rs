//! Conditions become programs: atoms, symbols and numbers in postfix order.

use std::collections::HashMap;
use std::sync::Arc;

use super::{
    Atom, Book, Entry, GroupEntry, Joined, JoinedRule, PatternEntry, ScopePlan, Step, operands,
};
use crate::expression::{Operator, Step as Expressed};
use crate::list::Index;
use crate::model::{Condition, Hits, PatternText};
use crate::vocabulary::Scope;

/// Compiles sets that were checked. The order of the rules is not known yet.
pub(super) fn compile(joined: &Joined<'_>) -> Book {
    let rules: Vec<JoinedRule<'_>> = joined.rules().collect();
    let mut compiler = Compiler {
        joined,
        book: Book {
            rules: Vec::with_capacity(rules.len()),
            order: Vec::new(),
            symbols: HashMap::with_capacity(rules.len()),
            others: Vec::new(),
            groups: Vec::new(),
            signals: HashMap::new(),
            scores: joined.scores.clone(),
            disabled: joined.disabled.clone(),
            scopes: Vec::new(),
            atoms: Vec::new(),
            lists: Vec::new(),
        },
        scopes: HashMap::new(),
        patterns: HashMap::new(),
        atoms: HashMap::new(),
        lists: HashMap::new(),
        groups: HashMap::new(),
    };
    compiler.groups();
    let names: Vec<Arc<str>> = (rules.iter())
        .map(|rule| Arc::from(rule.rule.symbol.as_str()))
        .collect();
    for (number, name) in (0_u32..).zip(&names) {
        compiler.book.symbols.insert(Arc::clone(name), number);
    }
    for (rule, symbol) in rules.iter().zip(names) {
        compiler.rule(rule, symbol);
    }
    compiler.book
}

struct Compiler<'j, 's> {
    joined: &'j Joined<'s>,
    book: Book,
    scopes: HashMap<&'s Scope, u32>,
    /// Ids by scope and pattern.
    patterns: HashMap<(u32, &'s PatternText), u32>,
    atoms: HashMap<Atom, u32>,
    lists: HashMap<&'s str, u32>,
    groups: HashMap<&'s str, u32>,
}

/// The number the next one gets; there are fewer than that by far.
fn next<T>(items: &[T]) -> u32 {
    u32::try_from(items.len()).unwrap_or(u32::MAX)
}

/// What is left to be compiled of a condition.
enum Left<'s> {
    Condition(&'s Condition),
    Step(Step),
}

impl<'s> Compiler<'_, 's> {
    fn groups(&mut self) {
        for (&name, group) in &self.joined.groups {
            let number = self.group(name);
            if let Some(entry) = self.book.groups.get_mut(number as usize) {
                (entry.max, entry.min) = (group.max, group.min);
            }
            for signal in &group.signals {
                // The first group by name has it.
                let signal = Arc::from(signal.as_str());
                self.book.signals.entry(signal).or_insert(number);
            }
        }
    }

    fn group(&mut self, name: &'s str) -> u32 {
        let groups = &mut self.book.groups;
        *self.groups.entry(name).or_insert_with(|| {
            let number = next(groups);
            groups.push(GroupEntry {
                name: Arc::from(name),
                max: None,
                min: None,
            });
            number
        })
    }

    fn rule(&mut self, joined: &JoinedRule<'s>, symbol: Arc<str>) {
        let mut rule = joined.rule.clone();
        if let Some(&score) = self.joined.scores.get(&rule.symbol) {
            rule.score = score;
        }
        let most = match rule.hits {
            Hits::Once => 1,
            Hits::Each(most) => most,
        };
        let mut program = self.program(&joined.rule.when, &symbol, most);
        if rule.hits == Hits::Once {
            program.push(Step::Truth);
        }
        let group = joined.rule.group.as_deref().map(|name| self.group(name));
        self.book.rules.push(Entry {
            description: Arc::from(rule.description.as_str()),
            rule,
            symbol,
            group,
            program,
        });
    }

    /// The program of a rule's condition; `most` matches of its pattern are counted if it is
    /// nothing but that.
    fn program(&mut self, condition: &'s Condition, rule: &Arc<str>, most: u32) -> Vec<Step> {
        let mut program = Vec::new();
        let mut left = vec![Left::Condition(condition)];
        while let Some(next) = left.pop() {
            match next {
                Left::Step(step) => program.push(step),
                Left::Condition(Condition::Expression(expression)) => {
                    let symbols: Vec<u32> =
                        expression.symbols().map(|name| self.symbol(name)).collect();
                    program.extend(expression.program().iter().map(|step| match *step {
                        Expressed::Number(number) => Step::Number(number),
                        Expressed::Operator(operator) => Step::Operator(operator),
                        // The parser made the indices with the symbols.
                        Expressed::Symbol(index) => {
                            Step::Symbol(symbols.get(index as usize).copied().unwrap_or(u32::MAX))
                        }
                    }));
                }
                Left::Condition(Condition::Symbol(name)) => {
                    program.push(Step::Symbol(self.symbol(name)));
                }
                Left::Condition(joining) if !operands(joining).is_empty() => {
                    join(joining, &mut left);
                }
                Left::Condition(condition) => {
                    let atom = self.atom(condition, rule, most);
                    program.extend(atom.map(Step::Atom));
                }
            }
        }
        program
    }

    /// The number of a symbol that a condition refers to.
    fn symbol(&mut self, name: &str) -> u32 {
        if let Some(&number) = self.book.symbols.get(name) {
            return number;
        }
        let number = next_of(self.book.symbols.len());
        let name: Arc<str> = Arc::from(name);
        self.book.others.push(Arc::clone(&name));
        self.book.symbols.insert(name, number);
        number
    }

    fn scope(&mut self, scope: &'s Scope) -> u32 {
        let scopes = &mut self.book.scopes;
        *self.scopes.entry(scope).or_insert_with(|| {
            let number = next(scopes);
            scopes.push(ScopePlan {
                scope: scope.clone(),
                name: scope.to_string(),
                patterns: Vec::new(),
            });
            number
        })
    }

    fn list(&mut self, name: &'s str) -> u32 {
        let (lists, known) = (&mut self.book.lists, &self.joined.lists);
        *self.lists.entry(name).or_insert_with(|| {
            let number = next(lists);
            // It was checked that it is there.
            lists.extend(known.get(name).map(|list| Index::new(list)));
            number
        })
    }

    /// The number of the atom that a condition asks for.
    fn atom(&mut self, condition: &'s Condition, rule: &Arc<str>, most: u32) -> Option<u32> {
        let atom = match condition {
            Condition::Match { scope, patterns } => {
                let scope = self.scope(scope);
                let ids = (patterns.iter())
                    .map(|pattern| self.pattern(scope, pattern, rule))
                    .collect();
                Atom::Patterns { scope, ids, most }
            }
            Condition::Listed { scope, list } => Atom::Listed {
                scope: self.scope(scope),
                list: self.list(list),
            },
            Condition::Exists(scope) => Atom::Exists {
                scope: self.scope(scope),
            },
            Condition::Number {
                number,
                at_least,
                at_most,
            } => Atom::Number {
                number: *number,
                at_least: at_least.unwrap_or(f64::NEG_INFINITY).to_bits(),
                at_most: at_most.unwrap_or(f64::INFINITY).to_bits(),
            },
            Condition::Flag(flag) => Atom::Flag(*flag),
            Condition::Same(left, right) => Atom::Same {
                left: self.scope(left),
                right: self.scope(right),
            },
            // What joins others has some, and the rest has been dealt with.
            _ => return None,
        };
        if let Some(&number) = self.atoms.get(&atom) {
            return Some(number);
        }
        let number = next(&self.book.atoms);
        if let Atom::Patterns { scope, ids, .. } = &atom
            && let Some(plan) = self.book.scopes.get_mut(*scope as usize)
        {
            for (place, id) in (0_u32..).zip(ids) {
                if let Some(entry) = plan.patterns.get_mut(*id as usize) {
                    entry.users.push((number, place));
                }
            }
        }
        self.book.atoms.push(atom.clone());
        self.atoms.insert(atom, number);
        Some(number)
    }

    fn pattern(&mut self, scope: u32, text: &'s PatternText, rule: &Arc<str>) -> u32 {
        let plan = self.book.scopes.get_mut(scope as usize);
        let patterns = plan.map(|plan| &mut plan.patterns);
        *self.patterns.entry((scope, text)).or_insert_with(|| {
            patterns.map_or(u32::MAX, |patterns| {
                let id = next(patterns);
                patterns.push(PatternEntry {
                    text: text.clone(),
                    symbol: Arc::clone(rule),
                    users: Vec::new(),
                });
                id
            })
        })
    }
}

fn next_of(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// Puts the operands of a condition and the steps that join them on the stack, the last first.
fn join<'s>(condition: &'s Condition, left: &mut Vec<Left<'s>>) {
    let (operator, truths) = match condition {
        Condition::Any(_) => (Operator::Or, false),
        Condition::AtLeast(..) => (Operator::Add, true),
        Condition::Not(_) => (Operator::Not, false),
        _ => (Operator::And, false),
    };
    if let Condition::AtLeast(least, _) = condition {
        left.push(Left::Step(Step::Operator(Operator::GreaterOrEqual)));
        left.push(Left::Step(Step::Number(f64::from(*least))));
    }
    if let Condition::Not(inner) = condition {
        left.push(Left::Step(Step::Operator(operator)));
        left.push(Left::Condition(inner));
        return;
    }
    for (index, operand) in operands(condition).iter().enumerate().rev() {
        if index > 0 {
            left.push(Left::Step(Step::Operator(operator)));
        }
        if truths {
            left.push(Left::Step(Step::Truth));
        }
        left.push(Left::Condition(operand));
    }
}
