# What an attacker with root tries where a policy grants programs. A row that works is one that the attacker doesn't get.

# Records whether a command is refused, for this reason: refused NAME PATTERN COMMAND...
refused() {
	local name=$1 pattern=$2 output status=0
	shift 2
	output=$(timeout --kill-after=10 300 "$@" 2>&1 </dev/null) || status=$?
	if [[ $status -eq 0 ]]; then
		record "$name" open "got through"
	elif grep --quiet --ignore-case --extended-regexp "$pattern" <<<"$output"; then
		record "$name" works ""
	else
		record "$name" fails "exit $status: $(reason "$output")"
	fi
}

# Loads what the policy doesn't grant.
unlisted() {
	rm -f /sys/fs/bpf/unlisted
	bpftool prog load /srv/guest/abuse/unlisted.bpf.o /sys/fs/bpf/unlisted
}

# The same while a policy of the attacker's choice is attached, too: with_policy FILE
with_policy() {
	/srv/guest/bpfsig load --keyring bpf --attach "/srv/guest/abuse/$1.bpf.o" >/run/with_policy 2>&1 &
	local policy=$! status=0
	until grep --quiet attached /run/with_policy; do
		kill -0 $policy 2>/dev/null || { cat /run/with_policy && return 1; }
		sleep 1
	done
	unlisted || status=$?
	kill -INT $policy
	wait $policy
	return $status
}
export -f unlisted with_policy

pinned_policy() { echo /sys/fs/bpf/bpfsig-policy-*; }

# The map with the policy: the only array that its program has.
policy_map() {
	local id
	for id in $(bpftool prog show name decide_load | perl -ne '/map_ids ([\d,]+)/ and print $1 =~ tr/,/ /r'); do
		if bpftool map show id "$id" | grep --quiet ': array'; then echo "$id"; fi
	done
}

# The size of a map's values, in bytes.
map_size() { bpftool map show id "$1" | perl -ne '/value (\d+)B/ and print $1'; }

check_abuse() {
	local required='Key was rejected by service|EKEYREJECTED|required'
	refused "root: device rules that call a helper" "$required" bash -c unlisted
	refused "root: an older policy that grants it" "does not replace" \
		/srv/guest/bpfsig policy require --yes /srv/guest/abuse/older.bpf.o
	refused "root: an older policy that grants it, attached by hand" "$required" bash -c 'with_policy older'
	/srv/guest/bpfsig trust add /srv/guest/abuse/stranger.pem
	refused "root: a policy by a signer of programs" "the kernel refused program" bash -c 'with_policy stranger'
	refused "root: an unsigned policy" "not signed" \
		/srv/guest/bpfsig policy require --yes /srv/guest/abuse/unsigned.bpf.o
	refused "root: an unsigned policy, attached by hand" "$required" bash -c 'bpftool prog load \
		/srv/guest/abuse/unsigned.bpf.o /sys/fs/bpf/policy autoattach'
	# shellcheck disable=SC2046
	refused "root: the policy's map, written" "not permitted" bpftool map update id "$(policy_map)" \
		key 0 0 0 0 value $(printf '0 %.0s' $(seq "$(map_size "$(policy_map)")"))
	refused "root: the policy, detached" "not supported" bpftool link detach pinned "$(pinned_policy)"
	refused "root: signatures, no longer required" "invalid|not permitted" bash -c 'echo 0 >/proc/sys/kernel/bpf_signature'
	check_doors
	# None of this means anything unless a policy that counts is obeyed.
	try "the operator: a newer policy that grants it" bash -c '
		/srv/guest/bpfsig policy require --yes /srv/guest/abuse/newer.bpf.o && unlisted'
	check_listed
	# From here on there is no policy.
	rm "$(pinned_policy)"
	refused "root: what the policy granted, without the policy" "$required" bash -c unlisted
}

# A class of the newer policy is for one executable alone, which root can have load a program of its choice: but only of that class.
check_listed() {
	local abuse=/srv/guest/abuse listed=/usr/local/bin/listed required='Key was rejected by service'
	install $abuse/listed $listed
	refused "root: an executable without fs-verity loads what is for a listed one" "$required" $listed
	fsverity enable $listed
	try "the operator: the listed executable loads what is for it" $listed
	refused "root: another executable loads what is for it" "$required" $abuse/listed
	refused "root: LD_PRELOAD has it load what is for it" "$required" env LD_PRELOAD=$abuse/preloaded.so $listed
	refused "root: LD_PRELOAD has it load more" "$required" env BEYOND=1 LD_PRELOAD=$abuse/preloaded.so $listed
	refused "root: ptrace has it load what is for it" "$required" $abuse/traced $listed
	refused "root: ptrace has it load more" "$required" env BEYOND=1 $abuse/traced $listed
}

# Ways into the kernel other than eBPF, with lockdown=integrity. kexec_load() is system call 246, kexec_file_load() 320.
check_doors() {
	refused "root: a module without a signature" "rejected|not permitted" insmod /srv/guest/abuse/unsigned.ko
	refused "root: kexec_load()" "not permitted" perl -e 'syscall(246, 0, 0, 0, 0) == -1 and die "$!\n"'
	refused "root: kexec_file_load() of an unsigned kernel" "not permitted|rejected|no such|no data" perl -e '
		open(my $kernel, "<", "/srv/guest/abuse/bzImage") or exit 0;
		my $line = "x";
		syscall(320, fileno($kernel), -1, 2, $line, 4) == -1 and die "$!\n"'
	refused "root: /dev/mem" "not permitted" head --bytes=1 /dev/mem
	refused "root: /dev/port" "not permitted" head --bytes=1 /dev/port
	refused "root: registers of the processor, written" "not permitted" bash -c \
		'head --bytes=8 /dev/zero | dd of=/dev/cpu/0/msr bs=8 seek=16 conv=notrunc'
	refused "root: I/O ports" "not permitted" perl -e 'syscall(172, 3) == -1 and die "$!\n"'
	# A debugger that got in would stop the machine for good.
	refused "root: kgdb" "use of kgdb/kdb to write kernel RAM is restricted" bash -c '
		echo ttyS0 >/sys/module/kgdboc/parameters/kgdboc && echo g >/proc/sysrq-trigger
		dmesg | tail
		exit 1'
	echo confidentiality >/sys/kernel/security/lockdown
	refused "root: /proc/kcore, with confidentiality" "not permitted" head --bytes=1 /proc/kcore
}
