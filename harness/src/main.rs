//! `bpfsig`, see [`bpfsig::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    bpfsig::cli::run()
}
