//! Timestamps by `openssl ts`, and by an authority that errs.

use std::time::{Duration, SystemTime};

use bpfsig_signing::Digest;
use bpfsig_signing::certificate::Certificate;
use bpfsig_signing::cms::{MAX_SIZE, Message, sign_attached, with_timestamp};
use bpfsig_signing::key::Algorithm;
use bpfsig_signing::statement::{Entry, Kind, Statement};
use bpfsig_signing::timestamp::{self, Timestamp, TimestampError};
use bpfsig_signing::trust::TrustError;
use bpfsig_signing::{Error, trust};
use cms::cert::CertificateChoices;
use cms::content_info::ContentInfo;
use cms::signed_data::{CertificateSet, SignedData};
use der::asn1::Any;
use der::{Decode, Encode};

use crate::openssl::{self, Dir, chain};
use crate::words;

const P256: &str = "ec -pkeyopt ec_paramgen_curve:P-256";
const P384: &str = "ec -pkeyopt ec_paramgen_curve:P-384";
const USAGE: &str = "extendedKeyUsage=critical,timeStamping";

/// A root, and an authority below it.
struct Authority(Dir);

impl Authority {
    fn new(key: &str, settings: &str) -> Self {
        let authority = Self(Dir::new());
        authority.0.openssl(&format!(
            "req -x509 -newkey {P256} -nodes -keyout root.key -out root.pem -days 30 -subj /CN=root"
        ));
        authority.certify("tsa", key, USAGE);
        let config = format!(
            "[tsa]\ndefault_tsa=tsa1\n[tsa1]\nserial=serial\ndefault_policy=1.2.3.4\ndigests=sha256,sha384\n{settings}\n"
        );
        authority.0.write("tsa.cnf", config);
        authority
    }

    fn default() -> Self {
        Self::new(P256, "signer_digest=sha256")
    }

    fn certify(&self, name: &str, key: &str, extensions: &str) {
        self.0.write("ext", format!("subjectKeyIdentifier=hash\nbasicConstraints=CA:FALSE\n{extensions}\n"));
        self.0.openssl(&format!("req -newkey {key} -nodes -keyout {name}.key -out csr -subj /CN={name}"));
        self.0.openssl(&format!(
            "x509 -req -in csr -days 20 -CA root.pem -CAkey root.key -CAcreateserial -extfile ext -out {name}.pem"
        ));
    }

    fn roots(&self) -> Vec<Certificate> {
        trust::certificates(&self.0.read("root.pem")).unwrap()
    }

    /// Its answer to a request.
    fn answer(&self, request: &[u8]) -> Vec<u8> {
        self.0.write("request", request);
        self.0.openssl(
            "ts -reply -config tsa.cnf -queryfile request -signer tsa.pem -inkey tsa.key -out answer",
        );
        self.0.read("answer")
    }

    fn timestamp(&self, signature: &[u8]) -> Timestamp {
        let answer = self.answer(&timestamp::request(signature).unwrap());
        Timestamp::from_answer(&answer).unwrap_or_else(|error| panic!("{}", words(&error)))
    }

    /// What it signs of a signature, with changes, signed with `openssl cms` as somebody, who need not be an authority.
    fn forge(&self, signature: &[u8], change: impl FnOnce(Vec<u8>) -> Vec<u8>, options: &str) -> Vec<u8> {
        self.0.write("token", self.timestamp(signature).to_der());
        self.0.openssl("cms -verify -noverify -binary -inform DER -in token -out info");
        self.0.write("info", change(self.0.read("info")));
        self.0.openssl(&format!(
            "cms -sign -binary -nodetach -md sha256 -econtent_type 1.2.840.113549.1.9.16.1.4 -in info -outform DER \
             -out token {options}"
        ));
        self.0.read("token")
    }
}

const AS_TSA: &str = "-cades -signer tsa.pem -inkey tsa.key";

/// A message with a statement about as many files.
fn message(algorithm: Algorithm, entries: usize) -> Vec<u8> {
    let entry = Entry { kind: Kind::FILE, digest: Digest::of("file") };
    let statement = Statement { expiry: 0, entries: vec![entry; entries] };
    sign_attached(&statement.encode().unwrap(), &chain(algorithm).signer).unwrap()
}

fn signature() -> Vec<u8> {
    Message::parse(&message(Algorithm::P256, 1)).unwrap().signature().to_vec()
}

#[test]
fn openssl_reads_requests() {
    let dir = Dir::new();
    dir.write("request", timestamp::request(b"signature").unwrap());
    let text = dir.openssl("ts -query -in request -text");
    for line in ["Version: 1", "Hash Algorithm: sha256", "Certificate required: yes", "Nonce: 0x"] {
        assert!(text.contains(line), "{text}");
    }
    dir.write("data", "signature");
    let digest = dir.openssl("dgst -sha256 -r data");
    let shown: String = text.lines().filter(|line| line.starts_with("    00")).flat_map(hex_of).collect();
    assert_eq!(shown, &digest[..64]);
    assert_ne!(timestamp::request(b"signature").unwrap(), dir.read("request"));
}

/// The digits in a line of a dump.
fn hex_of(line: &str) -> impl Iterator<Item = char> {
    line[11..].chars().take(48).filter(char::is_ascii_hexdigit)
}

#[test]
fn authorities_of_all_kinds_count() {
    for (key, settings) in [
        ("rsa:2048", "signer_digest=sha256"),
        ("rsa:3072", "signer_digest=sha512"),
        (P256, "signer_digest=sha384\nordering=yes\ntsa_name=yes"),
        // Before OpenSSL 3.0, it was SHA-1 by default.
        (P384, "signer_digest=sha512\ness_cert_id_alg=sha1\naccuracy=secs:2,millisecs:500,microsecs:3"),
        (P384, "signer_digest=sha256\ness_cert_id_alg=sha384\nclock_precision_digits=3"),
    ] {
        let authority = Authority::new(key, settings);
        let signature = signature();
        let before = SystemTime::now() - Duration::from_secs(1);
        let timestamp = authority.timestamp(&signature);
        assert!((before..=SystemTime::now()).contains(&timestamp.time()), "{timestamp:?}");
        let accuracy = if settings.contains("accuracy") { 2_500_003 } else { 0 };
        assert_eq!(timestamp.latest_time(), timestamp.time() + Duration::from_micros(accuracy));
        assert_eq!(timestamp.authority().subject(), "CN=tsa");
        timestamp.verify(&signature).unwrap_or_else(|error| panic!("{settings}: {}", words(&error)));
        timestamp.check_authority(&authority.roots()).unwrap();

        authority.0.write("token", timestamp.to_der());
        authority.0.write("data", &signature);
        let verify = "ts -verify -token_in -in token -CAfile root.pem";
        authority.0.openssl(&format!("{verify} -data data"));
        authority.0.write("answer", authority.answer(&authority.0.read("request")));
        authority.0.openssl("ts -verify -in answer -CAfile root.pem -queryfile request");
    }
}

#[test]
fn messages_keep_what_is_signed() {
    let authority = Authority::default();
    for algorithm in Algorithm::ALL {
        let signed = message(algorithm, 1);
        let before = Message::parse(&signed).unwrap();
        let timestamp = authority.timestamp(before.signature());
        let stamped = with_timestamp(&signed, timestamp.to_der()).unwrap();
        let after = Message::parse(&stamped).unwrap();
        assert_eq!((before.signature(), before.content()), (after.signature(), after.content()));
        assert_eq!((before.timestamp(), after.timestamp()), (None, Some(timestamp.to_der())));
        let certificate = chain(algorithm).signer.certificate();
        assert_eq!(after.verify(certificate).unwrap(), before.content().unwrap());
        // One in place of another.
        let other = authority.timestamp(before.signature());
        let again = with_timestamp(&stamped, other.to_der()).unwrap();
        assert_eq!(with_timestamp(&again, timestamp.to_der()).unwrap(), stamped);
    }
    for algorithm in openssl::known_in_cms().filter(|algorithm| !openssl::is_ml_dsa(algorithm)) {
        let signed = message(algorithm, 1);
        let timestamp = authority.timestamp(Message::parse(&signed).unwrap().signature());
        let dir = Dir::new();
        dir.write("ca.pem", chain(algorithm).ca.certificate().to_pem());
        dir.write("signer.pem", chain(algorithm).signer.certificate().to_pem());
        dir.write("message", with_timestamp(&signed, timestamp.to_der()).unwrap());
        let printed = dir.openssl("cms -cmsout -print -noout -inform DER -in message");
        assert!(printed.contains("id-smime-aa-timeStampToken"), "{printed}");
        dir.openssl(
            "cms -verify -binary -inform DER -in message -certfile signer.pem -CAfile ca.pem -out verified",
        );
        assert_eq!(dir.read("verified"), Message::parse(&signed).unwrap().content().unwrap());
    }
}

#[test]
fn messages_have_one_timestamp_at_most_and_fit() {
    let authority = Authority::default();
    let signed = message(Algorithm::P256, 1);
    let timestamp = authority.timestamp(Message::parse(&signed).unwrap().signature());
    let large = message(Algorithm::P256, 440);
    let error = with_timestamp(&large, timestamp.to_der()).unwrap_err();
    assert!(matches!(error, Error::CmsSize(size) if size > MAX_SIZE), "{error}");
    assert!(with_timestamp(&signed, b"no DER").is_err());
    assert!(with_timestamp(b"no message", timestamp.to_der()).is_err());

    // Another attribute in its place.
    let mut stamped = with_timestamp(&signed, timestamp.to_der()).unwrap();
    let id = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 16, 2, 14];
    let at = stamped.windows(id.len()).position(|window| window == id).unwrap();
    stamped[at + id.len() - 1] = 15;
    let error = Message::parse(&stamped).unwrap_err();
    assert!(error.to_string().contains("unsigned attributes other than one timestamp"), "{error}");
}

fn refusal(outcome: Result<Timestamp, TimestampError>) -> String {
    words(&outcome.unwrap_err())
}

#[test]
fn answers_without_a_timestamp() {
    let authority = Authority::default();
    let request = timestamp::request(b"signature").unwrap();
    let mut unknown = request.clone();
    let sha256 = [0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1];
    let at = unknown.windows(sha256.len()).position(|window| window == sha256).unwrap();
    unknown[at + 8] = 2;
    // A digest that is not of the algorithm's length.
    let error = refusal(Timestamp::from_answer(&authority.answer(&unknown)));
    assert!(error.contains("it rejects the request, it can't read the request, `"), "{error}");
    unknown[at + 8] = 3;
    let error = refusal(Timestamp::from_answer(&authority.answer(&unknown)));
    assert!(error.contains("it does not know the digest algorithm, `"), "{error}");
    let error = refusal(Timestamp::from_answer(&[0x30, 5, 0x30, 3, 2, 1, 0]));
    assert!(error.contains("there is none in its answer"), "{error}");

    let answer = authority.answer(&request);
    // Longer than 255 bytes.
    let message = message(Algorithm::Rsa2048, 1);
    for other in [&request[..], &message, &[], b"rubbish", &[answer.clone(), vec![0]].concat()] {
        let error = refusal(Timestamp::from_answer(other));
        assert!(error.starts_with("not a timestamp authority's answer"), "{error}");
    }
    for length in 0..answer.len() {
        let error = Timestamp::from_answer(&answer[..length]).unwrap_err();
        assert!(matches!(error, TimestampError::Response(_)), "{length}: {error}");
    }
    // A message that is no timestamp, as one.
    let error = refusal(Timestamp::parse(&message));
    assert_eq!(error, "timestamp: its content is something else");
    let [high, low] = u16::try_from(message.len() + 5).unwrap().to_be_bytes();
    let granted = [&[0x30, 0x82, high, low, 0x30, 3, 2, 1, 0][..], &message].concat();
    assert_eq!(refusal(Timestamp::from_answer(&granted)), error);
}

#[test]
fn timestamps_that_do_not_count() {
    let authority = Authority::default();
    let signature = signature();
    let timestamp = authority.timestamp(&signature);
    assert!(matches!(timestamp.verify(b"another"), Err(TimestampError::Other)));
    let stranger = Authority::default();
    let error = timestamp.check_authority(&stranger.roots()).unwrap_err();
    assert!(matches!(error, TimestampError::Authority(TrustError::Path { .. })), "{error}");

    // One bit, anywhere.
    let token = timestamp.to_der();
    let mut wrong = 0;
    for at in 0..token.len() {
        let mut altered = token.to_vec();
        altered[at] ^= 1;
        let Ok(altered) = Timestamp::parse(&altered) else { continue };
        let outcome = altered.verify(&signature).and_then(|()| altered.check_authority(&authority.roots()));
        wrong += usize::from(matches!(outcome, Err(TimestampError::Wrong)));
        // What is not signed, and does not matter: the versions of CMS and its list of digests.
        assert!(outcome.is_err() || altered.time() == timestamp.time(), "{at}");
    }
    assert!(wrong > 64, "{wrong}");

    let forge = |change: fn(Vec<u8>) -> Vec<u8>, options: &str| {
        let timestamp = Timestamp::parse(&authority.forge(&signature, change, options))?;
        timestamp.verify(&signature)?;
        timestamp.check_authority(&authority.roots())?;
        Ok::<_, TimestampError>(timestamp)
    };
    forge(|info| info, AS_TSA).unwrap_or_else(|error| panic!("{}", words(&error)));
    for (options, problem) in [
        ("-cades -signer tsa.pem -inkey tsa.key -nocerts", "the authority's certificate is not in it"),
        ("-signer tsa.pem -inkey tsa.key", "a signed attribute is missing"),
        ("-signer tsa.pem -inkey tsa.key -noattr", "it has no signed attributes"),
        ("-cades -signer tsa.pem -inkey tsa.key -signer root.pem -inkey root.key", "exactly one signer"),
    ] {
        let error = words(&forge(|info| info, options).unwrap_err());
        assert!(error.contains(problem), "{options}: {error}");
    }
    forge(|info| info, &format!("{AS_TSA} -keyid")).unwrap_or_else(|error| panic!("{}", words(&error)));
    for (extensions, accepted) in [
        ("", false),
        ("extendedKeyUsage=timeStamping", false),
        ("extendedKeyUsage=critical,codeSigning", false),
        ("extendedKeyUsage=critical,timeStamping,codeSigning", false),
        ("extendedKeyUsage=critical,timeStamping\nkeyUsage=critical,nonRepudiation", true),
        ("extendedKeyUsage=critical,timeStamping\nkeyUsage=critical,keyEncipherment", false),
    ] {
        authority.certify("other", P256, extensions);
        match forge(|info| info, "-cades -signer other.pem -inkey other.key") {
            Ok(_) => assert!(accepted, "{extensions}"),
            Err(error) => assert!(!accepted && words(&error).contains("is not for"), "{extensions}: {error}"),
        }
    }
}

#[test]
fn an_authority_signs_with_one_certificate() {
    let authority = Authority::default();
    let signature = signature();
    for (settings, problem) in [("-cades", true), ("-cades -keyid", true), ("-keyid", false)] {
        let token =
            authority.forge(&signature, |info| info, &format!("{settings} -signer tsa.pem -inkey tsa.key"));
        // Another certificate for the same key, by the same CA, with the same number.
        let serial = authority.0.openssl("x509 -in tsa.pem -noout -serial");
        let serial = serial.trim().strip_prefix("serial=").unwrap();
        authority.0.openssl(&format!(
            "x509 -req -in csr -days 9 -CA root.pem -CAkey root.key -set_serial 0x{serial} -extfile ext -out again.pem"
        ));
        let outer = ContentInfo::from_der(&token).unwrap();
        let mut data: SignedData = outer.content.decode_as().unwrap();
        let again = Certificate::read(&authority.0.read("again.pem")).unwrap();
        let again = CertificateChoices::Certificate(Decode::from_der(again.to_der()).unwrap());
        data.certificates = Some(CertificateSet::try_from(vec![again]).unwrap());
        let content = Any::encode_from(&data).unwrap();
        let token = ContentInfo { content_type: outer.content_type, content }.to_der().unwrap();
        let error = Timestamp::parse(&token).unwrap().verify(&signature).unwrap_err();
        assert_eq!(error.to_string().contains("it names another certificate"), problem, "{error}");
    }
}

#[test]
fn authorities_have_to_be_valid_at_the_time() {
    let authority = Authority::default();
    let signature = signature();
    let at = |year: &'static str| {
        let change = move |mut info: Vec<u8>| {
            let at = info.windows(2).position(|window| window == [0x18, 15]).unwrap() + 2;
            info[at..at + 4].copy_from_slice(year.as_bytes());
            info
        };
        Timestamp::parse(&authority.forge(&signature, change, AS_TSA)).unwrap().verify(&signature)
    };
    assert!(matches!(at("2020"), Err(TimestampError::Authority(TrustError::NotYetValid { .. }))));
    assert!(matches!(at("2090"), Err(TimestampError::Authority(TrustError::Expired { .. }))));
}

#[test]
fn times_have_fractions() {
    let authority = Authority::default();
    let signature = signature();
    let with = |fraction: &'static str| {
        let change = move |mut info: Vec<u8>| {
            let at = info.windows(2).position(|window| window == [0x18, 15]).unwrap();
            info[at + 1] += fraction.len() as u8;
            let end = at + 2 + 14;
            info.splice(end..end, fraction.bytes());
            // The whole has fewer than 256 bytes.
            let length = if info[1] == 0x81 { 2 } else { 1 };
            info[length] += fraction.len() as u8;
            info
        };
        Timestamp::parse(&authority.forge(&signature, change, AS_TSA))
    };
    let timestamp = with(".25").unwrap();
    timestamp.verify(&signature).unwrap();
    let age = SystemTime::now().duration_since(timestamp.time()).unwrap();
    assert!(age < Duration::from_secs(60), "{age:?}");
    for wrong in [".", ".2x", ".1.2"] {
        assert!(matches!(with(wrong), Err(TimestampError::Encoding(_))), "{wrong}");
    }
}
