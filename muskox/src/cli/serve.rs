//! `muskox serve`

use std::path::PathBuf;

use super::Failed;
use crate::config::Config;
use crate::{logging, sandbox, server};

/// Runs the server until SIGTERM or SIGINT.
pub(super) fn run(path: Option<PathBuf>) -> Result<(), Failed> {
    let path = Config::path(path);
    let config = Config::load(&path)?;
    logging::start(&config.log);
    // Before the first thread: what is given up here, every thread gives up.
    let keeper = sandbox::enter(&config, &path).map_err(server::StartError::from)?;
    let parts = server::Parts {
        keeper,
        ..server::Parts::default()
    };
    super::runtime()?.block_on(server::serve(config, path, parts))?;
    Ok(())
}
