//! What fuzz targets share: a server site in this process, a client that talks to its sessions, and
//! the script that tells the client what to say.
//!
//! A script is a client's side of a conversation as text, so that seeds and dictionaries are plain
//! to read and every line that libFuzzer makes up is worth something. Start at [`Site`].

mod balance;
mod client;
mod script;
mod site;
mod store;

pub use self::store::Store;
pub use balance::balanced;
pub use client::{Client, Ended, Pace};
pub use script::Script;
pub use site::{HOSTNAME, LOCAL_DOMAIN, PASSWORD, Site, USER};
