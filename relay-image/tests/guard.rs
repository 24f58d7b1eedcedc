//! The guard of the lease, in a process whose every other part hangs.

use banyan_protocol::time::Utc;
use banyan_relay::lifetime::{DayClock, GRACE, Lifetime, guard};
use std::process::Command;
use std::time::Instant;

/// Tells the process that the test starts that it is the one that hangs.
const HANGS: &str = "BANYAN_TEST_HANGS";

#[test]
fn a_process_that_hangs_is_ended_after_the_lease_and_its_grace() {
    let clock = DayClock::start();
    if std::env::var_os(HANGS).is_some() {
        let ended = Utc::from_secs(clock.now().as_secs() - GRACE.as_secs() + 1);
        guard(Lifetime::new(clock, ended)).unwrap();
        loop {
            std::thread::park();
        }
    }
    let began = Instant::now();
    let output = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "a_process_that_hangs_is_ended_after_the_lease_and_its_grace",
            "--nocapture",
        ])
        .env(HANGS, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("the lease is over"), "{said}");
    assert!(began.elapsed() < GRACE, "{:?}", began.elapsed());
}
