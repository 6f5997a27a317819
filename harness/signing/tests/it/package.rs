//! Packages: what is in them, and archives that are made to do harm.

use std::io::{Read, Write};
use std::sync::LazyLock;

use bpfsig_signing::Error;
use bpfsig_signing::certificate::{Certificate, Role, Signer};
use bpfsig_signing::cms::Message;
use bpfsig_signing::key::Algorithm;
use bpfsig_signing::package::{File, MAX_FILES, Package, PackageError, SignedPackage, unpack as unpack_any};
use bpfsig_signing::signature;
use bpfsig_signing::statement::{Kind, Statement};
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use tar::{Builder, EntryType, Header};

use crate::compilers::{LINUX, ebpf, run};
use crate::openssl::{Dir, chain};
use crate::words;

const METADATA: &str = r#"{
    "name": "filter", "version": "1.2.3", "artifact": "filter.tar.gz", "prog_type": "xdp", "seq_id": 1,
    "object_file": "filter.bpf.o", "entry_function_name": "pass", "map_name": "next", "cmd_start": "bin/filter"
}"#;
const FOLDER: &str = "filter";

fn signer() -> &'static Signer {
    &chain(Algorithm::P256).signer
}

fn file(path: &str, content: impl AsRef<[u8]>) -> File {
    File { path: path.into(), content: content.as_ref().into() }
}

fn files() -> Vec<File> {
    static OBJECT: LazyLock<Vec<u8>> = LazyLock::new(|| ebpf(LINUX));
    vec![file("manifest.json", METADATA), file("filter.bpf.o", &*OBJECT), file("bin/filter", "#!/bin/sh\n")]
}

fn package() -> Package {
    Package::new("jammy", files()).unwrap()
}

fn archive() -> Vec<u8> {
    package().sign(signer(), &[], 0).unwrap()
}

fn verify(archive: &[u8]) -> Result<Package, PackageError> {
    SignedPackage::read(archive)?.verify(signer().certificate(), 1)
}

/// Why an archive is refused.
fn refusal(archive: &[u8]) -> String {
    words(&verify(archive).expect_err("it must be refused"))
}

fn unpack(archive: &[u8]) -> Vec<u8> {
    let mut tar = Vec::new();
    GzDecoder::new(archive).read_to_end(&mut tar).unwrap();
    tar
}

fn pack(tar: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(tar).unwrap();
    gzip.finish().unwrap()
}

/// The files in an archive, with their whole paths.
fn entries(archive: &[u8]) -> Vec<(String, Vec<u8>)> {
    let tar = unpack(archive);
    let mut archive = tar::Archive::new(tar.as_slice());
    let read = |entry: std::io::Result<tar::Entry<'_, &[u8]>>| {
        let mut entry = entry.unwrap();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        (entry.path().unwrap().to_str().unwrap().to_owned(), content)
    };
    archive.entries().unwrap().map(read).collect()
}

fn header(path: &str, size: usize) -> Header {
    let mut header = Header::new_ustar();
    // Header::set_path() would refuse some of them.
    header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
    header.set_size(size as u64);
    header.set_mode(if path.ends_with("bin/filter") { 0o755 } else { 0o644 });
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_entry_type(EntryType::Regular);
    header.set_cksum();
    header
}

/// An archive with these entries, written as ours are.
fn archive_of(entries: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut tar = Builder::new(Vec::new());
    for (path, content) in entries {
        tar.append(&header(path, content.len()), content.as_slice()).unwrap();
    }
    pack(&tar.into_inner().unwrap())
}

/// A sound archive with one entry more in front of the others.
fn with_entry(header: &Header, content: &[u8]) -> Vec<u8> {
    let mut tar = Builder::new(Vec::new());
    tar.append(header, content).unwrap();
    for (path, content) in entries(&archive()) {
        tar.append(&self::header(&path, content.len()), content.as_slice()).unwrap();
    }
    pack(&tar.into_inner().unwrap())
}

#[test]
fn packages_are_read_back() {
    let archive = archive();
    let package = verify(&archive).unwrap();
    assert_eq!(package.folder(), FOLDER);
    assert_eq!(package.metadata().object_file, "filter.bpf.o");
    assert!(package.has_programs());
    let mut expected = files();
    expected.sort_by(|a, b| a.path.cmp(&b.path));
    assert_eq!(package.files(), expected);
    assert_eq!(package.files().iter().map(File::is_executable).collect::<Vec<_>>(), [true, false, false]);
    assert_eq!(package.signature().unwrap(), entries(&archive)[3].1);
    assert_eq!(package.own_files().len(), 3);
}

/// The same bytes from the same files, in whatever order.
#[test]
fn archives_are_always_the_same() {
    let mut reversed = files();
    reversed.reverse();
    let package = Package::new("jammy", reversed).unwrap();
    assert_eq!(package.sign(signer(), &[], 0).unwrap(), archive());
    assert_eq!(pack(&unpack(&archive())).len(), archive().len());
}

#[test]
fn other_tools_agree() {
    let dir = Dir::new();
    dir.write("package.tar.gz", archive());
    run(&dir, "tar", "xzf package.tar.gz");
    run(&dir, "sha256sum", "--check --strict filter/package.sha256");
    dir.write("ca.pem", chain(Algorithm::P256).ca.certificate().to_pem());
    dir.openssl(&format!(
        "cms -verify -binary -inform DER -in {FOLDER}/package.p7s -certfile {FOLDER}/package.pem -CAfile ca.pem \
         -purpose any -out statement"
    ));
    let statement = Statement::decode(&dir.read("statement")).unwrap();
    let count = |kind| statement.entries.iter().filter(|entry| entry.kind == kind).count();
    assert_eq!(count(Kind::FILE), 4);
    assert_eq!(count(Kind::PROGRAM), 2);
    let list = run(&dir, "tar", "tvzf package.tar.gz");
    assert!(list.contains("-rwxr-xr-x 0/0"), "{list}");
}

/// But for the certificates: these are vouched for by the CA, and here the signer's is known.
#[test]
fn every_altered_byte_of_the_tar_is_noticed() {
    let tar = unpack(&archive());
    let certificate = signer().certificate().to_pem();
    let start = tar.windows(certificate.len()).position(|window| window == certificate.as_bytes()).unwrap();
    for at in (0..tar.len()).step_by(29).filter(|at| !(start..start + certificate.len()).contains(at)) {
        let mut altered = tar.clone();
        altered[at] ^= 0x20;
        assert!(verify(&pack(&altered)).is_err(), "byte {at}");
    }
}

#[test]
fn an_altered_file_is_named() {
    for (at, name) in [(0, "bin/filter"), (1, "filter.bpf.o"), (2, "manifest.json")] {
        let mut entries = entries(&archive());
        *entries[at].1.last_mut().unwrap() ^= 1;
        assert_eq!(
            refusal(&archive_of(&entries)),
            format!("`{FOLDER}/{name}` is not the file that was signed")
        );
    }
}

#[test]
fn files_that_were_not_signed_are_named() {
    let mut more = entries(&archive());
    more.insert(1, (format!("{FOLDER}/bin/more"), b"#!/bin/sh\n".to_vec()));
    let mut tar = Builder::new(Vec::new());
    for (path, content) in &more {
        let mut header = header(path, content.len());
        header.set_mode(if content.starts_with(b"#!") { 0o755 } else { 0o644 });
        header.set_cksum();
        tar.append(&header, content.as_slice()).unwrap();
    }
    let archive = pack(&tar.into_inner().unwrap());
    assert_eq!(refusal(&archive), format!("`{FOLDER}/bin/more` was not signed with the package"));
}

#[test]
fn files_that_are_missing_are_named() {
    let mut fewer = entries(&archive());
    fewer.remove(1);
    assert_eq!(refusal(&archive_of(&fewer)), format!("`{FOLDER}/filter.bpf.o` is missing"));
    for own in ["package.p7s", "package.pem", "package.sha256"] {
        let mut fewer = entries(&archive());
        fewer.retain(|(path, _)| !path.ends_with(own));
        assert_eq!(refusal(&archive_of(&fewer)), format!("the package is not signed: there is no `{own}`"));
    }
}

/// The digests are all in the statement, but not for these names.
#[test]
fn files_can_not_be_exchanged() {
    let mut exchanged = entries(&archive());
    let manifest = exchanged[2].1.clone();
    exchanged[2].1 = std::mem::replace(&mut exchanged[1].1, manifest);
    assert_eq!(
        refusal(&archive_of(&exchanged)),
        format!("`{FOLDER}/filter.bpf.o` is not the file that was signed")
    );
}

#[test]
fn a_package_can_not_be_passed_off_as_another() {
    let entries_of = entries(&archive());
    let moved: Vec<_> = entries_of
        .iter()
        .map(|(path, content)| (path.replacen("filter/", "other/", 1), content.clone()))
        .collect();
    assert!(refusal(&archive_of(&moved)).ends_with("was not signed with the package"));
    for (from, to) in [("1.2.3", "9.0.0"), ("jammy", "focal"), ("# filter", "# other")] {
        let mut renamed = entries_of.clone();
        let (_, index) = renamed.iter_mut().find(|(path, _)| path.ends_with("sha256")).unwrap();
        *index = String::from_utf8(index.clone()).unwrap().replacen(from, to, 1).into();
        assert!(refusal(&archive_of(&renamed)).ends_with("is not the file that was signed"), "{to}");
    }

    // Nor by the signer: the metadata is what counts.
    let index = entries(&archive()).into_iter().find(|(path, _)| path.ends_with("sha256")).unwrap().1;
    let index = String::from_utf8(index).unwrap();
    assert!(
        index.starts_with("# filter 1.2.3 jammy\n") && index.contains("  filter/manifest.json\n"),
        "{index}"
    );
}

#[test]
fn only_the_signer_counts() {
    let stranger = &chain(Algorithm::P384).signer;
    let theirs = package().sign(stranger, &[], 0).unwrap();
    let signed = SignedPackage::read(&theirs).unwrap();
    assert_eq!(signed.certificates(), [stranger.certificate().clone()]);
    let error = signed.verify(signer().certificate(), 1).unwrap_err();
    assert!(matches!(error, PackageError::Signature(Error::UnknownSigner { .. })), "{error}");

    // Files of one package, signature of another one.
    let other = Package::new("focal", files()).unwrap().sign(signer(), &[], 0).unwrap();
    let mut entries = self::entries(&archive());
    entries[3].1 = self::entries(&other)[3].1.clone();
    assert_eq!(
        refusal(&archive_of(&entries)),
        format!("`{FOLDER}/package.sha256` is not the file that was signed")
    );
}

#[test]
fn certificates_up_to_the_ca_are_in_the_package() {
    let ca = chain(Algorithm::P256).ca.certificate().clone();
    let archive = package().sign(signer(), std::slice::from_ref(&ca), 0).unwrap();
    let certificates = SignedPackage::read(&archive).unwrap().certificates().to_vec();
    assert_eq!(certificates, [signer().certificate().clone(), ca]);
}

#[test]
fn a_package_expires() {
    let archive = package().sign(signer(), &[], 1000).unwrap();
    let at = |now| SignedPackage::read(&archive).unwrap().verify(signer().certificate(), now);
    assert!(at(1000).is_ok());
    assert!(matches!(at(1001), Err(PackageError::Expired)));
}

#[test]
fn a_signature_can_be_exchanged() {
    let read = || SignedPackage::read(&archive()).unwrap();
    let signature = read().signature().to_vec();
    assert_eq!(read().messages(), signature::read(&signature).unwrap());
    assert_eq!(read().with_signature(signature.clone()).unwrap(), archive());
    let later = package().sign(signer(), &[], 1000).unwrap();
    let other = SignedPackage::read(&later).unwrap().signature().to_vec();
    assert_eq!(read().with_signature(other).unwrap(), later);
    let error = read().with_signature(vec![0; (64 << 10) + 1]).unwrap_err();
    assert_eq!(error.to_string(), "`package.p7s`: it is larger than 64 KiB");
}

#[test]
fn paths_that_lead_elsewhere_are_refused() {
    for (path, problem) in [
        ("/etc/passwd", "the path is absolute"),
        ("filter/../../../../etc/passwd", "it leads out of its folder"),
        ("..", "it leads out of its folder"),
        ("filter/./a", "a part of the path begins with a dot"),
        ("filter/.hidden", "a part of the path begins with a dot"),
        ("filter//a", "a part of the path is empty"),
        ("filter/a/", "a part of the path is empty"),
        ("", "a part of the path is empty"),
        ("filter/..\\..\\a", "a part of the path begins with a dot"),
        ("filter/a\\b", "it has a backslash in it"),
        ("filter/C:", "it has characters other than A-Z, a-z, 0-9 and ._-+@~,= in it"),
        ("filter/a\u{1b}[2J", "it has characters other than A-Z, a-z, 0-9 and ._-+@~,= in it"),
        ("filter/ä", "it has characters other than A-Z, a-z, 0-9 and ._-+@~,= in it"),
        ("filter/a.", "a part of the path ends with a dot"),
    ] {
        let error = refusal(&with_entry(&header(path, 1), b"x"));
        assert_eq!(error, format!("`{}`: {problem}", path.escape_debug()));
    }
    assert_eq!(
        refusal(&with_entry(&header("another/a", 1), b"x")),
        "`filter/bin/filter`: it is not in the package's folder"
    );
    assert_eq!(refusal(&with_entry(&header("a", 1), b"x")), "`a`: it is in no folder");
}

#[test]
fn what_is_no_file_is_refused() {
    for (kind, problem) in [
        (EntryType::Symlink, "it is a symbolic link"),
        (EntryType::Link, "it is a hard link"),
        (EntryType::Char, "it is a device"),
        (EntryType::Block, "it is a device"),
        (EntryType::Fifo, "it is a pipe"),
        (EntryType::Directory, "it is a folder; a package has files only"),
        (EntryType::GNULongName, "it is a long name of GNU tar"),
        (EntryType::GNULongLink, "it is a long name of GNU tar"),
        (EntryType::XHeader, "it is an extended header"),
        (EntryType::XGlobalHeader, "it is an extended header"),
        (EntryType::GNUSparse, "it is neither a file nor anything else that is known"),
        (EntryType::Continuous, "it is neither a file nor anything else that is known"),
    ] {
        let mut header = header("filter/a", 0);
        header.set_entry_type(kind);
        header.set_link_name("/etc/passwd").unwrap();
        header.set_cksum();
        assert_eq!(refusal(&with_entry(&header, b"")), format!("`filter/a`: {problem}"));
    }
}

#[test]
fn names_that_collide_are_refused() {
    let twice = with_entry(&header("filter/bin/filter", 1), b"x");
    assert_eq!(
        refusal(&twice),
        format!("`{FOLDER}/bin/filter` and `{FOLDER}/bin/filter` are in each other's way")
    );
    for (path, other) in [
        ("BIN/filter", "bin"),
        ("bin/FILTER", "bin/filter"),
        ("bin", "bin"),
        ("Filter.bpf.o", "filter.bpf.o"),
    ] {
        let error = refusal(&with_entry(&header(&format!("{FOLDER}/{path}"), 1), b"x"));
        assert!(error.contains("are in each other's way"), "{path}: {error}");
        assert!(error.contains(&format!("{FOLDER}/{other}")), "{path}: {error}");
    }
}

#[test]
fn bombs_are_refused() {
    let zeros = |count: usize| {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
        gzip.write_all(header("filter/a", count).as_bytes()).unwrap();
        for _ in 0..count >> 20 {
            gzip.write_all(&[0; 1 << 20]).unwrap();
        }
        gzip.finish().unwrap()
    };
    assert_eq!(
        refusal(&zeros(64 << 20)),
        "the archive is a bomb: at `filter/a`, it unpacks to more than 100 times its size"
    );
    let large = header("filter/a", (128 << 20) + 1);
    assert_eq!(
        refusal(&pack(large.as_bytes())),
        "the archive is a bomb: at `filter/a`, a file has more than 134217728 bytes"
    );
    let mut many = Builder::new(Vec::new());
    for index in 0..257 {
        many.append(&header(&format!("filter/{index}"), 0), &b""[..]).unwrap();
    }
    assert_eq!(
        refusal(&pack(&many.into_inner().unwrap())),
        "the archive is a bomb: at `filter/256`, it has more than 256 files"
    );
    // After the last file, too.
    let mut endless = unpack(&archive());
    endless.resize(64 << 20, 0);
    assert_eq!(
        refusal(&pack(&endless)),
        "the archive is a bomb: after the last file, it unpacks to more than 100 times its size"
    );
    assert!(matches!(SignedPackage::read(&vec![0; (64 << 20) + 1]), Err(PackageError::Size)));
}

#[test]
fn damaged_archives_are_refused() {
    let archive = archive();
    for length in (0..archive.len()).step_by(13) {
        let error = refusal(&archive[..length]);
        assert!(error.starts_with("the archive is damaged "), "{length}: {error}");
    }
    let tar = unpack(&archive);
    for length in (0..tar.len()).step_by(61) {
        assert!(verify(&pack(&tar[..length])).is_err(), "{length}");
    }
    assert_eq!(refusal(&[&archive[..], b"more"].concat()), "4 bytes follow the end of the archive");
    assert_eq!(
        refusal(&[&archive[..], &archive[..]].concat()),
        format!("{} bytes follow the end of the archive", archive.len())
    );
    assert!(refusal(b"PK\x03\x04").starts_with("the archive is damaged at its beginning"));
    assert!(refusal(&pack(&[0x41; 1024])).starts_with("the archive is damaged at its beginning"));
    assert_eq!(refusal(&pack(&[0; 1024])), "there is no manifest.json");
}

#[test]
fn an_archive_has_one_form() {
    let form = "the archive is not in the one form that these files have as a package";
    let rewritten = |change: fn(&mut Header)| {
        let mut tar = Builder::new(Vec::new());
        for (path, content) in entries(&archive()) {
            let mut header = header(&path, content.len());
            change(&mut header);
            header.set_cksum();
            tar.append(&header, content.as_slice()).unwrap();
        }
        refusal(&pack(&tar.into_inner().unwrap()))
    };
    assert_eq!(rewritten(|header| header.set_mtime(1)), form);
    assert_eq!(rewritten(|header| header.set_uid(1000)), form);
    assert_eq!(rewritten(|header| header.set_mode(0o4755)), form);
    assert_eq!(rewritten(|header| header.set_username("root").unwrap()), form);

    let mut tar = unpack(&archive());
    tar.extend([0; 512]);
    assert_eq!(refusal(&pack(&tar)), form);
    let end = tar.len() - 512;
    tar[end..].fill(b'x');
    assert_eq!(refusal(&pack(&tar)), form);

    let mut entries = entries(&archive());
    let mut chatty = entries.clone();
    chatty[4].1.extend(b"and more");
    assert_eq!(refusal(&archive_of(&chatty)), form);
    entries.reverse();
    assert_eq!(refusal(&archive_of(&entries)), form);
}

#[test]
fn metadata_and_files_agree() {
    let error = |change: &dyn Fn(&mut Vec<File>)| {
        let mut files = files();
        change(&mut files);
        words(&Package::new("jammy", files).unwrap_err())
    };
    let with = |from: &str, to: &str| {
        let metadata = METADATA.replace(from, to);
        assert_ne!(metadata, METADATA);
        error(&|files| files[0].content = metadata.clone().into())
    };
    assert_eq!(error(&|files| drop(files.remove(0))), "there is no manifest.json");
    assert!(error(&|files| files[0].content = b"{".into()).starts_with("manifest.json: EOF while parsing"));
    assert!(with("\"name\"", "\"nam\"").starts_with("manifest.json: missing field `name`"));
    assert!(with("1.2.3", "newest").contains("unexpected character 'n'"));
    assert_eq!(
        with("\"filter\"", "\"../x\""),
        "manifest.json: name `../x`: a part of the path begins with a dot"
    );
    assert_eq!(with("\"filter\"", "\"\""), "manifest.json: name ``: a part of the path is empty");
    assert_eq!(
        with("filter.tar.gz", "a/b"),
        "manifest.json: artifact `a/b`: it has characters other than A-Z, a-z, 0-9 and ._-+@~,= in it"
    );
    assert_eq!(
        with("filter.bpf.o", "other.o"),
        "manifest.json: object_file `other.o` is not a file of the package"
    );
    assert_eq!(
        with("bin/filter", "bin/other"),
        "manifest.json: cmd_start `bin/other` is not a file of the package"
    );
    assert_eq!(with("\"pass\"", "\"fail\""), "manifest.json: `filter.bpf.o` has no program `fail`");

    let damaged = error(&|files| files[1].content.truncate(100));
    assert!(damaged.starts_with("`filter.bpf.o`: "), "{damaged}");
    assert_eq!(
        error(&|files| files.push(file("package.p7s", ""))),
        "`package.p7s`: this name is the package's own"
    );
    assert_eq!(error(&|files| files.push(file("../a", ""))), "`../a`: it leads out of its folder");
    let platform = Package::new("a/b", files()).unwrap_err().to_string();
    assert!(platform.starts_with("the platform can't name a folder"), "{platform}");
}

#[test]
fn a_message_lists_as_many_files_as_a_package_may_have() {
    let mut files = files();
    let further = MAX_FILES - files.len();
    files.extend((0..further).map(|index| file(&format!("{index}"), format!("{index}"))));
    let archive = Package::new("jammy", files.clone()).unwrap().sign(signer(), &[], 0).unwrap();
    let package = verify(&archive).unwrap();
    assert_eq!(signature::split(package.signature().unwrap()).len(), 1);

    files.push(file("one more", ""));
    let refused = Package::new("jammy", files).unwrap_err();
    assert_eq!(refused.to_string(), "254 files are more than the 253 that a package can have");
}

#[test]
fn a_path_that_an_archive_can_not_hold_is_refused() {
    let mut long = self::files();
    long.push(file(&"x".repeat(101), ""));
    let error = Package::new("jammy", long).unwrap().sign(signer(), &[], 0).unwrap_err();
    assert!(error.to_string().ends_with("the path is too long for an archive"), "{error}");
}

/// A signer who signs more than there is.
#[test]
fn a_statement_lists_nothing_else() {
    let mut entries = entries(&archive());
    let message = Message::parse(&entries[3].1).unwrap();
    let mut statement = Statement::decode(message.content().unwrap()).unwrap();
    statement.entries.push(bpfsig_signing::statement::Entry {
        kind: Kind::PROGRAM,
        digest: bpfsig_signing::Digest::of("something else"),
    });
    entries[3].1 = bpfsig_signing::cms::sign_attached(&statement.encode().unwrap(), signer()).unwrap();
    assert_eq!(refusal(&archive_of(&entries)), "the statement lists 1 things that are not in the package");

    statement.entries.retain(|entry| entry.kind == Kind::FILE);
    entries[3].1 = bpfsig_signing::cms::sign_attached(&statement.encode().unwrap(), signer()).unwrap();
    assert_eq!(
        refusal(&archive_of(&entries)),
        format!("`{FOLDER}/filter.bpf.o` was not signed with the package")
    );
}

#[test]
fn a_folder_is_where_the_metadata_says() {
    let mut files = files();
    files[0].content = METADATA.replace("1.2.3", "1.2.4").into();
    let other = Package::new("jammy", files).unwrap();
    assert_eq!((other.title(), other.place()), ("filter 1.2.4 jammy".into(), "filter/1.2.4/filter".into()));
    assert_eq!(other.metadata().version.to_string(), "1.2.4");
    let certificate =
        Certificate::self_signed(Role::Signer, "x", &chain(Algorithm::P256).signer_key, 1).unwrap();
    let archive = other.sign(
        &Signer::new(chain(Algorithm::P256).signer_key.clone(), certificate.clone()).unwrap(),
        &[],
        0,
    );
    SignedPackage::read(&archive.unwrap()).unwrap().verify(&certificate, 1).unwrap();
}

/// As `tar` and L3AF's Makefiles make them: with folders, owners, times, and long names in GNU's way.
#[test]
fn archives_of_others_are_read_to_be_signed() {
    let dir = Dir::new();
    let long = format!("{}/{}", "a".repeat(90), "b".repeat(90));
    std::fs::create_dir_all(dir.path().join("filter/bin")).unwrap();
    std::fs::create_dir_all(dir.path().join("filter").join("a".repeat(90))).unwrap();
    for (path, content) in [("filter.o", "object"), ("bin/filter", "#!/bin/sh\n"), (&long, "long")] {
        dir.write(&format!("filter/{path}"), content);
    }
    for format in ["gnu", "pax", "ustar"] {
        for from in ["filter", "./filter"] {
            run(&dir, "tar", &format!("--format={format} -czf made.tar.gz {from}"));
            let (folder, mut files) = unpack_any(&dir.read("made.tar.gz")).unwrap();
            files.sort_by(|a, b| a.path.cmp(&b.path));
            assert_eq!(folder, "filter", "{format}");
            let expected =
                [file(&long, "long"), file("bin/filter", "#!/bin/sh\n"), file("filter.o", "object")];
            assert_eq!(files, expected, "{format}");
        }
    }
    run(&dir, "ln", "-s filter.o filter/link");
    run(&dir, "tar", "-czf made.tar.gz filter");
    assert_eq!(
        words(&unpack_any(&dir.read("made.tar.gz")).unwrap_err()),
        "`filter/link`: it is a symbolic link"
    );
    run(&dir, "rm", "filter/link");
    dir.write("filter/ä", "");
    run(&dir, "tar", "-czf made.tar.gz filter");
    assert!(
        words(&unpack_any(&dir.read("made.tar.gz")).unwrap_err()).contains("it has characters other than")
    );
    run(&dir, "rm", "filter/ä");
    dir.write("other", "");
    run(&dir, "tar", "-czf made.tar.gz filter other");
    assert!(
        words(&unpack_any(&dir.read("made.tar.gz")).unwrap_err()).contains("is in no folder")
            || words(&unpack_any(&dir.read("made.tar.gz")).unwrap_err())
                .contains("is not in the same folder")
    );
    assert!(unpack_any(b"no archive").is_err());
}
