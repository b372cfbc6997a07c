//! Any HTML renders, the same way twice, to text without control characters that is no longer than
//! the input allows.
#![no_main]

use libfuzzer_sys::fuzz_target;
use text::html::{self, Limits};

fuzz_target!(|html: &str| {
    let limits = Limits::default();
    let page = html::render(html, &limits);
    assert_eq!(page, html::render(html, &limits));
    for text in [&page.text, &page.hidden, &page.title] {
        assert!(!text.contains(|c: char| c.is_control() && c != '\n'));
        assert!(!text.contains("\n\n") && !text.contains("  "));
    }
    assert!(page.text.len() + page.hidden.len() + page.title.len() <= 4 * html.len());
    let base = page
        .base
        .as_ref()
        .map_or(0, |base| base.len().min(html::MAX_BASE) + 4);
    let links = page.links.iter().map(|l| l.href.len() + l.text.len());
    let images = page.images.iter().map(|i| i.src.len() + i.alt.len());
    let resources = page.resources.iter().map(|r| r.href.len());
    let lengths: Vec<usize> = links.chain(images).chain(resources).collect();
    assert!(lengths.len() <= html.len());
    assert!(lengths.iter().sum::<usize>() <= 4 * html.len() + lengths.len() * base);
    let _ = text::measure::Measures::of(&page.text);
    let _ = text::language::detect(&page.text);
});
