#!/bin/sh
# Makes the disk of this machine a relay's image, and powers off, which stops the machine: that says that it is done. If something
# goes wrong it stays on, whoever launched it ends it, and the timer below stops it at last.
set -eu
systemd-run --on-active=25m --timer-property=AccuracySec=1s systemctl --force poweroff
mkdir -p /run/banyan-build
cat > /run/banyan-build/make << 'BANYAN_BUILD'
#!/bin/sh
set -eu
cd /run/banyan-build
@FILES@
curl --fail --silent --show-error --location --proto '=https' --proto-redir '=https' --max-time 120 \
  --max-filesize 33554432 --output banyan-relay '@URL@'
echo '@SHA256@  banyan-relay' | sha256sum --check --status
BANYAN_IMAGE=build sh -eu install.sh /run/banyan-build/rootfs /run/banyan-build/banyan-relay
sync
systemctl poweroff
BANYAN_BUILD
# Not from here: what makes the image removes cloud-init, which runs this.
systemd-run --unit=banyan-build --property=StandardOutput=journal+console --property=StandardError=journal+console sh /run/banyan-build/make
