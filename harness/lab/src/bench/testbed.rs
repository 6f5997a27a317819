//! Where a run takes place: an engine, kernels for it, and machines that boot them.

use std::path::Path;

use anyhow::Result;

use super::environment::environment;
use crate::engine::{Choice, Engine, Machine};
use crate::kernel::{self, Kernel, Variant};
use crate::progress::Progress;
use crate::results::Environment;

/// The source of a run's machines. Kernels are built in another thread than the one that measures.
pub trait Testbed: Sync {
    /// What executes the guests.
    fn engine(&self) -> Engine;

    /// Describes it, without the measured kernels.
    ///
    /// # Errors
    /// QEMU is missing.
    fn environment(&self) -> Result<Environment>;

    /// The patched kernel, in the form that the engine runs.
    fn patched(&self) -> &Kernel;

    /// Another kernel: from the cache, or built first.
    ///
    /// # Errors
    /// It can't be built.
    fn obtain(&self, variant: Variant) -> Result<Kernel>;

    /// Another kernel, if there is no need to build it.
    ///
    /// # Errors
    /// The cache can't be read.
    fn cached(&self, variant: Variant) -> Result<Option<Kernel>>;

    /// A machine that is ready to boot a kernel with an addition to its command line.
    ///
    /// # Errors
    /// The kernel image or QEMU is missing, or there is no room for temporary files.
    fn machine(&self, kernel: &Path, kernel_args: &str) -> Result<Box<dyn Machine + '_>>;
}

/// The engine that the user has chosen.
pub struct RealTestbed<'a> {
    engine: Engine,
    patched: Kernel,
    progress: &'a Progress,
}

impl<'a> RealTestbed<'a> {
    /// Obtains the patched kernel, and decides on the engine.
    ///
    /// # Errors
    /// See [`Choice::kernel`] and [`Choice::engine`].
    pub fn new(choice: Choice, progress: &'a Progress) -> Result<RealTestbed<'a>> {
        let patched = choice.kernel(progress)?;
        Ok(RealTestbed { engine: choice.engine(&patched.image, progress)?, patched, progress })
    }
}

impl Testbed for RealTestbed<'_> {
    fn engine(&self) -> Engine {
        self.engine
    }

    fn environment(&self) -> Result<Environment> {
        environment(self.engine)
    }

    fn patched(&self) -> &Kernel {
        &self.patched
    }

    fn obtain(&self, variant: Variant) -> Result<Kernel> {
        kernel::obtain(variant, None, self.progress)
    }

    fn cached(&self, variant: Variant) -> Result<Option<Kernel>> {
        kernel::cached(variant, None, self.progress)
    }

    fn machine(&self, kernel: &Path, kernel_args: &str) -> Result<Box<dyn Machine + '_>> {
        self.engine.machine(kernel, kernel_args, 1)
    }
}
