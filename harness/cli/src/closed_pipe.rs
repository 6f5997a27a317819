//! A reader that has read enough, such as `head`.
//!
//! Rust ignores `SIGPIPE`, so that `println!` panics once nobody reads. The signal's default action would be no better: it
//! would end the process wherever it is, also when a child (a signer command, QEMU) closes its end of a pipe, and leave
//! machines running and programs pinned. So the panic unwinds, and everything on the way cleans up after itself.

use std::any::Any;
use std::panic::{self, AssertUnwindSafe};
use std::process::ExitCode;

/// Exit code of a command that could not print all it had to say: 128 + `SIGPIPE`, as shells report it.
const EXIT_CODE: u8 = 141;

/// Runs a command. If nobody reads its output, it ends quietly.
pub fn catch(command: impl FnOnce() -> ExitCode) -> ExitCode {
    let report = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if !is_closed_pipe(info.payload()) {
            report(info);
        }
    }));
    match panic::catch_unwind(AssertUnwindSafe(command)) {
        Ok(code) => code,
        Err(payload) if is_closed_pipe(&*payload) => ExitCode::from(EXIT_CODE),
        Err(payload) => panic::resume_unwind(payload),
    }
}

/// Whether a panic comes from `println!` with nobody to read it. It carries nothing but a text.
fn is_closed_pipe(payload: &(dyn Any + Send)) -> bool {
    // `EPIPE`, and Windows' `ERROR_NO_DATA`.
    const CODES: [&str; 2] = ["(os error 32)", "(os error 232)"];
    payload.downcast_ref::<String>().is_some_and(|text| {
        text.starts_with("failed printing to ") && CODES.iter().any(|code| text.ends_with(code))
    })
}
