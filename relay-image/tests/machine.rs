//! The scripts of the relay's machine, with its folders, clock, metadata service and commands replaced.
#![allow(clippy::unwrap_used, reason = "all of this is tests")]

mod support;

use banyan_peer::identity;
use banyan_protocol::id::{PeerId, SecretKey};
use banyan_protocol::wire::lease::Lease;
use banyan_protocol::wire::order::{Numbered, Order};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use support::process::{boot, lease};

const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/rootfs/usr/lib/banyan");

/// curl and the relay give the user data, if there are any; nft keeps what it is told; systemctl notes that it was asked.
const COMMANDS: [(&str, &str); 6] = [
    (
        "banyan-relay",
        "case \"$1\" in user-data) cat \"$MACHINE/user-data\";; *) exec \"$RELAY\" \"$@\";; esac",
    ),
    (
        "curl",
        "case \"$*\" in *api/token*) echo token;; *) cat \"$MACHINE/user-data\";; esac",
    ),
    (
        "nft",
        "case \"$1\" in list) cat \"$MACHINE/quota\";; *) cat > \"$MACHINE/rules\";; esac",
    ),
    ("systemctl", "echo \"$*\" >> \"$MACHINE/off\""),
    ("sync", ":"),
    ("sleep", "mv \"$MACHINE/user-data.next\" \"$MACHINE/user-data\""),
];

/// A machine that has been up for a while.
struct Machine(PathBuf);

impl Machine {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("banyan-machine-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(folder.join("bin")).unwrap();
        let machine = Self(folder);
        for (name, script) in COMMANDS {
            let path = machine.0.join("bin").join(name);
            fs::write(&path, format!("#!/bin/sh\nset -eu\n{script}\n")).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
        }
        machine.write("quota", "quota budget { over 1000000000 bytes used 7 bytes }");
        machine.up(20);
        machine
    }

    /// One whose user data are boot data with that lease.
    fn with(name: &str, sponsor: &SecretKey, lease: &Lease) -> Self {
        let machine = Self::new(name);
        machine.write("user-data", &boot(sponsor, lease, 600).to_string());
        machine
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.0.join(name), text).unwrap();
    }

    fn up(&self, seconds: u64) {
        self.write("uptime", &format!("{seconds}.55 40.01\n"));
    }

    /// Runs a script; whether the machine powers off, and what it says.
    fn run(&self, script: &str) -> (bool, String) {
        let path = format!(
            "{}:{}",
            self.0.join("bin").display(),
            std::env::var("PATH").unwrap()
        );
        let output = Command::new(Path::new(SCRIPTS).join(script))
            .env("PATH", path)
            .env("MACHINE", &self.0)
            .env("RELAY", env!("CARGO_BIN_EXE_banyan-relay"))
            .env("BANYAN_RUN", self.0.join("run"))
            .env("BANYAN_UPTIME", self.0.join("uptime"))
            .env("BANYAN_CONSOLE", self.0.join("console"))
            .env("BANYAN_MARKER", self.0.join("state/booted"))
            .env("BANYAN_EXTENSION", self.0.join("extension"))
            .output()
            .unwrap();
        let said = fs::read_to_string(self.0.join("console")).unwrap_or_default();
        let _ = fs::remove_file(self.0.join("console"));
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}{errors}");
        let off = fs::read_to_string(self.0.join("off")).unwrap_or_default();
        assert!(off.lines().all(|line| line == "--force poweroff"), "{off}");
        (!off.is_empty(), said)
    }

    fn rules(&self) -> String {
        fs::read_to_string(self.0.join("rules")).unwrap_or_default()
    }

    /// The relay's note of a longer lease.
    fn extended_by(&self, signer: &SecretKey, to: Lease) {
        let relay = PeerId([9; 16]);
        let numbered = Numbered {
            lease: to.id,
            sequence: 1,
            order: Order::Extend(to),
        };
        let note = [&relay.0[..], &numbered.seal(signer, &relay)].concat();
        fs::write(self.0.join("extension"), note).unwrap();
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_machine_runs_until_its_lease_is_over() {
    let sponsor = identity::generate();
    let machine = Machine::with("runs", &sponsor, &lease(3600));
    assert_eq!(machine.run("lease"), (false, String::new()));
    // The clock is not set back here, but the machine counts as if it were: an hour of uptime is an hour.
    machine.up(20 + 3600 + 20);
    let (is_off, said) = machine.run("lease");
    assert!(is_off && said.contains("the lease is over"), "{said}");
}

#[test]
fn a_lease_that_was_over_at_boot_ends_the_machine() {
    let mut lease = lease(0);
    lease.ends = banyan_protocol::time::Utc::from_secs(lease.ends.as_secs() - 20);
    assert!(
        Machine::with("over", &identity::generate(), &lease)
            .run("lease")
            .0
    );
}

#[test]
fn without_a_readable_lease_it_lasts_ten_minutes() {
    for (name, data) in [
        ("none", None),
        ("damaged", Some("{\"banyan\":1}")),
        ("empty", Some("")),
    ] {
        let machine = Machine::new(name);
        if let Some(data) = data {
            machine.write("user-data", data);
        }
        machine.up(599);
        assert!(!machine.run("lease").0, "{name}");
        machine.up(600);
        let (is_off, said) = machine.run("lease");
        assert!(is_off && said.contains("no readable lease"), "{name}: {said}");
    }
}

#[test]
fn bytes_that_are_spent_end_it() {
    let machine = Machine::with("spent", &identity::generate(), &lease(3600));
    machine.write(
        "quota",
        "quota budget { over 1000000000 bytes used 999999999 bytes }",
    );
    assert!(!machine.run("lease").0);
    machine.write(
        "quota",
        "quota budget { over 1000000000 bytes used 1000000000 bytes }",
    );
    assert!(machine.run("lease").0);
}

#[test]
fn a_longer_lease_counts_in_the_sponsors_hand_alone() {
    let sponsor = identity::generate();
    let machine = Machine::with("longer", &sponsor, &lease(60));
    let longer = Lease {
        bytes: 2_000_000_000,
        ..lease(7200)
    };
    machine.extended_by(&identity::generate(), longer);
    let (is_off, said) = machine.run("lease");
    assert!(!is_off && said.contains("nobody signed"), "{said}");
    assert_eq!(machine.rules(), "");
    machine.extended_by(&sponsor, longer);
    machine.up(20 + 3600);
    assert_eq!(machine.run("lease"), (false, String::new()));
    assert!(
        machine.rules().contains("over 2000000000 bytes used 7 bytes"),
        "{}",
        machine.rules()
    );
    machine.write("rules", "");
    machine.run("lease");
    assert_eq!(machine.rules(), "", "loaded once");
    machine.up(20 + 7200 + 20);
    assert!(machine.run("lease").0);
}

#[test]
fn at_boot_all_but_the_relays_port_is_closed_and_a_second_boot_is_none() {
    let mut data = boot(&identity::generate(), &lease(3600), 600);
    data["listen"] = "[::]:4611".into();
    let machine = Machine::new("boot");
    // The network is up a little later.
    machine.write("user-data.next", &data.to_string());
    assert_eq!(machine.run("boot"), (false, String::new()));
    let rules = machine.rules();
    assert!(
        rules.contains("udp dport 4611 accept") && rules.contains("over 1000000000 bytes used 0"),
        "{rules}"
    );
    assert_eq!(
        fs::read_to_string(machine.0.join("run/boot.json")).unwrap(),
        data.to_string()
    );
    let (is_off, said) = machine.run("boot");
    assert!(is_off && said.contains("booted before"), "{said}");
}

#[test]
fn boot_data_that_are_damaged_end_it_at_boot() {
    let machine = Machine::new("bad");
    machine.write("user-data", "#!/bin/sh\necho hello\n");
    let (is_off, said) = machine.run("boot");
    assert!(is_off && said.contains("damaged"), "{said}");
}

/// What the shell reads and what the relay reads are the same.
#[test]
fn the_scripts_read_what_sponsors_write() {
    let machine = Machine::with("reads", &identity::generate(), &lease(3600));
    machine.run("boot");
    let spaced = serde_json::to_string_pretty(&boot(&identity::generate(), &lease(3600), 600)).unwrap();
    let other = Machine::new("spaced");
    other.write("user-data", &spaced);
    other.run("boot");
    assert!(machine.rules().contains("udp dport 0 accept"));
    assert_eq!(machine.rules(), other.rules());
}
