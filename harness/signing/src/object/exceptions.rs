//! A program's callback for the exceptions that it throws: `__exception_cb(FUNCTION)`, a declaration tag.

use std::collections::HashMap;

use super::ObjectError;
use super::elf::Elf;
use super::functions::Function;
use crate::btf::{Btf, TYPE_SIZE, kind, linkage};

const TAG: &str = "exception_callback:";
/// `component_idx` of a tag that is on the declaration as a whole.
const WHOLE: u32 = u32::MAX;

/// The callback of each program that has one; both are indexes into `functions`.
pub(super) fn callbacks(
    btf: &Btf,
    elf: &Elf<'_>,
    functions: &[Function<'_>],
) -> Result<HashMap<usize, usize>, ObjectError> {
    let mut callbacks = HashMap::new();
    for &at in btf.types() {
        if btf.kind(at) != kind::DECL_TAG || btf.word(at + TYPE_SIZE) != WHOLE {
            continue;
        }
        let Some(callback) = btf.string(btf.word(at))?.strip_prefix(TAG) else { continue };
        let Some(program) = btf.type_offset(btf.word(at + 8)).filter(|at| btf.kind(*at) == kind::FUNC) else {
            continue;
        };
        let name = btf.string(btf.word(program))?;
        let position = |name: &str, in_text: bool| {
            functions.iter().position(|f| f.name == name && (Some(f.section) == elf.text) == in_text)
        };
        // The linker may have dropped it.
        let Some(program) = position(name, false) else { continue };
        let callback = position(callback, true).filter(|index| is_global(btf, functions[*index].name));
        let callback = callback.ok_or_else(|| {
            functions[program]
                .problem("names a callback for exceptions that is not a global function in `.text`")
        })?;
        if callbacks.insert(program, callback).is_some() {
            return Err(functions[program].problem("names more than one callback for exceptions"));
        }
    }
    Ok(callbacks)
}

fn is_global(btf: &Btf, name: &str) -> bool {
    let function = btf.find(kind::FUNC, name).and_then(|id| btf.type_offset(id));
    function.is_some_and(|at| btf.vlen(at) == linkage::GLOBAL)
}
