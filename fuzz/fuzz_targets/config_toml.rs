//! A configuration is refused in one line that says where, or it is one that reads the same again.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use muskox::config::Config;

const FILE: &str = "muskox.toml";

fuzz_target!(|text: &str| {
    let path = Path::new(FILE);
    match Config::parse(text, path) {
        Ok(config) => {
            let again = toml::to_string(&config).expect("a configuration is TOML");
            let read = Config::parse(&again, path);
            assert_eq!(read.ok().as_ref(), Some(&config), "{again}");
        }
        Err(error) => {
            let said = error.to_string();
            let place = said
                .strip_prefix(FILE)
                .and_then(|rest| rest.strip_prefix(':'));
            let place = place.expect("the name of the file");
            assert!(!said.contains(char::is_control), "{said:?}");
            let line = place
                .split(':')
                .next()
                .and_then(|line| line.parse::<usize>().ok());
            assert!(
                line.is_none_or(|line| (1..=text.lines().count() + 1).contains(&line)),
                "{said}"
            );
        }
    }
});
