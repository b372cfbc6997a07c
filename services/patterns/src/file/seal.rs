//! Checksums: written when a file is made; written again by tests that change one on purpose.

#[cfg(any(test, feature = "test-support"))]
use zerocopy::FromBytes;
use zerocopy::IntoBytes;
use zerocopy::byteorder::little_endian::U64;

#[cfg(any(test, feature = "test-support"))]
use super::layout::{HEADER, SectionRecord};
use super::layout::{Header, checksum};

/// Makes every checksum of a database right again after its bytes were changed, as far as the
/// section table still says where they are: with it, tests and fuzzing reach the checks behind the
/// checksums. Bytes that are too short are left alone. (Feature `test-support`.)
#[cfg(any(test, feature = "test-support"))]
pub fn seal(bytes: &mut [u8]) {
    let Ok((mut header, rest)) = Header::read_from_prefix(bytes) else {
        return;
    };
    let count = (header.sections.get() as usize).min(rest.len() / size_of::<SectionRecord>());
    let Some((table, _)) = rest.split_at_checked(count * size_of::<SectionRecord>()) else {
        return;
    };
    let mut table = table.to_vec();
    if let Ok(records) = <[SectionRecord]>::mut_from_bytes(&mut table) {
        for record in records {
            let range = usize::try_from(record.offset.get()).ok().and_then(|start| {
                let length = usize::try_from(record.length.get()).ok()?;
                bytes.get(start..start.checked_add(length)?)
            });
            if let Some(section) = range {
                record.checksum = U64::new(checksum(section));
            }
        }
    }
    header.table_checksum = U64::new(checksum(&table));
    finish(&mut header);
    if let Some((head, rest)) = bytes.split_at_mut_checked(HEADER) {
        head.copy_from_slice(header.as_bytes());
        if let Some(place) = rest.get_mut(..table.len()) {
            place.copy_from_slice(&table);
        }
    }
}

/// Sets the header's own checksum.
pub(super) fn finish(header: &mut Header) {
    let bytes = header.as_bytes();
    let covered = bytes.len() - size_of::<U64>();
    let sum = checksum(bytes.get(..covered).unwrap_or_default());
    header.checksum = U64::new(sum);
}
