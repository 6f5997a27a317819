use bpfsig_signing::attestation::{Attestation, Attestations, AttestedProgram, KernelAttestation};
use bpfsig_signing::facts::BuildId;
use bpfsig_signing::statement::Kind;
use bpfsig_signing::{Digest, Error};

#[test]
fn layout_is_as_the_kernel_has_it() {
    let attestation = Attestation { manifest: Digest([0xaa; 32]), facts: Digest([0xbb; 32]) };
    let mut bytes = b"BPFSIGAT\x01\0\0\0".to_vec();
    bytes.extend([0xaa; 32]);
    bytes.extend([0xbb; 32]);
    assert_eq!(attestation.to_bytes()[..], bytes);
    let entry = attestation.entry();
    assert_eq!((entry.kind, entry.digest), (Kind::ATTESTATION, Digest::of(bytes)));
}

fn kernel(build_id: u8) -> KernelAttestation {
    let program = |name: &str, manifest| AttestedProgram {
        name: name.to_owned(),
        manifest: Digest([manifest; 32]),
        facts: vec![manifest; 3],
    };
    KernelAttestation {
        build_id: BuildId([build_id; 20]),
        release: "6.12.117 #1".to_owned(),
        message: vec![0x30, 0x80],
        programs: vec![program("first", 1), program("second", 2)],
    }
}

#[test]
fn facts_are_found_by_kernel_and_manifest() {
    let attestations = Attestations { kernels: vec![kernel(7), kernel(8)] };
    assert_eq!(attestations.kernel(&BuildId([9; 20])), None);
    let found = attestations.kernel(&BuildId([8; 20])).unwrap();
    assert_eq!(found.facts(&Digest([2; 32])), Some(&[2, 2, 2][..]));
    assert_eq!(found.facts(&Digest([3; 32])), None);
    let attestation = found.programs[1].attestation();
    assert_eq!(attestation, Attestation { manifest: Digest([2; 32]), facts: Digest::of([2, 2, 2]) });
}

#[test]
fn a_kernel_is_attested_once() {
    let mut attestations = Attestations { kernels: vec![kernel(7), kernel(8)] };
    let newer = KernelAttestation { message: vec![1], ..kernel(7) };
    attestations.insert(newer.clone());
    assert_eq!(attestations.kernels, [kernel(8), newer]);
}

#[test]
fn json_can_be_read_again() {
    let attestations = Attestations { kernels: vec![kernel(7), kernel(8)] };
    let json = attestations.to_json();
    assert!(json.contains(r#""message": "3080""#), "{json}");
    assert_eq!(Attestations::from_json(json.as_bytes()).unwrap(), attestations);
}

#[test]
fn other_json_is_told_apart() {
    let read = |json: &str| Attestations::from_json(json.as_bytes()).unwrap_err();
    for garbage in ["", "{}", "[]", r#"{"version": 1, "programs": []}"#, r#"{"version": 1, "kernels": [{}]}"#]
    {
        assert!(matches!(read(garbage), Error::Attestations(_)), "{garbage}");
    }
    // Whatever it may look like.
    assert!(matches!(read(r#"{"version": 2, "kernels": {}}"#), Error::AttestationsVersion(2)));
    let twice = Attestations { kernels: vec![kernel(7), kernel(7)] };
    assert!(matches!(read(&twice.to_json()), Error::AttestationsTwice(BuildId(id)) if id == [7; 20]));
}
