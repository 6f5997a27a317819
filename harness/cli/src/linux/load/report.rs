//! What `bpfsig load` prints.

use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use anyhow::Result;
use bpfsig_loading::keyring::{self, Keyring};
use bpfsig_loading::{self as bpf, Attested, Link, LoadedObject, Origin, ProgramInfo};
use bpfsig_signing::uapi::{map_type, prog_type};
use serde::Serialize;

use super::super::listing;
use super::signature::Signature;

/// What has been loaded.
#[derive(Serialize)]
pub struct Report {
    object: PathBuf,
    /// Subject key identifier.
    signer: String,
    /// Whose certificate it is, if it can be found in the keyring.
    subject: Option<String>,
    pub programs: Vec<Program>,
    pub maps: Vec<Map>,
}

#[derive(Serialize)]
pub struct Program {
    name: String,
    #[serde(rename = "type")]
    prog_type: String,
    id: u32,
    tag: String,
    #[serde(flatten)]
    facts: Option<Attested>,
    attached: Option<String>,
    pub pinned: Option<PathBuf>,
}

#[derive(Serialize)]
pub struct Map {
    name: String,
    #[serde(rename = "type")]
    map_type: String,
    id: u32,
    attached: Option<String>,
    pub pinned: Option<PathBuf>,
}

impl Report {
    pub fn of(object: &Path, signature: &Signature, keyring: Keyring, loaded: &LoadedObject) -> Result<Self> {
        let program = |program: &bpf::LoadedProgram| {
            let ProgramInfo { id, tag, origin, .. } = ProgramInfo::of(program.as_fd())?;
            Ok(Program {
                name: program.name.clone(),
                prog_type: prog_type::name(program.prog_type).into_owned(),
                id,
                tag,
                facts: match origin {
                    Some(Origin::Verified(signature)) => Some(signature.attested),
                    // This kernel does not tell.
                    _ => None,
                },
                attached: None,
                pinned: None,
            })
        };
        let map = |map: &bpf::LoadedMap| {
            Ok(Map {
                name: map.name.clone(),
                map_type: map_type::name(map.map_type).into_owned(),
                id: map.id()?,
                attached: None,
                pinned: None,
            })
        };
        Ok(Self {
            object: object.to_owned(),
            signer: signature.signer.clone(),
            subject: subject(keyring, &signature.signer),
            programs: loaded.programs.iter().map(program).collect::<Result<_>>()?,
            maps: loaded.maps.iter().map(map).collect::<Result<_>>()?,
        })
    }

    pub fn add(&mut self, links: &[Link]) {
        for link in links {
            let programs = self.programs.iter_mut().map(|program| (&program.name, &mut program.attached));
            let maps = self.maps.iter_mut().map(|map| (&map.name, &mut map.attached));
            for (_, attached) in programs.chain(maps).filter(|(name, _)| **name == link.name) {
                *attached = Some(link.place.clone());
            }
        }
    }

    pub fn print(&self, json: bool) -> Result<()> {
        if json {
            println!("{}", serde_json::to_string_pretty(self)?);
            return Ok(());
        }
        let signer = match &self.subject {
            Some(subject) => format!("`{subject}`, key {}", self.signer),
            None => format!("key {}", self.signer),
        };
        println!("{}: signed by {signer}", self.object.display());
        const PROGRAM: [&str; 7] = ["program", "type", "id", "tag", "facts", "attached", "pinned"];
        listing::print(false, &self.programs, PROGRAM, |program| {
            let Program { name, prog_type, id, tag, facts, attached, pinned } = program;
            [
                name.clone(),
                prog_type.clone(),
                id.to_string(),
                tag.clone(),
                facts.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string),
                attached_to(attached),
                pinned_at(pinned),
            ]
        })?;
        if self.maps.is_empty() {
            return Ok(());
        }
        const MAP: [&str; 5] = ["map", "type", "id", "attached", "pinned"];
        listing::print(false, &self.maps, MAP, |map| {
            let Map { name, map_type, id, attached, pinned } = map;
            [name.clone(), map_type.clone(), id.to_string(), attached_to(attached), pinned_at(pinned)]
        })
    }
}

/// The subject of a key in a keyring that the caller may read.
fn subject(keyring: Keyring, id: &str) -> Option<String> {
    let serial = match keyring.system_name() {
        Some(name) => keyring::find(name).ok()??,
        None => keyring.0,
    };
    keyring::keys(serial).ok()?.into_iter().find(|key| key.id == id).map(|key| key.subject)
}

fn attached_to(place: &Option<String>) -> String {
    place.clone().unwrap_or_else(|| "-".to_owned())
}

fn pinned_at(path: &Option<PathBuf>) -> String {
    path.as_ref().map_or_else(|| "-".to_owned(), |path| path.display().to_string())
}
