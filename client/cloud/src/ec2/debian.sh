#!/bin/sh
# Turns Debian's image into a relay. Whatever goes wrong, the machine powers off, and so terminates.
set -eu
trap 'echo "banyan: cannot start the relay, so this machine powers off" > /dev/console; systemctl poweroff' EXIT
umask 077

# The end, whether or not a relay ever runs. The relay's own timer and orders are beside it.
systemd-run --unit=banyan-end --on-calendar="@@END_UTC@" --timer-property=AccuracySec=1s systemctl poweroff
systemctl disable --now ssh.service ssh.socket 2> /dev/null || true
systemctl mask ssh.service ssh.socket

install -d -m 0700 /run/banyan
cat > /run/banyan/boot.json << 'BANYAN_BOOT_DATA'
@BOOT@
BANYAN_BOOT_DATA
cat > /run/banyan/nft << 'BANYAN_RULES'
table inet banyan {
  quota budget { over @BYTES@ bytes }
  chain out {
    type filter hook output priority 0; policy accept;
    oifname "lo" accept
    quota name "budget" drop
    meta skuid != 0 ip daddr 169.254.169.254 drop
  }
  chain in {
    type filter hook input priority 0; policy drop;
    iifname "lo" accept
    ct state established,related accept
    meta l4proto { icmp, ipv6-icmp } accept
    udp dport @PORT@ accept
  }
}
BANYAN_RULES
curl --fail --silent --show-error --location --proto '=https' --proto-redir '=https' --max-time 120 \
  --max-filesize 33554432 --output /run/banyan/banyan-relay '@URL@'
echo '@SHA256@  /run/banyan/banyan-relay' | sha256sum --check --status
install -m 0755 /run/banyan/banyan-relay /usr/local/bin/banyan-relay
nft --file /run/banyan/nft
sysctl -q -w net.core.rmem_max=8388608 net.core.wmem_max=8388608

trap - EXIT
systemd-run --unit=banyan-relay --collect \
  --property=DynamicUser=yes --property=NoNewPrivileges=yes --property=ProtectSystem=strict \
  --property=LoadCredential=boot:/run/banyan/boot.json --property=Restart=no \
  --property=SuccessAction=poweroff-force --property=FailureAction=poweroff-force \
  --property=StandardOutput=journal+console --property=StandardError=journal+console \
  /usr/local/bin/banyan-relay --config '${CREDENTIALS_DIRECTORY}/boot' || systemctl poweroff
