# Container runtimes, whose device rules are an eBPF program.

# Exits as `confine` wants: reading the disk is denied.
denied='dd if=/disk of=/dev/null bs=1 count=1 2>/dev/null || exit 7'

bundle() {
	local runtime=$1 folder=/run/bundle-$1
	mkdir -p "$folder"
	cp --archive /srv/container/rootfs "$folder/"
	(cd "$folder" && "$runtime" spec)
	# No terminal, and the command.
	sed --in-place --expression 's/"terminal": true/"terminal": false/' \
		--expression "s#^\(\t*\) *\"sh\"#\1\"sh\", \"-c\", \"$2\"#" "$folder/config.json"
}

check_containers() {
	local runtime
	for runtime in runc crun; do
		bundle "$runtime" "$denied"
		confine "$runtime: a container without the device" "$runtime" run --bundle "/run/bundle-$runtime" "$runtime-1"
	done
	try "podman: import" bash -c 'tar --create --directory /srv/container/rootfs . | podman import - localhost/busybox'
	confine "podman: a container without the device" podman run --rm --network none localhost/busybox sh -c "$denied"
	try "podman: --device" podman run --rm --network none --device /dev/vda:/disk localhost/busybox sh -c "$denied"
	try "podman: a container with a network" podman run --rm localhost/busybox sh -c true
}
