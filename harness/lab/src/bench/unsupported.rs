//! Programs that other ways to sign can't carry: found by trying.

use nix::errno::Errno;
use serde::Serialize;

use super::matrix::Cell;
use super::mode::{Form, Machine, Mode};
use super::subject::Subject;
use crate::guest::{self, Measured};

/// A program, or an object, that can't be loaded in a mode, though the mode is meant for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unsupported {
    /// The program, or `object` and the object's name.
    pub program: String,
    /// In which mode.
    pub mode: Mode,
    /// What libbpf or the kernel has to say.
    pub reason: String,
}

impl Unsupported {
    /// Whether it is for this that the cell says nothing of the subject.
    pub fn explains(&self, subject: &Subject, cell: &Cell) -> bool {
        self.program == subject.name && cell.mode.carrier() == Some(self.mode)
    }
}

/// Makes the loaders of all subjects. Those that have none are not measured in the modes that need it.
pub fn make_loaders(subjects: &mut [Subject]) -> Vec<Unsupported> {
    let mut unsupported = Vec::new();
    let needs_one = |subject: &Subject| subject.cells.iter().any(|cell| cell.mode.form() == Form::Loader);
    for subject in subjects.iter_mut().filter(|subject| needs_one(subject)) {
        match subject.make_loader() {
            Ok(loader) => subject.loader = Some(loader),
            Err(error) => {
                subject.cells.retain(|cell| cell.mode.form() != Form::Loader);
                let (program, reason) = (subject.name.clone(), format!("{error:#}"));
                unsupported.push(Unsupported { program, mode: Mode::Mainline, reason });
            }
        }
    }
    unsupported
}

/// What a machine has refused of what it might have accepted.
pub fn refused(subjects: &[Subject], machine: Machine, measured: &[Vec<Measured>]) -> Vec<Unsupported> {
    let mut unsupported: Vec<Unsupported> = Vec::new();
    for (subject, group) in subjects.iter().zip(measured) {
        for ((_, cell), measured) in subject.cells_on(machine).zip(group) {
            let is_known = unsupported.iter().any(|row| row.explains(subject, cell));
            if cell.mode.carrier() == Some(cell.mode) && measured.errno != 0 && !is_known {
                let errno = Errno::from_raw(measured.errno);
                let reason = match guest::reason(&measured.log) {
                    Some(reason) => format!("{reason} ({errno:?})"),
                    None => errno.to_string(),
                };
                unsupported.push(Unsupported { program: subject.name.clone(), mode: cell.mode, reason });
            }
        }
    }
    unsupported
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::corpus;

    fn subject(modes: &[Mode]) -> Subject {
        let entry = corpus::select(Some("xdp_acl")).unwrap().remove(0);
        let cells = modes.iter().map(|mode| Cell { mode: *mode, algorithm: None }).collect();
        let (name, source) = (entry.name, entry.source);
        Subject { name, programs: vec![entry.program], source, cells, loader: None, facts: None }
    }

    #[test]
    fn what_is_refused_is_said_once_and_explains_what_depends_on_it() {
        let modes = [Mode::Mainline, Mode::MainlineForged, Mode::Mainline, Mode::MainlineDetached];
        let subjects = [subject(&modes)];
        let refused_with = |errno, log: &str| Measured { errno, log: log.to_owned(), ..Measured::default() };
        let measured = [vec![
            refused_with(libc::EPERM, "the map is shared\nprocessed 2 insns\n"),
            refused_with(libc::EPERM, ""),
            refused_with(libc::EPERM, "the map is shared\n"),
            refused_with(0, ""),
        ]];
        let unsupported = refused(&subjects, Machine::Mainline, &measured);
        let [row] = &unsupported[..] else { panic!("{unsupported:?}") };
        assert_eq!((row.mode, &*row.reason), (Mode::Mainline, "the map is shared (EPERM)"));
        let explained: Vec<_> =
            subjects[0].cells.iter().map(|cell| row.explains(&subjects[0], cell)).collect();
        assert_eq!(explained, [true, true, true, false]);
    }

    #[test]
    fn a_kernel_that_refuses_what_it_must_accept_is_not_excused() {
        let subjects = [subject(&[Mode::Signed])];
        let measured = [vec![Measured { errno: libc::EPERM, ..Measured::default() }]];
        assert_eq!(refused(&subjects, Machine::Signed, &measured), []);
    }
}
