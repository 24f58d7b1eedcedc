#!/bin/sh
# Makes a Debian the relay's machine: install.sh ROOTFS RELAY, as root, in the machine or in its root folder. What is not needed to
# serve is removed, above all every way in.
set -eu
# Run elsewhere by mistake, it would take a machine's keys and ways in.
if [ "${BANYAN_IMAGE:-}" != build ]; then
    echo "install.sh: this makes a machine nothing but a relay; BANYAN_IMAGE=build says that it is meant" >&2
    exit 2
fi
rootfs=$1
relay=$2
export DEBIAN_FRONTEND=noninteractive

if [ -d /run/systemd/system ]; then
    apt-get update
    apt-get install --yes --no-install-recommends curl nftables systemd-timesyncd
fi

cp -R "$rootfs/." /
chown -R root:root /usr/lib/banyan /etc/systemd /etc/sysctl.d
chmod 0755 /usr/lib/banyan/boot /usr/lib/banyan/lease /usr/lib/banyan/rules /usr/lib/banyan/user-data
install -m 0755 "$relay" /usr/bin/banyan-relay
# Scratch folders are in memory, for the root file system is read only.
mkdir -p /var/lib/banyan
cat > /etc/fstab << 'FSTAB'
/dev/root / auto ro,noatime 0 0
tmpfs /tmp tmpfs nosuid,nodev,size=16M 0 0
tmpfs /var/tmp tmpfs nosuid,nodev,size=16M 0 0
tmpfs /var/log tmpfs nosuid,nodev,size=16M 0 0
tmpfs /var/lib/systemd tmpfs nosuid,nodev,size=16M 0 0
FSTAB

systemctl enable banyan-relay.service banyan-lease.timer systemd-networkd.service systemd-timesyncd.service
# Nobody logs in, nothing is installed later, and nothing else is started.
systemctl mask getty@.service serial-getty@.service console-getty.service autovt@.service getty-static.service systemd-logind.service \
    systemd-networkd-wait-online.service apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service fstrim.timer man-db.timer \
    systemd-resolved.service emergency.service rescue.service ctrl-alt-del.target
passwd --lock root
apt-get purge --yes openssh-server openssh-sftp-server cloud-init unattended-upgrades > /dev/null 2>&1 || true
rm -rf /var/lib/apt/lists /var/cache/apt /etc/ssh /var/lib/cloud /root/.ssh /home/*/.ssh "$rootfs" "$relay"
# Each machine makes its own.
: > /etc/machine-id
rm -f /var/lib/systemd/random-seed /etc/hostname
