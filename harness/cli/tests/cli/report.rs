//! Reports of results, and files that are not results.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::scratch::Scratch;

fn results(field: &str, figures: Value) -> Value {
    let mut results = json!({
        "schema": 2,
        "environment": {
            "engine": "tcg", "unit": "guest instructions", "kernels": [], "qemu": null, "cpu": "a CPU", "commit": null,
            "date": "2026-11-27T13:00:00Z", "command": "bench", "seconds": 7,
        },
        "selection": { "quick": false, "only": null, "algorithms": [], "scenarios": [] },
        "finished": ["baseline"],
        "partial": null,
    });
    results[field] = figures;
    results
}

fn figure(median: u64) -> Value {
    json!({ "median": median, "mad": 0, "samples": [median] })
}

/// One program, as `bpfsig bench` writes it.
fn loads() -> Value {
    let load = |scenario: &str, algorithm: Option<&str>, cost: u64| {
        json!({
            "program": "xdp_<acl>", "source": "progs/xdp_acl.bpf.c", "programs": 1, "insns": 2, "scenario": scenario,
            "algorithm": algorithm, "hashed_bytes": 16, "sent_bytes": 16, "errno": 0, "prog_load": figure(cost),
            "all_syscalls": figure(cost), "check": null, "verifier": figure(40), "verifier_stats": null, "jited_bytes": 0,
        })
    };
    let loads =
        [load("unsigned", None, 1000), load("signed", Some("rsa-2048"), 1500), load("of-tomorrow", None, 7)];
    let mut results = results("loads", json!(loads));
    results["unsupported"] = json!([]);
    results
}

/// One attack under one policy, as `bpfsig bench --dos` writes it.
fn attacks() -> String {
    let victim = json!({ "cpu": 0, "latencies": [] });
    let attack = json!({
        "attack": "none", "class": "reference", "policy": "baseline", "users": 0, "threads": 0, "cost": null,
        "victim_share": 0.9, "victim_share_relative": 1.0, "victim_p50": 1, "victim_p99": 2,
        "victim_p99_relative": 1.0, "load_p50": 4, "load_max": 5,
        "samples": { "batch": 0, "periodic": victim, "loader": victim },
    });
    let mut results = results("attacks", json!([attack]));
    results["window"] = 1000.into();
    results["attempts_per_second"] = 1000.into();
    results.to_string()
}

fn text(scratch: &Scratch, name: &str) -> String {
    String::from_utf8(scratch.read(name)).unwrap()
}

#[test]
fn loads_and_attacks_come_to_one_report() {
    let scratch = Scratch::new();
    scratch.write("bench.json", loads().to_string().as_bytes());
    scratch.write("dos.json", attacks().as_bytes());
    let output = scratch.bpfsig("report bench.json dos.json");
    assert!(output.contains("1.50 k") && output.contains("results/report.html"), "{output}");
    let (page, markdown) = (text(&scratch, "results/report.html"), text(&scratch, "results/report.md"));
    assert!(page.contains("xdp_&lt;acl&gt;") && !page.contains("<acl>"), "{page}");
    assert!(markdown.contains(r"xdp\_\<acl\>") && markdown.contains("## Denial of service"), "{markdown}");
    let last = markdown.lines().last().unwrap();
    assert_eq!(last, "Made by `cargo run --release -- report bench.json dos.json`.");

    scratch.bpfsig("report dos.json --output attacks.md");
    let markdown = text(&scratch, "attacks.md");
    assert!(
        !markdown.contains("acl") && markdown.contains("no costs of loads are among these results"),
        "{markdown}"
    );
    assert!(!scratch.path("attacks.md/report.md").exists());
}

#[test]
fn what_is_no_result_makes_no_report() {
    let scratch = Scratch::with_file();
    scratch.write("bench.json", loads().to_string().as_bytes());
    let not_json = scratch.error("report file.txt");
    assert!(
        not_json.starts_with("file.txt is not a result of `bpfsig bench` that can be used here: expected"),
        "{not_json}"
    );
    scratch.write("other.json", b"{}");
    let other = scratch.error("report bench.json other.json");
    assert!(other.ends_with("it has neither loads nor attacks"), "{other}");
    scratch.write("old.json", br#"{ "environment": {}, "cost": [] }"#);
    let old = scratch.error("bench --compare old.json bench.json");
    assert!(old.starts_with("old.json") && old.contains("earlier version of bpfsig"), "{old}");
    assert!(scratch.error("report bench.json missing.json").starts_with("cannot read missing.json"));
    assert_eq!(scratch.error("report bench.json bench.json"), "bench.json is given twice");
    assert!(!scratch.path("results").exists());
}

#[test]
fn partial_results_are_shown_as_such() {
    let scratch = Scratch::new();
    let mut partial = loads();
    partial["partial"] = json!({ "reason": "interrupted", "missing": ["mainline"] });
    scratch.write("bench.json", partial.to_string().as_bytes());
    let output = scratch.bpfsig("report bench.json");
    let said = "bench.json is PARTIAL: the run ended early (interrupted). Missing: mainline.";
    assert!(output.starts_with(said), "{output}");
    let page = text(&scratch, "results/report.html");
    // Before all figures.
    assert!(page.contains(said) && page.find(said) < page.find("<table"), "{page}");
    assert!(text(&scratch, "results/report.md").contains("is PARTIAL"));
}

#[test]
fn only_partial_results_can_be_resumed() {
    let scratch = Scratch::new();
    let missing = scratch.error("bench --resume --json none.json");
    assert!(missing.starts_with("there is nothing to resume: cannot read none.json"), "{missing}");
    scratch.write("dos.json", attacks().as_bytes());
    let other = scratch.error("bench --resume --json dos.json");
    assert!(other.ends_with("it has no loads"), "{other}");
}

/// The checked-in results.
const BASELINE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../results/baseline.json");

#[test]
fn the_plot_of_the_readme_is_that_of_the_baseline() {
    let scratch = Scratch::new();
    scratch.bpfsig(&format!("report {BASELINE} --output plot.svg"));
    let checked_in = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/break-even.svg");
    let remedy = "`bpfsig report results/baseline.json --output docs/break-even.svg` makes it anew";
    assert_eq!(text(&scratch, "plot.svg"), fs::read_to_string(checked_in).unwrap(), "{remedy}");
}

#[test]
fn a_baseline_is_not_replaced_by_the_run_that_is_compared_with_it() {
    let scratch = Scratch::new();
    scratch.write("bench.json", loads().to_string().as_bytes());
    let error = scratch.error("bench --compare bench.json --json bench.json");
    assert_eq!(error, "bench.json would be replaced: give the JSON another name");
}
