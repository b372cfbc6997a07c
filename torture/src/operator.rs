//! What an administrator does to a running site.

use std::time::{Duration, Instant};

use testkit::process::Site;

use crate::context::{Result, Stopped};

/// Runs `muskox` with a command that must succeed; what it printed.
pub(crate) fn must(site: &Site, arguments: &[&str]) -> Result<String> {
    let (done, text) = site.command(arguments);
    if done {
        Ok(text)
    } else {
        Err(Stopped::Failed(format!("{arguments:?}: {text}")))
    }
}

/// How many messages wait in the queue.
pub(crate) fn queued(site: &Site) -> Result<u64> {
    let status = must(site, &["--json", "status"])?;
    let status = serde_json::from_str(&status).map_err(std::io::Error::from)?;
    find(&status, "queued_messages")
        .ok_or_else(|| Stopped::Failed("the status says nothing of the queue".to_owned()))
}

/// Has everything in the queue tried until nothing waits; what is left after `patience`.
pub(crate) fn drain(site: &Site, patience: Duration) -> Result<u64> {
    let deadline = Instant::now() + patience;
    loop {
        let waiting = queued(site)?;
        if waiting == 0 || Instant::now() > deadline {
            return Ok(waiting);
        }
        must(site, &["queue", "retry"])?;
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// A number of this name, at whatever depth.
fn find(value: &serde_json::Value, key: &str) -> Option<u64> {
    let object = value.as_object()?;
    let here = object.get(key).and_then(serde_json::Value::as_u64);
    here.or_else(|| object.values().find_map(|inner| find(inner, key)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_found_by_its_name() {
        let status = serde_json::json!({ "data": { "a": "b", "queued_messages": 7 } });
        assert_eq!(find(&status, "queued_messages"), Some(7));
        assert_eq!(find(&status, "a"), None);
    }
}
