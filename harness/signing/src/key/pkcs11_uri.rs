//! `pkcs11:` URIs, RFC 7512.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use der::zeroize::Zeroizing;
use percent_encoding::percent_decode_str;

use crate::{Error, Result};

/// Names one private key or certificate, and how to get at it. An attribute that is not given fits anything.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Pkcs11Uri {
    pub(super) token: Option<String>,
    pub(super) manufacturer: Option<String>,
    pub(super) model: Option<String>,
    pub(super) serial: Option<String>,
    pub(super) slot_id: Option<u64>,
    pub(super) object: Option<String>,
    pub(super) id: Option<Vec<u8>>,
    pub(super) module: Option<PathBuf>,
    pub(super) module_name: Option<String>,
    /// `private` or `cert`.
    kind: Option<String>,
    pin: Option<Zeroizing<String>>,
    pin_source: Option<PathBuf>,
}

impl Pkcs11Uri {
    /// What such URIs begin with.
    pub const SCHEME: &'static str = "pkcs11:";

    /// The PIN that the URI gives: `pin-value`, or what the file that `pin-source` names has in its first line.
    ///
    /// # Errors
    ///
    /// [`Error::TokenPinSource`] if that file can't be read.
    pub fn pin(&self) -> Result<Option<Zeroizing<String>>> {
        match (&self.pin, &self.pin_source) {
            (Some(pin), _) => Ok(Some(pin.clone())),
            (None, Some(path)) => {
                let text = std::fs::read_to_string(path)
                    .map_err(|reason| Error::TokenPinSource { path: path.clone(), reason })?;
                let text = Zeroizing::new(text);
                Ok(Some(Zeroizing::new(text.lines().next().unwrap_or_default().to_owned())))
            }
            (None, None) => Ok(None),
        }
    }

    /// Checks that the URI, if it has a `type`, has this one: `private` or `cert`.
    pub(super) fn must_be_for(&self, kind: &str) -> Result<()> {
        match &self.kind {
            Some(other) if other != kind => {
                Err(invalid(format!("`type` is {other}, but what is needed here is {kind}")))
            }
            _ => Ok(()),
        }
    }

    fn set(&mut self, name: &str, value: &str) -> Result<()> {
        let bytes = Zeroizing::new(percent_decode_str(value).collect::<Vec<u8>>());
        if name == "id" {
            return set_once(name, &mut self.id, bytes.to_vec());
        }
        let text = std::str::from_utf8(&bytes).map_err(|_| invalid(format!("`{name}` is not UTF-8")))?;
        let string = || text.to_owned();
        match name {
            "token" => set_once(name, &mut self.token, string()),
            "manufacturer" => set_once(name, &mut self.manufacturer, string()),
            "model" => set_once(name, &mut self.model, string()),
            "serial" => set_once(name, &mut self.serial, string()),
            "object" => set_once(name, &mut self.object, string()),
            "slot-id" => {
                let id = text.parse().map_err(|_| invalid(format!("`slot-id` is not a number: {text}")))?;
                set_once(name, &mut self.slot_id, id)
            }
            "type" if matches!(text, "private" | "cert") => set_once(name, &mut self.kind, string()),
            "type" => Err(invalid(format!("`type` is {text}, which is neither private nor cert"))),
            "module-path" => set_once(name, &mut self.module, text.into()),
            "module-name" if text.contains(['/', '\\']) => {
                Err(invalid("`module-name` is not a path: that would be `module-path`".into()))
            }
            "module-name" => set_once(name, &mut self.module_name, string()),
            "pin-value" => set_once(name, &mut self.pin, Zeroizing::new(string())),
            "pin-source" if text.starts_with('|') => {
                Err(invalid("commands as `pin-source` are not supported".into()))
            }
            "pin-source" => {
                let path = text.strip_prefix("file:").unwrap_or(text);
                let path = path.strip_prefix("//").unwrap_or(path);
                set_once(name, &mut self.pin_source, path.into())
            }
            _ => Err(invalid(format!("attribute `{name}` is not supported"))),
        }
    }
}

impl FromStr for Pkcs11Uri {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let rest = text.strip_prefix(Self::SCHEME).ok_or_else(|| invalid("it is none".into()))?;
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let mut uri = Pkcs11Uri::default();
        for attribute in path.split(';').chain(query.split('&')).filter(|attribute| !attribute.is_empty()) {
            let (name, value) = attribute
                .split_once('=')
                .ok_or_else(|| invalid(format!("attribute `{attribute}` has no value")))?;
            uri.set(name, value)?;
        }
        if uri.object.is_none() && uri.id.is_none() {
            return Err(invalid("it names no object: give `object` or `id`".into()));
        }
        Ok(uri)
    }
}

/// Without the PIN.
impl fmt::Debug for Pkcs11Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pkcs11Uri")
            .field("token", &self.token)
            .field("object", &self.object)
            .field("id", &self.id)
            .field("module", &self.module.as_deref().map(Path::display))
            .finish_non_exhaustive()
    }
}

fn set_once<T>(name: &str, field: &mut Option<T>, value: T) -> Result<()> {
    if field.replace(value).is_some() {
        return Err(invalid(format!("attribute `{name}` is there twice")));
    }
    Ok(())
}

fn invalid(problem: String) -> Error {
    Error::TokenUri(problem)
}
