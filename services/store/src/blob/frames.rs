//! A blob's bytes as independent zstd frames.
//!
//! Every frame holds [`FRAME`] plain bytes, the last one the rest, and ends with zstd's checksum. A
//! row holds the bare frames; a file adds a label and a table at its end (layout in [`Table`]).
//! Sizes that come from disk are compared with what they must be and never trusted for allocation.

use std::io;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use zstd::bulk::{Compressor, Decompressor};
use zstd::zstd_safe::{self, CParameter};

use crate::BlobId;

/// Plain bytes per frame.
pub(super) const FRAME: usize = 256 * 1024;

const LEVEL: i32 = 3;

/// Why stored bytes could not be read back.
#[derive(Debug)]
pub(super) enum LoadError {
    Damage(&'static str),
    Io(io::Error),
}

impl From<io::Error> for LoadError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

const TABLE_DAMAGE: LoadError = LoadError::Damage("its frame table is wrong");
const FRAME_DAMAGE: LoadError = LoadError::Damage("a frame does not decompress");

/// Appends the compressed bytes in a range of where they are stored.
pub(super) type Fetch<'a> = dyn FnMut(Range<u64>, &mut Vec<u8>) -> Result<(), LoadError> + 'a;

/// The range of a whole blob. A `fn`, as `0..size` reads like a mistake where it is an argument.
pub(super) fn whole(size: u64) -> Range<u64> {
    0..size
}

/// Compression contexts, used again and again: making one costs more than a small message.
#[derive(Default)]
pub(super) struct Codec {
    encoders: Pool<Encoder>,
    decoders: Pool<Decoder>,
}

struct Encoder {
    context: Compressor<'static>,
    frame: Vec<u8>,
}

struct Decoder {
    context: Decompressor<'static>,
    /// At most [`FRAME`] bytes.
    plain: Vec<u8>,
}

/// As many as were ever in use at the same time.
struct Pool<T>(Mutex<Vec<T>>);

impl<T> Default for Pool<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T> Pool<T> {
    fn with<R>(
        &self,
        make: impl FnOnce() -> io::Result<T>,
        run: impl FnOnce(&mut T) -> R,
    ) -> io::Result<R> {
        let idle = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut item = idle.map_or_else(make, Ok)?;
        let result = run(&mut item);
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(item);
        Ok(result)
    }
}

impl Encoder {
    fn new() -> io::Result<Self> {
        let mut context = Compressor::new(LEVEL)?;
        context.set_parameter(CParameter::ChecksumFlag(true))?;
        Ok(Self {
            context,
            frame: Vec::new(),
        })
    }

    fn compress(&mut self, plain: &[u8]) -> io::Result<Vec<u8>> {
        self.frame.clear();
        self.frame.reserve(zstd_safe::compress_bound(plain.len()));
        self.context.compress_to_buffer(plain, &mut self.frame)?;
        Ok(self.frame.as_slice().to_vec())
    }
}

impl Decoder {
    fn new() -> io::Result<Self> {
        Ok(Self {
            context: Decompressor::new()?,
            plain: Vec::new(),
        })
    }

    /// The plain bytes of `frame`, which must be exactly `length`, at most [`FRAME`].
    fn decompress(&mut self, frame: &[u8], length: usize) -> Result<&[u8], LoadError> {
        self.plain.clear();
        self.plain.reserve_exact(length.min(FRAME));
        match self.context.decompress_to_buffer(frame, &mut self.plain) {
            Ok(written) if written == length => Ok(&self.plain),
            _ => Err(FRAME_DAMAGE),
        }
    }
}

impl Codec {
    /// One frame of at most [`FRAME`] plain bytes; no bytes make no frame.
    pub(super) fn compress(&self, plain: &[u8]) -> io::Result<Vec<u8>> {
        if plain.is_empty() {
            return Ok(Vec::new());
        }
        self.encoders
            .with(Encoder::new, |encoder| encoder.compress(plain))?
    }

    /// The `wanted` part of the blob of `size` bytes whose frames a row holds.
    pub(super) fn unpack_inline(
        &self,
        inline: &[u8],
        size: u64,
        wanted: Range<u64>,
    ) -> Result<Vec<u8>, LoadError> {
        let frames = walk(inline, size)?;
        self.extract(&frames, size, wanted, &mut |range, frame| {
            let bytes = usize::try_from(range.start)
                .ok()
                .zip(usize::try_from(range.end).ok())
                .and_then(|(start, end)| inline.get(start..end))
                .ok_or(TABLE_DAMAGE)?;
            frame.extend_from_slice(bytes);
            Ok(())
        })
    }

    /// The `wanted` part of a blob of `size` bytes. `frames` says where its frames are, `fetch`
    /// appends the bytes of one.
    pub(super) fn extract(
        &self,
        frames: &[Range<u64>],
        size: u64,
        wanted: Range<u64>,
        fetch: &mut Fetch<'_>,
    ) -> Result<Vec<u8>, LoadError> {
        let wanted = wanted.start.min(size)..wanted.end.min(size);
        let mut bytes = Vec::new();
        if wanted.is_empty() {
            return Ok(bytes);
        }
        let mut compressed = Vec::new();
        self.decoders.with(Decoder::new, |decoder| {
            for (frame, plain) in frames.iter().zip(plain_ranges(size)) {
                let start = wanted.start.max(plain.start);
                let end = wanted.end.min(plain.end);
                if start >= end {
                    continue;
                }
                compressed.clear();
                fetch(frame.clone(), &mut compressed)?;
                let plain_bytes = decoder.decompress(&compressed, length(&plain))?;
                let part = length(&(plain.start..start))..length(&(plain.start..end));
                bytes.extend_from_slice(plain_bytes.get(part).ok_or(FRAME_DAMAGE)?);
            }
            Ok::<(), LoadError>(())
        })??;
        Ok(bytes)
    }
}

/// The length of a range within one frame.
fn length(range: &Range<u64>) -> usize {
    usize::try_from(range.end.saturating_sub(range.start)).unwrap_or(usize::MAX)
}

/// The plain bytes that each frame of a blob of `size` bytes holds.
fn plain_ranges(size: u64) -> impl Iterator<Item = Range<u64>> {
    let step = FRAME as u64;
    (0..size.div_ceil(step)).map(move |index| {
        let start = index.saturating_mul(step);
        start..start.saturating_add(step).min(size)
    })
}

/// Where the frames of an inline blob are. Linear in the bytes that are there.
fn walk(inline: &[u8], size: u64) -> Result<Vec<Range<u64>>, LoadError> {
    let mut frames = Vec::new();
    let mut start = 0u64;
    let mut rest = inline;
    while !rest.is_empty() {
        let length = zstd_safe::find_frame_compressed_size(rest).map_err(|_| FRAME_DAMAGE)?;
        rest = rest
            .get(length..)
            .filter(|_| length > 0)
            .ok_or(FRAME_DAMAGE)?;
        let end = start.saturating_add(length as u64);
        frames.push(start..end);
        start = end;
    }
    if frames.len() as u64 != size.div_ceil(FRAME as u64) {
        return Err(LoadError::Damage("its size does not fit its frames"));
    }
    Ok(frames)
}

/// The end of a blob's file: a label and a table, each in a frame that zstd skips, so that the file
/// is a valid `.zst`. The table is that of the Zstandard seekable format (contrib/seekable_format
/// of the zstd project), so that other tools can seek in it.
///
/// ```text
/// label   u32 0x184D2A5D  u32 36   "MSKXBLOB"  u32 version 1  id [16]  check [8]
/// table   u32 0x184D2A5E  u32 8n+9 n × (u32 compressed length, u32 plain length)
///         u32 n  u8 0  u32 0x8F92EAB1
/// ```
/// Numbers are little-endian; `check` is the beginning of the BLAKE3 of the table.
#[derive(Debug, Default)]
pub(super) struct Table {
    /// Compressed length of each frame.
    lengths: Vec<u32>,
}

const LABEL_MAGIC: u32 = 0x184D_2A5D;
const TABLE_MAGIC: u32 = 0x184D_2A5E;
const SEEKABLE_MAGIC: u32 = 0x8F92_EAB1;
const NAME: &[u8; 8] = b"MSKXBLOB";
const VERSION: u32 = 1;
const LABEL_BYTES: usize = 44;
/// Of a table without entries.
const TABLE_BYTES: usize = 17;
const ENTRY_BYTES: usize = 8;

impl Table {
    pub(super) fn push(&mut self, compressed: usize) {
        // A frame of 256 KiB plain bytes never reaches 4 GiB.
        self.lengths
            .push(u32::try_from(compressed).unwrap_or(u32::MAX));
    }

    /// Bytes of label and table for a blob of `size` bytes.
    pub(super) fn tail_bytes(size: u64) -> u64 {
        let frames = size.div_ceil(FRAME as u64);
        frames
            .saturating_mul(ENTRY_BYTES as u64)
            .saturating_add((LABEL_BYTES + TABLE_BYTES) as u64)
    }

    /// Label and table of the blob `id` of `size` bytes.
    pub(super) fn encode(&self, id: BlobId, size: u64) -> Vec<u8> {
        let entries = self.lengths.len();
        let count = u32::try_from(entries).unwrap_or(u32::MAX);
        let mut table = Vec::with_capacity(TABLE_BYTES + ENTRY_BYTES * entries);
        let payload = count.saturating_mul(8).saturating_add(9);
        put(&mut table, &[TABLE_MAGIC, payload]);
        for (compressed, plain) in self.lengths.iter().zip(plain_ranges(size)) {
            put(
                &mut table,
                &[
                    *compressed,
                    u32::try_from(length(&plain)).unwrap_or(u32::MAX),
                ],
            );
        }
        put(&mut table, &[count]);
        table.push(0);
        put(&mut table, &[SEEKABLE_MAGIC]);

        let mut tail = Vec::with_capacity(LABEL_BYTES + table.len());
        put(&mut tail, &[LABEL_MAGIC, 36]);
        tail.extend_from_slice(NAME);
        put(&mut tail, &[VERSION]);
        tail.extend_from_slice(&id.0);
        tail.extend_from_slice(&check(&table));
        tail.extend_from_slice(&table);
        tail
    }

    /// Where the frames are in a file of `file_bytes`, from the last [`Table::tail_bytes`] of it.
    pub(super) fn decode(
        tail: &[u8],
        id: BlobId,
        size: u64,
        file_bytes: u64,
    ) -> Result<Vec<Range<u64>>, LoadError> {
        let (label, table) = tail.split_at_checked(LABEL_BYTES).ok_or(TABLE_DAMAGE)?;
        if label.get(8..16) != Some(NAME) {
            return Err(LoadError::Damage("its label is missing"));
        }
        if number(label, 16) != Some(VERSION) {
            return Err(LoadError::Damage("its version is unknown"));
        }
        if label.get(20..36) != Some(&id.0) {
            return Err(LoadError::Damage("its file is that of another blob"));
        }
        if label.get(36..) != Some(&check(table)) {
            return Err(TABLE_DAMAGE);
        }
        let mut frames = Vec::with_capacity(table.len() / ENTRY_BYTES);
        let mut start = 0u64;
        for (index, plain) in plain_ranges(size).enumerate() {
            let at = 8 + index * ENTRY_BYTES;
            let compressed = number(table, at).ok_or(TABLE_DAMAGE)?;
            let expected = number(table, at + 4).ok_or(TABLE_DAMAGE)?;
            if u64::from(expected) != plain.end.saturating_sub(plain.start) {
                return Err(LoadError::Damage("its size does not fit its frames"));
            }
            let end = start.saturating_add(compressed.into());
            frames.push(start..end);
            start = end;
        }
        if start.checked_add(tail.len() as u64) != Some(file_bytes) {
            return Err(LoadError::Damage("its file has the wrong length"));
        }
        Ok(frames)
    }
}

fn put(bytes: &mut Vec<u8>, numbers: &[u32]) {
    bytes.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    bytes
        .get(at..)?
        .first_chunk()
        .map(|bytes| u32::from_le_bytes(*bytes))
}

fn check(table: &[u8]) -> [u8; 8] {
    let mut check = [0; 8];
    for (to, from) in check.iter_mut().zip(blake3::hash(table).as_bytes()) {
        *to = *from;
    }
    check
}
