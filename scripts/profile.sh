#!/bin/bash
# Where a kernel's instructions go while it loads a program without branches:
#
#     scripts/profile.sh [KERNEL [SIZE]]
#
# KERNEL is patched (the default) or baseline, SIZE the number of instructions, 65536 by default. Prints the 25 functions
# that execute most, in instructions for each of the program's. The kernel is booted twice, the second time for a program of
# four instructions, whose counts are subtracted.
set -euo pipefail
cd "$(dirname "$0")/.."

profile=()
source scripts/common.sh

kernel=${1:-patched} size=${2:-65536}
[[ $size =~ ^[0-9]+$ && $size -ge 8 && $size -le 1000000 ]] || fail "$size is not a size from 8 to 1000000"
for tool in bpftool clang gcc nm qemu-system-x86_64; do
	command -v "$tool" >/dev/null || fail "$tool is not installed: scripts/setup.sh installs it"
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
image=$(bpfsig kernel build --variant "$kernel")
gcc -O2 -Wall -Wextra -shared -fPIC -o "$work/plugin.so" scripts/profile/plugin.c

# What bpfsig takes for QEMU: QEMU with the plugin, where it boots a kernel.
cat >"$work/qemu-system-x86_64" <<-END
	#!/bin/bash
	[[ " \$* " != *" -kernel "* ]] || set -- -plugin "$work/plugin.so" "\$@"
	exec "$(command -v qemu-system-x86_64)" "\$@"
END
chmod +x "$work/qemu-system-x86_64"

straight() {
	clang --target=bpf -O2 "-I/usr/include/$(uname -m)-linux-gnu" -x c -c -o "$work/$1.o" - <<-END
		#include <linux/bpf.h>
		#include <bpf/bpf_helpers.h>
		SEC("xdp") int straight(void *ctx)
		{
			asm volatile("r0 = 0\n .rept $(($1 / 4))\n r0 += 40503\n r0 *= 31\n r0 ^= 21845\n r0 >>= 1\n .endr\n" ::: "r0");
			return XDP_PASS;
		}
		char _license[] SEC("license") = "GPL";
	END
}

for count in 4 "$size"; do
	straight "$count"
	echo "booting the $kernel kernel, and loading $count instructions" >&2
	PROFILE=$work/$count.counts PATH=$work:$PATH bpfsig vm --variant "$kernel" -- \
		bpftool prog load "$work/$count.o" /sys/fs/bpf/straight >&2
done

# Counts and symbols by address; a count belongs to the last symbol before it. "!" comes before all digits.
functions() {
	nm "$(dirname "$image")/vmlinux" | awk '$2 ~ /^[tTwW]$/ { print $1, "!", $3 }' |
		LC_ALL=C sort - "$work/$1.counts" | awk -v sign="$2" '
		$2 == "!" { name = $3; next }
		{ count[name] += $2 }
		END { for (name in count) print name, sign * count[name] }'
}
{ functions 4 -1; functions "$size" 1; } | awk -v size="$size" '
	{ count[$1] += $2; all += $2 }
	END {
		printf "%10.1f 100.0 %%  all\n", all / size
		for (name in count) printf "%10.1f %5.1f %%  %s\n", count[name] / size, 100 * count[name] / all, name
	}' | sort --general-numeric-sort --reverse | head -26
