//! Names of the kernel's answers.

use nix::errno::Errno;

/// An errno in a word: its name, or that the kernel has accepted.
pub fn answer(errno: i32) -> String {
    if errno == 0 { "accepted".to_owned() } else { format!("{:?}", Errno::from_raw(errno)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_names() {
        assert_eq!([0, libc::EKEYREJECTED].map(answer), ["accepted", "EKEYREJECTED"]);
    }
}
