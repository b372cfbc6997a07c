//! The process that reads.

use std::fs::File;
use std::io;
use std::os::fd::AsFd as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};

use crate::confine;
use crate::job::Finding;
use crate::wire;

/// Where the last panic was.
static FAILED_AT: Mutex<String> = Mutex::new(String::new());

/// Reads job after job from standard input and answers there, until it is closed. Ends with an error
/// when it cannot give up what it must.
#[must_use]
pub fn work() -> ExitCode {
    // The place of a fault is the program's; what it was about may be somebody's mail.
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        *FAILED_AT.lock().unwrap_or_else(PoisonError::into_inner) = place.unwrap_or_default();
    }));
    // For whoever lists processes; nothing depends on it.
    let _ = rustix::thread::set_name(c"muskox-parser");
    match io::stdin().as_fd().try_clone_to_owned() {
        Ok(channel) if confine::confine_worker().is_ok() => serve(&mut File::from(channel)),
        _ => ExitCode::FAILURE,
    }
}

fn serve(channel: &mut File) -> ExitCode {
    loop {
        match answer(channel) {
            Ok(true) => {}
            Ok(false) => return ExitCode::SUCCESS,
            Err(_) => return ExitCode::FAILURE,
        }
    }
}

/// Answers one job; false when there are no more.
fn answer(channel: &mut File) -> io::Result<bool> {
    let Some(job) = wire::receive_job(channel)? else {
        return Ok(false);
    };
    confine::allow_processor_time()?;
    let findings: Vec<Finding> = job
        .items()
        .map(|item| {
            catch_unwind(AssertUnwindSafe(|| item.read())).unwrap_or_else(|_| {
                let place = FAILED_AT.lock().unwrap_or_else(PoisonError::into_inner);
                Finding::Failed(place.clone())
            })
        })
        .collect();
    wire::send_answer(channel, &findings)?;
    Ok(true)
}
