#!/bin/bash
# Has the loaders that people have load signed objects, with libbpf as kernel-patch/linux-7.3/libbpf makes it: ip, tc, xdp-tools,
# bpftool, and programs made of skeletons; and, with the crate of harness/loading, a program in Rust.
#
#     scripts/loaders.sh [--libbpf DIRECTORY] [STATE...]
#
# A STATE is `required`, the patched kernel where signatures are required, or `baseline`, the same kernel without the patches; both
# by default. In each, signed and unsigned objects are loaded. Prints a table. Fails if a signed object does not load, or an
# unsigned one loads where signatures are required. `cost` prints another table instead: what the system calls of loads cost, in
# guest instructions. DIRECTORY is where scripts/libbpf.sh has put what it has built.
#
# ip, tc and xdp-loader are Debian's, as they are. xdp-tools have libxdp in them, and in it the object of its dispatcher: for a signed
# one, they are built of Debian's source, in which nothing is changed but that the objects are signed as soon as they are compiled.
# libbpf-tools have a libbpf of their own in them: of these, the objects are taken out of Debian's package, signed, made skeletons
# of, and built into scripts/loaders/tool.c.
set -euo pipefail
cd "$(dirname "$0")/.."

profile=()
source scripts/common.sh
source scripts/archive.sh
source scripts/carve.sh

directory=$PWD/target/loaders
tree=target/linux-7.3

# Puts a signature into an object: sign OBJECT OPTION...
sign() {
	bpfsig sign --embed --key "$directory/signer.key" --cert "$directory/signer.pem" "${@:2}" "$1" \
		>>"$directory/sign.log" 2>&1 || fail "${1##*/} can't be signed, see $directory/sign.log"
}

# Makes copies of an object, signed and not: both OBJECT OPTION...
both() {
	cp "$1" "$directory/unsigned/"
	cp "$1" "$directory/signed/"
	sign "$directory/signed/${1##*/}" "${@:2}"
}

# What libxdp makes of XDP programs: they replace a function of its dispatcher, the whole of it if there is only one program.
dispatched() { printf -- "--also=$1=freplace/%s " xdp_dispatcher prog{0..9}; }

# What xdpdump makes of its programs: they observe the first program of an interface.
observing() { printf -- "--also=trace_on_entry=fentry/bpf:$1 --also=trace_on_exit=fexit/bpf:$1 "; }

# The objects that files are loaded from.
objects() {
	local source name
	for source in progs/{xdp_ban,xdp_drop_fragments,tc_dscp_mark,cgroup_bind_ports,trace_files}.bpf.c scripts/loaders/arena.bpf.c; do
		name=${source##*/}
		clang --target=bpf -mcpu=v3 -O2 -g -D__TARGET_ARCH_x86 "-I/usr/include/$(uname -m)-linux-gnu" \
			-c "$source" -o "$work/${name%.c}.o"
	done
	both "$work/arena.bpf.o"
	both "$work/xdp_ban.bpf.o"
	both "$work/tc_dscp_mark.bpf.o"
	both "$work/cgroup_bind_ports.bpf.o"
	both "$work/trace_files.bpf.o"
	# shellcheck disable=SC2046
	both "$work/xdp_drop_fragments.bpf.o" $(dispatched xdp_drop_fragments)
}

# Builds Debian's xdp-tools, twice: as they are, and with their objects signed. Those have some of them in them, which is why they
# have to be built again, but nothing in their source is changed.
xdp_tools() {
	local source release kind
	release=$(fetch source xdp-tools "$work") || fail "the archive has no source of xdp-tools: $(<"$work/apt/log")"
	echo "xdp-tools: of $release" >&2
	source=$(echo "$work"/xdp-tools-*/)
	export FORCE_SYSTEM_LIBBPF=1 PRODUCTION=1
	(cd "$source" && ./configure) >"$directory/make.log" 2>&1 || fail "xdp-tools can't be built, see $directory/make.log"
	for kind in unsigned signed; do
		[[ $kind == unsigned ]] || sign_xdp_tools "$source"
		make -C "$source" libxdp xdp-loader xdp-filter xdp-dump >>"$directory/make.log" 2>&1 ||
			fail "xdp-tools can't be built, see $directory/make.log"
		cp "$source"/xdp-loader/xdp-loader "$source"/xdp-filter/xdp-filter "$source"/xdp-dump/xdpdump "$directory/tools/$kind/"
		cp "$source"/xdp-filter/xdpfilt_*.o "$source"/xdp-dump/xdpdump_*.o "$directory/$kind/"
	done
}

# Signs the objects of xdp-tools where they are.
sign_xdp_tools() {
	local source=$1 name options=()
	# How many programs there are, which of their results let the next one run, and in which order they are. It is also loaded
	# as it is, to see what the kernel is able to do.
	for name in magic=0..255 dispatcher_version=0..255 num_progs_enabled=0..10 is_xdp_frags=0..1 is_xdp_devbound=0..1 \
		chain_call_actions=0..4294967295 run_prios=0..4294967295 program_flags=0..4294967295; do
		if grep --quiet "${name%=*};\|${name%=*}\[" "$source/headers/xdp/prog_dispatcher.h"; then options+=("--parameter=conf.$name"); fi
	done
	sign "$source/lib/libxdp/xdp-dispatcher.o" --also=xdp_dispatcher=xdp.frags --also=xdp_pass=xdp.frags \
		--also=xdp_pass=freplace/xdp_pass "${options[@]}"
	for name in {alw,dny}_{all,eth,ip,tcp,udp}; do
		# shellcheck disable=SC2046
		sign "$source/xdp-filter/xdpfilt_$name.o" $(dispatched "xdpfilt_$name")
	done
	# shellcheck disable=SC2046
	sign "$source/xdp-dump/xdpdump_bpf.o" $(observing xdp_dispatcher) $(observing xdp_drop_fragments)
	sign "$source/xdp-dump/xdpdump_xdp.o"
}

# Takes the objects out of Debian's libbpf-tools.
libbpf_tools() {
	(cd "$work" && apt-get download -qq -o APT::Sandbox::User=root libbpf-tools) || fail "there is no package libbpf-tools"
	dpkg-deb -x "$work"/libbpf-tools_*.deb "$work/package"
	mkdir "$work/tools"
	local name
	while IFS='|' read -r name _; do
		carve "$(find "$work/package" -type f -name "$name" -perm -u+x)" "$work/tools"
		mv "$work/tools/$name@1" "$work/tools/$name.bpf.o"
	done <"$directory/tools/list"
}

# A program of the skeleton of an object, with all of its constants: tool NAME KIND
tool() {
	local name=$1 kind=$2 header=$work/$2-$1.skel.h constants
	"$directory/bin/bpftool" gen skeleton "$directory/$kind/$name.bpf.o" name "${name}_bpf" >"$header"
	constants=$(sed -nE "/struct ${name}_bpf__rodata \{/,/\} \*rodata;/s/^\t\t[a-z_0-9 ]* ([a-zA-Z_0-9]+);$/CONSTANT(\1)/p" "$header")
	cc -Wall -I"$libbpf/include" -include "$header" -DSKELETON="${name}_bpf" \
		-DCONSTANTS="$(tr '\n' ' ' <<<"$constants")" scripts/loaders/tool.c -o "$directory/tools/$kind/$name" \
		-L"$directory/lib" -l:libbpf.so.1
}

tools() {
	local name parameters options
	grep -v '^#' scripts/loaders/tools >"$directory/tools/list"
	libbpf_tools
	while IFS='|' read -r name parameters _; do
		# shellcheck disable=SC2086
		mapfile -t options < <(printf -- '--parameter=%s\n' $parameters)
		[[ -n $parameters ]] || options=()
		both "$work/tools/$name.bpf.o" "${options[@]}"
		tool "$name" signed
		tool "$name" unsigned
	done <"$directory/tools/list"
}

boot() {
	local state=$1 append=''
	[[ $state == baseline ]] || append=bpf_signature=required
	rm -rf "$directory/complete" "$directory/$state"-*
	mkdir "$directory/$state"-{signed,unsigned}
	echo "== $state" >&2
	nice -n "${NICE:-0}" target/debug/bpfsig vm --kernel "$(image "$state")" --append "sysctl.kernel.bpf_signature_failures_us=0 $append" -- \
		bash "$directory/guest.sh" "$directory" "$state" >"$directory/$state.log" 2>&1 || true
	[[ -e $directory/complete ]] || fail "the checks have not come to their end, see $directory/$state.log"
}

# What loads cost, next to what they cost with the libbpf of this machine's bpftool.
cost() {
	cc -O2 -Wall -shared -fPIC scripts/loaders/count.c -o "$directory/lib/count.so"
	cp "$(PATH=$PATH:/usr/sbin command -v bpftool)" "$directory/bin/bpftool-unpatched"
	nice -n "${NICE:-0}" target/debug/bpfsig vm --kernel "$(image required)" -- bash "$PWD/scripts/loaders/cost.sh" "$directory" 5
}

image() {
	case $1 in
	required) bpfsig kernel build --variant patched ;;
	*) bpfsig kernel build --variant "$1" ;;
	esac
}

# What is not as it has to be. If a program is there already, libxdp has it replace another function of the next dispatcher, and the
# kernel holds it to the name of the one that it was loaded for.
wrong() {
	local state kind expected
	for state in "${states[@]}"; do
		for kind in signed unsigned; do
			if [[ $state-$kind == required-unsigned ]]; then expected=fails; else expected=works; fi
			awk -F '\t' -v "expected=$expected" -v "where=$state, $kind" \
				'$2 != expected { print where ": " $1 ": " $2 " " $3 }' "$directory/$state-$kind/table.tsv"
		done
	done
}

libbpf=target/libbpf
columns=()
if [[ ${1-} == --libbpf ]]; then
	libbpf=${2?which directory?}
	shift 2
fi
states=("$@")
if [[ $# -eq 0 ]]; then states=(required baseline); fi
for state in "${states[@]}"; do
	[[ $state == required || $state == baseline || $state == cost ]] || fail "no state $state: there are required, baseline and cost"
done
for tool in xdp-loader tc clang m4 qemu-system-x86_64; do
	command -v "$tool" >/dev/null || fail "$tool is not installed: scripts/setup.sh installs it"
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
if [[ ! -e $libbpf/lib/libbpf.so.1 ]]; then
	[[ -d $tree/.git ]] || scripts/series.sh tree
	scripts/libbpf.sh "$tree" "$libbpf"
fi
rm -rf "$directory"
mkdir -p "$directory"/{bin,lib,signed,unsigned,tools/signed,tools/unsigned}
cp "$libbpf"/lib/libbpf.so.1 "$directory/lib/"
cp "$libbpf"/bpftool/bpftool "$directory/bin/"
build_bpfsig
cargo build --quiet "${profile[@]}" --package bpfsig-loading --example load
cp target/debug/bpfsig target/debug/examples/load scripts/loaders/guest.sh scripts/debian/guest/record.sh "$directory/"
issue "$directory/signer" rsa-2048 "$(dirname "$(image required)")"
objects
if [[ ${states[0]} == cost ]]; then
	cost
	exit
fi
xdp_tools
tools
for state in "${states[@]}"; do boot "$state"; done
for state in "${states[@]}"; do columns+=("$directory/$state"-{signed,unsigned}/table.tsv); done
table "${columns[@]}"
wrong >"$directory/wrong"
[[ ! -s $directory/wrong ]] || fail "not as it should be:"$'\n'"$(<"$directory/wrong")"
