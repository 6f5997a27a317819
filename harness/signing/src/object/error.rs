//! What can be wrong with an object.

use super::{MAX_SIZE, elf};
use crate::btf::BtfError;
use crate::embed;

/// Why a file is not an object that can be signed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ObjectError {
    /// Some other kind of file.
    #[error("not a 64-bit ELF file")]
    NotElf,
    /// Built with `-target bpfeb`.
    #[error("an object for big-endian machines, which is not supported")]
    BigEndian,
    /// For a CPU.
    #[error("not an eBPF object: its machine is {}", elf::machine(*.0))]
    Machine(u16),
    /// Damaged.
    #[error("damaged ELF file")]
    Elf(#[from] ::object::read::Error),
    /// A name that is not UTF-8.
    #[error("damaged object: it has a name that is not UTF-8")]
    Text,
    /// A symbol in a section that does not exist.
    #[error("damaged object: symbol `{symbol}` is in a section that does not exist")]
    SymbolSection {
        /// The symbol's name.
        symbol: String,
    },
    /// A section that makes no sense.
    #[error("section `{section}` {problem}")]
    Section {
        /// The section's name.
        section: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// Type information that makes no sense.
    #[error(".{0}")]
    Btf(BtfError),
    /// No type information, and something that can't be read without.
    #[error("the object has no BTF, which says what {0} is: compile it with -g")]
    NoBtf(String),
    /// Type information about instructions that makes no sense.
    #[error(".BTF.ext {0}")]
    BtfExt(&'static str),
    /// A map that makes no sense or that is not supported.
    #[error("map `{map}` {problem}")]
    Map {
        /// The map's name.
        map: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A variable for the kernel that makes no sense.
    #[error("variable `{variable}` for struct_ops {problem}")]
    StructOps {
        /// The variable's name.
        variable: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A tag that can't make a parameter of a variable.
    #[error("parameter `{parameter}` {problem}")]
    Parameter {
        /// The variable's name.
        parameter: String,
        /// What is wrong with it.
        problem: String,
    },
    /// An object that can't be written again with parameters.
    #[error("the object can't be written again: {0}")]
    Rewrite(embed::EmbedError),
    /// A function that makes no sense.
    #[error("function `{function}`: {problem}")]
    Function {
        /// The function's name.
        function: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A section name that is not one of libbpf's.
    #[error(
        "program `{program}`: section name `{section}` does not say what kind of program it is; say so with \
         --type {name}=TYPE, where TYPE is a section name that libbpf knows (xdp, tc, kprobe/FUNCTION, …)",
        name = .section.trim_start_matches('?')
    )]
    UnknownSection {
        /// The program's name.
        program: String,
        /// The section's name.
        section: String,
    },
    /// The name that was chosen for a section is not one of libbpf's.
    #[error(
        "program `{program}`: in `--type {section}={chosen}`, `{chosen}` is not a section name that libbpf knows (xdp, tc, \
         kprobe/FUNCTION, …)"
    )]
    UnknownType {
        /// The program's name.
        program: String,
        /// The section's name.
        section: String,
        /// The name that was chosen.
        chosen: String,
    },
    /// A type was chosen for a section that no program is in.
    #[error("no program is in a section `{section}`, which --type is for: there are {sections}")]
    NoProgramsInSection {
        /// The section's name.
        section: String,
        /// Those that there are.
        sections: String,
    },
    /// `SEC("fentry")` and the like without the name of a function.
    #[error(
        "program `{program}`: section name `{section}` does not say what it attaches to; say so with \
         --target-function {program}=FUNCTION"
    )]
    NoTarget {
        /// The program's name.
        program: String,
        /// The section's name.
        section: String,
    },
    /// A target that was chosen for a program that takes none.
    #[error(
        "program `{program}`: a program in section `{section}` attaches to no function that a signature could bind"
    )]
    NoTargetTaken {
        /// The program's name.
        program: String,
        /// The section's name.
        section: String,
    },
    /// Something is said of a program, and there is none of its name.
    #[error("there is no program `{program}`: there are {programs}")]
    NoProgram {
        /// The name.
        program: String,
        /// Those that there are.
        programs: String,
    },
    /// A program is to be signed as of another section, too, and no programs are in sections of that name.
    #[error(
        "program `{program}`: no loader takes it for one in section `{section}`, which is not a name that libbpf knows"
    )]
    NoSection {
        /// The program's name.
        program: String,
        /// The section's name.
        section: String,
    },
    /// Something that is not in the object and that a kernel could not find either.
    #[error("extern `{symbol}` {problem}")]
    Extern {
        /// Its name.
        symbol: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// Its programs are too large together.
    #[error("the object's programs take more than {} MiB together", MAX_SIZE >> 20)]
    TooLarge,
    /// Code, but no symbols that say where functions start.
    #[error(
        "the object has code but no functions: it has been stripped of its symbols, which `strip -g` leaves in"
    )]
    Stripped,
    /// Neither a map nor a function outside of `.text`.
    #[error("the object has no programs and no maps")]
    NoPrograms,
}

impl ObjectError {
    /// That there is no program of a name among others.
    pub(crate) fn no_program<'n>(name: &str, others: impl Iterator<Item = &'n String>) -> Self {
        Self::NoProgram { program: name.to_owned(), programs: listed(others) }
    }

    /// That no program is in a section, but in others.
    pub(crate) fn no_section<'n>(name: &str, others: impl Iterator<Item = &'n String>) -> Self {
        Self::NoProgramsInSection { section: name.to_owned(), sections: listed(others) }
    }

    /// The program or the function that it is about.
    pub(super) fn program(&self) -> Option<&str> {
        match self {
            Self::Function { function: program, .. }
            | Self::UnknownSection { program, .. }
            | Self::NoTarget { program, .. } => Some(program),
            _ => None,
        }
    }
}

/// Names for a message.
pub(super) fn listed<'n>(names: impl Iterator<Item = &'n String>) -> String {
    let names: Vec<_> = names.map(|name| format!("`{name}`")).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

impl From<BtfError> for ObjectError {
    fn from(error: BtfError) -> Self {
        ObjectError::Btf(error)
    }
}
