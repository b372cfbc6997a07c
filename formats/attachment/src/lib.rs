//! What an attachment is: its type by content, deceptive names, names inside archives, macros.
//!
//! [`inspect`] is a pure function of a name, a declared type and the octets. It never fails and
//! never panics: what cannot be read is reported as such ([`Report::damaged`],
//! [`Report::unlisted`], [`Report::truncated`]). Time and memory are bounded by [`Limits`]; nothing
//! recurses on input, nested archives wait in a queue.
//!
//! Opened are ZIP (and what is made of it: OOXML, OpenDocument, JAR), tar, gzip, OLE2 compound
//! files, RTF objects, PDF streams, TNEF, ISO 9660 and OneNote. Of RAR, 7z and cabinets the names
//! are listed and stored members of RAR are opened.
//!
//! Not here: the message itself and its parts (`mime`), nested messages (the caller's), what the
//! text says, signatures of viruses. Not unpacked: bzip2, xz, zstd, LZMA and RAR's methods; a 7z
//! archive whose header is compressed is reported as [`Report::unlisted`].
//!
//! Start reading at [`inspect`], then `walk`, which all readers of containers report to. Sources:
//! PKWARE APPNOTE 6.3.10, \[MS-CFB\], \[MS-OVBA\] 2.4.1, \[MS-XLS\], \[MS-OFFCRYPTO\], \[MS-OXTNEF\],
//! \[MS-ONESTORE\], \[MS-CAB\], ECMA-119, ECMA-376, ISO 32000-1, RFC 1951, RFC 1952.

#![deny(missing_docs)]

mod biff;
mod bytes;
mod cab;
mod compound;
mod content;
mod inflate;
mod iso;
mod magic;
mod mismatch;
mod name;
mod ole;
mod onenote;
mod ooxml;
mod ovba;
mod pdf;
mod pdf_stream;
mod rar;
mod report;
mod rtf;
mod seven_zip;
mod tar;
#[cfg(test)]
mod tests;
mod tnef;
mod vba;
mod walk;
mod zip;

pub use content::Class;
pub use report::{Limits, Report};

/// Looks at an attachment.
///
/// `name` is its decoded file name, `declared` its declared media type as `type/subtype`, `bytes`
/// its content without transfer encoding. Equal arguments give equal reports.
#[must_use]
pub fn inspect(name: Option<&str>, declared: &str, bytes: &[u8], limits: &Limits) -> Report {
    walk::Walk::new(limits).run(name.unwrap_or_default(), declared, bytes)
}
