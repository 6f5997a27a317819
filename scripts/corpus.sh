#!/bin/bash
# Tries `bpfsig sign` on every eBPF object that packages of the distribution have in them: as files, and inside of executables
# that were built with skeletons. Packages are named on the command line, or else these are taken. Prints a table: package,
# object, outcome, reason; then how many of them were signed. Nothing is installed, and nothing is loaded.
set -euo pipefail
cd "$(dirname "$0")/.."

profile=()
source scripts/common.sh
source scripts/carve.sh

packages=("$@")
if [[ $# -eq 0 ]]; then
	packages=(bpftop bpftune libbpf-tools libxdp1 opensnitch opensnitch-ebpf-modules scx suricata systemd xdp-tools)
fi

# Fetches a package and unpacks it. Prints nothing, and fails, if there is none of this name.
fetch() {
	local folder=$work/$1
	mkdir -p "$folder/files"
	(cd "$folder" && apt-get download -qq -o APT::Sandbox::User=root "$1") 2>/dev/null || return 1
	dpkg-deb -x "$folder"/*.deb "$folder/files"
}

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
	if ! fetch "$name"; then
		echo "$name|-|not found|apt-get has no such package"
		continue
	fi
	mkdir "$work/$name/objects"
	find "$work/$name/files" -type f -size +64c -print0 | while IFS= read -r -d '' file; do
		carve "$file" "$work/$name/objects"
	done
	[[ -n $(ls "$work/$name/objects") ]] || echo "$name|-|no objects|"
	find "$work/$name/objects" -type f -print0 | sort --zero-terminated | while IFS= read -r -d '' object; do
		try "$name" "$object"
	done
	rm -rf "${work:?}/$name"
done | tee "$work/table" | column --table --separator '|' --output-separator '  '
echo "signed $(grep -c '|signed|' "$work/table" || true) of $(grep -c -e '|signed|' -e '|refused|' "$work/table" || true)"
