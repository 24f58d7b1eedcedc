use super::*;
use crate::boot::tests::lease;
use crate::money::Usd;
use crate::process::Mark;
use crate::provider::Kind;
use banyan_protocol::wire::lease::LeaseId;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

/// A folder of its own for each test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("banyan-ledger-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn attempt(token: &str) -> Entry {
    Entry::Attempt {
        lease: lease(),
        provider: Kind::Ec2,
        region: Some("eu-central-1".parse().unwrap()),
        zone: "eu-central-1a".into(),
        kind: "t3.small".into(),
        token: Token(token.into()),
        hash: "00".into(),
        hourly: Usd::from_micros(30_000),
        egress_gb: Usd::from_cents(9),
        by: Mark::myself(),
    }
}

fn alive(token: &str, handle: &str) -> Entry {
    Entry::Alive {
        lease: lease().id,
        token: Token(token.into()),
        handle: handle.into(),
    }
}

fn states(ledger: &Ledger) -> Vec<State> {
    let book = ledger.book().unwrap();
    let account = book.account(lease().id).unwrap();
    account
        .attempts
        .iter()
        .map(|attempt| attempt.state.clone())
        .collect()
}

#[test]
fn a_ledger_tells_what_may_be_running() {
    let folder = Folder::new("tells");
    let ledger = Ledger::open(&folder.0).unwrap();
    let id = lease().id;
    ledger.write(&attempt("a")).unwrap();
    assert_eq!(states(&ledger), [State::Asked]);
    let refused = Entry::Refused {
        lease: id,
        token: Token("a".into()),
        why: "InsufficientInstanceCapacity".into(),
    };
    ledger.write(&refused).unwrap();
    assert_eq!(states(&ledger), [State::Refused]);
    assert!(ledger.book().unwrap().account(id).unwrap().open().is_none());

    ledger.write(&attempt("b")).unwrap();
    ledger.write(&alive("b", "i-1")).unwrap();
    let address = "192.0.2.1:4600".parse().unwrap();
    let handle = "i-1".to_owned();
    ledger
        .write(&Entry::Ready {
            lease: id,
            handle: handle.clone(),
            address,
        })
        .unwrap();
    let address = Some(address);
    assert_eq!(
        states(&ledger)[1],
        State::Alive {
            handle: handle.clone(),
            address
        }
    );
    ledger
        .write(&Entry::Ended {
            lease: id,
            handle,
            why: "asked".into(),
        })
        .unwrap();
    assert!(matches!(&states(&ledger)[1], State::Ended { handle, .. } if handle == "i-1"));
    let regions = ledger.book().unwrap().regions(Kind::Ec2);
    assert_eq!(
        regions.into_iter().map(String::from).collect::<Vec<_>>(),
        ["eu-central-1"]
    );
}

#[test]
fn a_machine_that_appears_after_a_refusal_is_seen() {
    let folder = Folder::new("late");
    let ledger = Ledger::open(&folder.0).unwrap();
    ledger.write(&attempt("a")).unwrap();
    let token = Token("a".into());
    ledger
        .write(&Entry::Refused {
            lease: lease().id,
            token,
            why: "capacity".into(),
        })
        .unwrap();
    ledger.write(&alive("a", "i-9")).unwrap();
    assert!(states(&ledger)[0].is_open());
}

#[test]
fn a_torn_line_is_left_out_and_the_next_is_whole() {
    let folder = Folder::new("torn");
    let ledger = Ledger::open(&folder.0).unwrap();
    ledger.write(&attempt("a")).unwrap();
    let path = folder.0.join(FILE);
    let whole = std::fs::read(&path).unwrap();
    let install = ledger.install();
    // Wherever the power goes.
    let first = whole.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    for cut in first..whole.len() {
        std::fs::write(&path, &whole[..cut]).unwrap();
        let ledger = Ledger::open(&folder.0).unwrap();
        assert_eq!(ledger.install(), install);
        ledger.write(&attempt("b")).unwrap();
        let book = ledger.book().unwrap();
        let tokens: Vec<&Token> = book
            .account(lease().id)
            .unwrap()
            .attempts
            .iter()
            .map(|a| &a.token)
            .collect();
        assert_eq!(tokens.last(), Some(&&Token("b".into())), "cut at {cut}");
        // A line that only lacks its end is whole.
        assert_eq!(
            tokens.len(),
            1 + usize::from(cut == whole.len() - 1),
            "cut at {cut}"
        );
    }
}

#[test]
fn garbage_is_left_out() {
    let folder = Folder::new("garbage");
    let ledger = Ledger::open(&folder.0).unwrap();
    ledger.write(&attempt("a")).unwrap();
    let mut bytes = std::fs::read(folder.0.join(FILE)).unwrap();
    bytes.extend_from_slice(b"\xff\xfe\n{\"t\":1,\"entry\":\"from-the-future\"}\n\n");
    std::fs::write(folder.0.join(FILE), bytes).unwrap();
    assert_eq!(states(&Ledger::open(&folder.0).unwrap()), [State::Asked]);
}

#[test]
fn only_its_owner_reads_it() {
    let folder = Folder::new("private");
    Ledger::open(&folder.0).unwrap();
    let mode = folder.0.join(FILE).metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_ledger_that_cannot_be_written_is_a_failure() {
    let failure = Ledger::open(Path::new("/proc/nowhere")).unwrap_err();
    assert_eq!(failure.why, Why::Ledger);
    assert!(failure.sentence.contains("nothing is launched"), "{failure}");
}

#[test]
fn many_writers_do_not_mix() {
    let folder = Folder::new("many");
    let ledger = Ledger::open(&folder.0).unwrap();
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let folder = &folder.0;
            scope.spawn(move || {
                let ledger = Ledger::open(folder).unwrap();
                for number in 0..20 {
                    ledger.write(&attempt(&format!("{writer}-{number}"))).unwrap();
                }
            });
        }
    });
    assert_eq!(states(&ledger).len(), 80);
}

#[test]
fn a_renewed_lease_is_the_one_that_counts() {
    let folder = Folder::new("renewed");
    let ledger = Ledger::open(&folder.0).unwrap();
    ledger.write(&attempt("a")).unwrap();
    let mut longer = lease();
    longer.ends = longer.ends.after(Duration::from_secs(3600));
    ledger.write(&Entry::Renewed { lease: longer }).unwrap();
    let book = ledger.book().unwrap();
    assert_eq!(book.account(longer.id).unwrap().lease, longer);
    assert!(book.account(LeaseId([9; 16])).is_none());
}
