//! An expression is read or refused with a place in it; what is read has a value whatever its
//! symbols are worth, reads the same when it is written, and stays what it is in parentheses.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rules::Expression;

fuzz_target!(|input: (&str, [i8; 4])| {
    let (text, values) = input;
    let expression = match Expression::parse(text) {
        Ok(expression) => expression,
        Err(error) => {
            assert!(error.at >= 1 && error.at <= text.chars().count() + 1);
            return;
        }
    };
    let value_of = |symbol: &str| f64::from(values[symbol.len() % values.len()]);
    let value = expression.evaluate(value_of);
    assert!(value.is_finite());
    let again = Expression::parse(expression.text()).expect("its own text");
    assert_eq!(again, expression);
    if let Ok(negated) = Expression::parse(&format!("!({text})")) {
        assert_eq!(
            negated.evaluate(value_of),
            f64::from(u8::from(value == 0.0))
        );
        let same: Vec<&str> = negated.symbols().collect();
        assert!(expression.symbols().eq(same));
    }
});
