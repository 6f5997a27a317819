//! How the section of a program, and what its signer says about it, decide on the program's type and attach target.

use std::borrow::Cow;

use super::ObjectError;
use super::functions::Function;
use super::remark::Remark;
use super::section::{Load, load};
use crate::choices::Choices;
use crate::program::Attach;

/// What the section of a program says about it.
pub(super) struct ProgramSection<'e> {
    /// Its name, or the one that was chosen instead.
    pub name: Cow<'e, str>,
    pub load: Load,
}

impl<'e> ProgramSection<'e> {
    /// `struct_ops` is the member that the program implements, if it implements one.
    pub fn of(
        section: &'e str,
        function: &Function<'_>,
        choices: &'e Choices,
        struct_ops: Option<&Attach>,
    ) -> Result<Self, ObjectError> {
        let name = choices.section(section, function.name);
        let chosen = choices.types.get(section.trim_start_matches('?'));
        let mut load = load(&name, function.name).map_err(|error| match (error, chosen) {
            (ObjectError::UnknownSection { program, .. }, Some(chosen)) => ObjectError::UnknownType {
                program,
                section: section.trim_start_matches('?').to_owned(),
                chosen: chosen.clone(),
            },
            (error, _) => error,
        })?;
        if choices.targets.contains_key(function.name) && load.attach == Attach::None {
            return Err(ObjectError::NoTargetTaken {
                program: function.name.to_owned(),
                section: section.to_owned(),
            });
        }
        if load.is_struct_ops {
            let attach =
                struct_ops.ok_or_else(|| function.problem("is in no variable of a struct_ops type"))?;
            load.attach = attach.clone();
        }
        Ok(Self { name, load })
    }

    /// That the name only begins with one that libbpf knows.
    pub fn remark(&self) -> Option<Remark> {
        let prefix = self.load.prefix?;
        Some(Remark::Prefix { section: self.name.clone().into_owned(), prefix })
    }
}
