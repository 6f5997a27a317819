#!/bin/bash
# The kernel series as commits: makes a git tree of them, writes them back, checks them. See usage().
set -euo pipefail
cd "$(dirname "$0")/.."

usage() {
	cat >&2 <<-'END'
		usage: scripts/series.sh tree [--source TARBALL|DIRECTORY]
		       scripts/series.sh export [--signoff 'NAME <MAIL>']
		       scripts/series.sh check [SERIES...]

		tree    unpacks the kernel into target/linux-7.3 and commits each patch there. Each series is a branch on top
		        of the one before; `git rebase -i base` moves them all.
		export  writes the commits back into kernel-patch/linux-7.3. With --signoff, writes them for `git send-email`
		        instead, with cover letters, to target/linux-7.3.mail: by NAME, who signs them off.
		check   applies the patches of kernel-patch/linux-7.3 one after the other to the same tree, compiles at each
		        one the directories that it touches, and runs checkpatch.pl --strict. What checkpatch.pl may say is listed, with
		        the reason, in kernel-patch/linux-7.3/checkpatch.accepted. With names, checks the patches of these series
		        only, on top of the others.
	END
	exit 2
}

fail() {
	echo "series.sh: error: $*" >&2
	exit 1
}

# The series, in order.
series() {
	local folder
	for folder in "$patches"/[0-9]*/ "$patches/libbpf/"; do basename "$folder"; done
}

in_tree() { git -C "$tree" "$@"; }

# Where the kernel comes from if nobody says: Debian's package, or what `bpfsig kernel build` has downloaded.
find_source() {
	local cache=${BPFSIG_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/bpfsig} file
	for file in {/usr/src,"$cache"/source}/linux-source-"$release".tar.*; do
		if [[ -e $file ]]; then
			echo "$file"
			return
		fi
	done
	fail "there is no source of Linux $release: install linux-source-$release, or name one with --source"
}

make_tree() {
	local source=$1 name version
	[[ ! -e $tree ]] || fail "$tree exists; remove it to start again"
	[[ -n $source ]] || source=$(find_source)
	trap 'rm -rf "$tree"' EXIT
	mkdir -p "$tree"
	echo "unpacking $source"
	if [[ -d $source ]]; then
		tar -C "$source" --exclude=./.git -c . | tar -C "$tree" -x
	else
		tar -C "$tree" --strip-components=1 -xf "$source"
	fi
	version=$(make -s -C "$tree" kernelversion)
	[[ $version == "$release".* ]] || fail "$source is Linux $version, not $release"

	git init --quiet --initial-branch=linux "$tree"
	in_tree config gc.auto 0
	# The branch of each series moves along when one below it is rebased.
	in_tree config rebase.updateRefs true
	in_tree config user.name >/dev/null || in_tree config user.name bpfsig
	in_tree config user.email >/dev/null || in_tree config user.email bpfsig@localhost
	echo "committing Linux $version"
	in_tree add --all --force
	in_tree commit --quiet --message "Linux $version"
	in_tree tag base
	for name in $(series); do
		in_tree checkout --quiet -b "$name"
		in_tree am --quiet "$(realpath "$patches/$name")"/*.patch ||
			fail "a patch of $name does not apply, see above"
	done
	trap - EXIT
	echo "$tree: $(in_tree rev-list --count base..) commits on $(in_tree describe --tags base), branches: $(series | tr '\n' ' ')"
}

# A copy of the commits of a range, by somebody else, who signs them off; prints the last one. The author on record is the
# project: a sign-off must be a person's.
signed_off() {
	local range=$1 name=${2%% <*} mail=${2##*<} parent commit
	parent=$(in_tree rev-parse "${range%%..*}")
	for commit in $(in_tree rev-list --reverse "$range"); do
		parent=$(in_tree log -1 --format=%B "$commit" |
			grep -vxF "Signed-off-by: $(in_tree log -1 --format='%an <%ae>' "$commit")" |
			git interpret-trailers --if-exists addIfDifferent --trailer "Signed-off-by: $2" |
			GIT_AUTHOR_NAME=$name GIT_AUTHOR_EMAIL=${mail%>} GIT_AUTHOR_DATE=$(in_tree log -1 --format=%aD "$commit") \
				git -C "$tree" commit-tree "$commit^{tree}" -p "$parent")
	done
	echo "$parent"
}

export_series() {
	local signoff=$1 from=base name out mail=$PWD/$tree.mail
	need_tree
	[[ -z $signoff || $signoff =~ ^[^\<]+\ \<[^\ ]+@[^\ ]+\>$ ]] || fail "--signoff wants 'NAME <MAIL>', not '$signoff'"
	for name in $(series); do
		in_tree merge-base --is-ancestor "$from" "$name" ||
			fail "the branch $name is not on top of $from: rebase it with \`git rebase --update-refs\`"
		if [[ -z $signoff ]]; then
			out=$PWD/$patches/$name
			rm -f "$out"/*.patch
			in_tree format-patch --quiet --no-numbered --zero-commit --no-signature --abbrev=9 \
				--output-directory "$out" "$from..$name"
		else
			[[ -e $patches/$name/cover-letter.txt ]] || fail "there is no $patches/$name/cover-letter.txt"
			out=$mail/$name
			rm -rf "$out"
			in_tree branch --quiet --force outgoing "$(signed_off "$from..$name" "$signoff")"
			in_tree config branch.outgoing.description "$(sed '1s/^Subject: \(\[[^]]*\] \)\?//' "$patches/$name/cover-letter.txt")"
			GIT_COMMITTER_NAME=${signoff%% <*} GIT_COMMITTER_EMAIL=$(sed 's/.*<\(.*\)>/\1/' <<<"$signoff") \
				git -C "$tree" format-patch --quiet --numbered --cover-letter --cover-from-description=subject \
				--output-directory "$out" "$from..outgoing"
			in_tree branch --quiet --delete --force outgoing
		fi
		echo "$out: $(in_tree rev-list --count "$from..$name") patches"
		from=$name
	done
}

need_tree() {
	[[ -d $tree/.git ]] || fail "there is no $tree: \`scripts/series.sh tree\` makes it"
}

# `make` of the tree, objects elsewhere, and every warning an error.
kbuild() {
	local cc=gcc
	if command -v ccache >/dev/null; then cc="ccache gcc"; fi
	make -C "$tree" O="$PWD/$tree.build" CC="$cc" KCFLAGS=-Werror -s "$@"
}

# Directories with objects that a commit touches.
directories() {
	in_tree diff-tree --no-commit-id --name-only -r HEAD | grep -vE '^(tools|Documentation|scripts|include)/' |
		grep '\.[chS]$' | xargs -r dirname | sort -u | sed 's,$,/,'
}

# Compiles what the last commit touches.
compile() {
	local directories
	cp "$tree.build/requested" "$tree.build/.config"
	# A fragment may take back what another one asks for.
	kbuild olddefconfig 2>&1 | { grep -v 'warning: override: reassigning to symbol' || true; }
	mapfile -t directories < <(directories)
	[[ ${#directories[@]} -eq 0 ]] || kbuild -j"$(nproc)" "${directories[@]}"
}

# What checkpatch.pl says of a patch, a line each: TYPE FILE MESSAGE; the file is `-` where the patch itself is meant. The tree
# has no history in which commits could be looked up.
checkpatch() {
	"$tree/scripts/checkpatch.pl" --root="$tree" --strict --ignore UNKNOWN_COMMIT_ID \
		--terse --show-types --no-summary --showfile --color=never - <"$1" |
		sed -nE 's,^:,-:,; s,^([^:]*):[0-9]*: (ERROR|WARNING|CHECK):([A-Z_]+): ,\3 \1 ,p'
}

# Whether the list of what is accepted has this type for this file. Counts it.
is_accepted() {
	local type=$1 file=$2 wanted pattern reason
	while read -r wanted pattern reason; do
		# shellcheck disable=SC2053
		if [[ $type == "$wanted" && $file == $pattern ]]; then
			accepted["$wanted $pattern $reason"]=$((${accepted["$wanted $pattern $reason"]-0} + 1))
			return 0
		fi
	done < <(grep -v '^#' "$patches/checkpatch.accepted" 2>/dev/null)
	return 1
}

check() {
	local name patch bad=0 count=0 type file message
	declare -A accepted=()
	for name; do
		[[ -d $patches/$name ]] || fail "there is no series $name: there are $(series | tr '\n' ' ')"
	done
	# The packages' modules are only for the distribution's Python, and another one may come first.
	PATH=/usr/bin:$PATH
	python3 -c 'import git, ply' || fail "checkpatch.pl needs the packages python3-git and python3-ply"
	[[ -d $tree/.git ]] || make_tree ""
	[[ -z $(in_tree status --porcelain) ]] || fail "$tree has changes that are not committed"
	# Not local: what is done in the end needs it, too.
	branch=$(in_tree symbolic-ref --short HEAD) || fail "$tree is in the middle of something: finish it first"
	mkdir -p "$tree.build"
	# checkpatch.pl leaves a file where it runs.
	trap 'in_tree am --abort 2>/dev/null || true; in_tree checkout --quiet "$branch"; rm -f .checkpatch-camelcase.*' EXIT
	in_tree checkout --quiet --detach base
	kbuild tinyconfig
	cat "$tree.build/.config" kernel-patch/config/*.config >"$tree.build/requested"
	# The authority is made for each kernel; none is needed to compile.
	echo 'CONFIG_SYSTEM_TRUSTED_KEYS=""' >>"$tree.build/requested"

	for name in $(series); do
		if [[ $# -gt 0 && " $* " != *" $name "* ]]; then
			in_tree am --quiet "$(realpath "$patches/$name")"/*.patch || fail "a patch of $name does not apply, see above"
			continue
		fi
		for patch in "$patches/$name"/*.patch; do
			echo "== $name: $(basename "$patch")"
			count=$((count + 1))
			in_tree am --quiet "$(realpath "$patch")" || fail "$patch does not apply, see above"
			compile || {
				echo "series.sh: error: $patch does not compile" >&2
				bad=$((bad + 1))
			}
			while read -r type file message; do
				is_accepted "$type" "$file" && continue
				echo "series.sh: error: $patch: $type: $file: $message" >&2
				bad=$((bad + 1))
			done < <(checkpatch "$patch")
		done
	done
	for reason in "${!accepted[@]}"; do echo "accepted ${accepted[$reason]} times: $reason"; done | sort
	[[ $bad -eq 0 ]] || fail "$bad complaints about $count patches"
	echo "$count patches apply, compile one by one, and are clean"
}

[[ $# -ge 1 ]] || usage
command=$1
shift
release=7.3
patches=kernel-patch/linux-$release
tree=target/linux-$release

case $command:${1-} in
tree:) make_tree "" ;;
tree:--source) make_tree "${2-}" ;;
export:) export_series "" ;;
export:--signoff) export_series "${2-}" ;;
check:*) check "$@" ;;
*) usage ;;
esac
