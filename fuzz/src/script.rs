//! What a client says, taken piece by piece from the octets of an input.

/// The rest of a script.
#[derive(Debug, Clone)]
pub struct Script(Vec<u8>);

impl Script {
    /// `prelude`, line by line, then what libFuzzer made up.
    pub fn new(prelude: &[&str], rest: &[u8]) -> Self {
        let mut octets = Vec::new();
        for line in prelude {
            octets.extend_from_slice(line.as_bytes());
            octets.push(b'\n');
        }
        octets.extend_from_slice(rest);
        Self(octets)
    }

    /// The next line without its end, LF or CRLF; none at the end of the script.
    pub fn line(&mut self) -> Option<Vec<u8>> {
        if self.0.is_empty() {
            return None;
        }
        let end = self.0.iter().position(|&octet| octet == b'\n');
        let mut line = self.take(end.map_or(self.0.len(), |end| end + 1));
        if line.ends_with(b"\n") {
            line.pop();
        }
        if line.ends_with(b"\r") {
            line.pop();
        }
        Some(line)
    }

    /// The next `count` octets; fewer at the end of the script.
    pub fn take(&mut self, count: usize) -> Vec<u8> {
        let rest = self.0.split_off(count.min(self.0.len()));
        std::mem::replace(&mut self.0, rest)
    }

    /// Everything that is left.
    pub fn rest(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.0)
    }
}
