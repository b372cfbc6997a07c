//! Made-up mail: the same number gives the same message, so that both sides get the same octets.
//!
//! Words are pronounceable and follow Zipf's law, so that compression and search find what they
//! find in real text. [`Corpus::message`] mixes plain text, HTML alternatives and attachments (5 kB
//! on average); [`Corpus::delivery`] is one plain message of about 4 kB.

use std::fmt::Write as _;

use jiff::Timestamp;

/// In the body of one message in a thousand.
pub(crate) const NEEDLE: &str = "zqxneedle";
/// In the subject of one message in a hundred.
pub(crate) const TOPIC: &str = "qzxtopic";

const VOCABULARY: usize = 6_000;
const DELIVERY_BYTES: usize = 4_096;
const LINE: usize = 72;
/// Seconds from one message's date to the next.
const STEP: i64 = 997;
/// 14 November 2023.
const FIRST_DATE: i64 = 1_700_000_000;

/// A pseudo-random sequence (SplitMix64): good enough to vary mail, the same on every machine.
#[derive(Debug)]
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `limit`, which is above 0.
    fn below(&mut self, limit: usize) -> usize {
        let limit = u64::try_from(limit).unwrap_or(u64::MAX).max(1);
        usize::try_from(self.next() % limit).unwrap_or_default()
    }

    /// `smallest` or more, rarely much more: halves at each doubling, `doublings` at most.
    fn heavy(&mut self, smallest: usize, doublings: u32) -> usize {
        let doubled = self.next().trailing_ones().min(doublings);
        let base = smallest << doubled;
        base + self.below(base)
    }
}

/// The vocabulary that messages are made of.
#[derive(Debug)]
pub(crate) struct Corpus {
    words: Vec<String>,
    /// Unique for each run, so that no server has seen a Message-ID before.
    run: u64,
}

/// What of a message a search must find.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Expected {
    /// Messages.
    pub(crate) count: u64,
    /// Messages with [`NEEDLE`].
    pub(crate) needles: u64,
    /// Messages with [`TOPIC`].
    pub(crate) topics: u64,
}

impl Expected {
    /// Of the messages 0 to `count`.
    pub(crate) fn of(count: u64) -> Self {
        Self {
            count,
            needles: count / 1_000,
            topics: count / 100,
        }
    }
}

impl Corpus {
    pub(crate) fn new(run: u64) -> Self {
        let mut random = Random(7);
        let word = |random: &mut Random| {
            let syllables = 1 + random.below(4);
            (0..syllables).map(|_| syllable(random)).collect()
        };
        Self {
            words: (0..VOCABULARY).map(|_| word(&mut random)).collect(),
            run,
        }
    }

    fn word(&self, random: &mut Random) -> &str {
        let index = random.below(VOCABULARY);
        self.words.get(index).map_or("", String::as_str)
    }

    /// A word of running text: low ones come often.
    fn text_word(&self, random: &mut Random) -> &str {
        let index = random.heavy(1, 12) - 1;
        self.words
            .get(index % VOCABULARY)
            .map_or("", String::as_str)
    }

    /// Lines of text with about `length` octets.
    fn text(&self, random: &mut Random, length: usize) -> String {
        let mut out = String::with_capacity(length + LINE);
        let mut column = 0;
        while out.len() < length {
            let word = self.text_word(random);
            if column + word.len() > LINE {
                out.push_str("\r\n");
                column = 0;
            } else if column > 0 {
                out.push(' ');
            }
            out.push_str(word);
            column += word.len() + 1;
        }
        out.push_str("\r\n");
        out
    }

    fn phrase(&self, random: &mut Random, words: usize) -> String {
        let words: Vec<&str> = (0..words).map(|_| self.word(random)).collect();
        words.join(" ")
    }

    /// The sender's address; the same number gives the same.
    pub(crate) fn sender(number: u64) -> String {
        format!("sender{}@d{}.senders.test", number % 997, number % 50)
    }

    fn header(&self, random: &mut Random, number: u64, date: i64) -> String {
        let (run, id) = (self.run, random.next());
        let topic = if number % 100 == 99 {
            format!(" {TOPIC}")
        } else {
            String::new()
        };
        let words = 3 + random.below(6);
        let subject = self.phrase(random, words);
        let reply = if number.is_multiple_of(3) { "" } else { "Re: " };
        let date = rfc5322(date);
        let mut out = format!(
            "Received: from host{}.senders.test (host{}.senders.test [192.0.2.{}])\r\n\
             \tby relay.senders.test with ESMTPS id {id:016X};\r\n\t{date}\r\n\
             Date: {date}\r\nFrom: {} <{}>\r\nTo: Reader <reader@bench.test>\r\n\
             Subject: {reply}{subject}{topic}\r\nMessage-ID: <{number}.{id:x}.{run:x}@senders.test>\r\n",
            number % 9,
            number % 9,
            1 + number % 250,
            self.phrase(random, 2),
            Self::sender(number),
        );
        if !reply.is_empty() {
            let parent = format!("<{}.root.{run:x}@senders.test>", number - number % 5);
            out.push_str(&format!(
                "In-Reply-To: {parent}\r\nReferences: {parent}\r\n"
            ));
        }
        out.push_str("MIME-Version: 1.0\r\n");
        out
    }

    /// Message `number` of a mailbox.
    pub(crate) fn message(&self, number: u64) -> Vec<u8> {
        let mut random = Random(number.wrapping_mul(7_919).wrapping_add(1));
        let mut out = self.header(&mut random, number, date(number));
        let length = random.heavy(500, 5);
        let mut text = self.text(&mut random, length);
        if number % 1_000 == 999 {
            text.push_str(NEEDLE);
            text.push_str(" lies here\r\n");
        }
        match number % 10 {
            0..=3 => {
                out.push_str("Content-Type: text/plain; charset=utf-8\r\n\r\n");
                out.push_str(&text);
            }
            4..=8 => out.push_str(&alternative(&text, number)),
            _ => {
                let octets = random.heavy(3_000, 4);
                out.push_str(&with_attachment(
                    &alternative(&text, number),
                    &mut random,
                    octets,
                ));
            }
        }
        out.into_bytes()
    }

    /// A message of about 4 kB on its way: `number` makes it unique.
    pub(crate) fn delivery(&self, number: u64) -> Vec<u8> {
        let mut random = Random(number ^ self.run);
        let mut out = self.header(&mut random, number, Timestamp::now().as_second());
        out.push_str("Content-Type: text/plain; charset=utf-8\r\n\r\n");
        let rest = DELIVERY_BYTES.saturating_sub(out.len());
        out.push_str(&self.text(&mut random, rest));
        out.into_bytes()
    }
}

/// When message `number` was received, in seconds since 1970.
fn date(number: u64) -> i64 {
    FIRST_DATE + STEP * i64::try_from(number).unwrap_or_default()
}

/// The date of message `number` as APPEND wants it.
pub(crate) fn internal_date(number: u64) -> String {
    formatted(date(number), "%d-%b-%Y %H:%M:%S +0000")
}

fn rfc5322(seconds: i64) -> String {
    formatted(seconds, "%a, %d %b %Y %H:%M:%S +0000")
}

fn formatted(seconds: i64, format: &str) -> String {
    let time = Timestamp::from_second(seconds).unwrap_or(Timestamp::UNIX_EPOCH);
    time.strftime(format).to_string()
}

fn syllable(random: &mut Random) -> String {
    let mut pick = |from: &str| from.chars().nth(random.below(from.len())).unwrap_or('a');
    [pick("bcdfghjklmnprstvw"), pick("aeiou")].iter().collect()
}

fn alternative(text: &str, number: u64) -> String {
    let boundary = format!("alternative-{number}");
    let html = text.replace("\r\n", "<br>\r\n");
    format!(
        "Content-Type: multipart/alternative; boundary=\"{boundary}\"\r\n\r\n\
         --{boundary}\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{text}\
         --{boundary}\r\nContent-Type: text/html; charset=utf-8\r\n\r\n\
         <html><body><p>{html}</p></body></html>\r\n--{boundary}--\r\n"
    )
}

fn with_attachment(inner: &str, random: &mut Random, octets: usize) -> String {
    let boundary = format!("mixed-{:x}", random.next());
    let mut out = format!(
        "Content-Type: multipart/mixed; boundary=\"{boundary}\"\r\n\r\n--{boundary}\r\n{inner}\
         --{boundary}\r\nContent-Type: application/pdf; name=\"paper.pdf\"\r\n\
         Content-Disposition: attachment; filename=\"paper.pdf\"\r\n\
         Content-Transfer-Encoding: base64\r\n\r\n"
    );
    // Twelve random octets are sixteen letters of base64; hexadecimal digits are among these.
    for _ in 0..octets.div_ceil(72) {
        for _ in 0..4 {
            let _ = write!(out, "{:016x}", random.next());
        }
        out.push_str("\r\n");
    }
    let _ = write!(out, "--{boundary}--\r\n");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_repeat_and_differ() {
        let corpus = Corpus::new(1);
        assert_eq!(corpus.message(5), Corpus::new(1).message(5));
        assert_ne!(corpus.message(5), corpus.message(6));
        assert_ne!(corpus.delivery(5), Corpus::new(2).delivery(5));
    }

    #[test]
    fn what_is_expected_is_in_the_messages() {
        let corpus = Corpus::new(1);
        let count = |word: &str| {
            let found = (0..2_000)
                .filter(|number| String::from_utf8_lossy(&corpus.message(*number)).contains(word));
            found.count()
        };
        assert_eq!(
            Expected::of(2_000),
            Expected {
                count: 2_000,
                needles: 2,
                topics: 20
            }
        );
        assert_eq!((count(NEEDLE), count(TOPIC)), (2, 20));
    }

    #[test]
    fn messages_have_the_size_of_real_ones() {
        let corpus = Corpus::new(1);
        let total: usize = (0..1_000).map(|number| corpus.message(number).len()).sum();
        assert!(
            (3_500..7_000).contains(&(total / 1_000)),
            "{}",
            total / 1_000
        );
        let delivery = corpus.delivery(3).len();
        assert!((4_000..4_300).contains(&delivery), "{delivery}");
    }

    #[test]
    fn messages_are_well_formed_lines() {
        let corpus = Corpus::new(1);
        for message in [corpus.message(9), corpus.message(19), corpus.delivery(2)] {
            let text = String::from_utf8(message).unwrap();
            assert!(text.ends_with("\r\n") && text.contains("\r\n\r\n"));
            assert_eq!(text.matches('\n').count(), text.matches("\r\n").count());
            assert!(
                text.lines()
                    .all(|line| line.len() < 998 && !line.starts_with('.'))
            );
        }
    }

    #[test]
    fn dates() {
        assert_eq!(rfc5322(1_700_000_000), "Tue, 14 Nov 2023 22:13:20 +0000");
        assert_eq!(internal_date(0), "14-Nov-2023 22:13:20 +0000");
    }

    #[test]
    fn heavy_numbers_start_at_the_smallest() {
        let mut random = Random(1);
        let numbers: Vec<usize> = (0..1_000).map(|_| random.heavy(10, 3)).collect();
        assert!(numbers.iter().all(|number| (10..160).contains(number)));
        assert!(numbers.iter().any(|number| *number > 80));
    }
}
