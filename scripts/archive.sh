# What packages of the distribution's archive have in them, also those of its other releases. Nothing is installed.

# Fetches a package into a directory, of the first of these releases that the archive has it for, and prints which one that is:
# fetch download|source NAME DIRECTORY, as apt-get calls it. What it needs for that, and what it said, is left in $work/apt.
fetch() {
	local what=$1 name=$2 directory=$3 type=deb site release lists options
	[[ $what == download ]] || type=deb-src
	site=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' 'Label: Debian' | head --lines=1)
	for release in trixie bookworm sid; do
		lists=$work/apt/$type-$release
		options=(-qq -o Dir::Etc::sourcelist="$lists.list" -o Dir::Etc::sourceparts=/dev/null
			-o Dir::State::lists="$lists" -o Dir::Cache::srcpkgcache= -o Dir::Cache::pkgcache= -o APT::Sandbox::User=root)
		if [[ ! -e $lists.list ]]; then
			mkdir -p "$lists"
			echo "$type [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $site $release main" >"$lists.list"
			apt-get "${options[@]}" update >>"$work/apt/log" 2>&1 || true
		fi
		if (cd "$directory" && apt-get "${options[@]}" "$what" "$name") >>"$work/apt/log" 2>&1; then
			echo "$release"
			return
		fi
	done
	return 1
}
