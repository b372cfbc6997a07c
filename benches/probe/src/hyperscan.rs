//! Hyperscan's interface, as Hyperscan 5.4 and Vectorscan 5.4 have it, from a shared library that
//! is loaded by its path: both call theirs `libhs.so.5`, and a benchmark wants both.
//!
//! Block mode only. What the functions do is in Hyperscan's developer reference.

#![expect(unsafe_code, reason = "foreign functions")]

use std::ffi::{CStr, CString, c_char, c_int, c_uint, c_ulonglong, c_void};
use std::path::Path;
use std::ptr::{NonNull, null, null_mut};
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::rules::{Rule, ascii};

/// `HS_SUCCESS`.
const SUCCESS: c_int = 0;
/// `HS_MODE_BLOCK`.
const MODE_BLOCK: c_uint = 1;
const FLAG_CASELESS: c_uint = 1;
const FLAG_DOTALL: c_uint = 2;
const FLAG_MULTILINE: c_uint = 4;
const FLAG_SINGLEMATCH: c_uint = 8;
const FLAG_UTF8: c_uint = 32;
const FLAG_PREFILTER: c_uint = 128;

/// `hs_compile_error_t`.
#[repr(C)]
struct CompileError {
    message: *mut c_char,
    expression: c_int,
}

type OnMatch = unsafe extern "C" fn(c_uint, c_ulonglong, c_ulonglong, c_uint, *mut c_void) -> c_int;
type CompileMulti = unsafe extern "C" fn(
    *const *const c_char,
    *const c_uint,
    *const c_uint,
    c_uint,
    c_uint,
    *const c_void,
    *mut *mut c_void,
    *mut *mut CompileError,
) -> c_int;
type Scan = unsafe extern "C" fn(
    *const c_void,
    *const c_char,
    c_uint,
    c_uint,
    *mut c_void,
    OnMatch,
    *mut c_void,
) -> c_int;

/// The functions that are used, and the library that holds them in memory.
struct Functions {
    version: unsafe extern "C" fn() -> *const c_char,
    compile_multi: CompileMulti,
    free_compile_error: unsafe extern "C" fn(*mut CompileError) -> c_int,
    free_database: unsafe extern "C" fn(*mut c_void) -> c_int,
    serialize: unsafe extern "C" fn(*const c_void, *mut *mut c_char, *mut usize) -> c_int,
    deserialize: unsafe extern "C" fn(*const c_char, usize, *mut *mut c_void) -> c_int,
    alloc_scratch: unsafe extern "C" fn(*const c_void, *mut *mut c_void) -> c_int,
    free_scratch: unsafe extern "C" fn(*mut c_void) -> c_int,
    scan: Scan,
    _library: libloading::Library,
}

unsafe extern "C" {
    /// The C library's, for what the library's default allocator made.
    fn free(memory: *mut c_void);
}

/// How an engine of this kind takes a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// As it is.
    Native,
    /// As something that matches at least wherever the pattern does: each hit wants a confirm.
    Prefilter,
    /// Not at all: another engine has to try it on every haystack.
    Refused,
}

impl Mode {
    /// The letter under which it is stored.
    #[must_use]
    pub fn letter(self) -> char {
        match self {
            Self::Native => 'n',
            Self::Prefilter => 'p',
            Self::Refused => 'r',
        }
    }

    /// The mode with this letter.
    #[must_use]
    pub fn from_letter(letter: char) -> Option<Self> {
        [Self::Native, Self::Prefilter, Self::Refused]
            .into_iter()
            .find(|mode| mode.letter() == letter)
    }
}

/// A pattern as this interface wants it.
#[derive(Debug, Clone)]
struct Expression {
    id: c_uint,
    text: CString,
    flags: c_uint,
}

impl Expression {
    fn new(id: u32, rule: &Rule, mode: Mode) -> Result<Self> {
        let text = ascii(&rule.expression);
        let text = if rule.has('x') {
            format!("(?x){text}")
        } else {
            text
        };
        let mut flags = FLAG_SINGLEMATCH;
        for (letter, flag) in [
            ('i', FLAG_CASELESS),
            ('s', FLAG_DOTALL),
            ('m', FLAG_MULTILINE),
            ('u', FLAG_UTF8),
        ] {
            if rule.has(letter) {
                flags |= flag;
            }
        }
        if mode == Mode::Prefilter {
            flags |= FLAG_PREFILTER;
        }
        let text = CString::new(text)
            .map_err(|_| Error::Form(format!("{} has a NUL octet", rule.name)))?;
        Ok(Self { id, text, flags })
    }
}

/// A loaded library.
#[derive(Clone)]
pub struct Library(Arc<Functions>);

impl std::fmt::Debug for Library {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_tuple("Library").field(&self.version()).finish()
    }
}

fn symbol<T: Copy>(library: &libloading::Library, name: &CStr) -> Result<T> {
    // SAFETY: every caller asks for a function of Hyperscan's C interface with the type that its
    // header hs_compile.h, hs_runtime.h or hs_common.h declares.
    let found = unsafe { library.get::<T>(name.to_bytes_with_nul()) };
    found
        .map(|symbol| *symbol)
        .map_err(|error| Error::Engine(error.to_string()))
}

impl Library {
    /// Loads `libhs.so.5` from its path.
    ///
    /// # Errors
    /// [`Error::Engine`] when it is not there or lacks a function.
    pub fn open(path: &Path) -> Result<Self> {
        // SAFETY: libhs has initializers that only pick functions for the processor.
        let library = unsafe { libloading::Library::new(path) }
            .map_err(|error| Error::Engine(error.to_string()))?;
        Ok(Self(Arc::new(Functions {
            version: symbol(&library, c"hs_version")?,
            compile_multi: symbol(&library, c"hs_compile_multi")?,
            free_compile_error: symbol(&library, c"hs_free_compile_error")?,
            free_database: symbol(&library, c"hs_free_database")?,
            serialize: symbol(&library, c"hs_serialize_database")?,
            deserialize: symbol(&library, c"hs_deserialize_database")?,
            alloc_scratch: symbol(&library, c"hs_alloc_scratch")?,
            free_scratch: symbol(&library, c"hs_free_scratch")?,
            scan: symbol(&library, c"hs_scan")?,
            _library: library,
        })))
    }

    /// The version and the date of its build.
    #[must_use]
    pub fn version(&self) -> String {
        // SAFETY: hs_version takes nothing and returns a static string.
        let text = unsafe { CStr::from_ptr((self.0.version)()) };
        text.to_string_lossy().into_owned()
    }

    /// How the library takes this pattern, tried alone: as it is, else as a prefilter, else not.
    ///
    /// # Errors
    /// [`Error::Form`] for a pattern with a NUL octet.
    pub fn mode(&self, rule: &Rule) -> Result<Mode> {
        for mode in [Mode::Native, Mode::Prefilter] {
            if self.build(&[Expression::new(0, rule, mode)?]).is_ok() {
                return Ok(mode);
            }
        }
        Ok(Mode::Refused)
    }

    /// Compiles patterns together and serialises the database; refused ones are left out.
    ///
    /// # Errors
    /// [`Error::Engine`] with what the library says.
    pub fn compile<'a>(
        &self,
        rules: impl IntoIterator<Item = (u32, &'a Rule, Mode)>,
    ) -> Result<Vec<u8>> {
        let expressions = rules
            .into_iter()
            .filter(|(_, _, mode)| *mode != Mode::Refused)
            .map(|(id, rule, mode)| Expression::new(id, rule, mode))
            .collect::<Result<Vec<_>>>()?;
        let built = self.build(&expressions)?;
        let (mut bytes, mut length) = (null_mut(), 0);
        // SAFETY: the database was built by this library; both places are valid for writing.
        let code = unsafe { (self.0.serialize)(built.0.as_ptr(), &raw mut bytes, &raw mut length) };
        check("hs_serialize_database", code)?;
        // SAFETY: on success `bytes` are `length` octets, made by malloc (no allocator was set).
        let copy = unsafe { std::slice::from_raw_parts(bytes.cast::<u8>(), length) }.to_vec();
        // SAFETY: as above, and nothing refers to them any more.
        unsafe { free(bytes.cast()) };
        Ok(copy)
    }

    fn build(&self, expressions: &[Expression]) -> Result<Built<'_>> {
        let texts: Vec<_> = expressions.iter().map(|one| one.text.as_ptr()).collect();
        let flags: Vec<_> = expressions.iter().map(|one| one.flags).collect();
        let ids: Vec<_> = expressions.iter().map(|one| one.id).collect();
        let count = c_uint::try_from(texts.len())
            .map_err(|_| Error::Form("too many patterns".to_owned()))?;
        let (mut database, mut error) = (null_mut(), null_mut());
        // SAFETY: the three arrays have `count` elements, the strings end with NUL and live longer
        // than the call; a null platform means this machine.
        let code = unsafe {
            (self.0.compile_multi)(
                texts.as_ptr(),
                flags.as_ptr(),
                ids.as_ptr(),
                count,
                MODE_BLOCK,
                null(),
                &raw mut database,
                &raw mut error,
            )
        };
        if let (SUCCESS, Some(database)) = (code, NonNull::new(database)) {
            return Ok(Built(database, &self.0));
        }
        let Some(error) = NonNull::new(error) else {
            return Err(Error::Engine(format!("hs_compile_multi: {code}")));
        };
        // SAFETY: a compile error is valid until it is freed, and its message is a string.
        let text = unsafe { CStr::from_ptr(error.as_ref().message) }
            .to_string_lossy()
            .into_owned();
        // SAFETY: freed once, not used afterwards.
        unsafe { (self.0.free_compile_error)(error.as_ptr()) };
        Err(Error::Engine(text))
    }

    /// Makes a serialised database ready for scanning.
    ///
    /// # Errors
    /// [`Error::Engine`] when the library refuses it: damaged, or made on another machine.
    pub fn load(&self, bytes: &[u8]) -> Result<Database> {
        let mut database = null_mut();
        // SAFETY: the octets are valid for their length; the place is valid for writing.
        let code =
            unsafe { (self.0.deserialize)(bytes.as_ptr().cast(), bytes.len(), &raw mut database) };
        check("hs_deserialize_database", code)?;
        let mut loaded = Database {
            database: NonNull::new(database).ok_or_else(|| no("database"))?,
            scratch: null_mut(),
            functions: Arc::clone(&self.0),
        };
        // SAFETY: the database is valid; a null scratch asks for a new one.
        let code =
            unsafe { (self.0.alloc_scratch)(loaded.database.as_ptr(), &raw mut loaded.scratch) };
        check("hs_alloc_scratch", code)?;
        Ok(loaded)
    }
}

/// A database that was compiled, freed when dropped.
struct Built<'a>(NonNull<c_void>, &'a Functions);

impl Drop for Built<'_> {
    fn drop(&mut self) {
        // SAFETY: made by this library and freed once.
        unsafe { (self.1.free_database)(self.0.as_ptr()) };
    }
}

fn check(what: &str, code: c_int) -> Result<()> {
    if code == SUCCESS {
        return Ok(());
    }
    Err(Error::Engine(format!("{what}: {code}")))
}

fn no(what: &str) -> Error {
    Error::Engine(format!("no {what}"))
}

/// A database with its scratch space.
pub struct Database {
    database: NonNull<c_void>,
    scratch: *mut c_void,
    functions: Arc<Functions>,
}

impl std::fmt::Debug for Database {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Database")
    }
}

impl Database {
    /// Appends the numbers of the patterns that are found in `haystack` to `hits`.
    ///
    /// # Errors
    /// [`Error::Engine`] with the library's error code.
    pub fn scan(&mut self, haystack: &[u8], hits: &mut Vec<u32>) -> Result<()> {
        let length = c_uint::try_from(haystack.len())
            .map_err(|_| Error::Form("a haystack of more than 4 GiB".to_owned()))?;
        // SAFETY: database and scratch belong together and are borrowed for the call; the haystack
        // is valid for its length; `remember` gets the vector that outlives the call.
        let code = unsafe {
            (self.functions.scan)(
                self.database.as_ptr(),
                haystack.as_ptr().cast(),
                length,
                0,
                self.scratch,
                remember,
                (&raw mut *hits).cast(),
            )
        };
        check("hs_scan", code)
    }
}

/// Called for each match; `context` is the vector of [`Database::scan`].
unsafe extern "C" fn remember(
    id: c_uint,
    _from: c_ulonglong,
    _to: c_ulonglong,
    _flags: c_uint,
    context: *mut c_void,
) -> c_int {
    // SAFETY: Database::scan hands over a vector that nobody else uses during the call.
    unsafe { &mut *context.cast::<Vec<u32>>() }.push(id);
    0
}

impl Drop for Database {
    fn drop(&mut self) {
        // SAFETY: both were made by this library, are freed once, and a null scratch is allowed.
        unsafe {
            (self.functions.free_scratch)(self.scratch);
            (self.functions.free_database)(self.database.as_ptr());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_become_bits() {
        let rule = Rule {
            name: "A".to_owned(),
            scope: "body".to_owned(),
            flags: "ix".to_owned(),
            expression: b"a b".to_vec(),
        };
        let expression = Expression::new(3, &rule, Mode::Prefilter).unwrap();
        assert_eq!(expression.text.as_c_str(), c"(?x)a b");
        let wanted = FLAG_CASELESS | FLAG_SINGLEMATCH | FLAG_PREFILTER;
        assert_eq!((expression.id, expression.flags), (3, wanted));
    }

    #[test]
    fn modes_have_letters_of_their_own() {
        for mode in [Mode::Native, Mode::Prefilter, Mode::Refused] {
            assert_eq!(Mode::from_letter(mode.letter()), Some(mode));
        }
        assert_eq!(Mode::from_letter('?'), None);
    }
}
