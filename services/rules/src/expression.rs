//! Expressions over symbols: `R_SPF_FAIL && (A + B > 1) && !C`.
//!
//! Operators, from those that bind tightest to those that bind least, as in Perl:
//!
//! ```text
//! !  -            of one operand
//! *  /
//! +  -
//! <  <=  >  >=    do not chain
//! ==  !=          do not chain
//! &
//! |
//! &&
//! ||
//! not             of one operand
//! and
//! or
//! ```
//!
//! The value of a symbol is how often it holds, 0 if it does not or nobody knows it. A comparison
//! and a negation are 1 or 0, `a && b` is `a` if that is 0 and else `b`, `a || b` is `a` unless
//! that is 0. What is divided by 0 is 0, and so is what is no finite number. `&` and `|` join the
//! bits of whole parts.
//!
//! What is not supported: functions, strings, `**`, `%`, `?:`, assignment.
//!
//! An expression is brought into postfix order when it is read; nothing recurses.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

use crate::limits::{MAX_EXPRESSION, MAX_PARENTHESES, MAX_SYMBOL};

/// An expression, as it was written and ready to be evaluated.
#[derive(Debug, Clone, PartialEq)]
pub struct Expression {
    text: String,
    /// In the order in which they occur first.
    symbols: Vec<String>,
    program: Vec<Step>,
}

/// A text is not an expression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("character {at} of the expression: {reason}")]
pub struct ExpressionError {
    /// Where, in characters, counted from 1.
    pub at: usize,
    /// What is wrong there.
    pub reason: ExpressionReason,
}

/// What can be wrong with an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExpressionReason {
    /// It is too long.
    #[error("an expression has at most {MAX_EXPRESSION} octets")]
    TooLong,
    /// Too many open parentheses.
    #[error("parentheses are nested deeper than {MAX_PARENTHESES}")]
    TooDeep,
    /// A character that begins nothing.
    #[error("there is no operator {0:?}")]
    Character(char),
    /// Not a number, or an infinite one.
    #[error("this is no number")]
    Number,
    /// A symbol that is too long.
    #[error("a symbol has at most {MAX_SYMBOL} characters")]
    Symbol,
    /// A symbol, a number or an opening parenthesis should stand here.
    #[error("an operand is missing")]
    Operand,
    /// An operator should stand here.
    #[error("an operator is missing")]
    Operator,
    /// A closing parenthesis too many.
    #[error("a parenthesis is closed that was not opened")]
    Closed,
    /// A parenthesis is not closed.
    #[error("a parenthesis is not closed")]
    Open,
    /// `a < b < c`.
    #[error("comparisons do not chain: join two of them by &&")]
    Chained,
}

/// One step of a program for a machine with a stack of numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Step {
    /// Pushes the number.
    Number(f64),
    /// Pushes the value of the symbol of this index.
    Symbol(u32),
    /// Takes one or two numbers, pushes the result.
    Operator(Operator),
}

/// An operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operator {
    Not,
    Negate,
    Multiply,
    Divide,
    Add,
    Subtract,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Equal,
    NotEqual,
    BitAnd,
    BitOr,
    And,
    Or,
}

/// An operator as it is written. `not` binds less than `!` and is the same otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Written {
    operator: Operator,
    /// The higher, the tighter.
    binds: u8,
}

const NOT: u8 = 3;
const COMPARISON: u8 = 9;
const EQUALITY: u8 = 8;

const fn written(operator: Operator, binds: u8) -> Written {
    Written { operator, binds }
}

impl Operator {
    fn is_unary(self) -> bool {
        matches!(self, Self::Not | Self::Negate)
    }

    /// Takes its operands from the end of the stack and leaves the result.
    pub(crate) fn apply(self, stack: &mut Vec<f64>) {
        // The program was made by the parser: the operands are there.
        let right = stack.pop().unwrap_or_default();
        let left = match self.is_unary() {
            true => 0.0,
            false => stack.pop().unwrap_or_default(),
        };
        let value = self.value(left, right);
        stack.push(if value.is_finite() { value } else { 0.0 });
    }

    fn value(self, left: f64, right: f64) -> f64 {
        let truth = |truth: bool| f64::from(u8::from(truth));
        match self {
            Self::Not => truth(right == 0.0),
            Self::Negate => 0.0 - right,
            Self::Multiply => left * right,
            Self::Divide => left / right,
            Self::Add => left + right,
            Self::Subtract => left - right,
            Self::Less => truth(left < right),
            Self::LessOrEqual => truth(left <= right),
            Self::Greater => truth(left > right),
            Self::GreaterOrEqual => truth(left >= right),
            Self::Equal => truth(left == right),
            Self::NotEqual => truth(left != right),
            Self::BitAnd => from_bits(to_bits(left) & to_bits(right)),
            Self::BitOr => from_bits(to_bits(left) | to_bits(right)),
            Self::And if left == 0.0 => left,
            Self::Or if left != 0.0 => left,
            Self::And | Self::Or => right,
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the fraction is to be cut off; what is too large becomes the largest number"
)]
fn to_bits(number: f64) -> i64 {
    number as i64
}

fn from_bits(bits: i64) -> f64 {
    bits as f64
}

impl Expression {
    /// Reads an expression.
    ///
    /// # Errors
    ///
    /// The first mistake and where it is.
    pub fn parse(text: &str) -> Result<Self, ExpressionError> {
        let text = text.trim();
        let mut parser = Parser {
            text,
            at: 0,
            symbols: HashMap::new(),
            expression: Self {
                text: String::new(),
                symbols: Vec::new(),
                program: Vec::new(),
            },
            pending: Vec::new(),
            parentheses: 0,
            expects: Expects::Operand,
        };
        match parser.run() {
            Ok(()) => {
                parser.expression.text = text.to_owned();
                Ok(parser.expression)
            }
            Err(reason) => Err(ExpressionError {
                at: 1 + text.get(..parser.at).unwrap_or(text).chars().count(),
                reason,
            }),
        }
    }

    /// As it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The symbols in it, in the order in which they occur first.
    pub fn symbols(&self) -> impl ExactSizeIterator<Item = &str> {
        self.symbols.iter().map(String::as_str)
    }

    /// Its value when symbols have these values.
    pub fn evaluate(&self, mut value_of: impl FnMut(&str) -> f64) -> f64 {
        let values: Vec<f64> = self.symbols().map(&mut value_of).collect();
        let mut stack = Vec::new();
        for step in &self.program {
            match *step {
                Step::Number(number) => stack.push(number),
                Step::Symbol(index) => {
                    stack.push(values.get(index as usize).copied().unwrap_or_default());
                }
                Step::Operator(operator) => operator.apply(&mut stack),
            }
        }
        stack.pop().unwrap_or_default()
    }

    pub(crate) fn program(&self) -> &[Step] {
        &self.program
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Expression {
    type Err = ExpressionError;

    fn from_str(text: &str) -> Result<Self, ExpressionError> {
        Self::parse(text)
    }
}

/// What may come next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expects {
    Operand,
    Operator,
}

/// An operator whose right operand is not complete, or an open parenthesis.
#[derive(Debug, Clone, Copy)]
enum Pending {
    Operator(Written),
    Parenthesis,
}

struct Parser<'t> {
    text: &'t str,
    at: usize,
    symbols: HashMap<&'t str, u32>,
    expression: Expression,
    pending: Vec<Pending>,
    parentheses: usize,
    expects: Expects,
}

impl<'t> Parser<'t> {
    fn run(&mut self) -> Result<(), ExpressionReason> {
        if self.text.len() > MAX_EXPRESSION {
            return Err(ExpressionReason::TooLong);
        }
        loop {
            self.skip(|character| character.is_ascii_whitespace());
            let Some(first) = self.rest().chars().next() else {
                break;
            };
            match self.expects {
                Expects::Operand => self.operand(first)?,
                Expects::Operator => self.operator(first)?,
            }
        }
        if self.expects == Expects::Operand {
            return Err(ExpressionReason::Operand);
        }
        if self.parentheses > 0 {
            return Err(ExpressionReason::Open);
        }
        self.settle(0)
    }

    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// Passes over characters; gives them.
    fn skip(&mut self, of: impl Fn(char) -> bool) -> &'t str {
        let rest = self.rest();
        let end = rest.find(|c| !of(c)).unwrap_or(rest.len());
        self.at += end;
        rest.get(..end).unwrap_or_default()
    }

    fn operand(&mut self, first: char) -> Result<(), ExpressionReason> {
        match first {
            '(' => {
                if self.parentheses == MAX_PARENTHESES {
                    return Err(ExpressionReason::TooDeep);
                }
                self.at += 1;
                self.parentheses += 1;
                self.pending.push(Pending::Parenthesis);
                return Ok(());
            }
            '!' => {
                self.at += 1;
                self.prefix(written(Operator::Not, 12));
                return Ok(());
            }
            '-' => {
                self.at += 1;
                self.prefix(written(Operator::Negate, 12));
                return Ok(());
            }
            '0'..='9' | '.' => self.number()?,
            'a'..='z' | 'A'..='Z' | '_' => {
                let begin = self.at;
                match self.skip(|c| c.is_ascii_alphanumeric() || c == '_') {
                    "not" => {
                        self.prefix(written(Operator::Not, NOT));
                        return Ok(());
                    }
                    word if matches!(word, "and" | "or") || word.len() > MAX_SYMBOL => {
                        self.at = begin;
                        return Err(match word.len() > MAX_SYMBOL {
                            true => ExpressionReason::Symbol,
                            false => ExpressionReason::Operand,
                        });
                    }
                    symbol => self.symbol(symbol),
                }
            }
            _ => return Err(ExpressionReason::Operand),
        }
        self.expects = Expects::Operator;
        Ok(())
    }

    /// An operator before its operand: what stands before it waits whatever it is.
    fn prefix(&mut self, operator: Written) {
        self.pending.push(Pending::Operator(operator));
    }

    fn symbol(&mut self, symbol: &'t str) {
        let next = u32::try_from(self.symbols.len()).unwrap_or(u32::MAX);
        let index = *self.symbols.entry(symbol).or_insert_with(|| {
            self.expression.symbols.push(symbol.to_owned());
            next
        });
        self.expression.program.push(Step::Symbol(index));
    }

    /// `1`, `1.5`, `.5`, `1e3`.
    fn number(&mut self) -> Result<(), ExpressionReason> {
        let begin = self.at;
        self.skip(|c| c.is_ascii_digit());
        if self.rest().starts_with('.') {
            self.at += 1;
            self.skip(|c| c.is_ascii_digit());
        }
        if self.rest().starts_with(['e', 'E']) {
            self.at += 1;
            if self.rest().starts_with(['+', '-']) {
                self.at += 1;
            }
            self.skip(|c| c.is_ascii_digit());
        }
        // What follows at once would belong to a word.
        let bad = self
            .rest()
            .starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.');
        let number = self
            .text
            .get(begin..self.at)
            .and_then(|text| text.parse::<f64>().ok())
            .filter(|number| number.is_finite() && !bad);
        let Some(number) = number else {
            self.at = begin;
            return Err(ExpressionReason::Number);
        };
        self.expression.program.push(Step::Number(number));
        Ok(())
    }

    fn operator(&mut self, first: char) -> Result<(), ExpressionReason> {
        if first == ')' {
            return self.close();
        }
        let begin = self.at;
        let found = self.infix(first);
        let Some(found) = found else {
            self.at = begin;
            return Err(match first {
                '(' | '!' | '.' | '_' => ExpressionReason::Operator,
                other if other.is_ascii_alphanumeric() => ExpressionReason::Operator,
                other => ExpressionReason::Character(other),
            });
        };
        let end = std::mem::replace(&mut self.at, begin);
        self.settle(found.binds)?;
        self.at = end;
        self.pending.push(Pending::Operator(found));
        self.expects = Expects::Operand;
        Ok(())
    }

    /// The operator that stands here, and passes over it.
    fn infix(&mut self, first: char) -> Option<Written> {
        if first.is_ascii_alphabetic() {
            return match self.skip(|c| c.is_ascii_alphanumeric() || c == '_') {
                "and" => Some(written(Operator::And, 2)),
                "or" => Some(written(Operator::Or, 1)),
                _ => None,
            };
        }
        let two = [
            ("&&", written(Operator::And, 5)),
            ("||", written(Operator::Or, 4)),
            ("<=", written(Operator::LessOrEqual, COMPARISON)),
            (">=", written(Operator::GreaterOrEqual, COMPARISON)),
            ("==", written(Operator::Equal, EQUALITY)),
            ("!=", written(Operator::NotEqual, EQUALITY)),
        ];
        let rest = self.rest();
        if let Some((_, found)) = two.into_iter().find(|(text, _)| rest.starts_with(text)) {
            self.at += 2;
            return Some(found);
        }
        let found = match first {
            '*' => written(Operator::Multiply, 11),
            '/' => written(Operator::Divide, 11),
            '+' => written(Operator::Add, 10),
            '-' => written(Operator::Subtract, 10),
            '<' => written(Operator::Less, COMPARISON),
            '>' => written(Operator::Greater, COMPARISON),
            '&' => written(Operator::BitAnd, 7),
            '|' => written(Operator::BitOr, 6),
            _ => return None,
        };
        self.at += 1;
        Some(found)
    }

    fn close(&mut self) -> Result<(), ExpressionReason> {
        if self.parentheses == 0 {
            return Err(ExpressionReason::Closed);
        }
        self.settle(0)?;
        self.pending.pop();
        self.parentheses -= 1;
        self.at += 1;
        Ok(())
    }

    /// An operator of this strength comes, or the end: those before it that bind as tight or
    /// tighter have their operands.
    fn settle(&mut self, binds: u8) -> Result<(), ExpressionReason> {
        while let Some(&Pending::Operator(last)) = self.pending.last() {
            if last.binds < binds {
                break;
            }
            if last.binds == binds && matches!(binds, COMPARISON | EQUALITY) {
                return Err(ExpressionReason::Chained);
            }
            self.expression.program.push(Step::Operator(last.operator));
            self.pending.pop();
        }
        Ok(())
    }
}
