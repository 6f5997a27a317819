# Finds eBPF objects inside of other files.

# Prints the little-endian number of $3 bytes at offset $2 of a file.
number() { od --address-radix=n --skip-bytes="$2" --read-bytes="$3" --format="u$3" --endian=little "$1" | tr -d ' '; }

# Copies the objects that are inside of a file, or are the file, to a folder, where others of the name can be. An object ends
# with its section headers. A skeleton has it as it is.
carve() {
	local file=$1 base=$2/${1##*/} object start size count=0
	# Magic, 64 bits, little-endian, version 1; type 1 (relocatable), machine 247.
	while read -r start; do
		object=$base
		while [[ $start -ne 0 && $object == "$base" || -e $object ]]; do object=$base@$((++count)); done
		# e_shoff, e_shentsize and e_shnum.
		size=$(($(number "$file" $((start + 40)) 8) + $(number "$file" $((start + 58)) 2) * $(number "$file" $((start + 60)) 2)))
		tail --bytes=+$((start + 1)) "$file" | head --bytes="$size" >"$object" || true
	done < <(LC_ALL=C grep --only-matching --byte-offset --binary --text --perl-regexp \
		'\x7fELF\x02\x01\x01[\x00-\xff]{9}\x01\x00\xf7\x00' "$file" | LC_ALL=C cut --delimiter=: --fields=1)
}
