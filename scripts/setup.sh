#!/bin/bash
# Installs what bpfsig needs on Debian 12 or 13, besides a Rust toolchain. Does nothing if all of it is there.
set -euo pipefail

# One package a line, and what it is for.
packages() {
	cat <<-'END'
		gcc               compiles the kernel and links Rust programs
		libc6-dev         C library headers, for what the kernel build runs on the host
		binutils          links the kernel
		make              runs the kernel build
		patch             applies the kernel patches
		bc                the kernel build calculates time constants with it
		bison             parsers of the kernel's configuration language
		flex              scanners of the kernel's configuration language
		libelf-dev        objtool in the kernel build; libbpf
		zlib1g-dev        libbpf
		libssl-dev        the kernel's certificate extractor and sign-file
		pahole            turns the kernel's debug information into BTF
		tar               unpacks the kernel's source
		xz-utils          unpacks the kernel's source
		rsync             installs kernel headers
		cpio              packs kernel headers
		kmod              lists the dependencies of kernel modules
		ccache            makes the second kernel build cheap
		clang             compiles eBPF programs
		clang-19          compiles the kernel's own tests
		llvm              strips eBPF programs
		pkgconf           finds libelf and zlib for libbpf
		openssl           checks our signatures independently
		osslsigncode      checks our signatures of PE images independently
		gcc-mingw-w64-x86-64 compiles PE images to sign
		softhsm2          a PKCS#11 token in software, for keys to be tested in
		opensc            makes keys in that token
		m4                a source of xdp-tools
		libpcap-dev       xdpdump
		xdp-tools         eBPF objects of other people to sign, with those of libxdp1
		bpftool           loads unsigned programs, to see where the kernel spends its time
		python3-git       checkpatch.pl looks at licences with it
		python3-ply       checkpatch.pl looks at licences with it
		iproute2          networks for the programs that the tests provoke
		iputils-ping      traffic for the kernel's own tests of networks
		ethtool           likewise
		e2fsprogs         a file system whose files the kernel knows by their digests
		fsverity          digests of executables, for a policy
		mmdebstrap        the machine with Debian 13 of scripts/debian.sh
		keyutils          keys for the kernel's own tests
		libbpf-dev        headers for the eBPF programs that this machine loads
		qemu-system-x86   the machine that the kernel boots on
		qemu-guest-agent  runs commands in that machine, for vmtest
	END
}

fail() {
	echo "setup.sh: error: $*" >&2
	exit 1
}

as_root() {
	if [[ $EUID -eq 0 ]]; then
		"$@"
	else
		sudo "$@"
	fi
}

installed() {
	[[ $(dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null) == installed ]]
}

command -v dpkg-query >/dev/null || fail "this is not Debian; install the equivalents of:"$'\n'"$(packages)"

missing=()
while read -r package purpose; do
	if ! installed "$package"; then
		missing+=("$package")
		printf '%-18s %s\n' "$package" "$purpose"
	fi
done < <(packages)

if [[ ${#missing[@]} -eq 0 ]]; then
	echo "nothing to do: all packages are installed"
	exit 0
fi
[[ $EUID -eq 0 ]] || command -v sudo >/dev/null || fail "installing these needs root, and there is no sudo"

echo "installing ${#missing[@]} packages"
# Without Error-Mode, a failed download of the package lists is only a warning.
as_root apt-get update --quiet --quiet --option APT::Update::Error-Mode=any ||
	fail "cannot fetch Debian's package lists: check the network and /etc/apt/sources.list, then run this again"
for package in "${missing[@]}"; do
	[[ -n $(apt-cache madison "$package") ]] ||
		fail "Debian's archive has no package $package for this release: bpfsig is made for Debian 12 and 13"
done
as_root env DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet --no-install-recommends "${missing[@]}" ||
	fail "apt-get install failed, see above: check the network and the free space, then run this again"
