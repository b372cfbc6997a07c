//! What holds of any input: the bodies of the fuzz targets `text_html` and `text_url`, and more.

use proptest::prelude::*;
use text::html::{self, Limits};
use text::url::{self, Url};
use text::{language, measure, words};

/// As `fuzz/fuzz_targets/text_html.rs`.
fn html_holds(html: &str) {
    let limits = Limits::default();
    let page = html::render(html, &limits);
    assert_eq!(page, html::render(html, &limits));
    for text in [&page.text, &page.hidden, &page.title] {
        assert!(!text.contains(|c: char| c.is_control() && c != '\n'));
        assert!(!text.contains("\n\n") && !text.contains("  "));
    }
    let text = page.text.len() + page.hidden.len() + page.title.len();
    assert!(text <= 4 * html.len(), "{text} of {}", html.len());
    let base = page
        .base
        .as_ref()
        .map_or(0, |base| base.len().min(html::MAX_BASE) + 4);
    let links = page.links.iter().map(|l| (l.href.len() + l.text.len(), 1));
    let images = page.images.iter().map(|i| (i.src.len() + i.alt.len(), 1));
    let resources = page.resources.iter().map(|r| (r.href.len(), 1));
    let (octets, count) = links
        .chain(images)
        .chain(resources)
        .fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    assert!(count <= html.len());
    assert!(octets <= 4 * html.len() + count * base);
    assert!(page.tags <= html.len() / 3 + 1);
}

/// As `fuzz/fuzz_targets/text_url.rs`.
fn url_holds(text: &str) {
    let mut end = 0;
    for found in url::find(text) {
        assert_eq!(&text[found.range.clone()], found.written);
        assert!(found.range.start >= end && !found.range.is_empty());
        end = found.range.end;
        parsed_holds(&found.url);
    }
    let mut end = 0;
    for mailbox in url::addresses(text) {
        assert!(mailbox.range.start >= end);
        end = mailbox.range.end;
        assert!(text[mailbox.range.clone()].contains('@'));
        assert!(mailbox.address.ends_with(mailbox.domain()));
        assert!(url::is_known_suffix(mailbox.domain()));
    }
    if let Some(url) = Url::parse(text) {
        parsed_holds(&url);
    }
}

fn parsed_holds(url: &Url) {
    let normalised = url.normalised();
    assert!(!normalised.contains(char::is_control));
    if normalised.len() <= url::MAX_URL_LENGTH {
        let again = Url::parse(&normalised);
        let again = again.as_ref();
        assert_eq!(again.map(Url::normalised).as_ref(), Some(&normalised));
        assert_eq!(again.map(|again| &again.host), Some(&url.host));
        assert_eq!(again.map(|again| again.port), Some(url.port));
    }
    let nested = url.nested();
    assert_eq!(url.flags.nested, !nested.is_empty());
    assert!(nested.len() <= url::MAX_NESTED);
    if let Some(domain) = url.domain() {
        assert!(domain.len() <= url::MAX_HOST && domain.is_ascii());
        assert!(url::registrable(domain).is_none_or(|registrable| domain.ends_with(registrable)));
        assert!(url::tld(domain).is_some());
    }
}

fn text_holds(text: &str) {
    let m = measure::Measures::of(text);
    assert!(m.capitals <= m.letters && m.letters <= m.characters);
    assert_eq!(m.words, words::iterate(text).count());
    assert!(m.mixed_script_words <= m.words);
    for word in words::iterate(text) {
        assert!(!word.is_empty() && word.len() <= words::MAX_WORD);
        let folded = words::fold(word);
        assert_eq!(words::fold(&folded), folded);
    }
    assert_eq!(language::detect(text), language::detect(text));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 1_000 } else { 5_000 }))]

    #[test]
    fn any_text(text in any::<String>()) {
        html_holds(&text);
        url_holds(&text);
        text_holds(&text);
    }

    #[test]
    fn any_html(pieces in proptest::collection::vec(0..HTML.len(), 0..60)) {
        html_holds(&pieces.iter().map(|&at| HTML[at]).collect::<String>());
    }

    #[test]
    fn any_urls(pieces in proptest::collection::vec(0..URLS.len(), 0..30)) {
        let text = pieces.iter().map(|&at| URLS[at]).collect::<String>();
        url_holds(&text);
        url_holds(&format!("http://{text}"));
        url_holds(&format!("https://u@www.example.com/{text}"));
        url_holds(&format!("<www.example.com?{text}"));
    }

    #[test]
    fn any_words(pieces in proptest::collection::vec(0..WORDS.len(), 0..200)) {
        text_holds(&pieces.iter().map(|&at| WORDS[at]).collect::<String>());
    }
}

const HTML: &[&str] = &[
    "<p>",
    "</p>",
    "<div style='display:none'>",
    "<div>",
    "</div>",
    "<b>",
    "</b>",
    "<font color=white>",
    "</font>",
    "<table>",
    "<tr>",
    "<td>",
    "</td>",
    "</tr>",
    "</table>",
    "<a href=x>",
    "<a href='http://a.test/?x'>",
    "</a>",
    "<img src=y alt='z'>",
    "<br>",
    "<li>",
    "<ul>",
    "</ul>",
    "<option>",
    "<select>",
    "</select>",
    "<base href='http://base.test/a/b'>",
    "<style>",
    ".x, p { color: #fff !important; background: url(a) }",
    "@import 'x';",
    "@media screen {",
    "}",
    "</style>",
    "<p class=x>",
    "<!--",
    "-->",
    "<script>",
    "</script>",
    "<title>",
    "</title>",
    "<textarea>",
    "</textarea>",
    "&amp;",
    "&#0;",
    "&NotEqualTilde;",
    "&",
    "<",
    ">",
    "'",
    "\"",
    "=",
    " ",
    "\n",
    "\t",
    "\0",
    "\u{7f}",
    "\u{85}",
    "\u{a0}",
    "é",
    "x",
    "<span hidden>",
    "</span>",
    "<input type=submit value=' v '>",
    "<plaintext>",
    "<meta http-equiv=refresh content='0;url=x'>",
    "<i style='font-size:",
    "0.1em;",
    "50%'>",
    "</i>",
    "<o:p>",
    "</o:p>",
    "<form action=x>",
];

const URLS: &[&str] = &[
    "http",
    "https",
    "hxxp",
    "mailto",
    "javascript",
    "data",
    ":",
    "/",
    "//",
    "\\",
    "[:]",
    "[.]",
    "(dot)",
    ".",
    "..",
    "example",
    "com",
    "co.uk",
    "www.",
    "a",
    "1",
    "0x7f",
    "017",
    "255",
    "[",
    "]",
    "[::1]",
    "(",
    ")",
    "<",
    ">",
    "@",
    "?",
    "#",
    "&",
    "=",
    ";",
    ",",
    "%",
    "%2e",
    "%2F",
    "%3A",
    "%25",
    "%zz",
    "%61",
    " ",
    "\n",
    "\t",
    "\u{200b}",
    "\u{3002}",
    "é",
    "xn--",
    "xn--pypal-4ve",
    "а",
    "日本",
    "-",
    "_",
    "aHR0cHM6Ly9iLnRlc3QveA",
    "__",
    "__;",
    "u=",
    "urldefense.com",
    "/amp/s/",
    "google.com",
    ":80",
    ":x",
];

const WORDS: &[&str] = &[
    "a",
    "B",
    "é",
    "É",
    "'",
    "’",
    " ",
    "\n",
    "-",
    "1",
    "23",
    "456",
    "7890",
    "+",
    "(",
    ")",
    ".",
    ",",
    "$",
    "€",
    "USD",
    " million",
    "日",
    "本",
    "か",
    "한",
    "а",
    "α",
    "\u{200b}",
    "\u{301}",
    "\u{202e}",
    "\u{3164}",
    "\u{ffa0}",
    "\u{17b4}",
    "👨\u{200d}",
    "!",
    "ﬁ",
    "Ａ",
    "ς",
    "Σ",
    "İ",
    "the ",
    "and ",
    "ไทย",
];

/// `TEXT_CORPUS=<folder of HTML files> cargo test --release -p muskox-text -- --ignored --nocapture`
#[test]
#[ignore = "needs a folder of HTML files in TEXT_CORPUS"]
#[expect(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    reason = "a test reads its corpus"
)]
fn corpus() {
    let folder = std::env::var_os("TEXT_CORPUS").unwrap();
    let mut pages: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| std::fs::read(entry.unwrap().path()).unwrap())
        .map(|octets| String::from_utf8_lossy(&octets).into_owned())
        .collect();
    pages.sort();
    for page in &pages {
        html_holds(page);
        url_holds(page);
        text_holds(page);
    }
    let limits = Limits::default();
    let texts: Vec<String> = pages
        .iter()
        .map(|page| html::render(page, &limits).text)
        .collect();
    let time = |name: &str, inputs: &[String], run: &dyn Fn(&str) -> usize| {
        let start = std::time::Instant::now();
        for _ in 0..10 {
            std::hint::black_box(inputs.iter().map(|input| run(input)).sum::<usize>());
        }
        let each = start.elapsed() / u32::try_from(10 * inputs.len()).unwrap();
        let octets: usize = inputs.iter().map(String::len).sum();
        let speed = octets as f64 * 10.0 / start.elapsed().as_secs_f64() / 1e6;
        println!("{name}: {each:?} each, {speed:.0} MB/s");
    };
    println!(
        "{} pages, {} octets of HTML, {} of text",
        pages.len(),
        pages.iter().map(String::len).sum::<usize>(),
        texts.iter().map(String::len).sum::<usize>()
    );
    time("html::render", &pages, &|page| {
        html::render(page, &limits).tags
    });
    time("url::find in HTML", &pages, &|page| url::find(page).count());
    time("url::find", &texts, &|text| url::find(text).count());
    time("url::addresses", &texts, &|text| {
        url::addresses(text).count()
    });
    time("words", &texts, &|text| {
        words::iterate(text)
            .map(words::fold)
            .map(|word| word.len())
            .sum()
    });
    time("measure", &texts, &|text| measure::Measures::of(text).words);
    time("language", &texts, &|text| language::detect(text).len());
}
