#!/bin/bash
# Runs the kernel's own tests for eBPF, tools/testing/selftests/bpf, on the kernel with the series and on the same one without it,
# and compares what they say:
#
#     scripts/selftests.sh [--sample] [PART...]
#
# A PART is one of these programs of the tests, or of the last three; all of them by default:
#
#     test_verifier   programs, each an array of instructions
#     test_progs      everything else
#     veristat        verifies each program of each object, and counts what that takes
#     signed          each object that bpftool loads is signed, and loaded signed
#     libbpf          the tests of test_progs in selftests/libbpf, with the series' libbpf instead of the kernel's own. After
#                     `signed`, it finds signatures beside the objects, by a signer whom nobody has added to a keyring
#     xlated          each object that loads signed is loaded unsigned by libbpf, too, and the code that the kernel has made
#                     of it is compared. Comes after `signed`
#
# Fails if anything differs, between the kernels or the libraries, but for the tests that the series adds and those in
# selftests/differs; if less than 99 in 100 objects that load unsigned load signed; and if those that don't are not the ones in
# selftests/not-signed, with their reasons, or those that could not be compared are not the ones in selftests/not-same. What the
# programs said is in target/selftests/KERNEL/PROGRAM/; what is there is not run again.
#
# With --sample, `signed` and `xlated` of each tenth object, without building the others or the kernel without the series.
set -euo pipefail
cd "$(dirname "$0")/.."

profile=()
source scripts/common.sh

work=$PWD/target/selftests
tree=target/linux-7.3
# Older versions don't know all that the tests are written with.
clang=clang-19

# Checks a commit of the series' tree out for a kernel.
checkout() {
	local source=$work/$1/source commit
	commit=$(git -C $tree rev-parse "$2")
	mkdir -p "$work/$1"
	if [[ -e $source ]]; then
		git -C "$source" checkout --quiet --detach "$commit"
	else
		git -C $tree worktree add --quiet --detach "$source" "$commit"
	fi
}

# `make` for a kernel, without a word unless it fails.
quiet_make() {
	local log=$work/$1/make.log
	nice make -j"$(nproc)" "${@:2}" >"$log" 2>&1 || fail "make failed, see $log"
}

# Builds the modules of the tests for a kernel, against the source it was built of.
modules() {
	local source=$work/$1/source build=$work/$1/build
	mkdir -p "$build"
	cp "$(dirname "$(image "$1")")/config" "$build/.config"
	ln -sf "$(dirname "$(image "$1")")/vmlinux" "$build/vmlinux"
	# Nothing in it: the kernel checks no versions of symbols.
	touch "$build/Module.symvers"
	# The build finds no symbols of the kernel, and would add a plus sign to the version of a tree that is in git.
	local options=(-C "$source" O="$build" KBUILD_MODPOST_WARN=1 LOCALVERSION=)
	quiet_make "$1" "${options[@]}" olddefconfig
	quiet_make "$1" "${options[@]}" modules_prepare
	quiet_make "$1" "${options[@]}" M="$source/$tests/test_kmods" MO="$work/$1/modules" modules
}

# Builds the tests. Those that this clang, or the configuration of the kernel, can't compile are left out. libarena leaves
# the version of the instruction set to the compiler, and needs the one that clang has from 20 on; all else names its own.
build() {
	local series kernel targets
	command -v $clang >/dev/null || fail "$clang is not installed: scripts/setup.sh installs it"
	[[ -d $tree/.git ]] || scripts/series.sh tree
	series=$(basename "$(printf '%s\n' kernel-patch/linux-7.3/[0-9]*/ | tail -n 1)")
	for kernel in "${kernels[@]}"; do
		case $kernel in
		patched) checkout patched "$series" ;;
		baseline) checkout baseline base ;;
		esac
		modules "$kernel"
	done
	targets=(test_verifier veristat test_progs)
	if [[ -n $sample ]]; then
		mapfile -t targets < <(sampled | sed "s,^,$directory/,")
		targets+=(--keep-going "$directory/tools/sbin/bpftool")
	fi
	quiet_make patched -C "$directory" "${targets[@]}" \
		CLANG=$clang BPF_TARGET_ENDIAN='--target=bpfel -mcpu=v4' LLVM_STRIP=llvm-strip LLD=bfd \
		SKIP_DOCS=1 SKIP_LLVM=1 SKIP_LIBBFD=1 BPF_STRICT_BUILD=0 \
		KDIR=/nonexistent VMLINUX_BTF="$work/patched/build/vmlinux"
	cp "$work"/patched/modules/*.ko "$directory"
	grep -oE 'SKIP-(BPF|TEST) .*' "$work/patched/make.log" | sort >"$work/not-built" || true
}

image() { readlink "$work/$1/bzImage"; }

# Hands names that are read to a program on a kernel, where that has not been done before. A machine that stops
# is started again, with the next name.
run() {
	local kernel=$1 program=$2 results=$work/$1/$2 append='' left
	case $program in
	# As in the configuration that they are written for.
	test_*) append=sysctl.kernel.unprivileged_bpf_disabled=0 ;;
	# Objects that don't load signed may be more than any user is granted.
	bpfsig | xlated) append=sysctl.kernel.bpf_signature_failures_us=0 ;;
	esac
	mkdir -p "$results"
	cat >"$results.names"
	while true; do
		comm -23 <(sort "$results.names") <(ls "$results" | sort) >"$results.todo"
		left=$(wc -l <"$results.todo")
		[[ $left -gt 0 ]] || return 0
		echo "== $program on the $kernel kernel: $left" >&2
		(cd "$directory" && "$work/bpfsig" vm --kernel "$(image "$kernel")" \
			--append "$append" -- \
			env BPFSIG="$work/bpfsig" BPFSIG_CERT="$work/signer.pem" \
			TESTS="$work/tests" BPFSIG_TEST_KEYS="$work/keys" \
			bash "$work/guest.sh" "$program" "$work/$kernel/modules" "$results") >"$results.log" 2>&1 || true
		[[ $(comm -23 "$results.todo" <(ls "$results" | sort) | wc -l) -lt $left ]] ||
			fail "the machine does not come to its first test, see $results.log"
	done
}

# What a program said on a kernel, without what differs from run to run.
said() {
	local pattern=.
	# Only the results of a test: in the text are addresses, numbers of processes, and times.
	[[ $2 != test_progs* ]] || pattern='^#[0-9]|^exit status|^stops'
	(cd "$work/$1/$2" && grep --with-filename -E "$pattern" -- *)
}

# The tests in files that the series adds (A) or changes (M), as a pattern.
own_tests() {
	local file
	git -C $tree diff --name-only --diff-filter="$1" base "$(git -C "$work/patched/source" rev-parse HEAD)" -- $tests/prog_tests |
		while read -r file; do
			sed -nE 's/^void (serial_)?test_([a-zA-Z0-9_]+)\(.*/\2/p' "$work/patched/source/$file"
		done | paste --serial --delimiters='|'
}

# The objects that the series adds.
own_objects() {
	git -C $tree diff --name-only --diff-filter=A base "$(git -C "$work/patched/source" rev-parse HEAD)" -- $tests/progs |
		sed -E 's,.*/(.*)\.c$,\1.bpf.o,'
}

# What the tests of libbpf say with the series' libbpf and with the kernel's own, on the kernel with the series. Their objects
# are linked once more: libbpf keeps its interface. (What follows a hyphen in the name of test_progs is a folder to it.)
libbpf() {
	local names objects
	checkout libbpf libbpf
	scripts/libbpf.sh "$work/libbpf/source" "$work/libbpf" >/dev/null
	objects=("$directory"/{test_progs,*.test,*_helpers,test_loader,xsk,disasm,json_writer,usdt_1,usdt_2,find_bit}.o)
	gcc -rdynamic -o "$directory/test_progs_libbpf" "${objects[@]}" "$work/libbpf/lib/libbpf.a" -lelf -lz -lpcap
	names=$(grep -v '^#' scripts/selftests/libbpf)
	run patched test_progs <<<"$names"
	run patched test_progs_libbpf <<<"$names"
	diff <(said patched test_progs | grep -E "^($(paste -sd'|' <<<"$names")):") <(said patched test_progs_libbpf) \
		>"$work/libbpf.differences" || failed+=(libbpf)
	echo "with the series' libbpf: $(said patched test_progs_libbpf | summary test_progs);" \
		"$(grep -c '^[<>]' "$work/libbpf.differences" || true) differences"
}

# What differs between the kernels: `<` without the series, `>` with it. The series' own tests need it to pass, and where
# mitigations are on to be run without privileges.
differences() {
	local known passed='(:OK( \(SKIP: [0-9/]+\))?|@unpriv:SKIP)'
	known=$({ grep -v '^#' scripts/selftests/differs && own_objects; } | paste --serial --delimiters='|')
	diff <(said baseline "$1") <(said patched "$1") | grep '^[<>]' |
		grep -vE "^[<>] ($known):|^< ($changed):|^> ($added|$changed):(#.*$passed$|exit status 0)" || true
}

# Runs a program on both kernels with the names that are read, beside each other, and compares what it says.
compare() {
	local program=$1 kernel names
	names=$(cat)
	run patched "$program" <<<"$names" &
	# Some of the series' own tests are for what stops a machine without it.
	grep -vxE "$added" <<<"$names" | run baseline "$program" &
	wait
	differences "$program" >"$work/$program.differences"
	{
		printf '| %s |' "$program"
		for kernel in patched baseline; do printf ' %s |' "$(said "$kernel" "$program" | summary "$program")"; done
		printf ' %d |\n' "$(wc -l <"$work/$program.differences")"
	} >>"$work/table.md"
	[[ ! -s $work/$program.differences ]] || failed+=("$program")
}

# Counts the results that are read.
summary() {
	case $1 in
	test_verifier) sed -n 's/.*Summary: //p' ;;
	test_progs)
		awk -F: '/:#/ { count[$NF]++ } !/:#/ && !/exit status [01]$/ { lost++ }
			END { printf "%d OK, %d SKIP, %d FAIL, %d killed or lost", count["OK"], count["SKIP"], count["FAIL"], lost }'
		;;
	veristat)
		awk -F, '/,success,/ { good++; insns += $3 } /,failure,/ { bad++ }
			END { printf "%d verified, %d refused, %d instructions", good, bad, insns }'
		;;
	esac
}

# Each tenth object, whether it can be built or not.
sampled() { (cd "$directory/progs" && printf '%s\n' *.c | sed -n '1~10s/\.c$/.bpf.o/p'); }

# Those that have been built, but for what was built of an earlier series.
objects() {
	(cd "$directory" && comm -12 <(printf '%s\n' *.bpf.o) <(printf '%s\n' progs/*.c | sed -E 's,.*/(.*)\.c$,\1.bpf.o,' | sort)) |
		if [[ -n $sample ]]; then comm -12 - <(sampled | sort); else cat; fi
}

# The objects that a program loaded. Once bpftool has, it fails to pin programs that the object wants not to be loaded by
# default.
loaded() {
	(cd "$work/patched/$1" && grep -lxE 'exit status 0|Error: failed to pin all programs' -- * || true) |
		comm -12 - <(objects)
}

# What loads unsigned, but for objects that have types alone, for tests of BTF.
loadable() {
	loaded bpftool | while read -r object; do
		grep -q 'has no programs and no maps' "$work/signatures/$object" || echo "$object"
	done
}

# Signs each object that bpftool loads, loads it signed, and says why where that fails.
signed() {
	local start unsigned good
	issue "$work/signer" rsa-2048 "$(dirname "$(image patched)")"
	objects | run patched bpftool

	rm -rf "$work/signatures" "$work/patched/bpfsig" "$directory"/*.p7s*
	mkdir "$work/signatures"
	start=$SECONDS
	loaded bpftool | while read -r object; do
		(cd "$directory" && "$work/bpfsig" sign --module bpf_testmod --constant-kconfig \
			--key "$work/signer.key" --cert "$work/signer.pem" "$object") \
			>"$work/signatures/$object" 2>&1 || true
	done
	echo "signing took $((SECONDS - start)) s"

	loadable | run patched bpfsig
	unsigned=$(loadable | wc -l)
	good=$(loaded bpfsig | wc -l)
	echo "$unsigned of $(objects | wc -l) objects load unsigned, $good of those signed; not:"
	comm -23 <(loadable) <(loaded bpfsig) | while read -r object; do why "$object"; done | tee "$work/not-signed"
	if ! diff <(expected not-signed) "$work/not-signed" >"$work/signed.differences" ||
		[[ -z $sample && $((good * 100)) -lt $((unsigned * 99)) ]]; then
		failed+=(signed)
	fi
}

# What a list says of the objects that are tried.
expected() {
	grep -v '^#' "scripts/selftests/$1" |
		if [[ -n $sample ]]; then grep --file <(sampled | sed 's/.*/^&:/') || true; else cat; fi
}

# Compares what the kernel makes of each object, signed and unsigned.
xlated() {
	local count
	[[ -e $work/patched/bpfsig ]] || fail "xlated compares what has been loaded signed: run \`signed\` first"
	mkdir -p "$work/keys"
	signers "$work/keys" "$(dirname "$(image patched)")"
	cp --remove-destination "$(test_program)" "$work/tests"
	loaded bpfsig | run patched xlated
	count=$(cd "$work/patched/xlated" && loaded xlated | xargs sed -nE 's/.* ([0-9]+) programs are the same$/\1/p' | paste -sd+ | bc)
	echo "$(loaded xlated | wc -l) of $(loaded bpfsig | wc -l) objects are the same in the kernel," \
		"with $count programs; not:"
	comm -23 <(loaded bpfsig) <(loaded xlated) | while read -r object; do
		# What a panic says is on the line after it. Addresses differ from run to run.
		echo "$object: $(grep --after-context=1 'panicked at' "$work/patched/xlated/$object" | tail -n 1 |
			sed -E 's/-?[0-9]{6,}/ADDRESS/g')"
	done | tee "$work/not-same"
	diff <(expected not-same) "$work/not-same" >"$work/xlated.differences" || failed+=(xlated)
}

# Why an object did not load signed, on one line that begins with its name, without ids of the kernel's types. What was not
# signed has no signature to load: it is what `sign` said.
why() {
	local said=$work/patched/bpfsig/$1
	[[ -e $directory/$1.p7s ]] || said=$work/signatures/$1
	sed -nE '/^bpfsig: error: /{ s///; s/\[[0-9]+\]/[ID]/g; p }' "$said"
}

export LC_ALL=C
tests=tools/testing/selftests/bpf
directory=$work/patched/source/$tests
sample='' kernels=(patched)
if [[ ${1-} == --sample ]]; then
	sample=yes
	shift
fi
parts=("$@")
if [[ $# -eq 0 && -n $sample ]]; then
	parts=(signed xlated)
elif [[ $# -eq 0 ]]; then
	parts=(test_verifier test_progs veristat signed libbpf xlated)
fi
for part in "${parts[@]}"; do
	case $part in
	signed | xlated) ;;
	libbpf | test_verifier | test_progs | veristat)
		[[ -z $sample ]] || fail "--sample is for signed and xlated"
		[[ $part == libbpf ]] || kernels=(patched baseline)
		;;
	*) fail "no part $part: there are test_verifier, test_progs, veristat, libbpf, signed and xlated" ;;
	esac
done

for kernel in "${kernels[@]}"; do
	mkdir -p "$work/$kernel"
	ln -sfn "$(bpfsig kernel build --variant "$kernel")" "$work/$kernel/bzImage"
done
build
cargo build --quiet "${profile[@]}"
cp --remove-destination target/debug/bpfsig scripts/selftests/guest.sh "$work/"
added=$(own_tests A)
changed=$(own_tests M)
printf '| | patched | baseline | differences |\n| --- | --- | --- | --- |\n' >"$work/table.md"

failed=()
for part in "${parts[@]}"; do
	case $part in
	test_verifier) echo all | compare test_verifier ;;
	test_progs) (cd "$directory" && ./test_progs --list) | compare test_progs ;;
	veristat) objects | compare veristat ;;
	libbpf | signed | xlated) "$part" ;;
	esac
done
[[ ${#kernels[@]} -eq 1 ]] || cat "$work/table.md"
for part in "${failed[@]}"; do
	[[ ! -s $work/$part.differences ]] || head -n 20 "$work/$part.differences"
done
[[ ${#failed[@]} -eq 0 ]] || fail "not as it should be: ${failed[*]}; see $work"
