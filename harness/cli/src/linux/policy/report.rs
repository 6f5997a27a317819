//! `bpfsig policy report`.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use bpfsig_loading as bpf;
use bpfsig_loading::Origin;
use bpfsig_policy::{Entry, Report, Watch};
use clap::Args;

use crate::interrupt;
use crate::linux::listing;

/// Report what loads eBPF programs on this machine, signed or not, without refusing anything
///
/// Sees every load while it runs, however short-lived, and whether it would be refused where signatures are required; then
/// what had been loaded before. `policy init` makes a policy of what it prints with --json.
#[derive(Args)]
pub struct Options {
    /// How long, such as 10min or 7days [default: until Ctrl-C]
    #[arg(long = "for", value_name = "DURATION", value_parser = humantime::parse_duration)]
    duration: Option<Duration>,
}

pub fn run(options: &Options, json: bool) -> Result<()> {
    bpf::demand_signatures()?;
    let before = bpf::programs().context("listing programs, which takes root")?;
    let watch = Watch::start().context(
        "watching loads, which takes a kernel that describes them; where signatures are required, it is too late for it",
    )?;
    eprintln!("bpfsig: watching what is loaded; Ctrl-C ends it");
    let start = Instant::now();
    let mut loads = Vec::new();
    while interrupt::check().is_ok() && options.duration.is_none_or(|duration| start.elapsed() < duration) {
        match watch.next(Duration::from_millis(200)) {
            Ok(seen) => loads.extend(seen),
            // Which is how Ctrl-C ends it.
            Err(_) if interrupt::check().is_err() => break,
            Err(error) => return Err(error.into()),
        }
    }
    loads.extend(watch.rest()?);
    match watch.lost()? {
        0 => (),
        lost => eprintln!("bpfsig: warning: {lost} loads came too fast to be reported"),
    }
    // The watch itself.
    let own = std::process::id();
    loads.retain(|load| load.pid != own);
    let unsigned: Vec<_> =
        before.into_iter().filter(|program| program.origin == Some(Origin::Unsigned)).collect();
    let report = Report::new(&loads, &unsigned);
    if json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print(&report)?;
    }
    Ok(())
}

fn print(report: &Report) -> Result<()> {
    const HEADER: [&str; 10] = [
        "loads",
        "program",
        "type",
        "attaches to",
        "insns",
        "helpers",
        "maps",
        "loaded by",
        "digest",
        "if required",
    ];
    listing::print(false, &report.loads, HEADER, row)?;
    let refused = report.loads.iter().filter(|entry| !entry.signed).count();
    println!("{refused} of {} would have been refused where signatures are required", report.loads.len());
    if !report.before.is_empty() {
        println!("Loaded before, without a signature:");
    }
    for (name, prog_type) in &report.before {
        println!("  {name} ({prog_type})");
    }
    Ok(())
}

fn row(entry: &Entry) -> [String; 10] {
    let able = &entry.capabilities;
    let list = |names: &std::collections::BTreeSet<String>| match names.len() {
        0 => "none".to_owned(),
        count if entry.probes => format!("one of {count}"),
        _ => names.iter().map(String::as_str).collect::<Vec<_>>().join(","),
    };
    let mut helpers = list(&able.helpers);
    if able.kernel_symbols != 0 {
        helpers += &format!(" and {} kernel symbols", able.kernel_symbols);
    }
    let digest = match (entry.only_digest(), entry.digests.len()) {
        (Some(digest), _) => digest.to_string()[..16].to_owned(),
        (None, 0) => "-".to_owned(),
        (None, count) => format!("{count} different"),
    };
    let loader = &entry.loader;
    let container = loader.container.as_ref().map_or_else(String::new, |id| format!(", container {id}"));
    [
        entry.count.to_string(),
        entry.name.clone(),
        able.prog_type.clone(),
        if able.attach_to.is_empty() { "-".to_owned() } else { able.attach_to.clone() },
        entry.instructions.to_string(),
        helpers,
        list(&able.maps),
        format!("{} ({}{container})", loader.executable, loader.unit),
        digest,
        if entry.signed { "loads" } else { "refused" }.to_owned(),
    ]
}
