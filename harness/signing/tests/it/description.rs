use bpfsig_signing::Error;
use bpfsig_signing::choices::Choices;
use bpfsig_signing::description::{self, Description};
use bpfsig_signing::manifest::Manifest;
use bpfsig_signing::program::{Attach, Program};
use serde_json::{Value, json};

use crate::words;

use crate::manifest::program;

fn described(change: impl FnOnce(&mut Program)) -> Description {
    let mut program = program();
    change(&mut program);
    Description::of(&program).unwrap()
}

/// The JSON of the one program, changed.
fn changed(change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut file: Value =
        serde_json::from_str(&description::to_json(&[described(|_| ())], &Choices::default())).unwrap();
    change(&mut file);
    file.to_string().into_bytes()
}

#[test]
fn a_description_survives_json() {
    let programs = [
        described(|_| ()),
        described(|program| program.attach = Attach::Program { name: "f".into() }),
        described(|program| {
            program.attach = Attach::None;
            program.prog_type = 1000;
            program.slots.clear();
        }),
    ];
    let json = description::to_json(&programs, &Choices::default());
    let read = description::from_json(json.as_bytes()).unwrap().programs;
    assert_eq!(read, programs);
    assert_eq!(read[0].digest(), Manifest::of(&program()).unwrap().digest());
    for readable in [r#""prog_type": "tracing""#, r#""type": "hash_of_maps""#, r#""prog_type": 1000"#] {
        assert!(json.contains(readable), "{json}");
    }
}

/// Whatever is changed in the file, it is refused or describes another program.
#[test]
fn a_description_vouches_for_itself() {
    /// Each way to change one value inside of `value`.
    fn changes(value: &Value, path: &str) -> Vec<String> {
        match value {
            Value::Object(map) => {
                map.iter().flat_map(|(key, value)| changes(value, &format!("{path}/{key}"))).collect()
            }
            Value::Array(list) => {
                let items = list.iter().enumerate();
                items.flat_map(|(index, value)| changes(value, &format!("{path}/{index}"))).collect()
            }
            _ => vec![path.to_owned()],
        }
    }
    let original = described(|_| ());
    let file: Value =
        serde_json::from_str(&description::to_json(&[described(|_| ())], &Choices::default())).unwrap();
    let paths = changes(&file, "");
    assert!(paths.len() > 30, "{paths:?}");
    // Which is for people.
    for path in paths.into_iter().filter(|path| !path.ends_with("/whole_name")) {
        let json = changed(|file| {
            let value = file.pointer_mut(&path).unwrap();
            *value = match &*value {
                Value::Number(number) => json!(number.as_u64().unwrap() ^ 1),
                Value::String(text) if text.len() == 64 => json!(text.replace(&text[..1], "x")),
                Value::String(text) => json!(format!("{text}x")),
                other => panic!("{other}"),
            };
        });
        if let Ok(read) = description::from_json(&json) {
            assert_ne!(read.programs[0].digest(), original.digest(), "{path}");
            assert!(!read.programs[0].differences(&original).is_empty(), "{path}");
        }
    }
}

#[test]
fn a_file_that_is_none_is_refused() {
    let message = |json: &[u8]| words(&description::from_json(json).unwrap_err());
    assert_eq!(message(b""), "not descriptions of programs: EOF while parsing a value at line 1 column 0");
    assert!(matches!(description::from_json(b"[]"), Err(Error::Descriptions(_))));
    assert_eq!(
        message(br#"{"version": 2, "programs": "unheard"}"#),
        "descriptions of version 2 are not supported"
    );
    assert!(matches!(
        description::from_json(br#"{"version": 1, "programs": [], "comment": ""}"#),
        Err(Error::Descriptions(_))
    ));
    assert_eq!(
        message(&changed(|file| file["programs"][0]["prog_type"] = json!("tracer"))),
        "not descriptions of programs: there is no type `tracer`"
    );
    assert!(
        message(&changed(|file| file["programs"][0]["insns"]["sha256"] = json!("00")))
            .starts_with("not descriptions of programs: ")
    );
    // Beyond what the manifest holds, anything could be written.
    for name in ["a_rather_long_name", "a\0b", "a b"] {
        let json = changed(|file| file["programs"][0]["name"] = json!(name));
        assert!(matches!(description::from_json(&json), Err(Error::Program { .. })), "{name}");
        let json = changed(|file| file["programs"][0]["slots"][0]["map"]["name"] = json!(name));
        assert!(matches!(description::from_json(&json), Err(Error::Program { .. })), "{name}");
    }
}
