//! Who the server is: not root, without core dumps.

#![expect(
    clippy::disallowed_methods,
    reason = "reads the list of users before the server starts"
)]

use std::os::unix::fs::chown;
use std::path::Path;

use rustix::process::{
    DumpableBehavior, Gid, Resource, Rlimit, Uid, set_dumpable_behavior, setrlimit,
};
use rustix::thread::{
    CapabilitySet, CapabilitySets, set_capabilities, set_keep_capabilities, set_no_new_privs,
    set_thread_groups, set_thread_res_gid, set_thread_res_uid,
};

use super::SandboxError;
use crate::config::Config;

/// Where users are listed. Others (LDAP, systemd) are named by number.
const USERS: &str = "/etc/passwd";

/// A user by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct User {
    id: u32,
    group: u32,
}

/// Becomes the user of the configuration if we are root, and gives up what the server never needs.
pub(super) fn settle(config: &Config) -> Result<(), SandboxError> {
    let is_root = rustix::process::geteuid().is_root();
    match &config.service.user {
        Some(name) if is_root => become_user(config, find(name)?)?,
        _ if is_root && !config.service.root => return Err(SandboxError::Root),
        _ => {}
    }
    // A core file would hold keys and mail. Nobody may trace us for the same reason.
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    setrlimit(Resource::Core, none)
        .map_err(|error| SandboxError::system("no core files", error))?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable)
        .map_err(|error| SandboxError::system("not dumpable", error))?;
    set_no_new_privs(true).map_err(|error| SandboxError::system("no new privileges", error))
}

fn become_user(config: &Config, user: User) -> Result<(), SandboxError> {
    let (uid, gid) = (Uid::from_raw(user.id), Gid::from_raw(user.group));
    for directory in [
        Some(config.data_dir.as_path()),
        config.control.socket.parent(),
    ] {
        let Some(directory) = directory else { continue };
        give(directory, user)
            .map_err(|error| SandboxError::system("the user's directories", error))?;
    }
    let step = |what| move |error: rustix::io::Errno| SandboxError::system(what, error);
    set_thread_groups(&[gid]).map_err(step("other groups"))?;
    set_thread_res_gid(gid, gid, gid).map_err(step("another group"))?;
    // Low ports are bound as the user.
    set_keep_capabilities(true).map_err(step("to keep a capability"))?;
    set_thread_res_uid(uid, uid, uid).map_err(step("another user"))?;
    set_keep_capabilities(false).map_err(step("to keep no capability"))?;
    let bind = CapabilitySet::NET_BIND_SERVICE;
    let sets = CapabilitySets {
        effective: bind,
        permitted: bind,
        inheritable: CapabilitySet::empty(),
    };
    set_capabilities(None, sets).map_err(step("fewer capabilities"))
}

/// Makes a directory that is not there, for the user. One that is there is the administrator's.
fn give(directory: &Path, user: User) -> std::io::Result<()> {
    if directory.exists() {
        return Ok(());
    }
    std::fs::create_dir_all(directory)?;
    chown(directory, Some(user.id), Some(user.group))
}

/// A user by name, or `uid:gid`.
fn find(name: &str) -> Result<User, SandboxError> {
    let numbers = name.split_once(':').and_then(|(id, group)| {
        Some(User {
            id: id.parse().ok()?,
            group: group.parse().ok()?,
        })
    });
    if let Some(user) = numbers {
        return Ok(user);
    }
    let users = std::fs::read_to_string(USERS)
        .map_err(|error| SandboxError::system("the list of users", error))?;
    listed(&users, name).ok_or_else(|| SandboxError::NoUser(name.to_owned()))
}

/// passwd(5): `name:password:uid:gid:…`.
fn listed(users: &str, name: &str) -> Option<User> {
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next() == Some(name)).then_some(())?;
        Some(User {
            id: fields.nth(1)?.parse().ok()?,
            group: fields.next()?.parse().ok()?,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_found_by_name_and_by_number() {
        let users = "root:x:0:0:root:/root:/bin/sh\nmuskox:x:990:991::/var/lib/muskox:/sbin/nologin\n\nbroken:x\n";
        assert_eq!(
            listed(users, "muskox"),
            Some(User {
                id: 990,
                group: 991
            })
        );
        assert_eq!(listed(users, "musko"), None);
        assert_eq!(listed(users, "broken"), None);
        let numbers = find("12:34").expect("two numbers");
        assert_eq!(numbers, User { id: 12, group: 34 });
        let missing = find("nobody-has-this-name").expect_err("no such user");
        assert!(matches!(missing, SandboxError::NoUser(_)), "{missing}");
    }
}
