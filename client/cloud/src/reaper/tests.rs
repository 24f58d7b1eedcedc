use super::*;
use crate::boot::tests::lease;
use crate::ledger::{Entry, Ledger, Token};
use crate::money::Usd;
use crate::process::Mark;
use crate::provider::Kind;

/// A ledger with some entries, and what it says.
struct Case {
    ledger: Ledger,
    folder: std::path::PathBuf,
    busy: BTreeSet<LeaseId>,
}

impl Drop for Case {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Case {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("banyan-reaper-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        Self {
            ledger: Ledger::open(&folder).unwrap(),
            folder,
            busy: BTreeSet::new(),
        }
    }

    fn attempt(&self, token: &str, by: Mark) -> &Self {
        self.write(Entry::Attempt {
            lease: lease(),
            provider: Kind::Ec2,
            region: Some("eu-west-1".parse().unwrap()),
            zone: "eu-west-1a".into(),
            kind: "t3.small".into(),
            token: Token(token.into()),
            hash: String::new(),
            hourly: Usd::ZERO,
            egress_gb: Usd::ZERO,
            by,
        })
    }

    fn alive(&self, token: &str, handle: &str) -> &Self {
        let (token, handle) = (Token(token.into()), handle.to_owned());
        self.write(Entry::Alive {
            lease: lease().id,
            token,
            handle,
        })
    }

    fn ready(&self, handle: &str) -> &Self {
        let address = "192.0.2.1:4600".parse().unwrap();
        let handle = handle.to_owned();
        self.write(Entry::Ready {
            lease: lease().id,
            handle,
            address,
        })
    }

    fn write(&self, entry: Entry) -> &Self {
        self.ledger.write(&entry).unwrap();
        self
    }

    /// The verdict `before` the end of the lease.
    fn judge(&self, found: &Found, before: Duration) -> Verdict {
        let bench = Bench {
            book: &self.ledger.book().unwrap(),
            install: self.ledger.install(),
            busy: &self.busy,
            now: Utc::from_secs(lease().ends.as_secs() - before.as_secs()),
        };
        bench.judge(found)
    }

    fn found(&self, token: &str, handle: &str) -> Found {
        Found {
            provider: Kind::Ec2,
            handle: handle.into(),
            region: Some("eu-west-1".parse().unwrap()),
            kind: "t3.small".into(),
            lease: Some(lease().id),
            ends: Some(lease().ends),
            token: Some(Token(token.into())),
            install: Some(self.ledger.install()),
            launched: Utc::from_secs(lease().ends.as_secs() - 3600),
            address: None,
            state: Life::Alive,
        }
    }
}

const HALF_AN_HOUR: Duration = Duration::from_secs(1800);

/// A process that has ended.
fn gone() -> Mark {
    let mut child = std::process::Command::new("true").spawn().unwrap();
    // A process that ends at once may do so before it is looked at: one that waits for its input does not.
    child.wait().unwrap();
    let mut child = std::process::Command::new("cat")
        .stdin(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mark = Mark::of(child.id()).unwrap();
    drop(child.stdin.take());
    child.wait().unwrap();
    mark
}

#[test]
fn a_relay_that_was_handed_over_stays_until_its_lease_ends() {
    let case = Case::new("serves");
    case.attempt("a", gone()).alive("a", "i-1").ready("i-1");
    let found = case.found("a", "i-1");
    assert_eq!(case.judge(&found, HALF_AN_HOUR), Verdict::Keep);
    let bench = |after| {
        Bench {
            book: &case.ledger.book().unwrap(),
            install: case.ledger.install(),
            busy: &case.busy,
            now: lease().ends.after(after),
        }
        .judge(&found)
    };
    assert_eq!(bench(GRACE - Duration::from_secs(1)), Verdict::Keep);
    assert_eq!(bench(GRACE), Verdict::PastLease);
}

#[test]
fn what_a_dead_process_launched_is_abandoned_at_every_step() {
    let case = Case::new("abandoned");
    let found = case.found("a", "i-1");
    case.attempt("a", gone());
    assert_eq!(case.judge(&found, HALF_AN_HOUR), Verdict::Abandoned);
    case.alive("a", "i-1");
    assert_eq!(case.judge(&found, HALF_AN_HOUR), Verdict::Abandoned);
}

#[test]
fn a_launch_that_is_under_way_is_left_alone() {
    let mut case = Case::new("busy");
    let found = case.found("a", "i-1");
    case.attempt("a", Mark::myself());
    assert_eq!(
        case.judge(&found, HALF_AN_HOUR),
        Verdict::Keep,
        "another process launches"
    );
    let case = {
        case.attempt("b", gone());
        case.busy.insert(lease().id);
        case
    };
    assert_eq!(
        case.judge(&case.found("b", "i-2"), HALF_AN_HOUR),
        Verdict::Keep,
        "this process took it up"
    );
}

#[test]
fn a_late_answer_from_a_zone_that_was_given_up_is_ended() {
    let case = Case::new("late");
    let refused = Entry::Refused {
        lease: lease().id,
        token: Token("a".into()),
        why: "capacity".into(),
    };
    case.attempt("a", Mark::myself()).write(refused);
    let late = case.found("a", "i-1");
    assert_eq!(case.judge(&late, HALF_AN_HOUR), Verdict::Late);
    case.attempt("b", Mark::myself()).alive("b", "i-2").ready("i-2");
    assert_eq!(case.judge(&late, HALF_AN_HOUR), Verdict::Surplus);
    assert_eq!(case.judge(&case.found("b", "i-2"), HALF_AN_HOUR), Verdict::Keep);
}

#[test]
fn a_second_machine_of_one_request_is_surplus() {
    let case = Case::new("second");
    case.attempt("a", Mark::myself()).alive("a", "i-1").ready("i-1");
    assert_eq!(case.judge(&case.found("a", "i-1"), HALF_AN_HOUR), Verdict::Keep);
    assert_eq!(
        case.judge(&case.found("a", "i-2"), HALF_AN_HOUR),
        Verdict::Surplus
    );
    let ended = Entry::Ended {
        lease: lease().id,
        handle: "i-1".into(),
        why: "asked".into(),
    };
    case.write(ended);
    assert_eq!(
        case.judge(&case.found("a", "i-1"), HALF_AN_HOUR),
        Verdict::Surplus
    );
}

#[test]
fn others_relays_stay_until_their_lease_ends() {
    let case = Case::new("others");
    let mut found = case.found("a", "i-1");
    found.install = None;
    assert_eq!(case.judge(&found, HALF_AN_HOUR), Verdict::Keep);
    assert_eq!(case.judge(&found, Duration::ZERO), Verdict::Keep);
    found.ends = Some(Utc::from_secs(lease().ends.as_secs() - 61));
    assert_eq!(case.judge(&found, Duration::ZERO), Verdict::PastLease);
}

#[test]
fn a_ledger_that_was_lost_ends_nothing_before_its_time() {
    let case = Case::new("lost");
    assert_eq!(case.judge(&case.found("a", "i-1"), HALF_AN_HOUR), Verdict::Keep);
}

#[test]
fn machines_without_a_lease_or_stopped_ones_go() {
    let case = Case::new("odd");
    let mut found = case.found("a", "i-1");
    found.state = Life::Stopped;
    assert_eq!(case.judge(&found, HALF_AN_HOUR), Verdict::Stopped);
    found.lease = None;
    assert_eq!(case.judge(&found, HALF_AN_HOUR), Verdict::NoLease);
    assert_eq!(case.judge(&found, Duration::from_secs(3600 - 599)), Verdict::Keep);
}

#[test]
fn a_renewed_lease_counts_even_where_the_tags_do_not_say_so() {
    let case = Case::new("renewed");
    case.attempt("a", gone()).alive("a", "i-1").ready("i-1");
    let mut longer = lease();
    longer.ends = longer.ends.after(Duration::from_secs(3600));
    case.write(Entry::Renewed { lease: longer });
    let found = case.found("a", "i-1");
    let bench = Bench {
        book: &case.ledger.book().unwrap(),
        install: case.ledger.install(),
        busy: &case.busy,
        now: lease().ends.after(GRACE),
    };
    assert_eq!(bench.judge(&found), Verdict::Keep);
}
