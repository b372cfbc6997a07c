//! Mail of every shape, made from a number: the same on every machine.

/// How many shapes there are; numbers beyond it vary them.
const SHAPES: usize = 12;

/// Words that spam and work are made of.
const WORDS: &[&str] = &[
    "viagra",
    "invoice",
    "meeting",
    "winner",
    "casino",
    "report",
    "mortgage",
    "schedule",
    "pills",
    "lottery",
    "password",
    "garden",
    "refinance",
    "bitcoin",
    "account",
    "verify",
    "unsubscribe",
    "dear",
    "friend",
    "transfer",
    "patch",
    "kernel",
    "compile",
    "weekend",
    "photos",
    "million",
];

/// The message of a number.
pub(crate) fn message(number: usize) -> Vec<u8> {
    let mut words = Words(Dice::new(number as u64));
    let subject = words.some(4);
    let sender = format!("{}{number}@{}.example", words.one(), words.one());
    let mut head = format!(
        "From: \"{}\" <{sender}>\r\nTo: <alice@demo.test>\r\nSubject: {subject}\r\n\
         Date: Mon, 2 Nov 2026 10:{:02}:00 +0000\r\nMessage-ID: <{number}@{}.example>\r\n\
         MIME-Version: 1.0\r\n",
        words.some(2),
        number % 60,
        words.one(),
    );
    let body = shape(number % SHAPES, number, &mut words, &mut head);
    let mut message = head.into_bytes();
    message.extend_from_slice(b"\r\n");
    message.extend_from_slice(&body);
    message
}

/// The body; what its form needs is added to the header.
fn shape(shape: usize, number: usize, words: &mut Words, head: &mut String) -> Vec<u8> {
    let text = words.paragraph();
    let link = format!("http://{}.example/{}?id={number}", words.one(), words.one());
    match shape {
        0 => text.into_bytes(),
        1 => {
            head.push_str("Content-Type: text/html; charset=utf-8\r\n");
            format!(
                "<html><body><p style=\"color:#fff\">{text}</p><a href=\"{link}\">http://bank.example</a>\
                 <img src=\"http://192.0.2.{}/x.gif\"></body></html>\r\n",
                number % 250
            )
            .into_bytes()
        }
        2 => {
            head.push_str("Content-Type: multipart/alternative; boundary=\"a\"\r\n");
            format!(
                "--a\r\nContent-Type: text/plain\r\n\r\n{text}\r\n--a\r\nContent-Type: text/html\r\n\r\n\
                 <b>{text}</b> <a href='{link}'>here</a>\r\n--a--\r\n"
            )
            .into_bytes()
        }
        3 => {
            head.push_str("Content-Type: text/plain; charset=iso-8859-1\r\n");
            let mut body = text.into_bytes();
            body.extend_from_slice(b"caf\xe9 na\xefve \xa3100\r\n");
            body
        }
        4 => {
            head.push_str("Content-Type: text/plain; charset=koi8-r\r\n");
            let mut body = text.into_bytes();
            body.extend_from_slice(b"\xf0\xd2\xc9\xd7\xc5\xd4 \xcd\xc9\xd2\r\n");
            body
        }
        5 => {
            head.push_str(
                "X-Mailer: =?utf-8?q?=F0=9F=90=82?=\r\nContent-Type: text/plain; charset=utf-8\r\n\
                 Content-Transfer-Encoding: quoted-printable\r\n",
            );
            format!("{text}=C3=A9=\r\n soft =E2=82=AC {link}\r\n").into_bytes()
        }
        6 => {
            head.push_str("Content-Type: multipart/mixed; boundary=\"b\"\r\n");
            format!(
                "--b\r\n\r\n{text}\r\n--b\r\nContent-Type: application/octet-stream; name=\"{}.exe\"\r\n\
                 Content-Transfer-Encoding: base64\r\n\r\nTVqQAAMAAAAEAAAA//8AALgAAAA=\r\n--b--\r\n",
                words.one()
            )
            .into_bytes()
        }
        7 => {
            head.push_str("Content-Type: message/rfc822\r\n");
            format!(
                "From: inner@example.test\r\nSubject: {}\r\n\r\n{text}",
                words.some(3)
            )
            .into_bytes()
        }
        8 => {
            head.push_str(
                "List-Id: <talk.example>\r\nList-Unsubscribe: <mailto:leave@talk.example>\r\n",
            );
            format!("{text}{link}\r\n").into_bytes()
        }
        9 => {
            head.push_str("Content-Type: multipart/mixed; boundary=\"never\"\r\n");
            format!("{text}\r\nno boundary here\r\n").into_bytes()
        }
        10 => {
            head.push_str("Reply-To: <other@elsewhere.example>\r\nX-Priority: 1\r\n");
            let shouting = text.to_uppercase();
            format!("{shouting}!!! $$$ 100% FREE {link}\r\n").into_bytes()
        }
        _ => {
            head.push_str("Content-Type: text/plain; charset=gb2312\r\n");
            let mut body = b"\xc4\xe3\xba\xc3 ".to_vec();
            body.extend_from_slice(text.repeat(30).as_bytes());
            body
        }
    }
}

/// Numbers at random, but the same ones again: xorshift, so that nothing depends on a library's
/// version.
pub(crate) struct Dice(u64);

impl Dice {
    /// For a seed.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        // Zero would stay zero.
        let mut state = self.0.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        self.0 = state;
        state >> 16
    }

    /// A number below `limit`, which is not zero.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next()).unwrap_or(0) % limit
    }
}

/// A generator of words.
struct Words(Dice);

impl Words {
    fn one(&mut self) -> &'static str {
        WORDS
            .get(self.0.below(WORDS.len()))
            .copied()
            .unwrap_or("word")
    }

    fn some(&mut self, count: usize) -> String {
        let words: Vec<&str> = (0..count).map(|_| self.one()).collect();
        words.join(" ")
    }

    fn paragraph(&mut self) -> String {
        let lines: Vec<String> = (0..4).map(|_| self.some(9)).collect();
        lines.join("\r\n") + "\r\n"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_make_the_same_messages_again_and_different_ones_from_each_other() {
        let all: Vec<Vec<u8>> = (0..100).map(message).collect();
        assert_eq!(all, (0..100).map(message).collect::<Vec<_>>());
        let distinct: std::collections::BTreeSet<&Vec<u8>> = all.iter().collect();
        assert_eq!(distinct.len(), all.len());
    }
}
