//! What can go wrong.

use std::error;
use std::fmt;
use std::io;

use bpfsig_signing::btf::BtfError;
use bpfsig_signing::object::ObjectError;
use bpfsig_signing::parameter::OutOfRange;
use bpfsig_signing::program::Program;
use nix::errno::Errno;

/// The result of everything in this crate that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why an object could not be opened, loaded, pinned or attached.
///
/// `{}` shows what failed, `{:#}` also why, on one line: ``program `acl`: the kernel has no function do_it``. The reasons
/// are also the chain of [sources](error::Error::source).
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The file is not an object that can be loaded.
    Object(ObjectError),
    /// A program of the object.
    Program {
        /// Its whole name.
        name: String,
        /// What is wrong.
        source: Box<Error>,
    },
    /// A map of the object.
    Map {
        /// Its whole name.
        name: String,
        /// What is wrong.
        source: Box<Error>,
    },
    /// The kernel has refused a program.
    Refused(Box<Refused>),
    /// The running kernel does not check signatures. It loads an object that is signed without its signature only.
    SignaturesUnsupported,
    /// A system call, or a file that had to be read.
    System {
        /// What was done, or the file.
        what: String,
        /// What the kernel answered.
        source: io::Error,
    },
    /// Type information of the kernel that makes no sense.
    Btf {
        /// Where it is from.
        what: String,
        /// What is wrong with it.
        source: BtfError,
    },
    /// Attaching to a place.
    Place {
        /// Where: the section that says so, a device, a control group, …
        place: String,
        /// What is wrong.
        source: Box<Error>,
    },
    /// A parameter was to have a value that is not in its range.
    OutOfRange(OutOfRange),
    /// Something that the object, the kernel or a binary does not have.
    Missing(String),
    /// Something that the caller has asked for, or that a section's name says, and that makes no sense.
    Invalid(String),
}

impl Error {
    /// What the kernel answered, if it was the kernel that refused.
    pub fn errno(&self) -> Option<Errno> {
        match self {
            Self::Program { source, .. } | Self::Map { source, .. } | Self::Place { source, .. } => {
                source.errno()
            }
            Self::Refused(refused) => Some(refused.errno),
            Self::System { source, .. } => source.raw_os_error().map(Errno::from_raw),
            _ => None,
        }
    }

    /// The refusal, if the kernel has refused a program.
    pub fn refused(&self) -> Option<&Refused> {
        match self {
            Self::Refused(refused) => Some(refused),
            _ => None,
        }
    }

    /// For [`Result::map_err`] of a system call or of reading a file.
    pub(crate) fn system(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::System { what, source }
    }

    pub(crate) fn btf(what: impl Into<String>) -> impl FnOnce(BtfError) -> Self {
        let what = what.into();
        move |source| Self::Btf { what, source }
    }

    pub(crate) fn at(self, place: &str) -> Self {
        Self::Place { place: place.to_owned(), source: Box::new(self) }
    }

    pub(crate) fn in_program(self, name: &str) -> Self {
        Self::Program { name: name.to_owned(), source: Box::new(self) }
    }

    pub(crate) fn in_map(self, name: &str) -> Self {
        Self::Map { name: name.to_owned(), source: Box::new(self) }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Object(error) => error.fmt(f)?,
            Self::OutOfRange(error) => error.fmt(f)?,
            Self::Program { name, .. } => write!(f, "program `{name}`")?,
            Self::Map { name, .. } => write!(f, "map `{name}`")?,
            Self::Refused(refused) => refused.fmt(f)?,
            Self::SignaturesUnsupported => write!(
                f,
                "the running kernel does not check signatures of programs ({} is missing): that takes a kernel with the \
                 series in kernel-patch/ and CONFIG_BPF_SIGNATURE=y",
                crate::sysctl::SIGNATURE
            )?,
            Self::System { what, .. } | Self::Btf { what, .. } => f.write_str(what)?,
            Self::Place { place, .. } => write!(f, "attaching to {place}")?,
            Self::Missing(text) | Self::Invalid(text) => f.write_str(text)?,
        }
        match error::Error::source(self) {
            Some(source) if f.alternate() => write!(f, ": {source:#}"),
            _ => Ok(()),
        }
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Program { source, .. } | Self::Map { source, .. } | Self::Place { source, .. } => {
                Some(source)
            }
            Self::System { source, .. } => Some(source),
            Self::Btf { source, .. } => Some(source),
            _ => None,
        }
    }
}

impl From<ObjectError> for Error {
    fn from(error: ObjectError) -> Self {
        Self::Object(error)
    }
}

impl From<OutOfRange> for Error {
    fn from(error: OutOfRange) -> Self {
        Self::OutOfRange(error)
    }
}

/// The kernel has refused a program.
#[non_exhaustive]
pub struct Refused {
    /// The program's whole name.
    pub program: String,
    /// Why.
    pub errno: Errno,
    /// The verifier log, whole.
    pub log: String,
    /// The program as it was to be loaded.
    pub as_loaded: Box<Program>,
}

/// Without the program, which has kilobytes of instructions and BTF.
impl fmt::Debug for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refused")
            .field("program", &self.program)
            .field("errno", &self.errno)
            .field("log", &self.log)
            .finish_non_exhaustive()
    }
}

/// How a line of the log begins that says why a signature, or what it covers, was refused.
pub(crate) const SIGNATURE: &str = "signature: ";

impl Refused {
    /// The line of the log that says why: the one about the signature, or else the last one before the verifier's
    /// figures, and before its explanation if there is one (`kernel/bpf/diagnostics.c`).
    pub fn reason(&self) -> Option<&str> {
        const FIGURES: [&str; 6] = [
            "processed ",
            "verification time ",
            "stack depth ",
            "subprog ",
            "signature check ",
            "insns processed ",
        ];
        const EXPLANATION: &str = "\nVerification failed: ";
        let log = self.log.split_once(EXPLANATION).map_or(&*self.log, |(before, _)| before);
        let lines = || log.lines().map(str::trim_end).filter(|line| !line.is_empty());
        lines()
            .find(|line| line.starts_with(SIGNATURE))
            .or_else(|| lines().rfind(|line| !FIGURES.iter().any(|figures| line.starts_with(figures))))
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { program, errno, .. } = self;
        write!(f, "the kernel refused program `{program}`: {} ({errno:?})", errno.desc())?;
        match self.reason() {
            Some(reason) => write!(f, ": {reason}"),
            None => Ok(()),
        }
    }
}

impl error::Error for Refused {}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(log: &str) -> Refused {
        Refused {
            program: "acl".into(),
            errno: Errno::EKEYREJECTED,
            log: log.into(),
            as_loaded: Box::default(),
        }
    }

    #[test]
    fn the_reason_is_one_line_of_the_log() {
        for (log, reason) in [
            ("signature: signer is not in the keyring\n", Some("signature: signer is not in the keyring")),
            (
                "signature check 3 us\n0: (95) exit\nR0 !read_ok\nprocessed 1 insns (limit 1000000)\n",
                Some("R0 !read_ok"),
            ),
            (
                "0: (85) call\ncannot call it\n\nVerification failed: Policy\n\nReason:\n  it\n\nprocessed 1 insns\n",
                Some("cannot call it"),
            ),
            ("", None),
        ] {
            assert_eq!(refused(log).reason(), reason);
        }
    }

    #[test]
    fn the_alternate_form_gives_the_whole_chain() {
        let error =
            Error::System { what: "creating it".into(), source: io::Error::from_raw_os_error(libc::EPERM) };
        let error = error.in_map("flows");
        assert_eq!(error.to_string(), "map `flows`");
        assert_eq!(format!("{error:#}"), "map `flows`: creating it: Operation not permitted (os error 1)");
        assert_eq!(error.errno(), Some(Errno::EPERM));
        let refused = Error::Refused(Box::new(refused("signature: no\n")));
        assert_eq!(
            format!("{refused:#}"),
            "the kernel refused program `acl`: Key was rejected by service (EKEYREJECTED): signature: no"
        );
    }
}
