//! What an administrator reads at a start: one line for each thing, and nothing that worries.

use std::path::{Path, PathBuf};

use testkit::process::Site;

/// The lines of a log, without the time; none may be a warning.
fn calm(log: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(log).unwrap();
    text.lines()
        .map(|line| {
            let (_, rest) = line.split_once(' ').expect("a time");
            let rest = rest.trim_start();
            assert!(rest.starts_with("INFO "), "{line}");
            rest.to_owned()
        })
        .collect()
}

/// Where each pattern database came from.
fn origins(lines: &[String]) -> Vec<String> {
    let ready = lines
        .iter()
        .filter(|line| line.contains("pattern database ready"));
    let mut found: Vec<String> = ready
        .map(|line| {
            for field in ["patterns=", "ms="] {
                assert!(line.contains(field), "{line}");
            }
            let field = |name: &str| {
                let (_, rest) = line.split_once(&format!("{name}=\"")).unwrap();
                rest.split('"').next().unwrap().to_owned()
            };
            format!("{} {}", field("layer"), field("origin"))
        })
        .collect();
    found.sort();
    found
}

/// Files of the compiled rules.
fn compiled(site: &Site) -> Vec<PathBuf> {
    ["maps", "rules"]
        .iter()
        .filter_map(|layer| std::fs::read_dir(site.cache().join("patterns").join(layer)).ok())
        .flat_map(|entries| entries.map(|entry| entry.unwrap().path()))
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "patterns")
        })
        .collect()
}

fn wait_for(what: &str, is_so: impl Fn() -> bool) {
    for _ in 0..600 {
        if is_so() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    panic!("{what} did not happen");
}

#[test]
fn every_start_is_calm() {
    let site = Site::new(crate::binary());
    let log = site.path().join("log");
    let ready = |log: &Path| {
        let text = std::fs::read_to_string(log).unwrap_or_default();
        text.contains("muskox is ready") && text.matches("pattern database ready").count() == 2
    };

    let process = site.start_logging(&log);
    wait_for("the first start", || {
        ready(&log) && compiled(&site).len() == 2
    });
    process.kill();
    assert_eq!(origins(&calm(&log)), ["maps compiled", "rules compiled"]);

    let process = site.start_logging(&log);
    wait_for("the start after kill -9", || ready(&log));
    process.kill();
    let lines = calm(&log);
    assert_eq!(origins(&lines), ["maps loaded", "rules loaded"]);
    assert!(
        lines.iter().any(|line| line.contains("sandbox")),
        "{lines:?}"
    );

    for (number, file) in compiled(&site).iter().enumerate() {
        let mut octets = std::fs::read(file).unwrap();
        if number == 0 {
            octets.truncate(octets.len() / 2);
        } else {
            let middle = octets.len() / 2;
            octets[middle] ^= 1;
        }
        std::fs::write(file, octets).unwrap();
    }
    let process = site.start_logging(&log);
    wait_for("the start with a damaged cache", || ready(&log));
    assert_eq!(process.terminate(), Some(0));
    assert_eq!(origins(&calm(&log)), ["maps compiled", "rules compiled"]);
}
