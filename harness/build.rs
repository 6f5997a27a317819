//! Builds what the commands that need Linux need.

#[cfg(target_os = "linux")]
#[path = "build/programs.rs"]
mod programs;

use std::process::ExitCode;

fn main() -> ExitCode {
    // The system that is built on and the one that is built for.
    #[cfg(target_os = "linux")]
    if std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|system| system == "linux") {
        return programs::main();
    }
    ExitCode::SUCCESS
}
