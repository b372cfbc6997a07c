//! IMAP data: strings and parentheses.

/// Checks that in `data` every parenthesis is closed, that strings end, and that there is no line
/// break but before a literal.
///
/// # Panics
/// When that is not so.
pub fn balanced(data: &[u8]) {
    let (mut depth, mut rest) = (0_usize, data);
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        match first {
            b'(' => depth += 1,
            b')' => depth = depth.checked_sub(1).expect("an opening parenthesis"),
            b'"' => loop {
                let (first, after) = rest.split_first().expect("a closing quote");
                rest = after;
                match first {
                    b'"' => break,
                    b'\\' => rest = &rest[1..],
                    b'\r' | b'\n' | 0 => panic!("octet in quotes"),
                    _ => {}
                }
            },
            b'{' => {
                let end = rest
                    .windows(3)
                    .position(|w| w == b"}\r\n")
                    .expect("a literal");
                let size = std::str::from_utf8(&rest[..end]).expect("digits");
                rest = &rest[end + 3 + size.parse::<usize>().expect("digits")..];
            }
            b'\r' | b'\n' => panic!("a line break"),
            _ => {}
        }
    }
    assert_eq!(depth, 0);
}
