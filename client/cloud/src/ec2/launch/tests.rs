use super::*;
use crate::boot::tests::{boot, lease};
use crate::ec2::call::{Group, Instance, InstanceState, NoCredentials};
use crate::ledger::{Ledger, State, Token};
use banyan_protocol::time::Utc;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

const ADDRESS: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);

/// How EC2 behaves towards one request for a machine.
#[derive(Clone, Debug)]
enum Run {
    /// A machine is made, and its name comes back.
    Yes,
    /// A machine is made, and nobody hears of it.
    LostYes,
    /// Nothing is made, and nobody hears of it.
    LostNo,
    /// Refused with this code.
    No(&'static str),
}

/// A small EC2 that honours tokens, with a script for what it does to requests.
struct World {
    ledger: Ledger,
    folder: std::path::PathBuf,
    /// What happens to the next requests for machines; then always yes.
    runs: VecDeque<Run>,
    /// Answers to the next requests of an action, in place of ours.
    instead: BTreeMap<&'static str, VecDeque<Result<Answer, Refusal>>>,
    machines: BTreeMap<String, Instance>,
    by_token: BTreeMap<Token, String>,
    groups: Vec<Group>,
    /// Looks until a machine has its address.
    looks_to_boot: u32,
    asked: Vec<&'static str>,
    zones_asked: Vec<String>,
    told: Vec<Progress>,
    now: Duration,
    /// When to lose interest: after this many requests.
    cancel_after: Option<usize>,
    /// Which write to the ledger fails.
    ledger_fails_at: Option<usize>,
    writes: usize,
    most_alive: usize,
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn no(code: &str) -> Refusal {
    Refusal::Code {
        code: code.into(),
        message: String::new(),
        ahead_s: None,
    }
}

fn lost() -> Refusal {
    Refusal::NoAnswer("no answer in time".into())
}

impl World {
    fn new(name: &str, runs: &[Run]) -> Self {
        let folder = std::env::temp_dir().join(format!("banyan-launch-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        Self {
            ledger: Ledger::open(&folder).unwrap(),
            folder,
            runs: runs.iter().cloned().collect(),
            instead: BTreeMap::new(),
            machines: BTreeMap::new(),
            by_token: BTreeMap::new(),
            groups: Vec::new(),
            looks_to_boot: 2,
            asked: Vec::new(),
            zones_asked: Vec::new(),
            told: Vec::new(),
            now: Duration::ZERO,
            cancel_after: None,
            ledger_fails_at: None,
            writes: 0,
            most_alive: 0,
        }
    }

    fn instead(
        mut self,
        action: &'static str,
        answers: impl IntoIterator<Item = Result<Answer, Refusal>>,
    ) -> Self {
        self.instead.insert(action, answers.into_iter().collect());
        self
    }

    fn spec(&self) -> Spec {
        Spec {
            region: "eu-central-1".parse().unwrap(),
            kinds: vec![
                ("t3.small".into(), Usd::from_micros(30_000)),
                ("c7gn.medium".into(), Usd::from_micros(60_000)),
            ],
            egress_gb: Usd::from_cents(9),
            subnet: None,
            image: ImageWish::default(),
            boot: boot(),
            install: self.ledger.install(),
            by: Mark::myself(),
            left_age: Duration::ZERO,
        }
    }

    fn launch(&mut self) -> Result<Machine, Failure> {
        let launch = self.begin();
        self.drive(launch)
    }

    /// Takes up what the ledger says is open.
    fn begin(&self) -> Launch {
        let book = self.ledger.book().unwrap();
        let left = book
            .account(lease().id)
            .and_then(|account| account.open())
            .cloned();
        Launch::new(self.spec(), left)
    }

    fn drive(&mut self, mut launch: Launch) -> Result<Machine, Failure> {
        for _ in 0..2_000 {
            if self.cancel_after.is_some_and(|after| self.asked.len() >= after) {
                launch.cancel();
            }
            match launch.step(self.now) {
                Step::Over(result) => return result,
                step => self.take(&mut launch, step),
            }
        }
        panic!("the launch never ends: {launch:?}");
    }

    fn take(&mut self, launch: &mut Launch, step: Step) {
        match step {
            Step::Record(entry) => self.write(launch, &entry),
            Step::Tell(progress) => self.told.push(progress),
            Step::Wait(time) => self.now += time,
            Step::Ask(call) => {
                self.now += Duration::from_millis(100);
                let answer = self.answer(&call);
                launch.answered(self.now, answer);
            }
            Step::Over(_) => unreachable!("the caller takes it"),
        }
    }

    fn write(&mut self, launch: &mut Launch, entry: &Entry) {
        self.writes += 1;
        if self.ledger_fails_at == Some(self.writes) {
            launch.ledger_failed(Failure::new(Why::Ledger, "the disk is full"));
        } else {
            self.ledger.write(entry).unwrap();
        }
    }

    fn answer(&mut self, call: &Call) -> Result<Answer, Refusal> {
        let action = call.action();
        self.asked.push(action);
        let instead = self.instead.get_mut(action).and_then(VecDeque::pop_front);
        if let Some(answer) = instead {
            return answer;
        }
        match call {
            Call::Subnets { .. } => Ok(Answer::Subnets(["a", "b"].map(subnet).to_vec())),
            Call::Images { .. } => Ok(Answer::Images(vec![image()])),
            Call::Groups { .. } => Ok(Answer::Groups(self.groups.clone())),
            Call::MakeGroup { .. } => Ok(Answer::Group("sg-1".into())),
            Call::OpenGroup { .. } | Call::Mark { .. } => Ok(Answer::Done),
            Call::Run { run, .. } => self.run(run),
            Call::Look { handle } => self.look(handle),
            Call::Find { value, .. } => Ok(Answer::Instances(self.find(value))),
            Call::End { handle, .. } => self.end(handle),
            call => panic!("a launch asks nothing like {call:?}"),
        }
    }

    fn run(&mut self, run: &crate::ec2::call::Run) -> Result<Answer, Refusal> {
        self.zones_asked.push(format!("{} {}", run.zone, run.kind));
        let book = self.ledger.book().unwrap();
        let announced = book.account(lease().id).is_some_and(|account| {
            account
                .attempts
                .iter()
                .any(|attempt| attempt.token == run.token && attempt.state.is_open())
        });
        assert!(announced, "a machine is asked for that the ledger does not know");
        if let Some(id) = self.by_token.get(&run.token) {
            let machine = self.machines[id].clone();
            if machine.state == InstanceState::Ended {
                return Err(no("IdempotentInstanceTerminated"));
            }
            return match self.runs.pop_front() {
                Some(Run::LostYes | Run::LostNo) => Err(lost()),
                _ => Ok(Answer::Instances(vec![machine])),
            };
        }
        match self.runs.pop_front().unwrap_or(Run::Yes) {
            Run::Yes => Ok(Answer::Instances(vec![self.make(run)])),
            Run::LostYes => {
                self.make(run);
                Err(lost())
            }
            Run::LostNo => Err(lost()),
            Run::No(code) => Err(no(code)),
        }
    }

    fn make(&mut self, run: &crate::ec2::call::Run) -> Instance {
        let id = format!("i-{}", self.machines.len() + 1);
        let instance = Instance {
            id: id.clone(),
            kind: run.kind.clone(),
            zone: run.zone.clone(),
            state: InstanceState::Pending,
            address: None,
            launched: Utc::from_secs(0),
            tags: run
                .tags
                .iter()
                .map(|(key, value)| ((*key).to_owned(), value.clone()))
                .collect(),
            why: String::new(),
        };
        self.machines.insert(id.clone(), instance.clone());
        self.by_token.insert(run.token.clone(), id);
        self.most_alive = self.most_alive.max(self.alive().len());
        instance
    }

    fn look(&mut self, handle: &str) -> Result<Answer, Refusal> {
        self.looks_to_boot = self.looks_to_boot.saturating_sub(1);
        let booted = self.looks_to_boot == 0;
        let machine = self
            .machines
            .get_mut(handle)
            .ok_or_else(|| no("InvalidInstanceID.NotFound"))?;
        if booted && machine.state == InstanceState::Pending {
            machine.state = InstanceState::Running;
            machine.address = Some(ADDRESS);
        }
        Ok(Answer::Instances(vec![machine.clone()]))
    }

    fn find(&self, token: &str) -> Vec<Instance> {
        let machines = self.machines.values();
        machines
            .filter(|machine| machine.tag("banyan:token") == Some(token))
            .cloned()
            .collect()
    }

    fn end(&mut self, handle: &str) -> Result<Answer, Refusal> {
        let machine = self
            .machines
            .get_mut(handle)
            .ok_or_else(|| no("InvalidInstanceID.NotFound"))?;
        machine.state = InstanceState::Ended;
        Ok(Answer::Instances(vec![machine.clone()]))
    }

    fn alive(&self) -> Vec<&str> {
        let alive = self
            .machines
            .values()
            .filter(|machine| machine.state != InstanceState::Ended);
        alive.map(|machine| machine.id.as_str()).collect()
    }

    /// What the ledger says may be running.
    fn open(&self) -> usize {
        let book = self.ledger.book().unwrap();
        let attempts = book.accounts().flat_map(|account| &account.attempts);
        attempts.filter(|attempt| attempt.state.is_open()).count()
    }

    /// Fails, and leaves nothing: no machine, and nothing open in the ledger.
    fn fails(&mut self, why: Why) -> Failure {
        let failure = self.launch().unwrap_err();
        assert_eq!(failure.why, why, "{failure}");
        assert_eq!(self.alive(), Vec::<&str>::new(), "{failure}");
        assert_eq!(self.open(), 0, "{failure}");
        assert!(failure.may_run.is_empty(), "{failure}");
        failure
    }
}

fn subnet(zone: &str) -> Subnet {
    Subnet {
        id: format!("subnet-{zone}"),
        zone: format!("eu-central-1{zone}"),
        network: "vpc-1".into(),
    }
}

fn image() -> Image {
    Image {
        id: "ami-1".into(),
        name: "banyan-relay-1".into(),
        created: "2026".into(),
        root: "/dev/xvda".into(),
        gib: 2,
        snapshot: None,
        architecture: "x86_64".into(),
    }
}

#[test]
fn a_launch_ends_with_an_address() {
    let mut world = World::new("happy", &[]);
    let machine = world.launch().unwrap();
    assert_eq!(machine.address, "192.0.2.1:4600".parse().unwrap());
    assert_eq!(
        (machine.zone.as_str(), machine.kind.as_str()),
        ("eu-central-1a", "t3.small")
    );
    assert_eq!(world.alive(), ["i-1"]);
    let book = world.ledger.book().unwrap();
    let attempt = book.account(lease().id).unwrap().open().unwrap();
    assert!(matches!(&attempt.state, State::Alive { address: Some(_), .. }));
    assert_eq!(attempt.hourly, Usd::from_micros(30_000));
}

#[test]
fn a_group_that_is_there_is_used_and_one_that_lets_in_more_is_not() {
    let port = ("udp".to_owned(), 4600, 4600);
    let mut world = World::new("group", &[]);
    world.groups = vec![Group {
        id: "sg-7".into(),
        lets_in: vec![port.clone()],
    }];
    let mut world = world.instead(
        "AuthorizeSecurityGroupIngress",
        [Err(no("InvalidPermission.Duplicate"))],
    );
    world.launch().unwrap();
    assert!(!world.asked.contains(&"CreateSecurityGroup"));

    let mut world = World::new("wide", &[]);
    world.groups = vec![Group {
        id: "sg-7".into(),
        lets_in: vec![port, ("tcp".into(), 22, 22)],
    }];
    assert!(world.fails(Why::Refused).sentence.contains("sg-7"));
}

#[test]
fn another_process_may_make_the_group_first() {
    let group = Group {
        id: "sg-7".into(),
        lets_in: Vec::new(),
    };
    let mut world = World::new("race", &[])
        .instead("CreateSecurityGroup", [Err(no("InvalidGroup.Duplicate"))])
        .instead(
            "DescribeSecurityGroups",
            [Ok(Answer::Groups(Vec::new())), Ok(Answer::Groups(vec![group]))],
        );
    world.launch().unwrap();
    let mut world = World::new("squatter", &[]).instead(
        "CreateSecurityGroup",
        [
            Err(no("InvalidGroup.Duplicate")),
            Err(no("InvalidGroup.Duplicate")),
        ],
    );
    assert!(world.fails(Why::Refused).sentence.contains("not Banyan's"));
}

#[test]
fn what_is_missing_is_said_before_anything_is_started() {
    let mut world = World::new("vpc", &[]).instead("DescribeSubnets", [Ok(Answer::Subnets(Vec::new()))]);
    assert!(
        world
            .fails(Why::NoNetwork)
            .sentence
            .contains("create-default-vpc")
    );
    let none = || Ok(Answer::Images(Vec::new()));
    let mut world = World::new("image", &[]).instead("DescribeImages", [none(), none()]);
    assert!(world.fails(Why::Image).sentence.contains("no relay image"));
    let mut world = World::new("keys", &[]).instead(
        "DescribeSubnets",
        [Err(Refusal::NoCredentials(NoCredentials::None))],
    );
    assert!(world.fails(Why::NoCredentials).sentence.contains("aws login"));
}

#[test]
fn a_type_without_an_image_is_left_out() {
    let none = Ok(Answer::Images(Vec::new()));
    let mut world = World::new(
        "arm",
        &[Run::No("InsufficientInstanceCapacity"), Run::No("Unsupported")],
    )
    .instead("DescribeImages", [Ok(Answer::Images(vec![image()])), none]);
    world.fails(Why::Capacity);
    assert_eq!(
        world.zones_asked,
        ["eu-central-1a t3.small", "eu-central-1b t3.small"]
    );
}

#[test]
fn without_capacity_the_next_zone_and_then_the_next_type_is_tried() {
    let full = Run::No("InsufficientInstanceCapacity");
    let mut world = World::new("full", &[full.clone(), Run::No("Unsupported"), full.clone()]);
    let machine = world.launch().unwrap();
    assert_eq!(
        (machine.zone.as_str(), machine.kind.as_str()),
        ("eu-central-1b", "c7gn.medium")
    );
    assert_eq!((world.most_alive, world.open()), (1, 1));
    let mut world = World::new("all-full", &[full.clone(), full.clone(), full.clone(), full]);
    assert!(world.fails(Why::Capacity).sentence.contains("--region"));
    assert_eq!(world.zones_asked.len(), 4);
}

#[test]
fn beyond_the_quota_only_smaller_machines_are_tried() {
    let mut world = World::new("quota", &[Run::No("VcpuLimitExceeded")]);
    assert_eq!(world.launch().unwrap().kind, "c7gn.medium");
    assert_eq!(
        world.zones_asked,
        ["eu-central-1a t3.small", "eu-central-1a c7gn.medium"]
    );
    let mut world = World::new(
        "quota-0",
        &[Run::No("VcpuLimitExceeded"), Run::No("VcpuLimitExceeded")],
    );
    assert!(world.fails(Why::Quota).sentence.contains("quota"));
}

#[test]
fn what_will_never_be_granted_is_not_asked_twice() {
    for (code, why) in [
        ("UnauthorizedOperation", Why::Unauthorized),
        ("ExpiredToken", Why::Expired),
        ("AuthFailure", Why::WrongCredentials),
        ("RequestExpired", Why::Clock),
        ("OptInRequired", Why::Account),
        ("InvalidParameterCombination", Why::Refused),
        ("SomethingNew", Why::Refused),
    ] {
        let mut world = World::new(code, &[Run::No(code)]);
        world.fails(why);
        assert_eq!(world.zones_asked.len(), 1, "{code}");
    }
}

#[test]
fn throttling_is_waited_out_with_the_same_token() {
    let mut world = World::new(
        "throttle",
        &[Run::No("RequestLimitExceeded"), Run::No("RequestLimitExceeded")],
    );
    world.launch().unwrap();
    assert_eq!(world.zones_asked, ["eu-central-1a t3.small"; 3]);
    let mut world = World::new("throttled", &vec![Run::No("RequestLimitExceeded"); 1000]);
    world.fails(Why::Throttled);
    assert!(world.now >= DEADLINE && world.zones_asked.len() < 100);
}

#[test]
fn a_lost_yes_is_asked_for_again_and_makes_one_machine() {
    let mut world = World::new("lost-yes", &[Run::LostYes, Run::LostYes]);
    world.launch().unwrap();
    assert_eq!((world.machines.len(), world.open()), (1, 1));
    let mut world = World::new("lost-no", &[Run::LostNo, Run::Yes]);
    world.launch().unwrap();
    assert_eq!(world.machines.len(), 1);
}

#[test]
fn a_refusal_after_a_lost_answer_is_proved_before_another_zone_is_tried() {
    let mut world = World::new("prove", &[Run::LostNo, Run::No("InsufficientInstanceCapacity")]);
    world.launch().unwrap();
    assert!(
        world
            .asked
            .windows(2)
            .any(|pair| pair == ["RunInstances", "DescribeInstances"])
    );
    assert_eq!((world.machines.len(), world.open()), (1, 1));
}

#[test]
fn a_machine_that_shows_after_the_refusal_of_a_repeat_is_taken() {
    let mut world = World::new("after", &[Run::LostYes]);
    // The repeat is refused although the first request made a machine.
    world.instead.insert("RunInstances", VecDeque::new());
    let mut launch = world.begin();
    let mut runs = 0;
    let result = loop {
        match launch.step(world.now) {
            Step::Over(result) => break result,
            Step::Ask(call @ Call::Run { .. }) if runs == 1 => {
                runs += 1;
                world.asked.push(call.action());
                launch.answered(world.now, Err(no("InsufficientInstanceCapacity")));
            }
            Step::Ask(call @ Call::Run { .. }) => {
                runs += 1;
                let answer = world.answer(&call);
                launch.answered(world.now, answer);
            }
            step => world.take(&mut launch, step),
        }
    };
    assert_eq!(result.unwrap().handle, "i-1");
    assert_eq!((world.most_alive, world.open()), (1, 1));
}

#[test]
fn what_nobody_answers_is_not_given_up_for_another_zone() {
    let mut world = World::new("silence", &vec![Run::LostYes; 1000]);
    let failure = world.launch().unwrap_err();
    assert_eq!(failure.why, Why::Unsure);
    assert_eq!(failure.may_run.len(), 1, "{failure}");
    assert!(
        world
            .zones_asked
            .iter()
            .all(|zone| zone == "eu-central-1a t3.small")
    );
    assert_eq!(
        (world.machines.len(), world.open()),
        (1, 1),
        "the ledger still has it"
    );
}

#[test]
fn a_provider_that_hangs_from_the_start_is_given_up_soon() {
    let mut world = World::new("hangs", &[]).instead("DescribeSubnets", vec![Err(lost()); 100]);
    world.fails(Why::Unreachable);
    assert!(world.asked.len() <= 6 && world.now < Duration::from_secs(30));
}

#[test]
fn a_machine_that_ec2_cannot_keep_is_replaced_and_one_that_ended_itself_is_not() {
    let ended = |why: &str| {
        let instance = Instance {
            id: "i-1".into(),
            kind: "t3.small".into(),
            zone: "eu-central-1a".into(),
            state: InstanceState::Ended,
            address: None,
            launched: Utc::from_secs(0),
            tags: Vec::new(),
            why: why.into(),
        };
        Ok(Answer::Instances(vec![instance]))
    };
    let why = "Server.InsufficientInstanceCapacity: there is none";
    let mut world = World::new("server", &[]).instead("DescribeInstances", [ended(why)]);
    world.launch().unwrap();
    assert_eq!(
        world.zones_asked,
        ["eu-central-1a t3.small", "eu-central-1b t3.small"]
    );
    for (why, says) in [
        ("Client.InstanceInitiatedShutdown: it did", "powered itself off"),
        ("Client.UserInitiatedShutdown: user did", "by somebody"),
    ] {
        let mut world = World::new(says, &[]).instead("DescribeInstances", [ended(why)]);
        let failure = world.launch().unwrap_err();
        assert!(
            failure.why == Why::Vanished && failure.sentence.contains(says),
            "{failure}"
        );
        assert_eq!((world.zones_asked.len(), world.open()), (1, 0));
    }
}

#[test]
fn a_machine_that_is_not_known_everywhere_yet_is_waited_for() {
    let unknown = || Err(no("InvalidInstanceID.NotFound"));
    let mut world = World::new("eventually", &[]).instead("DescribeInstances", [unknown(), unknown()]);
    world.launch().unwrap();
    let mut world = World::new("never", &[]).instead("DescribeInstances", (0..1000).map(|_| unknown()));
    world.fails(Why::Vanished);
    assert!(world.asked.contains(&"TerminateInstances"));
}

#[test]
fn a_machine_without_an_address_or_too_slow_a_one_is_ended() {
    let mut world = World::new("slow", &[]);
    world.looks_to_boot = u32::MAX;
    world.fails(Why::Deadline);
    let running = Instance {
        state: InstanceState::Running,
        ..match World::new("x", &[]).make_sample() {
            Answer::Instances(mut all) => all.remove(0),
            _ => unreachable!(),
        }
    };
    let answers = (0..1000).map(|_| Ok(Answer::Instances(vec![running.clone()])));
    let mut world = World::new("addressless", &[]).instead("DescribeInstances", answers);
    assert!(world.fails(Why::NoNetwork).sentence.contains("subnet"));
}

impl World {
    fn make_sample(&mut self) -> Answer {
        let (source, image) = (self.spec().image.sources(Architecture::X86).remove(0), image());
        let kind = self.spec().kinds[0].clone();
        let candidate = Candidate::new(&self.spec(), &kind, &subnet("a"), "sg-1", (&source, &image)).unwrap();
        Answer::Instances(vec![self.make(&candidate.run)])
    }
}

#[test]
fn whenever_nobody_wants_it_any_more_nothing_is_left() {
    let all = {
        let mut world = World::new("count", &[Run::LostYes, Run::Yes]);
        world.launch().unwrap();
        world.asked.len()
    };
    for after in 0..all {
        let mut world = World::new(&format!("cancel-{after}"), &[Run::LostYes, Run::Yes]);
        world.cancel_after = Some(after);
        match world.launch() {
            Ok(_) => panic!("it was cancelled after {after}"),
            Err(failure) => assert_eq!(failure.why, Why::Cancelled, "after {after}: {failure}"),
        }
        assert_eq!((world.alive().len(), world.open()), (0, 0), "after {after}");
    }
}

#[test]
fn killed_at_any_step_the_next_process_goes_on_with_the_same_machine() {
    for scripts in [
        vec![],
        vec![Run::LostYes],
        vec![Run::LostNo, Run::No("InsufficientInstanceCapacity")],
    ] {
        for killed_after in 0..40 {
            let mut world = World::new(&format!("kill-{}-{killed_after}", scripts.len()), &scripts);
            let mut launch = world.begin();
            for _ in 0..killed_after {
                match launch.step(world.now) {
                    Step::Over(_) => break,
                    step => world.take(&mut launch, step),
                }
            }
            drop(launch);
            // What was in the kernel's hands when it died happens all the same; the script goes on.
            let machine = world.launch().unwrap();
            assert_eq!(
                world.alive(),
                [machine.handle.as_str()],
                "killed after {killed_after}"
            );
            assert_eq!(
                (world.most_alive, world.open()),
                (1, 1),
                "killed after {killed_after}"
            );
        }
    }
}

#[test]
fn killed_and_ordered_anew_with_another_secret_the_old_machine_is_ended_first() {
    for (script, killed_after) in [(Run::LostYes, 11), (Run::Yes, 11), (Run::Yes, 12)] {
        let mut world = World::new(&format!("anew-{killed_after}"), &[script]);
        let mut launch = world.begin();
        for _ in 0..killed_after {
            let step = launch.step(world.now);
            world.take(&mut launch, step);
        }
        drop(launch);
        assert_eq!(
            world.alive(),
            ["i-1"],
            "the machine is there when the process dies"
        );
        let mut spec = world.spec();
        spec.boot.enrol.secret = banyan_protocol::role::relay::boot::EnrolSecret([9; 16]);
        let book = world.ledger.book().unwrap();
        let left = book.account(lease().id).unwrap().open().cloned();
        assert!(left.is_some());
        let machine = world.drive(Launch::new(spec, left)).unwrap();
        assert_eq!(world.alive(), [machine.handle.as_str()]);
        assert_ne!(machine.handle, "i-1");
        assert_eq!((world.most_alive, world.open()), (1, 1));
    }
}

#[test]
fn a_request_that_was_lost_and_made_nothing_must_be_old_before_another_is_made() {
    let mut world = World::new("lost-request", &[Run::LostNo]);
    let mut launch = world.begin();
    for _ in 0..10 {
        let step = launch.step(world.now);
        world.take(&mut launch, step);
    }
    let book = world.ledger.book().unwrap();
    let left = || book.account(lease().id).unwrap().open().cloned();
    assert_eq!(left().unwrap().state, State::Asked);
    let mut spec = world.spec();
    spec.boot.enrol.secret = banyan_protocol::role::relay::boot::EnrolSecret([9; 16]);
    let failure = world.drive(Launch::new(spec.clone(), left())).unwrap_err();
    assert_eq!((failure.why, world.zones_asked.len()), (Why::Unsure, 1));
    spec.left_age = Duration::from_secs(17 * 60);
    world.now = Duration::ZERO;
    world.drive(Launch::new(spec, left())).unwrap();
    assert_eq!((world.most_alive, world.open()), (1, 1));
}

#[test]
fn when_the_ledger_fails_nothing_is_launched_or_left() {
    let writes = {
        let mut world = World::new("writes", &[]);
        world.launch().unwrap();
        world.writes
    };
    assert_eq!(writes, 3);
    for fails_at in 1..=writes {
        let mut world = World::new(&format!("ledger-{fails_at}"), &[]);
        world.ledger_fails_at = Some(fails_at);
        let failure = world.launch().unwrap_err();
        assert_eq!(failure.why, Why::Ledger, "{fails_at}");
        assert_eq!(world.alive(), Vec::<&str>::new(), "{fails_at}");
        assert_eq!(
            world.machines.is_empty(),
            fails_at == 1,
            "announced before it is asked for"
        );
    }
}

#[test]
fn the_secret_is_in_nothing_that_can_be_shown() {
    let mut world = World::new("debug", &[]);
    let mut launch = world.begin();
    for _ in 0..14 {
        assert!(!format!("{launch:?}").contains(&"03".repeat(8)));
        match launch.step(world.now) {
            Step::Over(_) => break,
            step => {
                assert!(!format!("{step:?}").contains(&"03".repeat(8)));
                world.take(&mut launch, step);
            }
        }
    }
    let ledger = std::fs::read_to_string(world.folder.join("relays.ledger")).unwrap();
    assert!(!ledger.contains(&"03".repeat(8)));
}
