//! Programs as applications change them before they load them: with another type, and another attach target.

use std::borrow::Cow;

use super::{Object, ObjectError, section};
use crate::choices::Choices;
use crate::program::Program;

/// Stands for another program where the module of a function would be.
const PROGRAM: &str = "/bpf:";

impl Object {
    /// The programs that the signer says are also loaded as if they were in another section ([`Choices::also`]).
    ///
    /// # Errors
    ///
    /// The object has no program of a name, or there is no such section.
    pub fn variants(&self, choices: &Choices) -> Result<Vec<Program>, ObjectError> {
        let mut variants = Vec::new();
        for (name, sections) in &choices.also {
            let program = self.programs.iter().find(|program| program.name == *name);
            let program = program.ok_or_else(|| ObjectError::no_program(name, self.sections.keys()))?;
            for section in sections {
                variants.push(variant(program, section)?);
            }
        }
        Ok(variants)
    }
}

fn variant(program: &Program, section: &str) -> Result<Program, ObjectError> {
    let unknown = || ObjectError::NoSection { program: program.name.clone(), section: section.to_owned() };
    let (name, on_program) = match section.split_once(PROGRAM) {
        Some((base, function)) => (Cow::Owned(format!("{base}/{function}")), true),
        None => (Cow::Borrowed(section), false),
    };
    let load = section::load(&name, &program.name).map_err(|_| unknown())?;
    if load.is_struct_ops || load.prefix.is_some() {
        return Err(unknown());
    }
    let mut variant = Program {
        section: section.to_owned(),
        prog_type: load.prog_type,
        expected_attach_type: load.expected_attach_type,
        flags: load.flags,
        attach: load.attach,
        ..program.clone()
    };
    if on_program {
        variant.attach_to_program(None).map_err(|_| unknown())?;
    }
    Ok(variant)
}
