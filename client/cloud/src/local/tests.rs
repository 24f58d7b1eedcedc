use super::*;
use crate::boot::tests::boot;
use banyan_protocol::time::Utc;
use std::os::unix::fs::PermissionsExt;

/// A machine with a program that stands for the relay: it copies its boot data beside them, and waits.
struct Case {
    data: PathBuf,
    local: Local,
    order: Order,
}

impl Drop for Case {
    fn drop(&mut self) {
        for found in self.local.look_around().unwrap() {
            self.local.end_found(&found, "the test is over").unwrap();
        }
        let _ = fs::remove_dir_all(&self.data);
    }
}

impl Case {
    fn new(name: &str, script: &str) -> Self {
        let data = std::env::temp_dir().join(format!("banyan-local-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&data);
        fs::create_dir_all(&data).unwrap();
        let relay = data.join("banyan-relay");
        fs::write(&relay, script).unwrap();
        fs::set_permissions(&relay, fs::Permissions::from_mode(0o700)).unwrap();
        let ledger = Arc::new(Ledger::open(&data).unwrap());
        let programs = Programs {
            relay,
            detach: vec!["setsid".into()],
        };
        let mut boot = boot();
        boot.lease.ends = crate::clock::now().after(Duration::from_secs(3600));
        Self {
            local: Local::new(programs, &data, ledger),
            data,
            order: Order {
                provider: Kind::Local,
                boot,
                plan: Plan::unpaid(),
                image: Default::default(),
                subnet: None,
            },
        }
    }

    fn launch(&self) -> Result<Machine, Failure> {
        self.local.launch_now(&self.order, &mut |_| {})
    }

    fn list(&self) -> Vec<Found> {
        self.local.look_around().unwrap()
    }
}

/// A script that does nothing but wait.
const TAIL: &str = "#!/bin/sh\nexec tail -f \"$2\"\n";

#[tokio::test]
async fn a_relay_runs_in_a_session_of_its_own_and_is_found_and_ended() {
    let case = Case::new("runs", TAIL);
    let machine = case.launch().unwrap();
    let mark = parse_handle(&machine.handle).unwrap();
    assert!(mark.is_alive());
    let found = case.list();
    assert_eq!(found.len(), 1);
    assert_eq!(
        (found[0].handle.as_str(), found[0].address),
        (machine.handle.as_str(), Some(machine.address))
    );
    let config = fs::metadata(case.local.config(case.order.boot.lease.id)).unwrap();
    assert_eq!(config.permissions().mode() & 0o777, 0o600);
    case.local.end_found(&found[0], "asked").unwrap();
    case.local.end_found(&found[0], "asked").unwrap();
    assert!(!mark.is_alive() && case.list().is_empty());
    assert!(
        !case.local.config(case.order.boot.lease.id).exists(),
        "the secret is gone"
    );
}

#[tokio::test]
async fn a_second_launch_of_a_lease_replaces_the_first() {
    let case = Case::new("twice", TAIL);
    let first = parse_handle(&case.launch().unwrap().handle).unwrap();
    let second = parse_handle(&case.launch().unwrap().handle).unwrap();
    assert!(!first.is_alive() && second.is_alive());
    assert_eq!(case.list().len(), 1);
}

#[tokio::test]
async fn a_relay_whose_number_was_never_written_down_is_found() {
    let case = Case::new("unwritten", TAIL);
    fs::create_dir_all(&case.local.folder).unwrap();
    case.local.ledger.write(&case.local.attempt(&case.order)).unwrap();
    assert!(case.list().is_empty(), "announced, and not started");
    let mark = case
        .local
        .start(&case.order, "127.0.0.1:0".parse().unwrap())
        .unwrap();
    let found = case.list();
    assert_eq!(
        found
            .iter()
            .map(|found| found.handle.as_str())
            .collect::<Vec<_>>(),
        [handle(mark)]
    );
}

#[tokio::test]
async fn a_relay_that_cannot_be_started_leaves_nothing() {
    let mut case = Case::new("missing", TAIL);
    case.local.programs = Programs {
        relay: "/nonexistent/banyan-relay".into(),
        detach: Vec::new(),
    };
    let failure = case.launch().unwrap_err();
    assert!(
        failure.why == Why::Program && failure.sentence.contains("install banyan-relay"),
        "{failure}"
    );
    let book = case.local.ledger.book().unwrap();
    assert!(book.account(case.order.boot.lease.id).unwrap().open().is_none());
}

#[tokio::test]
async fn a_lease_that_is_over_starts_nothing() {
    let mut case = Case::new("over", TAIL);
    case.order.boot.lease.ends = Utc::from_secs(1);
    assert_eq!(case.launch().unwrap_err().why, Why::Budget);
    assert!(case.local.ledger.book().unwrap().accounts().next().is_none());
}

#[test]
fn nothing_that_opens_an_account_is_passed_on() {
    assert!(is_harmless("PATH".as_ref()) && is_harmless("RUST_LOG".as_ref()));
    for name in ["AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "aws_session_token"] {
        assert!(!is_harmless(name.as_ref()), "{name}");
    }
}

#[test]
fn a_port_that_is_taken_is_not_chosen() {
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let socket = UdpSocket::bind(taken).unwrap();
    let chosen = free_port(taken).unwrap();
    assert_ne!(chosen.port(), taken.port());
    drop(socket);
    assert_eq!(
        reachable("[::]:4600".parse().unwrap()),
        "[::1]:4600".parse().unwrap()
    );
}
