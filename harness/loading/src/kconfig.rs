//! `.kconfig`: values of the host that an object asks for, as libbpf fills them in.

use std::fs::{self, File};
use std::io::{self, Read};

use bpfsig_signing::map::{HostKind, HostVariable, MapDefinition};
use flate2::read::GzDecoder;
use nix::sys::utsname::uname;

use crate::error::{Error, Result};

const VERSION: &str = "LINUX_KERNEL_VERSION";
const HAS_COOKIE: &str = "LINUX_HAS_BPF_COOKIE";
const HAS_SYSCALL_WRAPPER: &str = "LINUX_HAS_SYSCALL_WRAPPER";
/// What options of the kernel's configuration begin with.
const OPTION: &str = "CONFIG_";

/// Since when `bpf_get_attach_cookie()` exists. libbpf finds out by loading a program, which is refused where programs
/// must be signed.
const COOKIE_SINCE: u64 = version(5, 15, 0);

/// The value of the map.
///
/// # Errors
/// The host has no value for a variable that is not weak, or one that its type can't hold.
pub(super) fn value(map: &MapDefinition) -> Result<Vec<u8>> {
    let needs_options = map.host.iter().any(|variable| variable.name.starts_with(OPTION));
    let options = if needs_options { options() } else { None };
    let mut value = vec![0; map.value_size as usize];
    for variable in &map.host {
        let found = found(&variable.name, options.as_deref())?;
        if found.is_none() && !variable.is_weak {
            let problem = match options {
                None if variable.name.starts_with(OPTION) => {
                    "neither /proc/config.gz nor /boot tells how this kernel is configured"
                }
                _ => "this host has no value for it",
            };
            return Err(Error::Missing(format!("{}: {problem}", variable.name)));
        }
        let room =
            value.get_mut(variable.offset as usize..).and_then(|v| v.get_mut(..variable.size as usize));
        let room = room.ok_or_else(|| Error::Invalid(format!("{} is outside of its map", variable.name)))?;
        if let Some(found) = found {
            write(room, variable, &found)
                .map_err(|problem| Error::Invalid(format!("{}={found}: {problem}", variable.name)))?;
        }
    }
    Ok(value)
}

/// The value that the host has for a variable, in the form of a configuration.
fn found(name: &str, options: Option<&str>) -> Result<Option<String>> {
    Ok(match name {
        VERSION => Some(kernel_version()?.to_string()),
        HAS_COOKIE => Some(u8::from(kernel_version()? >= COOKIE_SINCE).to_string()),
        HAS_SYSCALL_WRAPPER => Some(u8::from(has_syscall_wrapper()).to_string()),
        _ => options.and_then(|options| {
            options.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('=')).map(str::to_owned)
        }),
    })
}

/// Writes a value, by the type of the variable.
fn write(room: &mut [u8], variable: &HostVariable, text: &str) -> Result<(), String> {
    let switch = match text {
        "n" => Some(0),
        "y" => Some(1),
        "m" => Some(2),
        _ => None,
    };
    let number = match (variable.kind, switch) {
        (HostKind::Text, _) => {
            let text = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
            let text = text.ok_or("the program wants a text")?.as_bytes();
            // Cut as libbpf cuts it: the last byte is a zero.
            let length = text.len().min(room.len() - 1);
            room[..length].copy_from_slice(&text[..length]);
            return Ok(());
        }
        (HostKind::Char, Some(_)) => i128::from(text.as_bytes()[0]),
        (HostKind::Tristate, Some(switch)) => switch,
        (HostKind::Bool, Some(switch)) => {
            if switch > 1 {
                return Err("the program wants y or n, but it is m".to_owned());
            }
            switch
        }
        (HostKind::Int { .. }, Some(_)) => return Err("the program wants a number".to_owned()),
        (HostKind::Tristate, None) => return Err("the program wants y, m or n".to_owned()),
        (_, None) => parse(text)?,
    };
    let bits = 8 * room.len() as u32;
    let range = match variable.kind {
        HostKind::Int { is_signed: true } => -(1i128 << (bits - 1))..1 << (bits - 1),
        HostKind::Bool => 0..2,
        _ => 0..1 << bits,
    };
    if !range.contains(&number) {
        return Err(format!("the variable has {bits} bits, which is not enough"));
    }
    let bytes = number.to_le_bytes();
    room.copy_from_slice(&bytes[..room.len()]);
    if cfg!(target_endian = "big") {
        room.reverse();
    }
    Ok(())
}

/// A number as a configuration has it, decimal or hexadecimal.
fn parse(text: &str) -> Result<i128, String> {
    let number = match text.strip_prefix("0x") {
        Some(digits) => i128::from_str_radix(digits, 16),
        None => text.parse(),
    };
    number.map_err(|_| "not a number".to_owned())
}

/// The kernel's configuration: from the kernel itself, or else from the file beside its image.
fn options() -> Option<String> {
    let mut text = String::new();
    let own = File::open("/proc/config.gz").map(GzDecoder::new);
    if own.is_ok_and(|mut own| own.read_to_string(&mut text).is_ok()) {
        return Some(text);
    }
    let release = uname().ok()?.release().to_str()?.to_owned();
    fs::read_to_string(format!("/boot/config-{release}")).ok()
}

/// `KERNEL_VERSION()`.
const fn version(major: u64, minor: u64, patch: u64) -> u64 {
    (major << 16) + (minor << 8) + if patch > 255 { 255 } else { patch }
}

/// The version of the kernel without what a distribution adds. Debian's and Ubuntu's releases leave out the last number;
/// they have it elsewhere.
fn kernel_version() -> Result<u64> {
    let names = uname().map_err(io::Error::from).map_err(Error::system("the release of this kernel"))?;
    let debian = names.version().to_str().and_then(|text| text.split_once("Debian ")).map(|(_, rest)| rest);
    let ubuntu = fs::read_to_string("/proc/version_signature").ok();
    let ubuntu = ubuntu.as_deref().and_then(|text| text.split_whitespace().nth(2));
    let release = names.release().to_str();
    let texts = [ubuntu, debian, release].into_iter().flatten();
    let version = texts.filter_map(numbers).next();
    version.ok_or_else(|| Error::Missing("the release of this kernel has no version in it".to_owned()))
}

fn numbers(text: &str) -> Option<u64> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let mut numbers = text[..end].split('.').map(str::parse);
    let mut next = || numbers.next()?.ok();
    Some(version(next()?, next()?, next().unwrap_or(0)))
}

/// Whether system calls have functions of an architecture around them, which are then the ones to attach to.
fn has_syscall_wrapper() -> bool {
    const NAMES: [&str; 4] = ["__x64_sys_bpf", "__arm64_sys_bpf", "__s390x_sys_bpf", "__riscv_sys_bpf"];
    let symbols = fs::read_to_string("/proc/kallsyms").unwrap_or_default();
    symbols.lines().filter_map(|line| line.split_whitespace().nth(2)).any(|name| NAMES.contains(&name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(kind: HostKind, size: u32, text: &str) -> Result<Vec<u8>, String> {
        let variable = HostVariable { name: "CONFIG_X".into(), offset: 0, size, kind, is_weak: false };
        let mut room = vec![0; size as usize];
        write(&mut room, &variable, text).map(|()| room)
    }

    #[test]
    fn values_are_written_by_type() {
        let int = |is_signed| HostKind::Int { is_signed };
        for (kind, size, text, bytes) in [
            (HostKind::Bool, 1, "y", &[1][..]),
            (HostKind::Bool, 1, "n", &[0]),
            (HostKind::Bool, 1, "1", &[1]),
            (HostKind::Char, 1, "m", b"m"),
            (HostKind::Tristate, 4, "m", &2u32.to_ne_bytes()),
            (int(false), 4, "250", &250u32.to_ne_bytes()),
            (int(false), 8, "0xffffffff81000000", &0xffff_ffff_8100_0000u64.to_ne_bytes()),
            (int(true), 2, "-1", &[0xff, 0xff]),
            (HostKind::Text, 4, "\"(none)\"", b"(no\0"),
        ] {
            assert_eq!(written(kind, size, text).unwrap(), bytes, "{kind:?} {text}");
        }
        for (kind, size, text) in [
            (HostKind::Bool, 1, "m"),
            (HostKind::Bool, 1, "2"),
            (HostKind::Tristate, 4, "1"),
            (HostKind::Text, 4, "y"),
            (int(false), 4, "y"),
            (int(false), 2, "65536"),
            (int(true), 2, "32768"),
            (int(false), 4, "-1"),
        ] {
            assert!(written(kind, size, text).is_err(), "{kind:?} {text}");
        }
    }

    #[test]
    fn options_are_found_by_their_whole_name() {
        let options = "CONFIG_HZ_250=y\n# CONFIG_NUMA is not set\nCONFIG_HZ=250\n";
        assert_eq!(found("CONFIG_HZ", Some(options)).unwrap().as_deref(), Some("250"));
        assert_eq!(found("CONFIG_NUMA", Some(options)).unwrap(), None);
        assert_eq!(found("CONFIG_H", Some(options)).unwrap(), None);
        assert_eq!(found("LINUX_MADE_UP", Some(options)).unwrap(), None);
    }

    #[test]
    fn versions_are_those_of_the_kernels_sources() {
        assert_eq!(numbers("6.1.0-13-amd64"), Some(version(6, 1, 0)));
        assert_eq!(numbers("6.1.52-1 (2023-09-07)"), Some(version(6, 1, 52)));
        assert_eq!(numbers("7.3-rc1"), Some(version(7, 3, 0)));
        assert_eq!(numbers("6.12.300"), Some(version(6, 12, 255)));
        assert_eq!(numbers("next"), None);
    }
}
