//! The names of attach types, one of which is not that of the kernel's header.

use std::borrow::Cow;

use bpfsig_signing::uapi::{attach_type, prog_type};

/// The attach type of programs that name none: 0. The header's name for it is the first attach type that there was, of
/// control groups.
const DEFAULT: &str = "default";

/// The name of an attach type of programs of a type.
pub(crate) fn attach_type_name(prog_type: u32, number: u32) -> Cow<'static, str> {
    if number == 0 && prog_type != prog_type::CGROUP_SKB { DEFAULT.into() } else { attach_type::name(number) }
}

/// The attach type that has a name.
pub(crate) fn attach_type_number(name: &str) -> Option<u32> {
    if name == DEFAULT { Some(0) } else { attach_type::number(name) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_has_a_name_for_each_type() {
        assert_eq!(attach_type_name(prog_type::CGROUP_DEVICE, 0), "default");
        assert_eq!(attach_type_name(prog_type::CGROUP_SKB, 0), "cgroup_inet_ingress");
        for name in ["default", "cgroup_inet_ingress"] {
            assert_eq!(attach_type_number(name), Some(0));
        }
        assert_eq!(attach_type_number("nowhere"), None);
    }
}
