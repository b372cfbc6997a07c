//! Expressions: what they are worth, what is refused, and a naive evaluator that agrees.

use proptest::prelude::*;

use crate::{Expression, ExpressionReason as Reason, MAX_EXPRESSION, MAX_PARENTHESES};

/// A is 1, B is 2, C is 3, D is 0; others are unknown.
fn value_of(symbol: &str) -> f64 {
    match symbol {
        "A" => 1.0,
        "B" => 2.0,
        "C" => 3.0,
        _ => 0.0,
    }
}

fn value(text: &str) -> f64 {
    match Expression::parse(text) {
        Ok(expression) => expression.evaluate(value_of),
        Err(error) => panic!("{text}: {error}"),
    }
}

#[test]
fn operators_bind_as_in_perl() {
    for (text, expected) in [
        ("1 + 2 * 3", 7.0),
        ("(1 + 2) * 3", 9.0),
        ("7 - 2 - 1", 4.0),
        ("8 / 4 / 2", 1.0),
        ("1 - -1", 2.0),
        ("- A + 3", 2.0),
        ("!A + 1", 1.0),
        ("!D", 1.0),
        ("!!C", 1.0),
        ("!-A", 0.0),
        ("A < B == 1", 1.0),
        ("1 == A < B", 1.0),
        ("A + B >= C", 1.0),
        ("B > C", 0.0),
        ("B <= 2", 1.0),
        ("B != 2", 0.0),
        ("6 & 3 == 3", 0.0),
        ("6 & 3", 2.0),
        ("6 | 3", 7.0),
        ("1 | 4 & 6", 5.0),
        ("2.9 & 3.9", 2.0),
        ("B && C", 3.0),
        ("D && C", 0.0),
        ("B || C", 2.0),
        ("D || C", 3.0),
        ("D || A && D", 0.0),
        ("A || A && D", 1.0),
        ("D && D || A", 1.0),
        ("not A && D", 1.0),
        ("not A || A", 0.0),
        ("not D and A", 1.0),
        ("A or A and D", 1.0),
        ("D and A or A", 1.0),
        ("D or D || A", 1.0),
        ("A && not D", 1.0),
        ("not not C", 1.0),
        (".5 + 1.", 1.5),
        ("1e2+5E-1", 100.5),
        ("A / D", 0.0),
        ("1e308 * 1e308", 0.0),
        ("1e308 * 1e308 - 1e308 * 1e308", 0.0),
        ("UNKNOWN + __UNKNOWN_2", 0.0),
        ("android || notable", 0.0),
        ("((((C))))", 3.0),
        ("\tA\n&&\nB ", 2.0),
        ("0 - 1 & 3", 3.0),
        ("1e300 & 1", 1.0),
    ] {
        assert_eq!(value(text), expected, "{text}");
    }
}

#[test]
fn what_is_no_expression_is_refused_where_it_goes_wrong() {
    for (text, at, reason) in [
        ("", 1, Reason::Operand),
        ("A &&", 5, Reason::Operand),
        ("A B", 3, Reason::Operator),
        ("A 1", 3, Reason::Operator),
        ("A (B)", 3, Reason::Operator),
        ("A ! B", 3, Reason::Operator),
        ("A not B", 3, Reason::Operator),
        ("&& A", 1, Reason::Operand),
        ("A + * B", 5, Reason::Operand),
        ("A and or B", 7, Reason::Operand),
        ("()", 2, Reason::Operand),
        ("(A", 3, Reason::Open),
        ("A)", 2, Reason::Closed),
        ("A < B < C", 7, Reason::Chained),
        ("A == B != C", 8, Reason::Chained),
        ("A % B", 3, Reason::Character('%')),
        ("A = B", 3, Reason::Character('=')),
        ("A ä", 3, Reason::Character('ä')),
        ("ä", 1, Reason::Operand),
        ("1.2.3", 1, Reason::Number),
        (".", 1, Reason::Number),
        ("1e", 1, Reason::Number),
        ("1e999", 1, Reason::Number),
        ("12abc", 1, Reason::Number),
        ("A + 0x10", 5, Reason::Number),
    ] {
        let error = Expression::parse(text).unwrap_err();
        assert_eq!((error.at, error.reason), (at, reason), "{text}");
    }
    let name = "A".repeat(65);
    let error = Expression::parse(&format!("B + {name}")).unwrap_err();
    assert_eq!((error.at, error.reason), (5, Reason::Symbol));
    assert!(Expression::parse(&name[1..]).is_ok());
}

#[test]
fn hostile_expressions_end_soon_and_take_no_stack() {
    let nested = |depth| format!("{}A{}", "(".repeat(depth), ")".repeat(depth));
    assert_eq!(value(&nested(MAX_PARENTHESES)), 1.0);
    let error = Expression::parse(&nested(MAX_PARENTHESES + 1)).unwrap_err();
    assert_eq!(error.reason, Reason::TooDeep);
    let error = Expression::parse(&"A".repeat(1 << 20)).unwrap_err();
    assert_eq!(error.reason, Reason::TooLong);
    let many = |text: &str, end: &str| text.repeat((MAX_EXPRESSION - end.len()) / text.len()) + end;
    assert_eq!(value(&many("!!", "A")), 1.0);
    assert_eq!(value(&many("--", "A")), 1.0);
    assert_eq!(value(&many("A+", "A")), 32768.0);
    // Each of them opens a level.
    assert_eq!(value(&many("A && not not ", "A")), 1.0);
    assert!(Expression::parse(&many("(", "")).is_err());
}

/// An expression as a tree, to be written and evaluated without the parser.
#[derive(Debug, Clone)]
enum Tree {
    Number(u32),
    Symbol(&'static str),
    Not(Box<Tree>),
    LooseNot(Box<Tree>),
    Negate(Box<Tree>),
    Binary(&'static str, Box<Tree>, Box<Tree>),
    Parentheses(Box<Tree>),
}

const OPERATORS: [(&str, u8); 16] = [
    ("*", 11),
    ("/", 11),
    ("+", 10),
    ("-", 10),
    ("<", 9),
    ("<=", 9),
    (">", 9),
    (">=", 9),
    ("==", 8),
    ("!=", 8),
    ("&", 7),
    ("|", 6),
    ("&&", 5),
    ("||", 4),
    ("and", 2),
    ("or", 1),
];

fn strength(operator: &str) -> u8 {
    let found = OPERATORS.iter().find(|(name, _)| *name == operator);
    found.unwrap().1
}

/// The whole part of a float, by its digits: no cast, unlike the code under test.
fn bits(number: f64) -> i64 {
    let digits = format!("{:.0}", number.trunc());
    let nearest = if number < 0.0 { i64::MIN } else { i64::MAX };
    digits.parse().unwrap_or(nearest)
}

fn from_bits(bits: i64) -> f64 {
    bits as f64
}

fn naive(tree: &Tree) -> f64 {
    let truth = |truth: bool| if truth { 1.0 } else { 0.0 };
    let value = match tree {
        Tree::Number(number) => f64::from(*number),
        Tree::Symbol(symbol) => value_of(symbol),
        Tree::Not(inner) | Tree::LooseNot(inner) => truth(naive(inner) == 0.0),
        Tree::Negate(inner) => -naive(inner),
        Tree::Parentheses(inner) => naive(inner),
        Tree::Binary(operator, left, right) => {
            let (left, right) = (naive(left), naive(right));
            match *operator {
                "*" => left * right,
                "/" => left / right,
                "+" => left + right,
                "-" => left - right,
                "<" => truth(left < right),
                "<=" => truth(left <= right),
                ">" => truth(left > right),
                ">=" => truth(left >= right),
                "==" => truth(left == right),
                "!=" => truth(left != right),
                "&" => from_bits(bits(left) & bits(right)),
                "|" => from_bits(bits(left) | bits(right)),
                "&&" | "and" if left != 0.0 => right,
                "&&" | "and" => left,
                _ if left != 0.0 => left,
                _ => right,
            }
        }
    };
    if value.is_finite() { value } else { 0.0 }
}

/// Parentheses wherever the grammar needs them: an operand must bind tighter than `outer`.
fn write(tree: &Tree, outer: u8, into: &mut String) {
    let (own, tight) = match tree {
        Tree::Number(number) => return into.push_str(&number.to_string()),
        Tree::Symbol(symbol) => return into.push_str(symbol),
        Tree::Parentheses(inner) => {
            into.push('(');
            write(inner, 0, into);
            return into.push(')');
        }
        Tree::Not(_) | Tree::Negate(_) => (12, 12),
        // What follows it would become part of it.
        Tree::LooseNot(_) => (0, 3),
        Tree::Binary(operator, ..) => (strength(operator), strength(operator)),
    };
    let open = own < outer || (own == 0 && outer > 0);
    into.push_str(if open { "( " } else { "" });
    match tree {
        Tree::Not(inner) => {
            into.push('!');
            write(inner, tight, into);
        }
        Tree::Negate(inner) => {
            into.push('-');
            write(inner, tight, into);
        }
        Tree::LooseNot(inner) => {
            into.push_str("not ");
            write(inner, tight + 1, into);
        }
        Tree::Binary(operator, left, right) => {
            // Comparisons do not chain: both sides bind tighter.
            let chains = !matches!(tight, 8 | 9);
            write(left, tight + u8::from(!chains), into);
            into.push_str(&format!(" {operator} "));
            write(right, tight + 1, into);
        }
        _ => {}
    }
    into.push_str(if open { " )" } else { "" });
}

fn tree() -> impl Strategy<Value = Tree> {
    let leaf = prop_oneof![
        (0_u32..5).prop_map(Tree::Number),
        prop::sample::select(vec!["A", "B", "C", "D"]).prop_map(Tree::Symbol),
    ];
    leaf.prop_recursive(6, 40, 2, |inner| {
        let operator = prop::sample::select(OPERATORS.map(|(name, _)| name).to_vec());
        prop_oneof![
            1 => inner.clone().prop_map(|tree| Tree::Not(Box::new(tree))),
            1 => inner.clone().prop_map(|tree| Tree::LooseNot(Box::new(tree))),
            1 => inner.clone().prop_map(|tree| Tree::Negate(Box::new(tree))),
            1 => inner.clone().prop_map(|tree| Tree::Parentheses(Box::new(tree))),
            6 => (operator, inner.clone(), inner).prop_map(|(operator, left, right)| {
                Tree::Binary(operator, Box::new(left), Box::new(right))
            }),
        ]
    })
}

proptest! {
    #[test]
    fn a_naive_evaluator_agrees(tree in tree()) {
        let mut text = String::new();
        write(&tree, 0, &mut text);
        let expression = Expression::parse(&text);
        prop_assert!(expression.is_ok(), "{}: {:?}", text, expression);
        let value = expression.unwrap().evaluate(value_of);
        prop_assert_eq!(value, naive(&tree), "{}", text);
    }

    #[test]
    fn any_text_is_read_or_refused(text in "[AB019.()!&|<>=+*/ -]{0,30}|\\PC{0,20}") {
        if let Ok(expression) = Expression::parse(&text) {
            prop_assert!(expression.evaluate(value_of).is_finite());
            prop_assert_eq!(Expression::parse(expression.text()), Ok(expression.clone()));
        }
    }
}
