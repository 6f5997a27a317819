# How the checks put on record what a user sees: a line in table.tsv for each, of what was tried, the outcome (works, fails, or
# open: a confinement that does not confine), and what was said. RESULTS is the directory that it is in.
: "${RESULTS:=/srv/results}"

record() {
	local said
	said=$(printf '%s' "$3" | tr '\t\n|' '  /' | cut --characters=1-160)
	printf '%s\t%s\t%s\n' "$1" "$2" "$said" | tee --append "$RESULTS/table.tsv"
}

# The line of a program's output that tells best why it failed.
reason() {
	grep --max-count=1 --ignore-case --extended-regexp 'required|rejected|not permitted|denied|fail|error|cannot' <<<"$1" ||
		tail --lines=1 <<<"$1"
}

# Records whether a command succeeds: try NAME COMMAND...
try() {
	local name=$1 output status=0
	shift
	output=$(timeout --kill-after=10 300 "$@" 2>&1 </dev/null) || status=$?
	if [[ $status -eq 0 ]]; then
		record "$name" works ""
	else
		record "$name" fails "exit $status: $(reason "$output")"
	fi
}

# Records whether a command that has to be denied is: confine NAME COMMAND... The command exits with 0 if it got through,
# with 7 if it was denied, and otherwise it could not even be tried.
confine() {
	local name=$1 output status=0
	shift
	output=$(timeout --kill-after=10 300 "$@" 2>&1 </dev/null) || status=$?
	case $status in
	0) record "$name" open "got through" ;;
	7) record "$name" works "" ;;
	*) record "$name" fails "exit $status: $(reason "$output")" ;;
	esac
}
