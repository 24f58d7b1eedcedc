#!/bin/sh
# Turns Debian's image into a relay's machine. Whatever goes wrong, the machine powers off, and so terminates.
set -eu
trap 'echo "banyan: cannot start the relay, so this machine powers off" > /dev/console; systemctl poweroff' EXIT
umask 077
install -d -m 0755 /run/banyan /usr/lib/banyan
@SCRIPTS@
cat > /run/banyan/boot.json << 'BANYAN_BOOT_DATA'
@BOOT@
BANYAN_BOOT_DATA
cp /run/banyan/boot.json /run/banyan/lease.json

# The end, whether or not a relay ever runs. The relay's own timer and orders are beside it.
systemd-run --unit=banyan-lease --on-boot=60s --on-unit-inactive=20s --timer-property=AccuracySec=1s /usr/lib/banyan/lease
# This script runs once. After a reboot nobody commands this machine any more, and this folder is not there.
cat > /etc/systemd/system/banyan-again.service << 'BANYAN_UNIT'
[Unit]
Description=Ends a relay's machine that was booted before
ConditionPathExists=!/run/banyan/boot.json
[Service]
Type=oneshot
ExecStart=systemctl --force poweroff
[Install]
WantedBy=multi-user.target
BANYAN_UNIT
systemctl enable banyan-again.service
systemctl disable --now ssh.service ssh.socket 2> /dev/null || true
systemctl mask ssh.service ssh.socket

curl --fail --silent --show-error --location --proto '=https' --proto-redir '=https' --max-time 120 \
  --max-filesize 33554432 --output /run/banyan/banyan-relay '@URL@'
echo '@SHA256@  /run/banyan/banyan-relay' | sha256sum --check --status
install -m 0755 /run/banyan/banyan-relay /usr/bin/banyan-relay
/usr/lib/banyan/rules @PORT@ @BYTES@ 0 | nft --file -
sysctl -q -w net.core.rmem_max=8388608 net.core.wmem_max=8388608

trap - EXIT
systemd-run --unit=banyan-relay --collect \
  --property=DynamicUser=yes --property=NoNewPrivileges=yes --property=ProtectSystem=strict \
  --property=LoadCredential=boot:/run/banyan/boot.json --property=Restart=no \
  --property=RuntimeDirectory=banyan-relay --property=RuntimeDirectoryMode=0755 --property=UMask=0022 \
  --property=SuccessAction=poweroff-force --property=FailureAction=poweroff-force \
  --property=StandardOutput=journal+console --property=StandardError=journal+console \
  /usr/bin/banyan-relay --config '${CREDENTIALS_DIRECTORY}/boot' || systemctl poweroff
