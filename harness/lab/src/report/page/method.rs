//! The method, and how to measure again.

use std::path::Path;
use std::time::Duration;

use super::super::collection::Collection;
use super::super::document::{Block, Column, Table, Text};
use super::cargo;
use super::warnings::warnings;
use crate::results::{Environment, KernelIdentity, Unit};

pub(super) fn blocks(results: &Collection) -> Vec<Block> {
    let mut blocks = vec![Block::Heading("Method".to_owned())];
    let warnings = warnings(results);
    if !warnings.is_empty() {
        blocks.push(Block::Paragraph("Warnings:".into()));
        blocks.push(Block::List(warnings.into_iter().map(Text::from).collect()));
    }
    let environments: Vec<(&Path, &Environment)> = results.environments().collect();
    for unit in [Unit::Instructions, Unit::Nanoseconds] {
        if environments.iter().any(|(_, environment)| environment.unit == unit) {
            blocks.push(Block::Paragraph(explained(unit).into()));
        }
    }
    blocks.push(Block::Table(table(&environments)));
    let mut commands: Vec<String> = Vec::new();
    for command in environments.iter().map(|(_, environment)| &*environment.command) {
        if !commands.contains(&cargo(command)) {
            commands.push(cargo(command));
        }
    }
    if !commands.is_empty() {
        blocks.push(Block::Paragraph("To measure again, on Debian 12 or 13 with a Rust toolchain:".into()));
        commands.insert(0, "scripts/setup.sh".to_owned());
        blocks.push(Block::Commands(commands.join("\n")));
    }
    blocks
}

fn explained(unit: Unit) -> &'static str {
    match unit {
        Unit::Instructions => {
            "Guest instructions: QEMU translates the guest, and its clock advances by one nanosecond for each instruction. \
             That repeats to a fraction of a percent on any host, however busy, but it is not time: a cache miss costs as \
             much as an addition."
        }
        Unit::Nanoseconds => "Time: real nanoseconds of the host's processor.",
    }
}

/// An environment a column.
fn table(environments: &[(&Path, &Environment)]) -> Table {
    let files = environments
        .iter()
        .map(|(file, _)| Column { title: file.display().to_string().into(), is_number: false });
    let mut table =
        Table { columns: [Column::text("file")].into_iter().chain(files).collect(), rows: Vec::new() };
    let mut row = |what: &str, of: &dyn Fn(&Environment) -> Option<String>| {
        let cells =
            environments.iter().map(|(_, environment)| of(environment).unwrap_or_else(|| "-".to_owned()));
        table.push([what.to_owned()].into_iter().chain(cells));
    };
    row("command", &|environment| Some(environment.command.clone()));
    row("date", &|environment| Some(environment.date.clone()));
    row("took", &|environment| {
        Some(humantime::format_duration(Duration::from_secs(environment.seconds)).to_string())
    });
    row("commit", &|environment| environment.commit.clone());
    row("engine", &|environment| Some(environment.engine.clone()));
    row("unit", &|environment| Some(environment.unit.plural().to_owned()));
    row("emulator", &|environment| environment.qemu.clone());
    row("processor", &|environment| Some(environment.cpu.clone()));
    let kernels =
        environments.iter().map(|(_, environment)| environment.kernels.len()).max().unwrap_or_default();
    for index in 0..kernels {
        row("kernel", &|environment| environment.kernels.get(index).map(kernel));
    }
    table
}

fn kernel(kernel: &KernelIdentity) -> String {
    let short = |digest: &str| digest.chars().take(16).collect::<String>();
    let patches = kernel
        .patches_sha256
        .as_deref()
        .map_or("no patches".to_owned(), |patches| format!("patches {}", short(patches)));
    format!("{}, configuration {}, {patches}", kernel.version, short(&kernel.config_sha256))
}
