//! Signatures inside of objects.

use bpfsig_signing::embed::{self, EmbedError};
use bpfsig_signing::object::Object;

use crate::compilers::{self, LINUX};
use crate::openssl::Dir;

const MESSAGE: &[u8] = b"a message of any length";
const WORDS: &[u8] = b"{}";

#[test]
fn an_object_gives_back_what_was_put_into_it() {
    let object = compilers::ebpf(LINUX);
    assert_eq!(embed::signature(&object), None);
    assert_eq!(embed::strip(&object).unwrap(), object);

    let signed = embed::write(&object, MESSAGE, WORDS).unwrap();
    assert_eq!(embed::signature(&signed), Some(MESSAGE));
    assert_eq!(embed::descriptions(&signed), Some(WORDS));
    assert_eq!(embed::strip(&signed).unwrap(), object);

    let without_words = embed::write(&signed, b"another", &[]).unwrap();
    assert_eq!(embed::signature(&without_words), Some(&b"another"[..]));
    assert_eq!(embed::descriptions(&without_words), None);
    assert_eq!(embed::strip(&without_words).unwrap(), object);
}

#[test]
fn the_programs_stay_the_same() {
    let object = compilers::ebpf(LINUX);
    let signed = embed::write(&object, MESSAGE, WORDS).unwrap();
    let (before, after) = (Object::parse(&object).unwrap(), Object::parse(&signed).unwrap());
    assert_eq!(before.programs(), after.programs());
    assert_eq!(before.maps(), after.maps());
}

#[test]
fn other_tools_find_the_sections() {
    let dir = Dir::new();
    dir.write("signed.o", embed::write(&compilers::ebpf(LINUX), MESSAGE, WORDS).unwrap());
    compilers::run(
        &dir,
        "llvm-objcopy",
        "--dump-section .bpfsig=message --dump-section .bpfsig.json=words signed.o",
    );
    assert_eq!(dir.read("message"), MESSAGE);
    assert_eq!(dir.read("words"), WORDS);

    // They may move them; then the file is another, but the signature is still found, and may still be for its programs.
    let moved = dir.read("signed.o");
    assert_eq!(embed::signature(&moved), Some(MESSAGE));
    assert!(matches!(embed::strip(&moved), Err(EmbedError::Moved)));
    compilers::run(&dir, "llvm-objcopy", "-R .bpfsig -R .bpfsig.json signed.o");
    assert!(embed::write(&dir.read("signed.o"), MESSAGE, WORDS).is_ok());
}

/// Nothing in the file escapes: a changed byte is in what was signed, in the signature, or an error.
#[test]
fn every_byte_is_accounted_for() {
    let object = compilers::ebpf(LINUX);
    let signed = embed::write(&object, MESSAGE, WORDS).unwrap();
    for index in 0..signed.len() {
        let mut changed = signed.clone();
        changed[index] ^= 1;
        let Ok(stripped) = embed::strip(&changed) else { continue };
        let same = (&*stripped, embed::signature(&changed), embed::descriptions(&changed))
            == (&*object, Some(MESSAGE), Some(WORDS));
        assert!(!same, "byte {index} counts for nothing");
    }
    for size in 0..signed.len() {
        assert!(embed::strip(&signed[..size]).is_err());
    }
}

#[test]
fn only_ebpf_objects_have_room() {
    let none = |file: &[u8]| matches!(embed::write(file, MESSAGE, &[]), Err(EmbedError::NotObject));
    assert!(none(b""));
    assert!(none(b"\x7fELF"));
    assert!(none(&compilers::program("int main(void) { return 0; }")));
    let mut longer = compilers::ebpf(LINUX);
    longer.extend([0; 8]);
    assert!(matches!(embed::write(&longer, MESSAGE, &[]), Err(EmbedError::Headers)));
}
