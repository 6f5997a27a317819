//! What differs between a program and what was signed, field by field.

use std::fmt;

use crate::description::{Description, Part};
use crate::slot::{Slot, SlotMap};
use crate::uapi::{map_type, prog_type};

/// One difference between a program and what was signed. Shown as one line, such as
/// ``slot 2 `config`: max_entries 1024, signed 512``.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The slot that it is about, or the whole program.
    pub slot: Option<(usize, String)>,
    /// The name of the field.
    pub field: &'static str,
    /// What it is.
    pub actual: String,
    /// What it should be.
    pub signed: String,
    /// The field is bound by its digest: the values only say how many there are of it.
    pub is_digest: bool,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { slot, field, actual, signed, is_digest } = self;
        if let Some((index, name)) = slot {
            write!(f, "slot {index} `{name}`: ")?;
        }
        match (is_digest, actual == signed) {
            (false, _) => write!(f, "{field} {actual}, signed {signed}"),
            (true, false) => write!(f, "{field} differ ({actual}, signed {signed})"),
            (true, true) => write!(f, "{field} differ"),
        }
    }
}

impl Description {
    /// The differences from the signed program; none if the manifests are the same.
    pub fn differences(&self, signed: &Description) -> Vec<Difference> {
        let mut list = List::default();
        list.field("name", &quoted(&self.name), &quoted(&signed.name));
        list.field("type", &prog_type::name(self.prog_type), &prog_type::name(signed.prog_type));
        list.field("expected_attach_type", &self.expected_attach_type, &signed.expected_attach_type);
        list.field("flags", &hex(self.prog_flags), &hex(signed.prog_flags));
        list.field("license", &quoted(&self.license), &quoted(&signed.license));
        list.field("attach target", &self.attach, &signed.attach);
        list.part("instructions", &self.insns, &signed.insns);
        list.part("bytes of BTF", &self.btf, &signed.btf);
        list.field("func_info_rec_size", &self.func_info_rec_size, &signed.func_info_rec_size);
        list.part("func_info records", &self.func_info, &signed.func_info);
        list.field("core_relo_rec_size", &self.core_relo_rec_size, &signed.core_relo_rec_size);
        list.part("CO-RE records", &self.core_relos, &signed.core_relos);
        list.field("slots", &self.slots.len(), &signed.slots.len());
        for (index, (slot, signed)) in self.slots.iter().zip(&signed.slots).enumerate() {
            list.slot = Some((index, slot.map.name.clone()));
            list.slot(slot, signed);
        }
        list.differences
    }

    /// The description of the signed program that this one is meant to be: of the same name, the most similar.
    pub fn counterpart<'s>(&self, signed: &'s [Description]) -> Option<&'s Description> {
        let same_name = signed.iter().filter(|signed| signed.name == self.name);
        same_name.min_by_key(|signed| self.differences(signed).len())
    }
}

/// The differences that have been found.
#[derive(Default)]
struct List {
    /// What the next ones are about.
    slot: Option<(usize, String)>,
    differences: Vec<Difference>,
}

impl List {
    fn field<T: fmt::Display + PartialEq + ?Sized>(&mut self, field: &'static str, actual: &T, signed: &T) {
        if actual != signed {
            self.push(field, actual, signed, false);
        }
    }

    fn part(&mut self, field: &'static str, actual: &Part, signed: &Part) {
        if actual != signed {
            self.push(field, &actual.count, &signed.count, true);
        }
    }

    fn slot(&mut self, slot: &Slot, signed: &Slot) {
        self.map(&slot.map, &signed.map);
        match (&slot.contents_sha256, &signed.contents_sha256) {
            (Some(contents), Some(signed)) if contents != signed => {
                self.push("contents", &"", &"", true);
            }
            (contents, signed) => self.field("constant contents", yes_or_no(contents), yes_or_no(signed)),
        }
        match (&slot.inner, &signed.inner) {
            (Some(inner), Some(signed)) => {
                let outer = self.slot.take();
                self.slot = outer.map(|(index, name)| (index, format!("{name}.inner")));
                self.map(inner, signed);
            }
            (inner, signed) => self.field("inner map", yes_or_no(inner), yes_or_no(signed)),
        }
    }

    fn map(&mut self, map: &SlotMap, signed: &SlotMap) {
        self.field("name", &quoted(&map.name), &quoted(&signed.name));
        self.field("type", &map_type::name(map.map_type), &map_type::name(signed.map_type));
        self.field("key_size", &map.key_size, &signed.key_size);
        self.field("value_size", &map.value_size, &signed.value_size);
        self.field("max_entries", &map.max_entries, &signed.max_entries);
        self.field("flags", &hex(map.flags), &hex(signed.flags));
        self.field("map_extra", &map.extra, &signed.extra);
        self.field("btf_key_type_id", &map.btf_key_type_id, &signed.btf_key_type_id);
        self.field("btf_value_type_id", &map.btf_value_type_id, &signed.btf_value_type_id);
    }

    fn push(
        &mut self,
        field: &'static str,
        actual: &(impl fmt::Display + ?Sized),
        signed: &(impl fmt::Display + ?Sized),
        is_digest: bool,
    ) {
        self.differences.push(Difference {
            slot: self.slot.clone(),
            field,
            actual: actual.to_string(),
            signed: signed.to_string(),
            is_digest,
        });
    }
}

fn hex(flags: u32) -> String {
    format!("{flags:#x}")
}

fn quoted(text: &str) -> String {
    format!("`{text}`")
}

fn yes_or_no<T>(option: &Option<T>) -> &'static str {
    if option.is_some() { "yes" } else { "no" }
}
