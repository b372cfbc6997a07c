//! Panics of the server, which its tasks survive and a test must not.
//!
//! A session that panics only looks like a lost connection. The hook set by [`watch`] keeps what
//! panicked in the server's own crates; [`crate::TestServer::stop`] fails when there is anything.

use std::panic::{self, PanicHookInfo};
use std::sync::{Mutex, Once, PoisonError};

static SEEN: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Keeps panics of the server from now on.
pub fn watch() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if is_ours(info) {
                SEEN.lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(info.to_string());
            }
            before(info);
        }));
    });
}

fn is_ours(info: &PanicHookInfo<'_>) -> bool {
    info.location()
        .is_some_and(|location| is_server_code(location.file()))
}

/// Whether a source file, named as the compiler does from the workspace's folder, is the server's.
fn is_server_code(file: &str) -> bool {
    ["muskox/src/", "servers/", "services/", "formats/"]
        .iter()
        .any(|folder| file.starts_with(folder))
}

/// What panicked so far.
#[must_use]
pub fn seen() -> Vec<String> {
    SEEN.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_of_the_server_is_told_from_code_of_tests_and_others() {
        for (file, is_ours) in [
            ("servers/smtpd/src/session.rs", true),
            ("muskox/src/server/mod.rs", true),
            ("tests/e2e/mailflow.rs", false),
            ("testkit/src/client.rs", false),
            ("/home/somebody/.cargo/registry/src/x/services/y.rs", false),
        ] {
            assert_eq!(is_server_code(file), is_ours, "{file}");
        }
        // This file's own name has the form that is expected.
        assert_eq!(file!(), "testkit/src/panics.rs");
    }
}
