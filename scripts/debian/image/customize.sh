#!/bin/bash
# Makes a Debian tree, the argument, a machine that boots into the checks. mmdebstrap runs this before it packs the tree.
set -euo pipefail
here=$(dirname "$(realpath "$0")")
root=$1

echo debian >"$root/etc/hostname"
: >"$root/etc/machine-id"
cat >"$root/etc/fstab" <<-'END'
	/dev/vda  /                 ext4  defaults                       0 0
	modules   /usr/lib/modules  9p    trans=virtio,ro,nofail         0 0
	guest     /srv/guest        9p    trans=virtio,ro                0 0
	results   /srv/results      9p    trans=virtio,rw,cache=none     0 0
END
mkdir -p "$root"/srv/{guest,results} "$root/usr/lib/modules"

install -D "$here/first.sh" "$root/usr/local/sbin/first"

# Nobody logs in, and nothing waits for a network.
systemctl --root "$root" mask --quiet serial-getty@ttyS0.service getty@tty1.service systemd-networkd-wait-online.service

cp --recursive "$here"/units/. "$root/etc/systemd/system/"
for property in devices addresses interfaces binds filesystems; do
	systemctl --root "$root" enable --quiet "confined@$property.service"
done
systemctl --root "$root" enable --quiet checks.service

# A container's files: busybox, and a device that it has no right to.
bundle=$root/srv/container/rootfs
mkdir -p "$bundle"/{bin,dev,proc,sys,etc}
cp "$root/usr/bin/busybox" "$bundle/bin/"
for name in sh cat dd mount; do
	ln -s busybox "$bundle/bin/$name"
done
mknod "$bundle/disk" b 254 0
