mod amendments;
mod late;
mod nearness;
mod relays;

use super::*;
use crate::id::{Ed25519, SecretKey};
use crate::io::{Lane, Side, TierSetup};
use crate::media::{Codec, Kind, Packet, TierId, Track};
use crate::overlay::member::State;
use crate::role::config::WhenFull;
use crate::time::ChannelTime;
use crate::units::Bitrate;
use crate::wire::control::{
    Accusation, Assign, Attach, DetachReason, Moved, Orphaned, RefuseReason, Report, Welcome,
};
use crate::wire::enrol::Binding;
use crate::wire::layout::Layout;
use crate::wire::link::JoinSecret;
use crate::wire::ticket::{Ticket, TicketLane};
use alloc::sync::Arc;
use alloc::vec;
use bytes::Bytes;

/// A broadcaster, and viewers that are only message scripts.
struct Studio {
    now: Instant,
    broadcaster: Broadcaster,
    out: Outbox,
    heard: Vec<(LinkId, Message)>,
    events: Vec<Event>,
    closed: Vec<(LinkId, CloseCode)>,
    probes: Vec<PeerId>,
    /// Whom a dial-back does not find.
    hidden: BTreeMap<PeerId, usize>,
    dials: Vec<(LinkId, PeerId)>,
    linked: BTreeMap<LinkId, PeerId>,
    lanes: BTreeMap<LinkId, TicketLane>,
}

fn key(n: u8) -> SecretKey {
    SecretKey::from_bytes(&[n; 32])
}

fn config() -> BroadcasterConfig {
    BroadcasterConfig {
        key: Arc::new(key(200)),
        verify: Arc::new(Ed25519),
        epoch: 9,
        now: Instant::ZERO,
        clock: ChannelTime::from_micros(1_000_000_000),
        title: "Test".into(),
        uplink: Some(Bitrate::from_kbps(9_000)),
        when_full: WhenFull::Refuse,
        max_viewers: None,
        secret: None,
        seed: 1,
    }
}

fn hello(uplink_kbps: u64) -> Hello {
    Hello {
        version: crate::limits::VERSION,
        secret: None,
        uplink: Some(Bitrate::from_kbps(uplink_kbps)),
        buffer_ms: 2000,
        candidates: vec![],
        relay_only: false,
        may_sponsor: true,
        watches: true,
        resume: None,
    }
}

impl Studio {
    fn new(config: BroadcasterConfig) -> Self {
        let mut studio = Self {
            now: Instant::ZERO,
            broadcaster: Broadcaster::new(config),
            out: Outbox::new(),
            heard: vec![],
            events: vec![],
            closed: vec![],
            probes: vec![],
            hidden: BTreeMap::new(),
            dials: vec![],
            linked: BTreeMap::new(),
            lanes: BTreeMap::new(),
        };
        let setup = |tier, kbps| TierSetup {
            tier: TierId(tier),
            rate: Bitrate::from_kbps(kbps),
            tracks: vec![video()],
        };
        studio.input(Input::Command(Command::Tiers(vec![
            setup(0, 400),
            setup(1, 2400),
        ])));
        studio
    }

    fn input(&mut self, input: Input) {
        self.broadcaster.handle(self.now, input, &mut self.out);
        self.broadcaster.check_invariants();
        for output in self.out.drain() {
            match output {
                Output::Send {
                    link,
                    lane: Lane::Control,
                    frame,
                } => {
                    let message = Message::parse(&frame).unwrap();
                    let message = self.lanes.entry(link).or_default().receive(message);
                    self.heard.push((link, message.unwrap()));
                }
                Output::Event(event) => self.events.push(event),
                Output::Close { link, code } => self.closed.push((link, code)),
                Output::Probe { peer, .. } => self.probes.push(peer),
                Output::Dial { link, peer, .. } => self.dials.push((link, peer)),
                _ => {}
            }
        }
        for peer in core::mem::take(&mut self.probes) {
            let silent = self.hidden.get_mut(&peer).filter(|looks| **looks > 0);
            let reached = match silent {
                Some(looks) => {
                    *looks -= 1;
                    Vec::new()
                }
                None => vec!["192.0.2.1:1".parse().unwrap()],
            };
            self.input(Input::Probed { peer, reached });
        }
    }

    fn pass(&mut self, ms: u64) {
        let end = self.now + Duration::from_millis(ms);
        while let Some(at) = self.broadcaster.wake_at().filter(|at| *at <= end) {
            self.now = at.max(self.now);
            self.input(Input::Wake);
        }
        self.now = end;
    }

    fn link(&mut self, n: u8) -> LinkId {
        let link = LinkId(u64::from(n) * 2 + 1);
        let address = SocketAddr::from(([192, 0, n, 1], 4000));
        self.linked.insert(link, key(n).id());
        self.input(Input::Linked {
            link,
            peer: key(n).id(),
            address,
            side: Side::Acceptor,
            binding: Binding([0; 32]),
        });
        link
    }

    fn say(&mut self, link: LinkId, message: &Message) {
        self.input(Input::Frame {
            link,
            lane: Lane::Control,
            frame: message.frame(),
        });
    }

    fn join(&mut self, n: u8, hello: Hello) -> LinkId {
        let link = self.link(n);
        self.say(link, &Message::Hello(hello));
        link
    }

    /// The input brings a keyframe of so many bytes.
    fn keyframe(&mut self, tier: TierId, pts: i64, bytes: usize) {
        let packet = Packet {
            track: 0,
            pts,
            dts: pts,
            duration: 3000,
            keyframe: true,
            data: Bytes::from(vec![0; bytes]),
        };
        self.input(Input::Command(Command::Packet { tier, packet }));
    }

    /// Asks for the seats at the broadcaster that it was granted.
    fn attach(&mut self, link: LinkId) {
        let (assign, ticket) = self.last_assign(link).unwrap();
        let source = key(200).id().tag();
        let ours = ticket.grants.iter().filter(|grant| grant.parent == source);
        let attach = Attach {
            stripes: ours.map(|grant| (grant.stripe, assign.from_block)).collect(),
            ticket: Some(assign.ticket.clone()),
        };
        self.say(link, &Message::Attach(attach));
    }

    /// What it was told last, with what has been amended since.
    fn last_assign(&self, link: LinkId) -> Option<(Assign, Ticket)> {
        let mut told = None;
        for (_, message) in self.heard.iter().filter(|(to, _)| *to == link) {
            match (message, &mut told) {
                (Message::Assign(assign), _) => {
                    let child = self.linked[&link];
                    let ticket = Ticket::open(&assign.ticket, &child, &key(200).public(), &Ed25519);
                    told = Some((assign.clone(), ticket.unwrap()));
                }
                (Message::Amend(amendments), Some((_, ticket))) => amendments.apply(&mut ticket.grants),
                _ => {}
            }
        }
        told
    }

    fn refusal(&self, link: LinkId) -> Option<RefuseReason> {
        self.heard.iter().find_map(|(to, message)| match message {
            Message::Refused { reason } if *to == link => Some(*reason),
            _ => None,
        })
    }
}

fn video() -> Track {
    let kind = Kind::Video {
        width: 64,
        height: 36,
        frames_per_1000s: 30_000,
    };
    Track {
        codec: Codec::H264,
        kind,
        setup: Bytes::new(),
    }
}

#[test]
fn a_newcomer_is_welcomed_probed_and_placed() {
    let mut studio = Studio::new(config());
    let link = studio.join(1, hello(5000));
    let (_, Message::Welcome(Welcome { epoch: 9, layout, .. })) = &studio.heard[0] else {
        panic!("no welcome")
    };
    assert_eq!(
        Layout::open(layout, &key(200).public(), &Ed25519)
            .unwrap()
            .top()
            .stripes,
        5
    );
    let (assign, ticket) = studio.last_assign(link).unwrap();
    assert_eq!(assign.tier, TierId(1));
    assert_eq!(ticket.child, key(1).id());
    assert_eq!(ticket.grants.len(), 5);
    assert!(
        ticket
            .grants
            .iter()
            .all(|grant| grant.parent == key(200).id().tag())
    );
    assert!(matches!(studio.events[0], Event::ViewerJoined { viewers: 1, .. }));
}

#[test]
fn strangers_are_turned_away_for_cause() {
    let private = BroadcasterConfig {
        secret: Some(JoinSecret([7; 16])),
        max_viewers: Some(1),
        ..config()
    };
    let mut studio = Studio::new(private);
    let uninvited = studio.join(1, hello(0));
    assert_eq!(studio.refusal(uninvited), Some(RefuseReason::NotInvited));
    let guest = Hello {
        secret: Some([7; 16]),
        ..hello(0)
    };
    let first = studio.join(2, guest.clone());
    assert_eq!(studio.refusal(first), None);
    let second = studio.join(3, guest.clone());
    assert_eq!(studio.refusal(second), Some(RefuseReason::MaxViewers));
    let old = studio.join(4, Hello { version: 9, ..guest });
    assert_eq!(studio.refusal(old), Some(RefuseReason::Version));
    let silent = studio.link(5);
    studio.pass(10_500);
    let shut_out: Vec<_> = studio.closed.iter().map(|(link, _)| *link).collect();
    assert_eq!(shut_out, [uninvited, second, old, silent]);
}

#[test]
fn nobody_is_let_in_whose_tag_is_a_members() {
    let mut studio = Studio::new(config());
    studio.join(1, hello(0));
    let mut namesake = key(1).id();
    namesake.0[15] ^= 1;
    let mut refused = |number, peer| {
        let link = LinkId(number);
        studio.input(Input::Linked {
            link,
            peer,
            address: SocketAddr::from(([192, 0, 9, 1], 4000)),
            side: Side::Acceptor,
            binding: Binding([0; 32]),
        });
        studio.say(link, &Message::Hello(hello(0)));
        studio.refusal(link)
    };
    assert_eq!(refused(99, namesake), Some(RefuseReason::Namesake));
    assert_eq!(refused(101, key(1).id()), None, "the same key may come again");
}

#[test]
fn messages_out_of_turn_and_garbage_close_the_link() {
    let mut studio = Studio::new(config());
    let link = studio.link(1);
    studio.say(link, &Message::Leave);
    assert_eq!(studio.closed, [(link, CloseCode::Unexpected)]);
    let link = studio.join(2, hello(0));
    let frame = crate::wire::framing::frame(&[250, 1, 2, 3]);
    studio.input(Input::Frame {
        link,
        lane: Lane::Control,
        frame,
    });
    assert_eq!(studio.closed[1], (link, CloseCode::Malformed));
    let link = studio.join(3, hello(0));
    studio.say(link, &Message::Hello(hello(0)));
    assert_eq!(studio.closed[2], (link, CloseCode::Unexpected));
}

#[test]
fn when_nobody_sponsors_a_joiner_is_refused_after_all_were_asked() {
    let mut studio = Studio::new(config());
    let mut links = vec![];
    for n in 1..=3 {
        links.push(studio.join(n, hello(0)));
        studio.pass(100);
    }
    let last = links.pop().unwrap();
    assert!(
        links
            .iter()
            .all(|link| studio.last_assign(*link).unwrap().0.tier == TierId(1))
    );
    let (assign, _) = studio.last_assign(last).unwrap();
    assert_eq!(assign.tier, TierId(0), "meanwhile it has the lowest tier");
    studio.pass(14_000);
    let asked = |studio: &Studio| {
        let asks = studio
            .heard
            .iter()
            .filter(|(_, message)| matches!(message, Message::Ask(_)));
        asks.map(|(link, _)| *link).collect::<Vec<_>>()
    };
    assert_eq!(asked(&studio), [last]);
    studio.pass(2_000);
    assert_eq!(asked(&studio).len(), 3, "the leaves are asked next");
    studio.pass(21_000);
    assert_eq!(studio.refusal(last), Some(RefuseReason::Capacity));
}

#[test]
fn a_silent_parent_loses_its_children_when_it_gives_no_sign_of_life() {
    let mut studio = Studio::new(config());
    let strong = studio.join(1, hello(20_000));
    studio.attach(strong);
    let is_fed = |studio: &Studio| {
        studio
            .broadcaster
            .children()
            .any(|(child, _)| child == key(1).id())
    };
    assert!(is_fed(&studio));
    studio.pass(1_000);
    let children: Vec<_> = (2..=4).map(|n| studio.join(n, hello(0))).collect();
    let parent = key(1).id();
    let fed = |studio: &Studio, link: LinkId| {
        let (_, ticket) = studio.last_assign(link).unwrap();
        ticket
            .grants
            .iter()
            .filter(|grant| grant.parent == parent.tag())
            .map(|grant| grant.stripe)
            .collect::<Vec<_>>()
    };
    let child = *children
        .iter()
        .find(|link| !fed(&studio, **link).is_empty())
        .expect("somebody hangs from it");
    let stripe = fed(&studio, child)[0];
    let accusations = vec![(parent, Accusation::Silent)];
    let report = Report {
        accusations,
        children_in_time: true,
        carries: None,
        ..Report::default()
    };
    studio.say(child, &Message::Report(report));
    studio.say(
        child,
        &Message::Orphaned(Orphaned {
            stripe,
            parent,
            why: DetachReason::Silent,
        }),
    );
    assert!(
        matches!(studio.heard.last(), Some((_, Message::Assign(_)))),
        "the accuser is moved at once"
    );
    assert!(
        studio
            .heard
            .iter()
            .any(|(to, message)| *to == strong && matches!(message, Message::Echo { .. }))
    );
    studio.pass(1_500);
    assert!(children.iter().all(|link| fed(&studio, *link).is_empty()));
    assert!(!is_fed(&studio), "its seats are for those that are to take them");
    studio.say(
        strong,
        &Message::Echoed {
            sent_us: 0,
            at: ChannelTime::default(),
        },
    );
    let (assign, ticket) = studio.last_assign(strong).unwrap();
    assert_eq!(
        (assign.tier, ticket.grants.len()),
        (TierId(1), 5),
        "it is served again when it is back"
    );
}

#[test]
fn whom_children_of_two_networks_accuse_is_served_and_feeds_nobody_for_a_while() {
    let mut studio = Studio::new(config());
    let strong = studio.join(1, hello(20_000));
    studio.attach(strong);
    studio.pass(1_000);
    let children: Vec<_> = (2..=4).map(|n| studio.join(n, hello(0))).collect();
    let parent = key(1).id();
    let is_fed_by_it = |studio: &Studio, link: &LinkId| {
        let (_, ticket) = studio.last_assign(*link).unwrap();
        ticket.grants.iter().any(|grant| grant.parent == parent.tag())
    };
    assert!(children.iter().any(|link| is_fed_by_it(&studio, link)));
    for child in &children[..2] {
        let accusations = vec![(parent, Accusation::Silent)];
        studio.say(
            *child,
            &Message::Report(Report {
                accusations,
                ..Report::default()
            }),
        );
    }
    // As if an orphan had been given its seat.
    let member = studio.broadcaster.overlay.find(&parent).unwrap();
    let stripe = studio.broadcaster.overlay.stripes().all().last().unwrap();
    studio.broadcaster.overlay.detach(member, stripe, None);
    let lives = Message::Report(Report {
        children_in_time: true,
        carries: None,
        ..Report::default()
    });
    studio.pass(100);
    studio.say(strong, &lives);
    studio.pass(2_000);
    assert!(
        studio.broadcaster.overlay.is_whole(member, TierId(1)),
        "it is alive, and is served"
    );
    assert!(!children.iter().any(|link| is_fed_by_it(&studio, link)));
    assert!(!studio.broadcaster.overlay.member(member).is_active());
    studio.pass(30_000);
    assert!(studio.broadcaster.overlay.member(member).is_active());
}

#[test]
fn an_orphan_that_may_dial_nobody_takes_quality_from_nobody() {
    let mut studio = Studio::new(config());
    (1..60).for_each(|n| _ = studio.join(n, hello(6_000)));
    studio.pass(1_000);
    let overlay = &mut studio.broadcaster.overlay;
    let all: Vec<MemberIndex> = overlay.viewers().collect();
    let (known, unknown) = all.split_at(50);
    for (member, peer) in all
        .iter()
        .flat_map(|member| unknown.iter().map(move |peer| (member, peer)))
    {
        overlay.estrange(*member, *peer);
    }
    let orphan = all[58];
    let stripe = overlay.stripes().of_tier(TierId(1)).last().unwrap();
    overlay.detach(orphan, stripe, None);
    // Whom anybody knows has no room, and nobody may dial those who have.
    for member in &all {
        for peer in known.iter().filter(|peer| *peer != member) {
            if overlay.may_yet_meet(*member, *peer) {
                overlay.introduce(studio.now, *member, *peer);
            }
        }
    }
    for full in known.iter().chain([&MemberIndex::SOURCE]) {
        let used = overlay.member(*full).used;
        overlay.member_mut(*full).granted = used;
    }
    studio.broadcaster.reseat(studio.now, vec![(orphan, stripe)]);
    let overlay = &mut studio.broadcaster.overlay;
    assert!(overlay.lacks_introductions(orphan) && !overlay.is_seated(orphan));
    let full = |member: &MemberIndex| overlay.member(*member).tier == Some(TierId(1));
    assert!(all.iter().all(full), "nobody lost anything");
    let later = studio.now + Duration::from_secs(61);
    overlay.expire(later);
    studio.broadcaster.seat_awaiting(later);
    assert!(studio.broadcaster.overlay.is_seated(orphan));
}

#[test]
fn a_seat_at_the_source_that_the_plan_has_given_away_is_given_up() {
    let mut studio = Studio::new(config());
    let links = [1, 2].map(|n| studio.join(n, hello(20_000)));
    links.iter().for_each(|link| studio.attach(*link));
    let (former, later) = (key(1).id(), key(2).id());
    let source = key(200).id();
    let (_, ticket) = studio.last_assign(links[1]).unwrap();
    let mut grants = ticket.grants.iter();
    let stripe = grants.find(|grant| grant.parent == source.tag()).unwrap().stripe;
    let sits = |studio: &Studio, peer| {
        let mut seats = studio.broadcaster.children();
        seats.any(|seat| seat == (peer, stripe))
    };
    assert!(sits(&studio, former));
    // As if each had said what the other had not heard of yet.
    let overlay = &mut studio.broadcaster.overlay;
    let (index, member) = (
        overlay.stripes().find(stripe).unwrap(),
        overlay.find(&former).unwrap(),
    );
    let elsewhere = overlay.find(&later).unwrap();
    overlay.detach(member, index, None);
    overlay.attach(member, index, elsewhere);
    let orphaned = Orphaned {
        stripe,
        parent: source,
        why: DetachReason::Full,
    };
    studio.say(links[1], &Message::Orphaned(orphaned));
    assert!(!sits(&studio, former));
    let (_, ticket) = studio.last_assign(links[1]).unwrap();
    let again = ticket.grants.iter().find(|grant| grant.stripe == stripe);
    assert_eq!(again.unwrap().parent, source.tag(), "it is to ask again");
    let source = studio.broadcaster.overlay.member(MemberIndex::SOURCE);
    assert_eq!(source.full_until, None, "others may ask, too");
}

#[test]
fn a_viewer_that_comes_back_after_a_restart_keeps_its_place() {
    let mut studio = Studio::new(config());
    let place = |index, parent: PeerId, rank| crate::wire::control::Place {
        stripe: crate::media::StripeId {
            tier: TierId(1),
            index,
        },
        parent,
        rank: crate::wire::ticket::Rank(rank),
    };
    let resume = |places| {
        Some(Resume {
            epoch: 8,
            tier: TierId(1),
            children: 1,
            places,
        })
    };
    let (source, above) = (key(200).id(), key(1).id());
    let below_places = (0..5).map(|index| place(index, above, 2_000)).collect();
    let below = studio.join(
        2,
        Hello {
            resume: resume(below_places),
            ..hello(0)
        },
    );
    assert!(studio.last_assign(below).is_none(), "its parent is not back yet");
    let above_places = (0..5).map(|index| place(index, source, 1_000)).collect();
    let upper = studio.join(
        1,
        Hello {
            resume: resume(above_places),
            ..hello(20_000)
        },
    );
    for (link, parent, rank) in [(upper, source, 1_000), (below, above, 2_000)] {
        let (_, ticket) = studio.last_assign(link).unwrap();
        assert!(
            ticket
                .grants
                .iter()
                .all(|grant| grant.parent == parent.tag() && grant.rank.0 == rank)
        );
    }
}

#[test]
fn a_planned_move_frees_the_old_seat_and_an_unplanned_one_is_followed() {
    let mut studio = Studio::new(config());
    for n in 1..=4 {
        studio.join(n, hello(20_000));
        studio.pass(1_000);
    }
    let links: Vec<_> = (1..=4u8).map(|n| LinkId(u64::from(n) * 2 + 1)).collect();
    let with_spare = links.iter().find_map(|link| {
        let (_, ticket) = studio.last_assign(*link)?;
        let grant = ticket
            .grants
            .iter()
            .find(|grant| grant.spare.is_some_and(|s| s != source_tag()))?;
        Some((*link, grant.clone()))
    });
    let (link, grant) = with_spare.expect("somebody has a spare");
    let who = |tag| {
        (1..=4)
            .map(|n| key(n).id())
            .chain([key(200).id()])
            .find(|id| id.tag() == tag)
            .unwrap()
    };
    let (from, to) = (who(grant.parent), who(grant.spare.unwrap()));
    studio.say(
        link,
        &Message::Moved(Moved {
            stripe: grant.stripe,
            to,
            from: Some(from),
            planned: false,
        }),
    );
    studio.pass(6_000);
    let (_, ticket) = studio.last_assign(link).unwrap();
    assert_eq!(ticket.grant(grant.stripe).unwrap().parent, to.tag());
}

fn source_tag() -> crate::id::PeerTag {
    key(200).id().tag()
}

#[test]
fn the_end_is_said_when_all_has_gone_out() {
    let mut studio = Studio::new(config());
    let link = studio.join(1, hello(0));
    studio.keyframe(TierId(1), 0, 60_000);
    studio.input(Input::Command(Command::Leave));
    let ended = |studio: &Studio| studio.heard.contains(&(link, Message::End));
    studio.pass(100);
    assert!(!ended(&studio), "a keyframe of two ticks is still on its way");
    studio.pass(1_500);
    assert!(ended(&studio));
    assert_eq!(studio.closed, [(link, CloseCode::Done)]);
    assert_eq!(studio.broadcaster.wake_at(), None);
}

fn tier_of(studio: &Studio, link: LinkId) -> Option<TierId> {
    studio.last_assign(link).map(|(assign, _)| assign.tier)
}

/// A channel that takes quality where there is too little, and viewers that give nothing.
fn degrading(viewers: u8) -> (Studio, Vec<LinkId>) {
    let mut studio = Studio::new(BroadcasterConfig {
        when_full: WhenFull::Degrade,
        ..config()
    });
    let links = (1..=viewers).map(|n| studio.join(n, hello(0))).collect();
    (studio, links)
}

#[test]
fn what_comes_free_is_given_back_within_a_second() {
    let (mut studio, links) = degrading(3);
    studio.pass(200_000);
    let low = |studio: &Studio| {
        let low = links
            .iter()
            .copied()
            .filter(|link| tier_of(studio, *link) == Some(TierId(0)));
        low.collect::<Vec<_>>()
    };
    let [waits] = low(&studio)[..] else {
        panic!("of fifteen slots one is kept for the lower tier: two have the full stream")
    };
    let leaves = *links.iter().find(|link| **link != waits).unwrap();
    studio.input(Input::Unlinked {
        link: leaves,
        why: crate::io::LinkEnd::TimedOut,
    });
    studio.pass(1_000);
    assert_eq!(tier_of(&studio, waits), Some(TierId(1)));
    assert!(links.iter().all(|link| studio.refusal(*link).is_none()));
}

/// Goes on for so many seconds, with a keyframe a second in each tier.
fn broadcast(studio: &mut Studio, seconds: i64) {
    for second in 0..seconds {
        for tier in [TierId(0), TierId(1)] {
            studio.keyframe(tier, second * 90_000, 1_000);
        }
        studio.pass(1_000);
    }
}

#[test]
fn who_shows_a_lower_tier_begins_the_better_one_nearer_to_the_live_edge_than_a_newcomer() {
    let (mut studio, links) = degrading(3);
    broadcast(&mut studio, 30);
    let is_low = |link: &&LinkId| tier_of(&studio, **link) == Some(TierId(0));
    let waits = *links.iter().find(is_low).expect("two have the full stream");
    let leaves = *links
        .iter()
        .find(|link| **link != waits)
        .expect("three are there");
    let begins = |studio: &Studio, link| {
        let (assign, _) = studio.last_assign(link).expect("it is served");
        studio.broadcaster.source.live_block() - assign.from_block
    };
    studio.input(Input::Unlinked {
        link: leaves,
        why: crate::io::LinkEnd::TimedOut,
    });
    for _ in 0..10 {
        if tier_of(&studio, waits) == Some(TierId(0)) {
            studio.pass(100);
        }
    }
    assert_eq!(tier_of(&studio, waits), Some(TierId(1)));
    let sooner = begins(&studio, waits);
    let newcomer = studio.join(4, hello(0));
    let later = begins(&studio, newcomer);
    assert!(sooner < 14 && later >= 14, "{sooner} and {later} blocks behind");
}

#[test]
fn nobody_sees_nothing_while_others_have_all() {
    let (mut studio, links) = degrading(12);
    studio.pass(4_000);
    assert!(links.iter().all(|link| tier_of(&studio, *link).is_some()));
    let full = links
        .iter()
        .filter(|link| tier_of(&studio, **link) == Some(TierId(1)));
    assert!(full.count() < 3, "twelve want something of fifteen slots");
    studio.pass(200_000);
    assert!(links.iter().all(|link| studio.refusal(*link).is_none()));
}
