//! `bpfsig ps`.

use anyhow::{Context, Result};
use bpfsig_loading::keyring::Keyring;
use bpfsig_loading::{self as bpf, Origin, ProgramInfo};
use clap::Args;

use super::listing;

/// Show which loaded programs are signed, and by whom
///
/// Takes root. Where the kernel does not check signatures, shows what is loaded, and fails.
#[derive(Args)]
pub struct Options {
    /// All that is known, as JSON
    #[arg(long)]
    json: bool,
}

/// Hexadecimal digits of a digest that are shown in a table.
const SHOWN: usize = 16;

pub fn run(options: Options) -> Result<()> {
    let programs = bpf::programs().context("listing programs, which takes root")?;
    const HEADER: [&str; 9] =
        ["id", "name", "type", "verdict", "signer", "keyring", "statement", "program", "facts"];
    listing::print(options.json, &programs, HEADER, row)?;
    // The list is of use all the same.
    Ok(bpf::demand_signatures()?)
}

fn row(info: &ProgramInfo) -> [String; 9] {
    let [signer, keyring, statement, program, facts] = match &info.origin {
        Some(Origin::Verified(signature) | Origin::Granted(signature)) => [
            signature.signer.to_string(),
            Keyring(signature.keyring_id).to_string(),
            signature.statement.as_ref().map_or_else(dash, |digest| abbreviated(digest.to_string())),
            abbreviated(signature.program.to_string()),
            signature.attested.to_string(),
        ],
        _ => std::array::from_fn(|_| dash()),
    };
    let verdict = match &info.origin {
        None => "-",
        Some(Origin::Unsigned) => "unsigned",
        Some(Origin::Verified(_)) => "verified",
        Some(Origin::Granted(_)) => "granted",
        Some(Origin::Unknown) => "unknown",
    };
    [
        info.id.to_string(),
        info.name.clone(),
        info.prog_type.clone(),
        verdict.to_owned(),
        signer,
        keyring,
        statement,
        program,
        facts,
    ]
}

fn dash() -> String {
    "-".to_owned()
}

fn abbreviated(mut digest: String) -> String {
    digest.truncate(SHOWN);
    digest
}

/// Names the programs for which `concerned` holds, on a line each, under a heading.
pub fn print_loaded(heading: &str, concerned: impl Fn(&ProgramInfo) -> bool) -> Result<()> {
    let programs = bpf::programs().context("listing programs")?;
    let mut concerned = programs.iter().filter(|program| concerned(program)).peekable();
    if concerned.peek().is_some() {
        println!("{heading}");
    }
    for program in concerned {
        println!("  {} {} ({})", program.id, program.name, program.prog_type);
    }
    Ok(())
}
