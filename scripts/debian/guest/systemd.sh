# systemd's confinement of services, which is made of eBPF programs.

properties=(devices addresses interfaces binds filesystems)

# Asks a confined service to try what it is denied. 0: it got through; 7: it was denied.
ask() {
	local answer
	cd "/run/confined/$1" || return 2
	echo >ask
	answer=$(cat answer)
	case $answer in
	"got through") return 0 ;;
	denied) return 7 ;;
	*) return 1 ;;
	esac
}
export -f ask

check_confined() {
	local property
	for property in "${properties[@]}"; do
		confine "systemd: $property, $1" bash -c "ask $property"
	done
}

check_systemd_at_boot() {
	local failed
	failed=$(systemctl --failed --no-legend --plain | cut --delimiter=' ' --fields=1 | paste --serial --delimiters=' ')
	record "systemd: units" "$([[ -z $failed ]] && echo works || echo fails)" "$failed"
	check_confined "at boot"
}

check_systemd_later() {
	# Nothing is tested where a service without confinement can't get through either.
	try "systemd: no confinement, a new service" systemd-run --quiet --wait head --bytes=1 /dev/vda
	confine "systemd: devices, a new service" systemd-run --quiet --wait --property DevicePolicy=closed \
		bash -c 'head --bytes=1 /dev/vda || exit 7'
	try "systemd: BPFProgram=" bash -c 'set -e
		bpftool prog load /srv/guest/objects/cgroup_egress_filter.bpf.o /sys/fs/bpf/egress type cgroup/skb
		systemd-run --quiet --unit program --property BPFProgram=egress:/sys/fs/bpf/egress sleep infinity
		bpftool cgroup show /sys/fs/cgroup/system.slice/program.service | grep egress'
}
