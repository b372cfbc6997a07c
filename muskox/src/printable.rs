//! Text of strangers on a terminal or in a line of the log.

/// `text` with control characters escaped, so that it cannot steer a terminal.
#[must_use]
pub(crate) fn printable(text: &str) -> String {
    text.chars()
        .flat_map(|character| {
            let escaped = character.is_control().then(|| character.escape_default());
            let plain = escaped.is_none().then_some(character);
            escaped.into_iter().flatten().chain(plain)
        })
        .collect()
}
