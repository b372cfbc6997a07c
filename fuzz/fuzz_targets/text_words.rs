//! Words lie in the text one behind the other, have a bounded length, and fold once and for all.
#![no_main]

use libfuzzer_sys::fuzz_target;
use text::words;

fuzz_target!(|text: &str| {
    let mut start = 0;
    for word in words::iterate(text) {
        assert!(!word.is_empty() && word.len() <= words::MAX_WORD);
        assert!(!word.contains(|c: char| c.is_whitespace() || c.is_control()));
        let at = word.as_ptr() as usize - text.as_ptr() as usize;
        assert!(at >= start && text[at..].starts_with(word));
        start = at + usize::from(word.is_ascii()) * word.len();
        let folded = words::fold(word);
        assert_eq!(words::fold(&folded), folded, "{word:?}");
    }
    let visible = words::visible(text);
    assert!(visible.len() <= text.len());
    assert_eq!(words::visible(&visible), visible);
});
