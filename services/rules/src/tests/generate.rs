//! Rule sets that a book accepts, made at random.

use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::{btree_map, btree_set, vec};
use proptest::prelude::*;
use proptest::sample::select;

use crate::{
    Condition, Expression, Flag, Group, HeaderPart, Hits, List, ListKind, Number, PatternText,
    Plain, Prefilter, Rule, RuleSet, Scope,
};

/// Any text without control characters, or with some of them.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ -~]{0,12}",
        "\\PC{0,8}",
        "[\\x00-\\x20'\"\\\\\u{7f}\u{85}]{0,6}"
    ]
}

fn name() -> impl Strategy<Value = String> {
    "[ -~äß]{1,10}"
}

/// Few of them, so that rules refer to each other.
fn symbol() -> impl Strategy<Value = String> {
    prop_oneof![4 => "[A-E]", 1 => "_{0,2}[A-Za-z][A-Za-z0-9_]{0,20}"]
}

fn score() -> impl Strategy<Value = f32> {
    prop_oneof![-10_000.0_f32..=10_000.0, Just(0.0), Just(0.1), Just(-1e-30)]
}

pub(super) fn scope() -> impl Strategy<Value = Scope> {
    let part = select(vec![
        HeaderPart::Value,
        HeaderPart::Raw,
        HeaderPart::Address,
        HeaderPart::Name,
    ]);
    let field = "[a-z][a-z0-9-]{0,12}";
    prop_oneof![
        3 => select(Plain::ALL).prop_map(Scope::Plain),
        1 => (field, part).prop_map(|(name, part)| Scope::Header { name, part }),
        1 => (field, any::<bool>()).prop_map(|(name, raw)| Scope::Mime { name, raw }),
    ]
}

fn pattern() -> impl Strategy<Value = PatternText> {
    let expression = prop_oneof![
        "[a-c/\\\\{}.*'\"]{0,8}".prop_map(String::into_bytes),
        "\\PC{0,6}".prop_map(String::into_bytes),
        vec(any::<u8>(), 0..6),
    ];
    (expression, "[imsxu]{0,2}")
        .prop_map(|(expression, flags)| PatternText::new(expression, &flags).unwrap())
}

fn patterns() -> impl Strategy<Value = Condition> {
    (scope(), vec(pattern(), 1..4))
        .prop_map(|(scope, patterns)| Condition::Match { scope, patterns })
}

fn bounds() -> impl Strategy<Value = (Option<f64>, Option<f64>)> {
    let number = || prop_oneof![-1e6..1e6_f64, Just(1e300), Just(0.1), Just(3.0)];
    prop_oneof![
        number().prop_map(|least| (Some(least), None)),
        number().prop_map(|most| (None, Some(most))),
        number().prop_map(|equals| (Some(equals), Some(equals))),
        (number(), 0.5..10.0).prop_map(|(least, more)| (Some(least), Some(least + more))),
    ]
}

fn expression() -> impl Strategy<Value = Condition> {
    (symbol(), symbol(), select(vec!["&&", "+", " > ", "\n|| !"]))
        .prop_map(|(left, right, operator)| format!("{left} {operator} {right}"))
        .prop_map(|text| Condition::Expression(Expression::parse(&text).unwrap()))
}

/// `lists` are the names conditions may refer to.
fn condition(lists: Vec<String>) -> impl Strategy<Value = Condition> {
    let leaf = prop_oneof![
        patterns(),
        (scope(), select(lists)).prop_map(|(scope, list)| Condition::Listed { scope, list }),
        scope().prop_map(Condition::Exists),
        (select(Number::ALL), bounds()).prop_map(|(number, (at_least, at_most))| {
            Condition::Number {
                number,
                at_least,
                at_most,
            }
        }),
        select(Flag::ALL).prop_map(Condition::Flag),
        (scope(), scope()).prop_map(|(left, right)| Condition::Same(left, right)),
        symbol().prop_map(Condition::Symbol),
        expression(),
    ];
    leaf.prop_recursive(5, 20, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 1..4).prop_map(Condition::All),
            vec(inner.clone(), 1..4).prop_map(Condition::Any),
            (1_u32..3, vec(inner.clone(), 2..4))
                .prop_map(|(least, operands)| Condition::AtLeast(least, operands)),
            inner.prop_map(|inner| Condition::Not(Box::new(inner))),
        ]
    })
}

fn list() -> impl Strategy<Value = List> {
    let (kind, items) = (
        select(vec![
            (ListKind::Address, "u@[a-z]{1,8}\\.test"),
            (ListKind::Domain, "[a-z]{1,8}\\.test"),
            (ListKind::Network, "192\\.0\\.2\\.[1-9](/2[0-9])?"),
            (ListKind::Word, "[ -~ä]{1,9}"),
            (ListKind::Suffix, "\\.[a-z'\"]{1,5}"),
        ]),
        text(),
    );
    (kind, items).prop_flat_map(|((kind, items), description)| {
        vec(items, 0..5).prop_map(move |items| List {
            kind,
            description: description.clone(),
            items,
        })
    })
}

fn group() -> impl Strategy<Value = Group> {
    (
        text(),
        proptest::option::of(0.0_f32..50.0),
        proptest::option::of(-50.0_f32..=0.0),
        btree_set(symbol(), 0..3),
    )
        .prop_map(|(description, max, min, signals)| Group {
            description,
            max,
            min,
            signals,
        })
}

fn rule(lists: Vec<String>) -> impl Strategy<Value = Rule> {
    let simple = (any::<bool>(), patterns(), condition(lists), 1_u32..1_000);
    let hits = simple.prop_map(|(each, patterns, condition, most)| {
        if each {
            (Hits::Each(most), patterns)
        } else {
            (Hits::Once, condition)
        }
    });
    let prefilter = select(vec![
        None,
        None,
        Some(Prefilter::Accept),
        Some(Prefilter::Reject),
    ]);
    (
        (score(), text(), proptest::option::of(name())),
        (any::<bool>(), prefilter),
        hits,
    )
        .prop_map(
            |((score, description, group), (hidden, prefilter), (hits, when))| Rule {
                symbol: String::new(),
                score,
                description,
                group,
                hidden,
                hits,
                prefilter: prefilter.filter(|_| !hidden),
                when,
            },
        )
}

/// A set whose every part is sound. Its rules may still depend on each other in a circle.
pub(super) fn set() -> impl Strategy<Value = RuleSet> {
    let lists = btree_map(name(), list(), 1..4);
    let head = (
        "[ -~ä]{0,10}",
        text(),
        btree_set(symbol(), 0..3),
        btree_map(symbol(), score(), 0..3),
        btree_map(name(), group(), 0..3),
    );
    (head, lists).prop_flat_map(|(head, lists)| {
        let names = lists.keys().cloned().collect();
        let rules = btree_map(symbol(), rule(names), 0..6);
        rules.prop_map(move |rules| joined(head.clone(), lists.clone(), rules))
    })
}

type Head = (
    String,
    String,
    BTreeSet<String>,
    BTreeMap<String, f32>,
    BTreeMap<String, Group>,
);

fn joined(
    (name, description, disabled, scores, groups): Head,
    lists: BTreeMap<String, List>,
    rules: BTreeMap<String, Rule>,
) -> RuleSet {
    RuleSet {
        name,
        description,
        disabled,
        scores,
        groups,
        lists,
        rules: rules
            .into_iter()
            .map(|(symbol, rule)| Rule { symbol, ..rule })
            .collect(),
    }
}
