//! Whether content contradicts what a name or a declared type promises, in a way that matters.
//!
//! Many harmless programs label attachments wrongly, so only contradictions count that lead a reader
//! to open something else than expected: a program, page, archive or document behind the name of a
//! picture or a PDF, one archive behind the name of another. `application/octet-stream` promises
//! nothing, and the kinds of text are one.

use crate::content::{Class, Content};

/// What a name or a declared type promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Promise {
    Media,
    Pdf,
    /// OOXML and OpenDocument.
    Document,
    /// The older formats, behind whose names all kinds of documents are common.
    OldDocument,
    Text,
    /// An archive, with the type it should have.
    Archive(&'static str),
}

fn by_extension(extension: &str) -> Option<Promise> {
    Some(match extension {
        "jpg" | "jpeg" | "png" | "gif" | "bmp" | "tif" | "tiff" | "webp" | "heic" | "mp3"
        | "mp4" | "wav" | "ogg" | "mov" | "avi" | "mkv" | "m4a" | "mpg" | "mpeg" | "webm" => {
            Promise::Media
        }
        "pdf" => Promise::Pdf,
        "docx" | "xlsx" | "pptx" | "odt" | "ods" | "odp" | "docm" | "xlsm" | "pptm" => {
            Promise::Document
        }
        "doc" | "xls" | "ppt" | "rtf" | "dot" | "xlt" | "pps" => Promise::OldDocument,
        "txt" | "csv" | "ics" | "vcf" | "htm" | "html" | "xml" | "json" | "log" | "eml" => {
            Promise::Text
        }
        "zip" => Promise::Archive("application/zip"),
        "rar" => Promise::Archive("application/vnd.rar"),
        "7z" => Promise::Archive("application/x-7z-compressed"),
        "gz" | "tgz" => Promise::Archive("application/gzip"),
        "tar" => Promise::Archive("application/x-tar"),
        "bz2" => Promise::Archive("application/x-bzip2"),
        "xz" => Promise::Archive("application/x-xz"),
        "cab" => Promise::Archive("application/vnd.ms-cab-compressed"),
        _ => return None,
    })
}

fn by_declaration(declared: &str) -> Option<Promise> {
    let declared = declared.trim().to_ascii_lowercase();
    let (family, subtype) = declared.split_once('/')?;
    Some(match (family, subtype) {
        ("image" | "audio" | "video", _) => Promise::Media,
        ("text", _) => Promise::Text,
        ("application", "pdf" | "x-pdf") => Promise::Pdf,
        ("application", "msword" | "vnd.ms-excel" | "vnd.ms-powerpoint" | "rtf") => {
            Promise::OldDocument
        }
        ("application", other)
            if other.starts_with("vnd.openxmlformats-officedocument.")
                || other.starts_with("vnd.oasis.opendocument.") =>
        {
            Promise::Document
        }
        _ => return None,
    })
}

/// Whether the content breaks the promise of its name or of its declared type.
pub(crate) fn contradicts(extension: Option<&str>, declared: &str, found: Content) -> bool {
    let named = extension.and_then(by_extension);
    named.is_some_and(|promise| broken(promise, found, Told::ByName))
        || by_declaration(declared).is_some_and(|promise| broken(promise, found, Told::ByType))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    ByName,
    ByType,
}

fn broken(promise: Promise, found: Content, told: Told) -> bool {
    let class = found.class;
    // Scripts are text, whatever text was promised.
    if promise == Promise::Text {
        return matches!(class, Class::Executable | Class::DiskImage)
            && found.kind != "application/hta"
            || matches!(found.kind, "application/x-ms-shortcut")
            || told == Told::ByName
                && matches!(class, Class::Archive | Class::Office | Class::OfficeLegacy);
    }
    if class.runs() || class == Class::DiskImage {
        return true;
    }
    match promise {
        Promise::Media => {
            class.holds_files() || class.is_document() || matches!(class, Class::Pdf | Class::Html)
        }
        Promise::Pdf => class.holds_files() || class.is_document() || class == Class::Html,
        Promise::Document => match class {
            Class::OfficeLegacy => found.kind != crate::ole::ENCRYPTED_OOXML,
            Class::Rtf | Class::Html | Class::Notebook | Class::Archive => true,
            _ => false,
        },
        Promise::OldDocument => class == Class::Notebook,
        Promise::Archive(kind) => {
            class == Class::Html
                || class == Class::Archive && found.kind != kind
                || class == Class::Rtf
                || class == Class::OfficeLegacy && found.kind != "application/vnd.ms-outlook"
        }
        Promise::Text => false,
    }
}
