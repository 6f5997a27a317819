#!/bin/bash
# Tries `bpfsig sign` on every eBPF object that packages of the distribution have in them: as files, and inside of executables
# that were built with skeletons:
#
#     scripts/corpus.sh [--load] [PACKAGE...]
#
# Prints a table: package, object, outcome, reason; then how many of them were signed. Nothing is installed. Fails if an object is
# refused that is not in corpus/refused.
#
# With --load, libbpf loads each object on the patched kernel, unsigned; those that load so are loaded signed, too, and what the
# kernel has made of the programs is compared. That is a second table. Fails if a signed one does not load, or is not the same.
set -euo pipefail
cd "$(dirname "$0")/.."

profile=()
source scripts/common.sh
source scripts/archive.sh
source scripts/carve.sh

build_bpfsig

load=''
if [[ ${1-} == --load ]]; then
	load=yes
	shift
fi
packages=("$@")
if [[ $# -eq 0 ]]; then
	packages=(bpfilter bpftop ceccomp golang-github-cilium-ebpf-dev ir-keytable libbpf-tools libbpftune0 libknot15 libsystemd-shared
		libxdp1 mimic oar-common opensnitch-ebpf-modules pcp qemu-system-x86 rsched rtc-testbench suricata systemd udev-hid-bpf
		xdp-tests xdp-tools)
fi

try() {
	local name=$1 object=$2 output
	if output=$(bpfsig sign --key "$work/key" --cert "$work/cert" --output "$work/signature" "$object" 2>&1); then
		echo "$name|${object##*/}|signed|$(sed -n 's/^bpfsig: \(warning: \)\?[^:]*: //p' <<<"$output" | paste --serial --delimiters=';')"
	else
		echo "$name|${object##*/}|refused|$(sed -n 's/^bpfsig: error: [^:]*: //p' <<<"$output" | tail --lines=1)"
	fi
}

# Loads the objects of all packages, unsigned and signed. What was said of each is left beside it.
load() {
	local kernel append=sysctl.kernel.bpf_signature_failures_us=0
	kernel=$(bpfsig kernel build --variant patched)
	mkdir "$work/keys"
	signers "$work/keys" "$(dirname "$kernel")"
	echo "== $(find "$work/objects" -type f | wc -l) objects on the patched kernel" >&2
	bpfsig vm --kernel "$kernel" --append "$append" -- env BPFSIG_TEST_KEYS="$work/keys" \
		bash scripts/corpus/guest.sh "$(test_program)" "$work/objects" >"$work/load.log" 2>&1 ||
		fail "the machine has not come to its end: $(tail --lines=5 "$work/load.log")"
}

# A row for each object that was loaded: its name, and what became of it.
loaded() {
	local object outcome
	(cd "$work/objects" && printf '%s\n' */*.said) | while read -r object; do
		# What a panic says is on the line after it.
		outcome=$(sed -nE 's/^(.* )?([0-9]+ programs are the same)$/\2/p; /panicked at/{n;p;q}' "$work/objects/$object")
		object=${object%.said}
		case $outcome in
		*', Unsigned: '*) echo "$object|not loaded|${outcome#*, Unsigned: }" ;;
		*'are the same') echo "$object|the same|${outcome% are*}" ;;
		*', Signed: '*) echo "$object|not signed|${outcome#*, Signed: }" ;;
		*) echo "$object|not the same|${outcome:-nothing was said}" ;;
		esac
	done
}

# The virtual machine has a /tmp of its own.
work=$(realpath "$(mktemp -d -p target)")
trap 'rm -rf "$work"' EXIT
signer "$work/signer" p-256
ln -s signer.key "$work/key"
ln -s signer.pem "$work/cert"

for name in "${packages[@]}"; do
	mkdir -p "$work/$name/files" "$work/objects/$name"
	if ! release=$(fetch download "$name" "$work/$name"); then
		echo "$name|-|not found|the archive has no such package"
		continue
	fi
	dpkg-deb -x "$work/$name"/*.deb "$work/$name/files"
	find "$work/$name/files" -type f -size +64c -print0 | sort --zero-terminated | while IFS= read -r -d '' file; do
		carve "$file" "$work/objects/$name"
	done
	[[ -n $(ls "$work/objects/$name") ]] || echo "$name, $release|-|no objects|"
	find "$work/objects/$name" -type f -print0 | sort --zero-terminated | while IFS= read -r -d '' object; do
		try "$name, $release" "$object"
	done
	rm -rf "${work:?}/$name"
done | tee "$work/table" | column --table --separator '|' --output-separator '  '
echo "signed $(grep -c '|signed|' "$work/table" || true) of $(grep -c -e '|signed|' -e '|refused|' "$work/table" || true)"
unexpected=$(grep '|refused|' "$work/table" | cut -d'|' -f2 |
	grep -vxF -f <(sed '/^#/d; s/ .*//' scripts/corpus/refused) || true)
[[ -z $unexpected ]] || fail "not to be refused: $unexpected"

[[ -n $load ]] || exit 0
load
loaded | tee "$work/loaded" | column --table --separator '|' --output-separator '  '
unsigned=$(grep -vc '|not loaded|' "$work/loaded" || true) good=$(grep -vc -e '|not loaded|' -e '|not signed|' "$work/loaded" || true)
echo "$unsigned of $(wc -l <"$work/loaded") objects load unsigned, $good of those signed," \
	"$(grep -c '|the same|' "$work/loaded" || true) the same"
unexpected=$(grep -e '|not signed|' -e '|not the same|' "$work/loaded" || true)
[[ -z $unexpected ]] || fail "not as it should be: $unexpected"
