//! Which program this is. The same source makes the builds of both channels: what was released, and
//! every night's. The packager tells `build.rs` which.

/// The version: `0.1.0`, or `0.1.0-nightly.20261128`.
pub const VERSION: &str = env!("MUSKOX_VERSION");

/// The channel: `stable` or `nightly`.
pub const CHANNEL: &str = env!("MUSKOX_CHANNEL");

#[cfg(test)]
#[path = "../build.rs"]
#[expect(dead_code, reason = "the build itself runs it")]
mod build;

#[cfg(test)]
mod tests {
    use super::build;

    #[test]
    fn a_version_says_its_channel() {
        let table = [
            ("stable", None, Some("0.1.0")),
            ("nightly", Some("20261128"), Some("0.1.0-nightly.20261128")),
            (
                "nightly",
                Some("20261128.a1b2c3d"),
                Some("0.1.0-nightly.20261128.a1b2c3d"),
            ),
            ("stable", Some("20261128"), None),
            ("nightly", None, None),
            ("nightly", Some(""), None),
            ("nightly", Some("2026 11"), None),
            ("nightly", Some("1.02"), None),
            ("beta", None, None),
        ];
        for (channel, build, wanted) in table {
            let version = build::version("0.1.0", channel, build);
            assert_eq!(version.ok().as_deref(), wanted, "{channel} {build:?}");
        }
    }
}
