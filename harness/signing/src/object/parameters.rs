//! Parameters: constants and sizes of maps that an object leaves to whoever loads it, by the tags of its variables.

use std::collections::HashMap;
use std::sync::Arc;

use super::ObjectError;
use crate::btf::{Btf, Variable, kind};
use crate::map::{MapDefinition, needs_entries};
use crate::parameter::{MAX_PARAMETERS, Number, Parameter, Place, Range};
use crate::program::NAME_LEN;

/// The tags that make parameters, by the ids of the variables that they are on.
#[derive(Default)]
pub(super) struct Tags {
    ranges: HashMap<u32, Range>,
}

impl Tags {
    pub fn of(btf: &Btf) -> Result<Self, ObjectError> {
        let mut tags = Self::default();
        for &at in btf.types() {
            if btf.kind(at) != kind::DECL_TAG {
                continue;
            }
            let Some(range) = Range::of_tag(btf.string(btf.word(at))?) else { continue };
            let tagged = btf.word(at + 8);
            let problem = |what: &str| problem(btf.name(tagged).unwrap_or_default(), what);
            let is_variable = btf.type_offset(tagged).is_some_and(|at| btf.kind(at) == kind::VAR);
            if !is_variable {
                return Err(problem("is not a variable"));
            }
            if tags.ranges.insert(tagged, range.map_err(problem)?).is_some() {
                return Err(problem("has two ranges"));
            }
            if tags.ranges.len() > MAX_PARAMETERS {
                return Err(problem(&format!("is one of more than {MAX_PARAMETERS}, which no kernel takes")));
            }
        }
        Ok(tags)
    }

    /// Makes parameters of the tagged variables in a section of constants.
    pub fn take_constants(
        &mut self,
        map: &mut MapDefinition,
        btf: &Btf,
        variables: &[Variable<'_>],
    ) -> Result<(), ObjectError> {
        for variable in variables {
            let Some(range) = self.ranges.remove(&variable.id) else { continue };
            let problem = |what: &str| problem(variable.name, what);
            let Some((size, is_signed)) = btf.number(variable.type_id) else {
                return Err(problem("has a type that is not a number of 1, 2, 4 or 8 bytes"));
            };
            let number = Number { offset: variable.offset, size, is_signed };
            let (fits, end) = (number.range(), variable.offset.checked_add(size));
            if !fits.contains(range.min) || !fits.contains(range.max) {
                return Err(problem(&format!("can be {fits} by its type, which {range} exceeds")));
            }
            if map.btf_value_type_id == 0 || end.is_none_or(|end| end > map.value_size) {
                return Err(problem("is in a section that the BTF does not describe"));
            }
            let name = variable.name.to_owned();
            map.parameters.push(Parameter { name, range, place: Place::Contents(number) });
        }
        Ok(())
    }

    /// Whether a variable that the host fills in is a parameter, by a tag that it has been given.
    pub fn take_host(&mut self, variable: &Variable<'_>) -> bool {
        self.ranges.remove(&variable.id).is_some()
    }

    /// Makes a parameter of the size of a map, if it is tagged. The kernel knows a map by the first bytes of its name.
    pub fn take_size(
        &mut self,
        map: &mut MapDefinition,
        variable: &Variable<'_>,
        others: &[Variable<'_>],
    ) -> Result<(), ObjectError> {
        let Some(range) = self.ranges.remove(&variable.id) else { return Ok(()) };
        let problem = |what: &str| problem(variable.name, what);
        let begins_another =
            others.iter().any(|other| other.id != variable.id && other.name.starts_with(variable.name));
        let fits = Range { min: 1, max: u32::MAX.into() };
        if variable.name.len() > NAME_LEN {
            return Err(problem("has more than 15 characters, and the kernel knows maps by the first 15"));
        }
        if variable.name.len() == NAME_LEN && begins_another {
            return Err(problem(
                "has the first 15 characters of another map's name, by which the kernel knows it",
            ));
        }
        if !needs_entries(map.map_type) {
            return Err(problem("is a map that has no size of its own"));
        }
        if !fits.contains(range.min) || !fits.contains(range.max) {
            return Err(problem(&format!("can have {fits} entries, which {range} exceeds")));
        }
        map.parameters.push(Parameter { name: variable.name.to_owned(), range, place: Place::Size });
        Ok(())
    }

    /// Refuses tags that nothing has been made of, and names that are not unique.
    pub fn finish(self, btf: &Btf, maps: &[Arc<MapDefinition>]) -> Result<(), ObjectError> {
        if let Some(left) = self.ranges.keys().min() {
            return Err(problem(btf.name(*left)?, "is neither in `.rodata` nor a map in `.maps`"));
        }
        let mut names: Vec<_> = maps.iter().flat_map(|map| &map.parameters).map(|p| &*p.name).collect();
        names.sort_unstable();
        match names.windows(2).find(|names| names[0] == names[1]) {
            Some(names) => Err(problem(names[0], "has the name of another one")),
            None => Ok(()),
        }
    }
}

pub(super) fn problem(parameter: &str, problem: &str) -> ObjectError {
    ObjectError::Parameter { parameter: parameter.to_owned(), problem: problem.to_owned() }
}
