//! File names: extensions that are dangerous, and names built to deceive.

/// Extensions that Windows, macOS or Linux desktops run, install, follow or mount on a double click,
/// or that an interpreter takes. Sorted.
const DANGEROUS: &[&str] = &[
    "ace",
    "ade",
    "adp",
    "apk",
    "app",
    "appinstaller",
    "application",
    "appref-ms",
    "appx",
    "appxbundle",
    "arj",
    "asp",
    "aspx",
    "bas",
    "bat",
    "bin",
    "btm",
    "cdb",
    "chm",
    "class",
    "cmd",
    "cnt",
    "com",
    "command",
    "cpl",
    "crx",
    "csh",
    "deb",
    "dex",
    "diagcab",
    "dll",
    "dmg",
    "drv",
    "ear",
    "elf",
    "exe",
    "fxp",
    "gadget",
    "grp",
    "hlp",
    "hpj",
    "hta",
    "htc",
    "img",
    "inf",
    "ins",
    "iqy",
    "iso",
    "isp",
    "its",
    "jar",
    "jnlp",
    "job",
    "js",
    "jse",
    "ksh",
    "library-ms",
    "lnk",
    "mad",
    "maf",
    "mag",
    "mam",
    "maq",
    "mar",
    "mas",
    "mat",
    "mau",
    "mav",
    "maw",
    "mcf",
    "mda",
    "mde",
    "mdt",
    "mdw",
    "mdz",
    "mht",
    "mhtml",
    "mpkg",
    "msc",
    "msh",
    "msh1",
    "msh2",
    "mshxml",
    "msi",
    "msix",
    "msixbundle",
    "msp",
    "mst",
    "msu",
    "ocx",
    "one",
    "onepkg",
    "ops",
    "osd",
    "oxt",
    "paf",
    "pcd",
    "pif",
    "pkg",
    "pl",
    "plg",
    "prf",
    "prg",
    "printerexport",
    "ps1",
    "ps1xml",
    "ps2",
    "ps2xml",
    "psc1",
    "psc2",
    "psd1",
    "psdm1",
    "psm1",
    "pst",
    "py",
    "pyc",
    "pyo",
    "pyw",
    "pyz",
    "pyzw",
    "rb",
    "rdp",
    "reg",
    "rpm",
    "run",
    "scf",
    "scpt",
    "scr",
    "sct",
    "search-ms",
    "searchconnector-ms",
    "service",
    "settingcontent-ms",
    "sh",
    "shb",
    "shs",
    "slk",
    "sldm",
    "swf",
    "sys",
    "terminal",
    "theme",
    "themepack",
    "url",
    "vb",
    "vbe",
    "vbp",
    "vbs",
    "vbscript",
    "vhd",
    "vhdx",
    "vmdk",
    "vsmacros",
    "vsw",
    "war",
    "webloc",
    "website",
    "wim",
    "wll",
    "workflow",
    "ws",
    "wsc",
    "wsf",
    "wsh",
    "xap",
    "xbap",
    "xll",
    "xnk",
    "xpi",
];

/// Of the dangerous extensions those that are containers or data at first sight: they make a name
/// dangerous, but a file inside an archive is no program because of them. Sorted.
const NO_PROGRAMS: &[&str] = &[
    "ace", "arj", "asp", "aspx", "bas", "bin", "cnt", "dmg", "dex", "grp", "img", "inf", "iso",
    "mat", "mda", "mde", "mht", "mhtml", "one", "onepkg", "pl", "prf", "pst", "py", "rb",
    "service", "swf", "sys", "theme", "vhd", "vhdx", "vmdk", "wim",
];

/// Extensions of harmless documents, behind which another one hides. Sorted.
const HARMLESS: &[&str] = &[
    "avi", "bmp", "csv", "doc", "docx", "eml", "gif", "htm", "html", "ics", "jpeg", "jpg", "mov",
    "mp3", "mp4", "odp", "ods", "odt", "pdf", "png", "ppt", "pptx", "rtf", "svg", "tif", "tiff",
    "txt", "wav", "webp", "xls", "xlsx", "xml", "zip",
];

/// Extensions of archives and disk images. Sorted.
const ARCHIVES: &[&str] = &[
    "7z", "ace", "alz", "arc", "arj", "bz2", "cab", "cpio", "dmg", "egg", "gz", "img", "iso",
    "lha", "lz", "lz4", "lzh", "lzma", "r00", "rar", "tar", "taz", "tbz", "tbz2", "tgz", "txz",
    "udf", "uue", "vhd", "vhdx", "wim", "xz", "z", "zip", "zipx", "zoo", "zst",
];

/// So many blanks in front of an extension push it out of sight.
const HIDING_BLANKS: usize = 5;

/// Characters that embed, override or isolate a direction of writing.
const fn turns_direction(character: char) -> bool {
    matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Characters that take no room or look like a blank.
fn is_blank(character: char) -> bool {
    character.is_whitespace()
        || matches!(
            character,
            '\u{200b}'
                ..='\u{200f}' | '\u{2060}' | '\u{feff}' | '\u{00ad}' | '\u{2800}' | '\u{3164}'
        )
}

fn within(table: &[&str], extension: &str) -> bool {
    table.contains(&extension)
}

/// What is told by a name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Told {
    /// The extension is dangerous.
    pub(crate) dangerous: bool,
    /// The extension is that of a program or script.
    pub(crate) program: bool,
    /// The extension is that of an archive or disk image.
    pub(crate) archive: bool,
    /// The name hides its extension.
    pub(crate) deceptive: bool,
}

/// Judges a file name, with or without folders.
pub(crate) fn judge(name: &str) -> Told {
    let turned = name.contains(turns_direction);
    let Some((stem, extension)) = split(name) else {
        return Told {
            deceptive: turned,
            ..Told::default()
        };
    };
    let dangerous = within(DANGEROUS, &extension);
    let program = dangerous && !within(NO_PROGRAMS, &extension);
    let blanks = stem.chars().rev().take_while(|&c| is_blank(c)).count();
    let before = split(stem.trim_end_matches(|c| is_blank(c) || c == '_'));
    let doubled = before.is_some_and(|(_, inner)| within(HARMLESS, &inner));
    Told {
        dangerous,
        program,
        archive: within(ARCHIVES, &extension),
        deceptive: turned || (dangerous && (doubled || blanks >= HIDING_BLANKS)),
    }
}

/// The last part of a path, and its extension in lower case without what Windows ignores.
fn split(name: &str) -> Option<(&str, String)> {
    let file = name.rsplit(['/', '\\']).next().unwrap_or(name);
    let file = file.trim_end_matches(|c| is_blank(c) || c == '.' || c == '"' || c == '\'');
    let (stem, extension) = file.rsplit_once('.')?;
    let extension: String = extension
        .chars()
        .filter(|&c| !is_blank(c) && !turns_direction(c))
        .take(24)
        .flat_map(char::to_lowercase)
        .collect();
    (!extension.is_empty()).then_some((stem, extension))
}

/// The extension in lower case.
pub(crate) fn extension(name: &str) -> Option<String> {
    split(name).map(|(_, extension)| extension)
}

/// A name without control characters; of a longer one the end.
pub(crate) fn presentable(name: &str, length: usize) -> String {
    let count = name.chars().filter(|c| !c.is_control()).count();
    name.chars()
        .filter(|c| !c.is_control())
        .skip(count.saturating_sub(length))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_sorted() {
        for table in [HARMLESS, ARCHIVES] {
            assert!(table.is_sorted(), "{table:?}");
        }
        assert!(NO_PROGRAMS.iter().all(|item| DANGEROUS.contains(item)));
    }

    #[test]
    fn deceptive_names() {
        for name in [
            "invoice.pdf.exe",
            "Invoice.PDF.ExE",
            "photo.jpg      .scr",
            "photo          .scr",
            "report.docx.js. ",
            "x/y/scan.png\u{a0}.lnk",
            "photo_\u{202e}gpj.exe",
            "a.pdf____________.exe",
            "a.pdf.e\u{200b}xe",
        ] {
            assert!(judge(name).deceptive, "{name:?}");
        }
        for name in [
            "invoice.pdf",
            "setup.exe",
            "archive.tar.gz",
            "report.final.docx",
            "jquery.min.js",
            "",
            ".exe",
            "a.pdf/b.exe",
            "1.2.3.exe",
        ] {
            assert!(!judge(name).deceptive, "{name:?}");
        }
    }

    #[test]
    fn dangerous_names() {
        for name in [
            "a.exe", "a.EXE.", "a.lnk ", "b.iso", "c.one", "d.xll", ".scr",
        ] {
            assert!(judge(name).dangerous, "{name:?}");
        }
        for name in ["a.pdf", "exe", "a.docx", "a.zip", "a.txt", "noexe."] {
            assert!(!judge(name).dangerous, "{name:?}");
        }
        assert!(!judge("a.py").program && judge("a.exe").program);
    }

    #[test]
    fn presentable_keeps_the_end() {
        assert_eq!(presentable("a\0b\r\nc.exe", 5), "c.exe");
        assert_eq!(presentable("\u{e4}b", 9), "\u{e4}b");
    }
}
