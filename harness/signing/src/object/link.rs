//! Appends to a program the subprograms that it uses.

use std::collections::{BTreeSet, HashMap};

use super::ObjectError;
use super::btf_ext::BtfExt;
use super::externs::{Extern, RECORD_SIZE};
use super::functions::{Function, Target};
use super::maps::Place;
use crate::btf::word;
use crate::insn::{Insn, LD_IMM64, PSEUDO_FUNC, PSEUDO_MAP_IDX, PSEUDO_MAP_IDX_VALUE};
use crate::program::{INSN_SIZE, Records};

/// Instructions per program, as many as a kernel accepts (`BPF_COMPLEXITY_LIMIT_INSNS`).
const MAX_INSNS: usize = 1_000_000;

/// Maps per program, as many as a kernel accepts (`MAX_USED_MAPS`).
const MAX_MAPS: usize = 64;

/// A program's instructions and the records about them.
#[derive(Default)]
pub(super) struct Linked {
    pub insns: Vec<u8>,
    pub func_info: Records,
    pub line_info: Records,
    pub core_relos: Records,
    /// Indexes of the object's maps that the program refers to, in order; the instructions have indexes into this.
    pub maps: Vec<usize>,
}

impl Linked {
    /// In bytes.
    pub fn size(&self) -> usize {
        let records = [&self.func_info, &self.line_info, &self.core_relos];
        self.insns.len() + records.map(|records| records.bytes.len()).iter().sum::<usize>()
    }
}

/// Links the program `functions[main]`.
///
/// A subprogram is appended where it is first referred to, its own subprograms right after it: the order of libbpf.
///
/// `callback` is for exceptions, if the program has one: nothing refers to it.
pub(super) fn link(
    functions: &[Function<'_>],
    main: usize,
    callback: Option<usize>,
    ext: &BtfExt<'_>,
) -> Result<Linked, ObjectError> {
    let mut linker = Linker {
        functions,
        main,
        ext,
        linked: Linked::default(),
        starts: HashMap::new(),
        places: Vec::new(),
        externs: Vec::new(),
    };
    linker.append_tree(main)?;
    if let Some(callback) = callback.filter(|callback| !linker.starts.contains_key(callback)) {
        linker.append_tree(callback)?;
    }
    linker.number_maps()?;
    linker.name_externs();
    Ok(linker.linked)
}

struct Linker<'l, 'a> {
    functions: &'l [Function<'a>],
    main: usize,
    ext: &'l BtfExt<'a>,
    linked: Linked,
    /// The first instruction of each function in the program.
    starts: HashMap<usize, usize>,
    /// Which instructions refer to maps.
    places: Vec<(usize, Place)>,
    /// Which instructions refer to something in the kernel.
    externs: Vec<(usize, Extern)>,
}

impl Linker<'_, '_> {
    /// Appends a function and all that it uses.
    fn append_tree(&mut self, root: usize) -> Result<(), ObjectError> {
        let functions = self.functions;
        self.append(root)?;
        let mut stack = vec![(root, functions[root].references.iter())];
        while let Some((index, references)) = stack.last_mut() {
            let Some(reference) = references.next() else {
                stack.pop();
                continue;
            };
            let position = self.starts[index] + reference.insn;
            let callee = match reference.target {
                Target::Call(callee) | Target::Callback(callee) => callee,
                Target::Map(place) => {
                    self.places.push((position, place));
                    continue;
                }
                Target::KernelCall(external) | Target::KernelAddress(external) => {
                    self.externs.push((position, external));
                    continue;
                }
            };
            if !self.starts.contains_key(&callee) {
                self.append(callee)?;
                stack.push((callee, functions[callee].references.iter()));
            }
            self.patch(position, callee);
        }
        Ok(())
    }

    fn append(&mut self, index: usize) -> Result<(), ObjectError> {
        let (function, main) = (&self.functions[index], &self.functions[self.main]);
        let start = self.linked.insns.len();
        if (start + function.code.len()) / INSN_SIZE > MAX_INSNS {
            return Err(main.problem("has more than 1,000,000 instructions"));
        }
        self.starts.insert(index, start / INSN_SIZE);
        self.linked.insns.extend_from_slice(function.code);

        let Linked { func_info, line_info, core_relos, .. } = &mut self.linked;
        // The kernel wants them for every function or for none.
        if self.ext.func_info.covers(main) {
            if !self.ext.func_info.covers(function) {
                return Err(function.problem("has no func_info, but the program that uses it has"));
            }
            self.ext.func_info.append(func_info, function, start, INSN_SIZE);
        }
        if self.ext.line_info.covers(main) {
            self.ext.line_info.append(line_info, function, start, INSN_SIZE);
        }
        self.ext.core_relos.append(core_relos, function, start, 1);
        Ok(())
    }

    /// Makes the call or address load at `position` refer to a function that has been appended.
    fn patch(&mut self, position: usize, callee: usize) {
        let (insns, _) = self.linked.insns.as_chunks_mut();
        let mut insn = Insn::decode(insns[position]);
        if insn.code == LD_IMM64 {
            insn.src = PSEUDO_FUNC;
        }
        // Both are below MAX_INSNS.
        insn.imm = self.starts[&callee] as i32 - position as i32 - 1;
        insns[position] = insn.encode();
    }

    /// Gives each map that is used its slot, in the order of the object's maps, and makes the instructions refer to it.
    fn number_maps(&mut self) -> Result<(), ObjectError> {
        let maps: BTreeSet<usize> = self.places.iter().map(|(_, place)| place.map).collect();
        let Linked { insns, maps: slots, .. } = &mut self.linked;
        slots.extend(maps);
        if slots.len() > MAX_MAPS {
            return Err(self.functions[self.main].problem("uses more than 64 maps"));
        }
        let (insns, _) = insns.as_chunks_mut();
        for (position, place) in &self.places {
            let mut insn = Insn::decode(insns[*position]);
            insn.imm = slots.partition_point(|map| *map < place.map) as i32;
            insn.src = PSEUDO_MAP_IDX;
            if let Some(offset) = place.offset {
                insn.src = PSEUDO_MAP_IDX_VALUE;
                let upper = Insn { imm: offset as i32, ..Insn::decode(insns[position + 1]) };
                insns[position + 1] = upper.encode();
            }
            insns[*position] = insn.encode();
        }
        Ok(())
    }

    /// Adds a record for each reference to the kernel, among those of the compiler, and makes the instructions say
    /// what is to be put in.
    fn name_externs(&mut self) {
        if self.externs.is_empty() {
            return;
        }
        let Linked { insns, core_relos, .. } = &mut self.linked;
        let (insns, _) = insns.as_chunks_mut();
        let size = (core_relos.record_size as usize).max(RECORD_SIZE);
        let mut records: Vec<&[u8]> = core_relos.bytes.chunks(size).collect();
        let mut added = Vec::new();
        for (position, external) in &self.externs {
            let insn = external.reference(Insn::decode(insns[*position]));
            insns[*position] = insn.encode();
            if insn.code == LD_IMM64 {
                let upper = Insn { imm: 0, ..Insn::decode(insns[position + 1]) };
                insns[position + 1] = upper.encode();
            }
            let mut record = external.record((position * INSN_SIZE) as u32).to_vec();
            record.resize(size, 0);
            added.push(record);
        }
        records.extend(added.iter().map(|record| &record[..]));
        records.sort_by_key(|record| word(record, 0));
        *core_relos = Records { record_size: size as u32, bytes: records.concat() };
    }
}
