//! RFC 1951 (deflate) and RFC 1950 (zlib) with a cap on what comes out.

use flate2::{Decompress, FlushDecompress, Status};

use crate::bytes::{from, wider};

/// Octets that are unpacked at a time.
const PIECE: usize = 32 << 10;

/// How an unpacking ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The stream ended.
    Whole,
    /// The cap was reached.
    Capped,
    /// The stream is invalid or ends too early.
    Damaged,
}

/// What came out.
#[derive(Debug)]
pub(crate) struct Inflated {
    pub(crate) bytes: Vec<u8>,
    /// Octets of input that were used.
    pub(crate) consumed: usize,
    pub(crate) end: End,
}

/// What surrounds the deflated data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wrapper {
    Raw,
    Zlib,
}

/// A decompressor that is used again and again.
#[derive(Debug)]
pub(crate) struct Inflater {
    state: Decompress,
    piece: Vec<u8>,
}

impl Inflater {
    pub(crate) fn new() -> Self {
        Self {
            state: Decompress::new(false),
            piece: vec![0; PIECE],
        }
    }

    /// Unpacks at most `cap` octets.
    pub(crate) fn run(&mut self, wrapper: Wrapper, input: &[u8], cap: usize) -> Inflated {
        self.state.reset(wrapper == Wrapper::Zlib);
        let mut out = Inflated {
            bytes: Vec::new(),
            consumed: 0,
            end: End::Damaged,
        };
        loop {
            let room = cap.saturating_sub(out.bytes.len()).min(PIECE);
            if room == 0 {
                out.end = End::Capped;
                return out;
            }
            let Some(piece) = self.piece.get_mut(..room) else {
                return out;
            };
            let before = (self.state.total_in(), self.state.total_out());
            let rest = from(input, out.consumed);
            let status = self.state.decompress(rest, piece, FlushDecompress::None);
            let used = wider(self.state.total_in().saturating_sub(before.0));
            let made = wider(self.state.total_out().saturating_sub(before.1));
            out.consumed = out.consumed.saturating_add(used);
            out.bytes
                .extend_from_slice(piece.get(..made).unwrap_or_default());
            match status {
                Ok(Status::StreamEnd) => {
                    out.end = End::Whole;
                    return out;
                }
                Ok(_) if used > 0 || made > 0 => {}
                Ok(_) | Err(_) => return out,
            }
        }
    }
}
