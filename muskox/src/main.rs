//! The binary: parses the command line and runs what it names.

use std::process::ExitCode;

use clap::Parser as _;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // In pages of 2 MiB every thread's first word costs that much: twice the memory of a server that
    // has just started. An old kernel keeps them, which harms nobody.
    let _ = rustix::thread::disable_transparent_huge_pages(true);
    muskox::cli::Cli::parse().run()
}
