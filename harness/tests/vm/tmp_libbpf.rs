use std::process::Command;
const OBJECTS: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/objects.rs"));
#[test]
#[ignore = "needs the patched kernel"]
fn tmp_libbpf_loads() {
    let dir = std::env::var("BPFSIG_TEST_MODULES").unwrap();
    println!("{:?}", Command::new("modprobe").args(["-d", &dir, "nf_conntrack"]).output());
    let mut bad = 0;
    for (name, bytes) in OBJECTS {
        let mut builder = libbpf_rs::ObjectBuilder::default();
        let open = builder.open_memory(bytes).unwrap();
        if let Err(error) = open.load() { println!("BAD {name}: {error:#}"); bad += 1; } else { println!("ok {name}"); }
    }
    for entry in std::fs::read_dir("/usr/lib/x86_64-linux-gnu/bpf").unwrap() {
        let path = entry.unwrap().path();
        let mut builder = libbpf_rs::ObjectBuilder::default();
        let open = builder.open_file(&path).unwrap();
        if let Err(error) = open.load() { println!("BAD {path:?}: {error:#}"); } else { println!("ok {path:?}"); }
    }
    assert_eq!(bad, 0);
}
