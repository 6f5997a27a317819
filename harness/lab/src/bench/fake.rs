//! Whole runs on fake machines: they carry out jobs in this process, with a kernel that answers as it is told.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use bpfsig_signing::certificate::{Certificate, Role};
use bpfsig_signing::facts::BuildId;
use bpfsig_signing::key::{Algorithm, PrivateKey};
use serde::de::DeserializeOwned;
use tempfile::TempDir;

use super::testbed::Testbed;
use crate::engine::{Engine, Event, Machine};
use crate::interrupt::{self, Interrupted};
use crate::jobs::Job;
use crate::jobs::attack::{self, Action, AttackJob, Attempt, Attempts};
use crate::jobs::export::{Export, Exported, Learned};
use crate::jobs::measure::{Measured, Outcome, Plan, Sample};
use crate::jobs::probe::{Probe, Probed};
use crate::kernel::{Kernel, Variant};
use crate::results::{AttackKey, Environment, Harm, Policy, Unit, Victim};
use crate::scenario::Scenario;

/// What goes wrong on a machine.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The guest dies.
    Death,
    /// The user presses Ctrl-C.
    Interrupt,
    /// A signature by an unknown signer, or by any signer in an attack, is accepted.
    WrongAnswer,
    /// One load is not measured.
    Omission,
}

/// A value that a test changes while a run looks at it.
#[derive(Default)]
pub struct Setting<T>(Mutex<T>);

impl<T: Clone> Setting<T> {
    pub fn new(value: T) -> Setting<T> {
        Setting(Mutex::new(value))
    }

    pub fn get(&self) -> T {
        self.0.lock().unwrap().clone()
    }

    pub fn set(&self, value: T) {
        *self.0.lock().unwrap() = value;
    }

    fn update(&self, change: impl FnOnce(&mut T)) {
        change(&mut self.0.lock().unwrap());
    }
}

/// Building a kernel.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub enum Build {
    /// Takes no time.
    #[default]
    Instant,
    /// Never ends.
    Endless,
    /// The compiler fails.
    Broken,
}

/// A testbed with fakes.
pub struct FakeTestbed {
    directory: TempDir,
    patched: Kernel,
    engine: Engine,
    /// What goes wrong on which machine that measures or attacks, counted from 0.
    pub fault: Setting<Option<(usize, Fault)>>,
    /// The patches that the kernels are built with now.
    pub patches: Setting<String>,
    /// Machines that have measured or attacked.
    pub booted: Setting<usize>,
    /// How kernels without the patches are built.
    pub build: Setting<Build>,
    /// Those that were built, and how many machines had booted then.
    pub built: Setting<Vec<(Variant, usize)>>,
}

impl FakeTestbed {
    /// The authority and all signers share one P-256 key: other keys take long to make.
    pub fn new(engine: Engine) -> FakeTestbed {
        let directory = tempfile::tempdir().unwrap();
        let key = PrivateKey::generate(Algorithm::P256).unwrap();
        let certificate = Certificate::self_signed(Role::Signer, "everybody", &key, 1).unwrap();
        let (key, certificate) = (key.to_pem().unwrap(), certificate.to_pem());
        let write = |name: &str| {
            let path = directory.path().join(name);
            fs::write(path.with_extension("key"), &*key).unwrap();
            fs::write(path.with_extension("pem"), &certificate).unwrap();
        };
        write("ca");
        fs::create_dir(directory.path().join("signers")).unwrap();
        for algorithm in Algorithm::ALL {
            ["known", "unknown", "attester"]
                .iter()
                .for_each(|role| write(&format!("signers/{algorithm}-{role}")));
        }
        write("signers/policy");
        let patched = kernel(directory.path(), Variant::Patched, Some("patches".to_owned()));
        FakeTestbed {
            patched,
            engine,
            fault: Setting::default(),
            patches: Setting::new("patches".to_owned()),
            booted: Setting::default(),
            build: Setting::default(),
            built: Setting::default(),
            directory,
        }
    }
}

fn kernel(directory: &Path, variant: Variant, patches: Option<String>) -> Kernel {
    let path = |name: &str| directory.join(name);
    Kernel {
        variant,
        image: path("bzImage"),
        config: path(".config"),
        modules: path("modules"),
        ca_key: path("ca.key"),
        ca_certificate: path("ca.pem"),
        version: "6.12.0".to_owned(),
        config_sha256: "config".to_owned(),
        patches_sha256: patches,
    }
}

impl Testbed for FakeTestbed {
    fn engine(&self) -> Engine {
        self.engine
    }

    fn environment(&self) -> Result<Environment> {
        Ok(Environment {
            engine: self.engine.to_string(),
            unit: Unit::Instructions,
            kernels: Vec::new(),
            qemu: None,
            cpu: "a CPU".to_owned(),
            commit: Some("a commit".to_owned()),
            date: "2026-11-27T13:00:00Z".to_owned(),
            command: "bench".to_owned(),
            seconds: 0,
        })
    }

    fn patched(&self) -> &Kernel {
        &self.patched
    }

    fn obtain(&self, variant: Variant) -> Result<Kernel> {
        while self.build.get() == Build::Endless {
            interrupt::check()?;
            thread::yield_now();
        }
        ensure!(self.build.get() != Build::Broken, "the compiler fails");
        self.built.update(|built| built.push((variant, self.booted.get())));
        Ok(kernel(self.directory.path(), variant, None))
    }

    fn cached(&self, variant: Variant) -> Result<Option<Kernel>> {
        // None is built with patches but the patched one.
        let is_unchanged = self.patches.get() == "patches";
        Ok(is_unchanged.then(|| kernel(self.directory.path(), variant, None)))
    }

    fn machine(&self, _kernel: &Path, _kernel_args: &str) -> Result<Box<dyn Machine + '_>> {
        let directory = tempfile::tempdir()?;
        Ok(Box::new(FakeMachine { testbed: self, directory }))
    }
}

/// A machine whose guest is this process.
struct FakeMachine<'a> {
    testbed: &'a FakeTestbed,
    directory: TempDir,
}

impl Machine for FakeMachine<'_> {
    fn share(&self) -> &Path {
        self.directory.path()
    }

    fn guest_share(&self) -> &Path {
        self.directory.path()
    }

    fn install(&self, _program: &Path) -> Result<PathBuf> {
        Ok(PathBuf::from("bpfsig"))
    }

    fn run(
        &self,
        command: &str,
        _limit: Option<Duration>,
        on_event: &mut dyn FnMut(Event<'_>),
    ) -> Result<i32> {
        on_event(Event::Booted);
        let words = shell_words::split(command)?;
        let [_, guest, name, job, result] = &words[..] else { bail!("what is {command}?") };
        assert_eq!(guest, "guest");
        let outcome = match &**name {
            Plan::NAME => serde_json::to_vec(&self.measure(&read(job)?)?)?,
            AttackJob::NAME => serde_json::to_vec(&self.attack(&read(job)?)?)?,
            Export::NAME => serde_json::to_vec(&export(&read(job)?))?,
            Probe::NAME => serde_json::to_vec(&probe(&read(job)?))?,
            _ => bail!("what is {command}?"),
        };
        on_event(Event::Output("done: everything"));
        fs::write(result, outcome)?;
        Ok(0)
    }
}

fn read<J: DeserializeOwned>(job: &str) -> Result<J> {
    postcard::from_bytes(&fs::read(job)?).context("a malformed job")
}

impl FakeMachine<'_> {
    /// What goes wrong on the machine that is measured on now.
    fn fault(&self) -> Result<Option<Fault>> {
        let number = self.testbed.booted.get();
        self.testbed.booted.set(number + 1);
        match self.testbed.fault.get().filter(|(at, _)| *at == number).map(|(_, fault)| fault) {
            Some(Fault::Death) => {
                bail!("the guest died while the command ran: Kernel panic - not syncing: Oops")
            }
            Some(Fault::Interrupt) => Err(Interrupted.into()),
            fault => Ok(fault),
        }
    }

    /// The n-th scenario of the table takes n thousand, and one more with each sample.
    fn measure(&self, plan: &Plan) -> Result<Outcome> {
        let fault = self.fault()?;
        let mut loads = Vec::new();
        for load in plan.loads() {
            let scenario = load.key.scenario.listed().context("an unknown scenario")?;
            let is_wrong = fault == Some(Fault::WrongAnswer) && scenario == Scenario::UnknownSigner;
            let cost = 1000 * (scenario as u64 + 1);
            let sample =
                |n| Sample { prog_load: cost + n, all_syscalls: 2 * cost, check: None, verifier: None };
            loads.push(Measured {
                key: load.key.clone(),
                errno: if is_wrong { 0 } else { scenario.row().errno },
                log: "a reason\n".to_owned(),
                jited_bytes: 8,
                samples: (0..3).map(sample).collect(),
            });
        }
        if fault == Some(Fault::Omission) {
            loads.pop();
        }
        Ok(Outcome { kernel: "6.12.0 fake".to_owned(), loads })
    }

    fn attack(&self, job: &AttackJob) -> Result<attack::Outcome> {
        let fault = self.fault()?;
        let mut attacks = Vec::new();
        for policy in &job.policies {
            for attack in &job.attacks {
                let cost = match &attack.action {
                    Action::Load(attempts) if attempts.len() == 1 => {
                        let first_errno = match fault == Some(Fault::WrongAnswer) {
                            true => 0,
                            false => answer(&attack.name, &attempts[0], *policy),
                        };
                        let is_limited = *policy == Policy::Limited && attack.is_limited;
                        let errno = if is_limited { libc::EDQUOT } else { first_errno };
                        let (attempts, attacker, user) = (10, 1000, 100);
                        Some(Attempts {
                            first_errno,
                            errno,
                            attempts,
                            attacker,
                            user,
                            deferred: 0,
                            peak_memory: 0,
                        })
                    }
                    _ => None,
                };
                let victim = Victim { cpu: 10, latencies: vec![1, 2, 3] };
                let harm = Harm { batch: 100, periodic: victim.clone(), loader: victim };
                let key = AttackKey { attack: attack.name.clone(), policy: *policy };
                attacks.push(attack::Measured { key, cost, harm });
            }
        }
        if fault == Some(Fault::Omission) {
            attacks.pop();
        }
        Ok(attack::Outcome { kernel: "6.12.0 fake".to_owned(), attacks })
    }
}

/// What a kernel answers to the first attempt of an attack.
fn answer(attack: &str, attempt: &Attempt, policy: Policy) -> i32 {
    match (attack, &attempt.signature) {
        (_, None) if matches!(policy, Policy::Required | Policy::Limited) => libc::EKEYREJECTED,
        ("unsigned-rejected-late", _) => libc::E2BIG,
        ("unsigned-memory", _) => libc::EACCES,
        ("unsigned-log", _) => libc::ENOSPC,
        (_, None) | ("signed-heavy" | "attested-heavy" | "attested-rewrite", _) => 0,
        ("random-bytes" | "most-signers", _) if policy == Policy::Optional => libc::EINVAL,
        ("random-bytes" | "most-signers" | "deep-asn1", _) => libc::EBADMSG,
        ("unknown-signer", _) => libc::ENOKEY,
        (_, Some(_)) => libc::EKEYREJECTED,
    }
}

fn export(job: &Export) -> Exported {
    let programs =
        job.programs.iter().map(|_| Learned::Facts { module: None, facts: b"facts".to_vec() }).collect();
    Exported { kernel: "6.12.0 fake".to_owned(), build_id: BuildId([0; BuildId::SIZE]), programs }
}

fn probe(job: &Probe) -> Vec<Probed> {
    let probed = |name: &str| Probed {
        program: name.to_owned(),
        obstacle: (name == "tc_vlan_egress").then(|| "no such helper".to_owned()),
    };
    job.programs.iter().map(|program| probed(&program.name)).collect()
}
