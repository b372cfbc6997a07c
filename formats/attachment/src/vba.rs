//! VBA projects: whether there is code, whether it runs by itself, which words it uses.

use memchr::memmem;

use crate::bytes::{contains, from};
use crate::compound::Compound;
use crate::ovba;
use crate::walk::Walk;

/// Names of procedures that Office calls by itself.
const AUTOMATIC: &[&str] = &[
    "AutoExec",
    "AutoOpen",
    "AutoNew",
    "AutoExit",
    "AutoClose",
    "Auto_Open",
    "Auto_Close",
    "Auto_Exec",
    "Auto_Activate",
    "Document_Open",
    "Document_New",
    "Document_Close",
    "Document_BeforeClose",
    "Document_ContentControlOnEnter",
    "DocumentOpen",
    "DocumentBeforeClose",
    "DocumentChange",
    "Workbook_Open",
    "Workbook_Activate",
    "Workbook_BeforeClose",
    "Workbook_Close",
    "Workbook_Deactivate",
    "Worksheet_Activate",
    "Worksheet_Calculate",
    "Presentation_Open",
    "SlideShowBegin",
    "OnSlideShowPageChange",
    "Frame1_Layout",
    "InkPicture_Painted",
    "InkPicture1_Painted",
    "InkPicture_Resize",
    "MultiPage1_Layout",
    "SystemMonitor1_GotFocus",
    "WebBrowser1_DocumentComplete",
    "WebBrowser1_NavigateComplete2",
    "ImageCombo21_Change",
    "TextBox1_Change",
    "App_DocumentOpen",
    "App_WorkbookOpen",
];

/// Words of code that reaches out of its document.
const SUSPICIOUS: &[&str] = &[
    "Shell",
    "ShellExecute",
    "ShellExecuteA",
    "CreateObject",
    "GetObject",
    "CallByName",
    "WScript",
    "Wscript.Shell",
    "Shell.Application",
    "powershell",
    "cmd.exe",
    "mshta",
    "rundll32",
    "regsvr32",
    "certutil",
    "bitsadmin",
    "msiexec",
    "schtasks",
    "wmic",
    "winmgmts",
    "URLDownloadToFile",
    "URLDownloadToFileA",
    "XMLHTTP",
    "WinHttpRequest",
    "InternetExplorer.Application",
    "ADODB.Stream",
    "SaveToFile",
    "FileSystemObject",
    "Environ",
    "VirtualAlloc",
    "VirtualProtect",
    "CreateThread",
    "CreateRemoteThread",
    "WriteProcessMemory",
    "RtlMoveMemory",
    "EnumSystemLanguageGroupsW",
    "LoadLibrary",
    "GetProcAddress",
    "StrReverse",
    "Chr$",
    "ChrW",
    "ExecuteExcel4Macro",
    "VBProject",
    "AccessVBOM",
    "MacroOptions",
    "Win32_Process",
];

/// Looks for a project in a compound file; does nothing when there is none.
pub(crate) fn open(walk: &mut Walk<'_>, file: &Compound<'_>) {
    if !file.has("_VBA_PROJECT") && !file.has("VBA") && !file.has("dir") {
        return;
    }
    let Some(listed) = listed(walk, file) else {
        return;
    };
    let project = file.has("_VBA_PROJECT");
    let mut readable = false;
    let mut code = false;
    for node in file.streams() {
        if matches!(
            node.name.as_str(),
            "dir" | "PROJECT" | "PROJECTwm" | "_VBA_PROJECT"
        ) {
            continue;
        }
        let offset = listed
            .iter()
            .find(|module| module.stream.eq_ignore_ascii_case(&node.name))
            .map(|module| module.offset);
        // Streams that the list does not name are searched for source where there is a project.
        if offset.is_none() && !project {
            continue;
        }
        let stream = file.stream(node, walk.room().min(4 << 20));
        walk.charge(stream.len());
        let Some(source) = source(walk, &stream, offset) else {
            continue;
        };
        readable = true;
        code |= has_code(&source);
        words(walk, &source);
    }
    // The names of procedures are kept a second time here, even when the source was removed.
    let mut automatic = false;
    if let Some(node) = file.find("_VBA_PROJECT") {
        let identifiers = file.stream(node, walk.room().min(1 << 20));
        walk.charge(identifiers.len());
        automatic = names(walk, &identifiers.to_ascii_lowercase());
    }
    walk.report.macros |= code || automatic || !readable;
}

/// The modules by the project's list, which may be unreadable; none when there is no project.
fn listed(walk: &mut Walk<'_>, file: &Compound<'_>) -> Option<Vec<ovba::Module>> {
    let Some(node) = file.find("dir") else {
        return file.has("_VBA_PROJECT").then(Vec::new);
    };
    let stream = file.stream(node, walk.room().min(1 << 20));
    walk.charge(stream.len());
    let directory = ovba::unpack(&stream, 1 << 20);
    if directory.is_none() && !file.has("_VBA_PROJECT") {
        return None;
    }
    Some(ovba::modules(&directory.unwrap_or_default()))
}

/// The source of a module: where the list says, or where it shows itself.
fn source(walk: &mut Walk<'_>, stream: &[u8], offset: Option<usize>) -> Option<Vec<u8>> {
    let cap = walk.macro_source;
    let begins = |at: usize| {
        let start = ovba::unpack(from(stream, at), 16)?;
        start.starts_with(b"Attribut").then_some(())?;
        ovba::unpack(from(stream, at), cap)
    };
    let listed = offset.and_then(|at| ovba::unpack(from(stream, at), cap));
    // "Attribut" is the first word; it follows a flag octet, or the header of a raw chunk.
    let source = listed.or_else(|| {
        memmem::find_iter(stream, b"Attribut")
            .take(4)
            .find_map(|at| {
                at.checked_sub(4)
                    .and_then(begins)
                    .or_else(|| begins(at.checked_sub(3)?))
            })
    })?;
    walk.macro_source = cap.saturating_sub(source.len());
    walk.report.truncated |= walk.macro_source == 0;
    Some(source)
}

/// Whether source has more than attributes, comments and options.
fn has_code(source: &[u8]) -> bool {
    lines(source).any(|line| {
        let idle = [&b"attribute "[..], b"option "]
            .iter()
            .any(|word| crate::bytes::starts_ignoring_case(line, word));
        !line.is_empty() && !idle
    })
}

/// The lines of source that are no comments.
fn lines(source: &[u8]) -> impl Iterator<Item = &[u8]> {
    source
        .split(|&octet| matches!(octet, b'\r' | b'\n'))
        .map(|line| line.trim_ascii())
        .filter(|line| {
            !line.starts_with(b"'") && !crate::bytes::starts_ignoring_case(line, b"rem ")
        })
}

/// Notes automatic procedures and suspicious words of source.
fn words(walk: &mut Walk<'_>, source: &[u8]) {
    let mut lower = Vec::with_capacity(source.len());
    for line in lines(source) {
        lower.extend(line.iter().map(u8::to_ascii_lowercase));
        lower.push(b'\n');
    }
    let _ = names(walk, &lower);
    for word in SUSPICIOUS {
        if has_word(&lower, word) {
            walk.word(word);
        }
    }
}

/// Notes automatic procedures named in lower-case octets.
fn names(walk: &mut Walk<'_>, lower: &[u8]) -> bool {
    let mut any = false;
    for name in AUTOMATIC {
        if has_word(lower, name) {
            walk.word(name);
            any = true;
        }
    }
    walk.report.auto_macro |= any;
    any
}

/// Whether a word stands in lower-case octets and is not part of a longer one.
fn has_word(lower: &[u8], word: &str) -> bool {
    let word = word.to_ascii_lowercase();
    let needle = word.as_bytes();
    if !contains(lower, needle) {
        return false;
    }
    let part = |octet: Option<&u8>| {
        octet.is_some_and(|octet| octet.is_ascii_alphanumeric() || *octet == b'_')
    };
    memmem::find_iter(lower, needle).any(|at| {
        let before = at.checked_sub(1).and_then(|before| lower.get(before));
        let after = lower.get(at.saturating_add(needle.len()));
        !part(before) && (!part(after) || needle.ends_with(b"$"))
    })
}
