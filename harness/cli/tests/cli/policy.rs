//! `policy init` and `sign`, which need no kernel.

use crate::scratch::Scratch;

/// What `policy report --json` prints, with a load that was the same each time and one that was not.
const REPORT: &str = r#"{
    "loads": [
        {
            "executable": "/usr/lib/systemd/systemd", "unit": "init.scope", "uid": 0,
            "name": "sd_devices", "type": "cgroup_device", "attach-type": "default", "attach-to": "",
            "helpers": [], "maps": [], "kernel-symbols": 0, "instructions": 24, "core": false,
            "digests": [
                "1111111111111111111111111111111111111111111111111111111111111111",
                "2222222222222222222222222222222222222222222222222222222222222222"
            ],
            "count": 9, "signed": false
        },
        {
            "executable": "/usr/sbin/opensnoop-libbpf", "unit": "session-1.scope", "uid": 0,
            "name": "tracepoint__sys", "type": "tracepoint", "attach-type": "default", "attach-to": "",
            "helpers": ["map_update_elem"], "maps": ["hash"], "kernel-symbols": 0, "instructions": 40, "core": true,
            "digests": ["3333333333333333333333333333333333333333333333333333333333333333"],
            "count": 1, "signed": false
        }
    ],
    "before": []
}"#;

#[test]
fn a_report_becomes_a_signed_policy() {
    let scratch = Scratch::new();
    scratch.write("report.json", REPORT.as_bytes());
    assert!(scratch.error("policy init --json report.json").ends_with("leave out --json"));
    let policy = scratch.bpfsig("policy init report.json");
    assert!(
        policy.contains("# sd_devices (cgroup_device), 9 times by /usr/lib/systemd/systemd in init.scope"),
        "{policy}"
    );
    assert!(policy.contains("# CO-RE"), "{policy}");
    scratch.write("policy.toml", policy.as_bytes());

    scratch.make_ca();
    scratch.make_signer("me", "--purpose program --purpose policy");
    let said = scratch.bpfsig("policy sign --key me.key --cert me.pem policy.toml");
    assert!(said.contains("version 1: 3 programs, 1 classes, signed by "), "{said}");
    scratch.bpfsig("verify --ca ca.pem --cert me.pem policy.bpf.o");

    // A policy that says something else is another program.
    let signed = scratch.read("policy.bpf.o");
    scratch.write("policy.toml", policy.replace("version = 1", "version = 2").as_bytes());
    scratch.bpfsig("policy sign --key me.key --cert me.pem policy.toml");
    assert_ne!(scratch.read("policy.bpf.o"), signed);
}

#[test]
fn a_signer_of_programs_alone_signs_no_policy() {
    let scratch = Scratch::new();
    scratch.write("policy.toml", b"version = 1");
    scratch.make_ca();
    scratch.make_signer("me", "");
    let error = scratch.error("policy sign --key me.key --cert me.pem policy.toml");
    assert!(
        error.starts_with("the kernel would refuse the policy: the certificate is not for a policy"),
        "{error}"
    );
    assert!(!scratch.path("policy.bpf.o").exists());
}

#[test]
fn what_is_wrong_with_a_policy_is_named() {
    let scratch = Scratch::new();
    scratch.make_ca();
    scratch.make_signer("me", "--purpose program --purpose policy");
    let sign = "policy sign --key me.key --cert me.pem policy.toml";
    assert!(scratch.error(sign).starts_with("policy.toml: "));
    scratch.write("policy.toml", b"version = 1\n[[class]]\nname = 'a'\ntype = 'xpd'\nmax-instructions = 1");
    assert_eq!(scratch.error(sign), "policy.toml: class `a`: there is no program type `xpd`");
    scratch.write("report.json", b"{}");
    assert!(
        scratch
            .error("policy init report.json")
            .starts_with("report.json: not what `policy report --json` prints")
    );
}
