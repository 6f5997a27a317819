# What scripts share: the command, the program with the tests for virtual machines, the signers that these need, and a table of what was
# tried. They set `profile` to the options that tell cargo how to build.

fail() {
	echo "${0##*/}: error: $*" >&2
	exit 1
}

bpfsig() {
	cargo run --quiet "${profile[@]}" -- "$@"
}

# Builds the command, for those that call it hundreds of times: from here on, it is run as it is.
build_bpfsig() {
	cargo build --quiet "${profile[@]}"
	bpfsig() { target/debug/bpfsig "$@"; }
}

# Builds the test program and prints its path.
test_program() {
	local program
	# Such as `Executable tests/vm/main.rs (target/debug/deps/vm-0123456789abcdef)`.
	program=$(cargo test "${profile[@]}" --package bpfsig-lab --test vm --no-run 2>&1 |
		sed -n 's/^ *Executable .*(\(.*\))$/\1/p')
	[[ -x $program ]] || fail "cargo did not say where it built the test program"
	realpath "$program"
}

# Makes a signer who is not issued by any authority, unless further options name one.
signer() {
	bpfsig keygen signer --algorithm "$2" --name "test $2" --key "$1.key" --cert "$1.pem" "${@:3}" >/dev/null
}

# The same, issued by the authority of a kernel, in place of one that is there: issue NAME ALGORITHM KERNEL OPTION...
issue() {
	rm -f "$1".{key,pem}
	signer "$1" "$2" --ca-key "$3/ca.key" --ca-cert "$3/ca.pem" "${@:4}"
}

# Makes signers of each algorithm in the first directory, issued by the authority of the kernel in the second.
signers() {
	local algorithm
	for algorithm in rsa-2048 rsa-3072 rsa-4096 p-256 p-384 ml-dsa-44 ml-dsa-65 ml-dsa-87; do
		issue "$1/$algorithm" "$algorithm" "$2"
	done
}

# A row for each thing that was tried in any of the states, from a table.tsv in a folder of each (debian/guest/record.sh writes it).
table() {
	awk -F '\t' '
		FNR == 1 { depth = split(FILENAME, folders, "/"); states[++count] = folders[depth - 1] }
		!($1 in seen) { seen[$1]; rows[++size] = $1 }
		{ cell[$1, count] = $3 == "" ? $2 : $2 ": " $3 }
		END {
			printf "| |"
			for (i = 1; i <= count; i++) printf " %s |", states[i]
			printf "\n| --- |"
			for (i = 1; i <= count; i++) printf " --- |"
			for (row = 1; row <= size; row++) {
				printf "\n| %s |", rows[row]
				for (i = 1; i <= count; i++) printf " %s |", cell[rows[row], i]
			}
			printf "\n"
		}' "$@"
}
