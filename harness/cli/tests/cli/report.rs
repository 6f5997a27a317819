//! Reports of results, and of what is none.

use serde_json::{Value, json};

use crate::desk::Desk;

fn environment() -> Value {
    json!({
        "engine": "tcg", "unit": "guest instructions", "kernels": [], "qemu": null, "cpu": "a CPU", "commit": null,
        "date": "2026-11-27T13:00:00Z",
    })
}

fn figure(median: u64) -> Value {
    json!({ "median": median, "mad": 0, "samples": [median] })
}

/// One program, as `bpfsig bench` writes it.
fn costs() -> String {
    let cost = |mode: &str, algorithm: Option<&str>, total: u64| {
        json!({
            "program": "xdp_<acl>", "source": "progs/xdp_acl.bpf.c", "programs": 1, "insns": 2, "mode": mode,
            "algorithm": algorithm, "errno": 0, "total": figure(total), "signature": null, "verifier": figure(40),
            "verifier_stats": null,
        })
    };
    let costs = [cost("unsigned", None, 1000), cost("signed", Some("rsa-2048"), 1500)];
    json!({ "environment": environment(), "cost": costs }).to_string()
}

/// One attack under one policy, as `bpfsig bench --dos` writes it.
fn attacks() -> String {
    let victim = json!({ "cpu": 0, "latencies": [] });
    let attack = json!({
        "attack": "none", "class": "reference", "policy": "baseline", "users": 0, "threads": 0, "victim_share": 0.9,
        "victim_share_relative": 1.0, "victim_p50": 1, "victim_p99": 2, "victim_max": 3, "victim_p99_relative": 1.0,
        "load_p50": 4, "load_max": 5, "samples": { "batch": 0, "periodic": victim, "loader": victim },
    });
    json!({ "environment": environment(), "window": 1000, "attempts_per_second": 1000, "dos": [attack] })
        .to_string()
}

fn text(desk: &Desk, name: &str) -> String {
    String::from_utf8(desk.read(name)).unwrap()
}

#[test]
fn costs_and_attacks_come_to_one_report() {
    let desk = Desk::new();
    desk.write("bench.json", costs().as_bytes());
    desk.write("dos.json", attacks().as_bytes());
    let output = desk.bpfsig("report bench.json dos.json");
    assert!(output.contains("1.50 k") && output.contains("results/report.html"), "{output}");
    let (page, markdown) = (text(&desk, "results/report.html"), text(&desk, "results/report.md"));
    assert!(page.contains("xdp_&lt;acl&gt;") && !page.contains("<acl>"), "{page}");
    assert!(markdown.contains(r"xdp\_\<acl\>") && markdown.contains("## Denial of service"), "{markdown}");
    let first = markdown.lines().nth(2).unwrap();
    assert_eq!(first, "Made by `cargo run --release -- report bench.json dos.json`.");

    desk.bpfsig("report dos.json --output attacks.md");
    let markdown = text(&desk, "attacks.md");
    assert!(
        !markdown.contains("acl") && markdown.contains("what loads cost is not among these results"),
        "{markdown}"
    );
    assert!(!desk.path("attacks.md/report.md").exists());
}

#[test]
fn what_is_no_result_makes_no_report() {
    let desk = Desk::with_file();
    desk.write("bench.json", costs().as_bytes());
    let not_json = desk.error("report file.txt");
    assert!(not_json.starts_with("file.txt is no result of `bpfsig bench`: expected"), "{not_json}");
    desk.write("other.json", b"{}");
    let other = desk.error("report bench.json other.json");
    assert_eq!(other, "other.json is no result of `bpfsig bench`: it has neither costs nor attacks");
    assert!(desk.error("report bench.json missing.json").starts_with("cannot read missing.json"));
    assert_eq!(desk.error("report bench.json bench.json"), "bench.json is given twice");
    assert!(!desk.path("results").exists());
}
