#!/bin/bash
# Tries `bpfsig sign` on every eBPF object that packages of the distribution have in them: as files, and inside of executables
# that were built with skeletons. Packages are named on the command line, or else these are taken. Prints a table: package,
# object, outcome, reason; then how many of them were signed. Nothing is installed, and nothing is loaded. Fails if an object is
# refused that is not in corpus/refused.
set -euo pipefail
cd "$(dirname "$0")/.."

profile=()
source scripts/common.sh
source scripts/archive.sh
source scripts/carve.sh

build_bpfsig

packages=("$@")
if [[ $# -eq 0 ]]; then
	packages=(bpftop bpftune libbpf-tools libxdp1 opensnitch opensnitch-ebpf-modules scx suricata systemd xdp-tools)
fi

try() {
	local name=$1 object=$2 output
	if output=$(bpfsig sign --key "$work/key" --cert "$work/cert" --output "$work/signature" "$object" 2>&1); then
		echo "$name|${object##*/}|signed|$(sed -n 's/^bpfsig: \(warning: \)\?[^:]*: //p' <<<"$output" | paste --serial --delimiters=';')"
	else
		echo "$name|${object##*/}|refused|$(sed -n 's/^bpfsig: error: [^:]*: //p' <<<"$output" | tail --lines=1)"
	fi
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
signer "$work/signer" p-256
ln -s signer.key "$work/key"
ln -s signer.pem "$work/cert"

for name in "${packages[@]}"; do
	mkdir -p "$work/$name"/{files,objects}
	if ! release=$(fetch download "$name" "$work/$name"); then
		echo "$name|-|not found|the archive has no such package"
		continue
	fi
	dpkg-deb -x "$work/$name"/*.deb "$work/$name/files"
	find "$work/$name/files" -type f -size +64c -print0 | while IFS= read -r -d '' file; do
		carve "$file" "$work/$name/objects"
	done
	[[ -n $(ls "$work/$name/objects") ]] || echo "$name, $release|-|no objects|"
	find "$work/$name/objects" -type f -print0 | sort --zero-terminated | while IFS= read -r -d '' object; do
		try "$name, $release" "$object"
	done
	rm -rf "${work:?}/$name"
done | tee "$work/table" | column --table --separator '|' --output-separator '  '
echo "signed $(grep -c '|signed|' "$work/table" || true) of $(grep -c -e '|signed|' -e '|refused|' "$work/table" || true)"
unexpected=$(grep '|refused|' "$work/table" | cut -d'|' -f2 |
	grep -vxF -f <(sed '/^#/d; s/ .*//' scripts/corpus/refused) || true)
[[ -z $unexpected ]] || fail "not to be refused: $unexpected"
