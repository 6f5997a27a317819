//! A directory to run commands in.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

pub struct Scratch(TempDir);

impl Scratch {
    pub fn new() -> Self {
        Scratch(TempDir::new().unwrap())
    }

    /// With a file to sign, `file.txt`.
    pub fn with_file() -> Self {
        let scratch = Scratch::new();
        scratch.write("file.txt", b"something to sign");
        scratch
    }

    /// Makes a CA, `ca.key` and `ca.pem`.
    pub fn make_ca(&self) {
        self.bpfsig("keygen ca --algorithm p-256 --name CA --key ca.key --cert ca.pem");
    }

    /// Makes a signer whose certificate this CA issues, `NAME.key` and `NAME.pem`.
    pub fn make_signer(&self, name: &str, options: &str) {
        self.bpfsig(&format!(
            "keygen signer --algorithm p-256 --name {name} --key {name}.key --cert {name}.pem \
             --ca-key ca.key --ca-cert ca.pem {options}"
        ));
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    pub fn write(&self, name: &str, bytes: &[u8]) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    /// A command whose arguments have no spaces in them; those between single quotes may.
    pub fn command(&self, program: &str, arguments: &str) -> Command {
        let mut command = Command::new(program);
        command.args(shell_words::split(arguments).unwrap()).current_dir(self.0.path());
        command.env_remove("KBUILD_SIGN_PIN").env_remove("PKCS11_MODULE_PATH");
        command.env("SOFTHSM2_CONF", self.path("softhsm2.conf"));
        command
    }

    pub fn run(&self, program: &str, arguments: &str) -> String {
        succeed(&mut self.command(program, arguments))
    }

    pub fn bpfsig(&self, arguments: &str) -> String {
        self.run(env!("CARGO_BIN_EXE_bpfsig"), arguments)
    }

    /// Runs bpfsig with a passphrase or PIN in the environment.
    pub fn bpfsig_with_pin(&self, pin: &str, arguments: &str) -> Output {
        let mut command = self.command(env!("CARGO_BIN_EXE_bpfsig"), arguments);
        output(command.env("KBUILD_SIGN_PIN", pin))
    }

    /// The error of bpfsig, which must fail.
    pub fn error(&self, arguments: &str) -> String {
        error_of(&output(&mut self.command(env!("CARGO_BIN_EXE_bpfsig"), arguments)))
    }

    /// Runs bpfsig at a terminal of its own, where `typed` is typed, and returns whether it succeeds and what it shows.
    pub fn at_terminal(&self, typed: &str, arguments: &str) -> (bool, String) {
        let bpfsig = format!("{} {arguments}", env!("CARGO_BIN_EXE_bpfsig"));
        let mut script = self.command("script", "--quiet --return --log-out /dev/null --command");
        let mut script =
            script.arg(bpfsig).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("`script`");
        script.stdin.take().unwrap().write_all(typed.as_bytes()).unwrap();
        let output = script.wait_with_output().unwrap();
        (output.status.success(), String::from_utf8(output.stdout).unwrap())
    }
}

pub fn output(command: &mut Command) -> Output {
    command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

/// What a command prints that must succeed.
pub fn succeed(command: &mut Command) -> String {
    let output = output(command);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {text}{errors}");
    text + &errors
}

/// The message of bpfsig, which must have failed.
pub fn error_of(output: &Output) -> String {
    let errors = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(output.status.code(), Some(1), "{errors}");
    errors.strip_prefix("bpfsig: error: ").unwrap_or_else(|| panic!("{errors}")).trim_end().to_owned()
}
