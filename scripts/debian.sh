#!/bin/bash
# Boots Debian 13, with systemd as the first process, in a virtual machine, and tries everything there that loads eBPF
# programs:
#
#     scripts/debian.sh [--kernel IMAGE] [STATE...]
#
# A STATE is what the machine demands of programs: `off` nothing, `required` signatures from boot on, `switched` signatures
# from after boot on, `policy` signatures from boot on, and what a policy grants that is made of a report of the state
# `off`; all of them by default. After `policy`, `boot` tells what a policy adds to booting. Prints a table: what was tried,
# and what a user sees in each state. What it is made of is in target/debian/STATE/table.tsv. IMAGE is a kernel of `bpfsig kernel build`, by default the one that has
# what a distribution needs.
set -euo pipefail
cd "$(dirname "$0")/.."

profile=()
source scripts/common.sh

# Of each kind. An odd number has a median.
boots=3

# Makes the machine's disk out of Debian's archive, unless there is one that was made of the same files.
disk() {
	local key image
	key=$(cd scripts/debian && find image -type f -print0 | sort --zero-terminated | xargs --null sha256sum | sha256sum | cut --characters=1-16)
	image=${BPFSIG_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/bpfsig}/debian/$key.ext4
	if [[ ! -e $image ]]; then
		echo "making a disk with Debian 13 in $image; this takes minutes" >&2
		mkdir -p "$(dirname "$image")"
		make_disk "$image" >&2
	fi
	echo "$image"
}

make_disk() {
	local tree=$work/tree packages
	[[ $EUID -eq 0 ]] || fail "making the disk takes root, as its files belong to root"
	packages=$(cut --delimiter=' ' --fields=1 scripts/debian/image/packages | paste --serial --delimiters=,)
	# Nobody reads manuals there, and nothing is lost if the machine that packs it crashes.
	mmdebstrap --quiet --variant=minbase --include="$packages" \
		--dpkgopt=force-unsafe-io --dpkgopt=path-exclude='/usr/share/doc/*' --dpkgopt=path-exclude='/usr/share/man/*' \
		--customize-hook='scripts/debian/image/customize.sh "$1"' \
		trixie "$tree"
	truncate --size=3G "$1.new"
	mke2fs -q -t ext4 -O verity -d "$tree" "$1.new"
	mv "$1.new" "$1"
}

# Compiles a program: object SOURCE OBJECT
object() {
	clang --target=bpf -mcpu=v3 -O2 -g -D__TARGET_ARCH_x86 "-I/usr/include/$(uname -m)-linux-gnu" -c "$1" -o "$2"
}

# What the machine is given to load.
objects() {
	local source
	mkdir -p target/debian/guest/objects
	for source in cgroup_bind_ports cgroup_egress_filter tc_dscp_mark trace_files xdp_drop_fragments; do
		object "progs/$source.bpf.c" "target/debian/guest/objects/$source.bpf.o"
	done
	cp --remove-destination scripts/debian/guest/*.sh target/debian/guest/
	cargo build --quiet "${profile[@]}"
	strip --strip-debug -o target/debian/guest/bpfsig target/debug/bpfsig
}

share() {
	echo -virtfs "local,path=$2,mount_tag=$1,security_model=none,multidevs=remap${3:-}"
}

# Boots the machine (without a check of the timer, which fails where the host is busy), and waits until it has done what it has to
# and switched itself off: boot RESULTS APPEND [OPTIONS OF QEMU...]
boot() {
	local results=target/debian/$1 append=$2
	shift 2
	rm -rf "$results"
	mkdir -p "$results"
	# shellcheck disable=SC2046
	timeout 3600 qemu-system-x86_64 -machine accel=tcg -cpu max -m 2G -smp 2 -nographic -no-reboot \
		-kernel "$kernel" -append "root=/dev/vda rw console=ttyS0 quiet panic=-1 no_timer_check $append" "$@" \
		-drive "file=$image,format=raw,if=virtio,snapshot=on" \
		$(share modules "$(dirname "$kernel")/lib/modules" ,readonly=on) \
		$(share guest "$PWD/target/debian/guest" ,readonly=on) \
		$(share results "$PWD/$results") </dev/null >"$results/console.txt" ||
		fail "the machine did not switch itself off, see $results/console.txt"
	[[ -e $results/complete ]] || fail "the machine has not come to its end, see $results/console.txt"
}

# Grants what the machine loads when nobody demands signatures, from its initramfs on.
policy() {
	local guest=target/debian/guest
	[[ -s target/debian/off/report.json ]] || fail "the state off has left no report: see target/debian/off/first.txt"
	bpfsig policy init target/debian/off/report.json >$guest/policy.toml
	issue $guest/policy p-256 "$(dirname "$kernel")" --purpose program --purpose policy
	sign_policy $guest/policy.toml
	abuse
	rm $guest/policy.key
	cp harness/policy/initramfs/{hook,boot} $guest/
	boot initramfs "init=/usr/local/sbin/first checks.initramfs"
}

sign_policy() {
	bpfsig policy sign --key target/debian/guest/policy.key --cert target/debian/guest/policy.pem "$1"
}

# What an attacker has: a program that the policy doesn't name; policies that grant it but are older, unsigned, or signed by
# somebody who decides about nothing; a module without its signature, and a kernel that never had one. And the same policy as
# the operator would replace the one in force with.
abuse() {
	local guest=target/debian/guest abuse=target/debian/guest/abuse
	rm -rf $abuse
	mkdir $abuse
	object scripts/debian/abuse/unlisted.bpf.c $abuse/unlisted.bpf.o
	gcc -O2 -o $abuse/listed scripts/debian/abuse/listed.c
	gcc -O2 -o $abuse/traced scripts/debian/abuse/traced.c
	gcc -O2 -shared -fPIC -o $abuse/preloaded.so scripts/debian/abuse/preloaded.c
	cat >$abuse/older.toml <<-'END'
		version = 0
		[[class]]
		name = "rules for devices that depend on the user"
		type = "cgroup_device"
		helpers = ["get_current_uid_gid"]
		max-instructions = 16
		[[class]]
		name = "what libbpf asks first"
		type = "socket_filter"
		maps = ["array"]
		max-instructions = 8
	END
	sed 's/version = 0/version = 1000/' $abuse/older.toml >$abuse/newer.toml
	cat >>$abuse/newer.toml <<-END
		[[class]]
		name = "what one executable decides about sysctls"
		type = "cgroup_sysctl"
		max-instructions = 8
		executable = "$(fsverity digest --compact $abuse/listed)"
	END
	sign_policy $abuse/older.toml
	sign_policy $abuse/newer.toml
	llvm-objcopy --remove-section .bpfsig --remove-section .bpfsig.json $abuse/newer.bpf.o $abuse/unsigned.bpf.o
	issue $guest/stranger p-256 "$(dirname "$kernel")" --purpose program
	mv $guest/stranger.pem $abuse/
	cp $abuse/unsigned.bpf.o $abuse/stranger.bpf.o
	bpfsig sign --embed --key $guest/stranger.key --cert $abuse/stranger.pem $abuse/stranger.bpf.o >&2
	rm $abuse/*.toml $guest/stranger.key
	objcopy --strip-debug "$(find "$(dirname "$kernel")/lib/modules" -name nft_ct.ko)" $abuse/unsigned.ko
	cp "$kernel" $abuse/bzImage
}

# Boots several times without a policy and with it, one instruction a nanosecond. Prints how many seconds the processor worked until
# multi-user.target: waiting for the disk takes as long as the host is busy.
boot_times() {
	local with count
	[[ -e target/debian/initramfs/plain.img ]] || fail "there is no policy yet: run the state policy before boot"
	for with in plain initrd; do
		for count in $(seq $boots); do
			boot "boot-$with-$count" "checks.boot" -initrd "target/debian/initramfs/$with.img" -smp 1 -icount shift=0
		done
		sort --numeric-sort target/debian/boot-$with-*/busy | awk -v with="$with" '{ s[NR] = $1 } END {
			printf "boot %s: median %.2f s, %.2f to %.2f, of %d\n",
				with == "plain" ? "without a policy" : "with the policy", s[(NR + 1) / 2], s[1], s[NR], NR }'
	done
}

# What works when nobody demands signatures has to work with a policy.
compare() {
	local worse
	[[ -e target/debian/off/table.tsv && -e target/debian/policy/table.tsv ]] || return 0
	worse=$(awk -F '\t' '
		FNR == NR { if ($2 == "works") works[$1]; next }
		$1 in works && $2 != "works" { print $1 }' target/debian/{off,policy}/table.tsv)
	[[ -z $worse ]] || fail "with the policy, these don't work any more:"$'\n'"$worse"
}

kernel=
if [[ ${1-} == --kernel ]]; then
	kernel=$(realpath "${2?which kernel?}")
	shift 2
fi
states=("$@")
if [[ ${#states[@]} -eq 0 ]]; then states=(off required switched policy boot); fi
for state in "${states[@]}"; do
	case $state in
	off | required | switched | policy | boot) ;;
	*) fail "no state $state: there are off, required, switched, policy and boot" ;;
	esac
done
for tool in mmdebstrap qemu-system-x86_64 clang fsverity; do
	command -v "$tool" >/dev/null || fail "$tool is not installed: scripts/setup.sh installs it"
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
: "${kernel:=$(bpfsig kernel build --variant distribution)}"
image=$(disk)
objects
tables=()
for state in "${states[@]}"; do
	echo "== Debian 13, signatures $state" >&2
	case $state in
	off) boot off "init=/usr/local/sbin/first checks.report" ;;
	required) boot required bpf_signature=required ;;
	switched) boot switched checks.switch ;;
	policy)
		policy
		boot policy "checks.policy lockdown=integrity" -initrd target/debian/initramfs/initrd.img
		;;
	boot) boot_times ;;
	esac
	[[ $state == boot ]] || tables+=("target/debian/$state/table.tsv")
done
if [[ ${#tables[@]} -gt 0 ]]; then table "${tables[@]}"; fi
compare
