#!/bin/bash
# Has the policy put into force from the initramfs, as an operator would: makes /srv/results/initrd.img, and plain.img beside it,
# which has no policy.
set -euo pipefail
cd "$(dirname "$0")"

mkinitramfs -o /srv/results/plain.img
install bpfsig /usr/bin/
install --mode=644 -D policy.bpf.o -t /etc/bpfsig/
install --mode=644 -D policy.pem -t /etc/bpfsig/signers/
install hook /usr/share/initramfs-tools/hooks/bpfsig
install boot /usr/share/initramfs-tools/scripts/init-bottom/bpfsig
mkinitramfs -o /srv/results/initrd.img
