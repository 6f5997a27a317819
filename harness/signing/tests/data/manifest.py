#!/usr/bin/env python3
"""Prints the manifests of the programs in tests/it/manifest.rs, as kernel-patch/README.md specifies them."""

from hashlib import sha256
from struct import pack

insns = pack("<BBhi", 0xB7, 0, 0, 0) + pack("<BBhi", 0x95, 0, 0, 0)
names = b"GPL\0" + b"vmlinux\0" + b"tcp_connect\0" + b"\0"


def map_definition(*fields):
    """Type, key and value size, max_entries, flags, BTF ids, extra, name."""
    return pack("<7IQ16s", *fields)


def manifest(max_entries, contents):
    """With a map of this size, and another one with these constants."""
    nested = map_definition(13, 8, 4, max_entries, 1, 0, 0, 0, b"nested")
    nested += map_definition(2, 4, 16, 10, 0, 3, 4, 0, b"")
    nested += bytes(32)
    constants = map_definition(2, 4, 9, 1, 0x480, 0, 5, 0, b".rodata")
    constants += bytes(52)
    constants += sha256(contents + bytes(7)).digest()
    assert len(nested) == len(constants) == 136

    manifest = b"BPFSIGMF" + pack(
        "<11I",
        1,  # version
        26,  # prog_type: BPF_PROG_TYPE_TRACING
        24,  # expected_attach_type: BPF_TRACE_FENTRY
        1 << 4,  # prog_flags: BPF_F_SLEEPABLE
        1,  # attach_kind: a type in a kernel BTF
        2,  # insn_cnt
        5,  # btf_size
        8,  # func_info_rec_size
        2,  # func_info_cnt
        16,  # core_relo_rec_size
        1,  # core_relo_cnt
    )
    manifest += pack("<I16s", 2, b"a_rather_long_n")  # slot_cnt, prog_name
    for bound in names, insns, b"types", bytes(range(16)), bytes(range(100, 116)), nested + constants:
        manifest += sha256(bound).digest()

    assert len(manifest) == 264
    return manifest.hex()


print(manifest(100, b"constants"))
# The size and the bytes 2 to 5 are parameters.
print(manifest(0, b"co" + bytes(4) + b"nts"))
