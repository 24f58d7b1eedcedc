# What the machine's scripts share. They read the boot data without the relay's program, which may be what is broken.
# The folders and files are named by variables so that tests can put others in their place.
run=${BANYAN_RUN:-/run/banyan}
uptime=${BANYAN_UPTIME:-/proc/uptime}
console=${BANYAN_CONSOLE:-/dev/console}
here=${0%/*}

# A machine without a readable lease has so long to get one, in seconds.
PATIENCE_S=600

say() { echo "banyan: $*" >> "$console"; }

# `halt` would not end an instance; only power-off does.
off() {
    say "$1, so this machine powers off"
    systemctl --force poweroff
    exit 0
}

uptime_s() { cut -d. -f1 "$uptime"; }

is_out_of_patience() { [ "$(uptime_s)" -ge "$PATIENCE_S" ]; }

# The number in the file of boot data $1 that is named $2 in the lease; nothing if there is none.
lease_number() {
    tr -d ' \t\r\n' < "$1" | sed -n "s/.*\"lease\":{[^{}]*\"$2\":\([0-9]\{1,15\}\)[,}].*/\1/p"
}

# The port in the file of boot data $1; nothing if there is none.
port() { tr -d ' \t\r\n' < "$1" | sed -n 's/.*"listen":"[^"]*:\([0-9]\{1,5\}\)".*/\1/p'; }

# Fetches the boot data to the file $1 by the command that follows, whole or not at all.
fetch() {
    file=$1
    shift
    "$@" > "$file.new" && mv "$file.new" "$file"
}
