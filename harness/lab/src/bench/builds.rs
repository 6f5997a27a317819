//! Kernels that are built while others are measured.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::thread::Scope;

use anyhow::{Context, Result};

use super::testbed::Testbed;
use crate::engine::Engine;
use crate::interrupt;
use crate::kernel::{Kernel, Variant};

/// The other kernels of a run. Builds that nobody has taken yet are given up with this value.
pub(super) struct Builds<'env> {
    testbed: &'env dyn Testbed,
    /// From the thread that builds, in order; none: a kernel is built when it is needed.
    built: Option<Receiver<Result<Kernel>>>,
    kernels: Vec<Kernel>,
    given_up: Arc<AtomicBool>,
}

impl<'env> Builds<'env> {
    /// Builds these kernels, which will be needed in this order.
    pub fn start<'scope>(
        scope: &'scope Scope<'scope, 'env>,
        testbed: &'env dyn Testbed,
        variants: Vec<Variant>,
    ) -> Builds<'env> {
        let given_up = Arc::new(AtomicBool::new(false));
        // Instructions are the same however busy the machine is. Times are not.
        let built = (testbed.engine() == Engine::Tcg && !variants.is_empty()).then(|| {
            let (sender, receiver) = mpsc::channel();
            let given_up = given_up.clone();
            scope.spawn(move || {
                interrupt::stop_thread_on(given_up);
                give_way();
                for variant in variants {
                    let kernel = testbed.obtain(variant);
                    let is_last = kernel.is_err();
                    // Nobody receives any more if the run has ended.
                    if sender.send(kernel).is_err() || is_last {
                        break;
                    }
                }
            });
            receiver
        });
        Builds { testbed, built, kernels: Vec::new(), given_up }
    }

    /// A kernel, once it has been built.
    ///
    /// # Errors
    /// It can't be built.
    pub fn get(&mut self, variant: Variant) -> Result<&Kernel> {
        let is_there = |kernels: &[Kernel]| kernels.iter().position(|kernel| kernel.variant == variant);
        loop {
            if let Some(index) = is_there(&self.kernels) {
                return Ok(&self.kernels[index]);
            }
            let kernel = match &self.built {
                None => self.testbed.obtain(variant)?,
                Some(built) => built
                    .recv()
                    .with_context(|| format!("the {variant} kernel is not among the builds"))??,
            };
            self.kernels.push(kernel);
        }
    }
}

impl Drop for Builds<'_> {
    fn drop(&mut self) {
        self.given_up.store(true, Ordering::Relaxed);
    }
}

/// From now on, this thread and its children take only the CPU time that the measurements leave.
fn give_way() {
    // SAFETY: it takes numbers only. On Linux, 0 is this thread. Failure only costs time.
    unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, 10) };
}
