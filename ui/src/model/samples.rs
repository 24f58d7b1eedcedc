//! Models as they are in use, for tests, pictures and the demonstration without a network.

use super::*;
use banyan::notice::Sponsored;
use banyan::player;
use banyan::snapshot::{Phase, Snapshot};
use banyan::trees::{Edge, Node, NodeKind, Trees};
use banyan_cloud::ec2::Finding;
use banyan_cloud::failure::Why;
use banyan_protocol::event::{Capacity, Stats, ViewerStats};
use banyan_protocol::id::PeerId;
use banyan_protocol::io::RelayState;
use banyan_protocol::media::{StripeId, TierId};
use banyan_protocol::units::Bitrate;
use banyan_protocol::wire::link::ChannelLink;
use std::time::Duration;

/// The link of a channel of this title.
pub fn link(n: u8, title: &str) -> String {
    let link = ChannelLink {
        channel: PeerId([n; 32]),
        addresses: vec!["192.0.2.7:4600".parse().expect("an address")],
        secret: None,
        title: Some(title.into()),
    };
    link.to_string()
}

/// Nothing has been done yet.
pub fn empty() -> Model {
    Model::default()
}

/// Some channels are known.
pub fn known() -> Model {
    let mut model = Model::default();
    for (n, title) in [
        (1, "Garden concert"),
        (2, "Village council"),
        (3, "Sunday football"),
    ] {
        model.channels.watched(&link(n, title), title);
    }
    model.channels.keep(&link(2, "Village council"), true);
    model
}

fn stats(tier: u8, receiving: usize) -> Stats {
    let me = ViewerStats {
        stripes_receiving: receiving,
        tier: TierId(tier),
        latency_ms: 2_050,
        arrival_ms_p99: 480,
        buffer_ms: 1_400,
        ..ViewerStats::default()
    };
    Stats {
        up_bytes: 312_000_000,
        down_bytes: 415_000_000,
        children: 3,
        viewer: Some(me),
    }
}

fn snapshot(phase: Phase, tier: u8, receiving: usize) -> Snapshot {
    Snapshot {
        title: "Garden concert".into(),
        phase,
        tiers: 2,
        stripes: 5,
        up: Bitrate::from_kbps(2_900),
        down: Bitrate::from_kbps(3_100),
        stats: stats(tier, receiving),
        ..Snapshot::default()
    }
}

/// A channel at full quality.
pub fn watching() -> Watching {
    Watching {
        snapshot: snapshot(Phase::Live, 1, 5),
        player: player::State {
            width: 1280,
            height: 720,
            held: Duration::from_secs(42),
            live: true,
            ..player::State::default()
        },
        ..Watching::new(link(1, "Garden concert"), "Garden concert")
    }
}

/// At the low tier.
pub fn degraded() -> Watching {
    Watching {
        snapshot: snapshot(Phase::Live, 0, 2),
        player: player::State {
            width: 640,
            height: 360,
            live: true,
            ..player::State::default()
        },
        ..watching()
    }
}

/// Two stripes are missing.
pub fn stalled() -> Watching {
    Watching {
        snapshot: snapshot(Phase::Waiting, 1, 3),
        ..watching()
    }
}

/// A channel is watched.
pub fn watch() -> Model {
    Model {
        watching: Some(watching()),
        trees: Some(trees()),
        history: history(),
        ..known()
    }
}

/// The channel could not be joined.
pub fn failed() -> Model {
    let mut gone = Watching::new(link(3, "Sunday football"), "Sunday football");
    gone.ended = Some("Nobody answers at this channel's address. It may be off the air; ask its broadcaster for a new link.".into());
    Model {
        watching: Some(gone),
        ..known()
    }
}

/// A question whether to sponsor.
pub fn request() -> Request {
    Request {
        id: "r1".into(),
        reason: "6 viewers have no room at full quality".into(),
        helps: 6,
        seconds_left: 18,
        usd_per_hour: 0.62,
        terms: Terms::of(&Settings {
            provider: Provider::Ec2,
            region: "eu-central-1".into(),
            ..Settings::default()
        }),
    }
}

/// An account that was looked at: ready, or not for that reason.
pub fn account(why: Option<Why>) -> Account {
    let finding = |what: &str, good, sentence: &str, why| Finding {
        what: what.into(),
        good,
        sentence: sentence.into(),
        why,
    };
    let signed_in = finding("sign-in", Some(true), "AWS knows it in eu-central-1", None);
    let findings = match why {
        None => vec![
            signed_in,
            finding("network", Some(true), "default network in 3 zones", None),
            finding("image", Some(true), "banyan-relay-0.1.0 (ami-0abc)", None),
            finding(
                "security group",
                Some(true),
                "ec2:CreateSecurityGroup is allowed",
                None,
            ),
            finding(
                "machine",
                None,
                "whether a machine may be started shows when the first relay has made its security group",
                None,
            ),
        ],
        Some(Why::Unauthorized) => vec![
            signed_in,
            finding(
                "image",
                Some(false),
                "the AWS account's policy does not allow ec2:DescribeImages in eu-central-1",
                why,
            ),
        ],
        Some(Why::Expired) => vec![finding(
            "sign-in",
            Some(false),
            "the AWS sign-in has expired",
            why,
        )],
        _ => vec![finding("sign-in", Some(false), "no AWS sign-in was found", why)],
    };
    Account::Looked(Box::new(Looked {
        profile: "default".into(),
        region: "eu-central-1".into(),
        price: "Frankfurt: $0.0208 an hour and $0.09 a gigabyte, prices of 2026-07-01.".into(),
        findings,
    }))
}

/// Somebody whose relays run at EC2, with the account as it was found.
pub fn setting_up(account: Account) -> Model {
    let mut model = known();
    model.page = Page::Relays;
    model.relays = Relays::Found(Vec::new());
    model.settings.provider = Provider::Ec2;
    model.settings.region = "eu-central-1".into();
    model.account = account;
    model
}

/// Somebody asks whether to sponsor.
pub fn asked() -> Model {
    Model {
        request: Some(request()),
        watching: Some(degraded()),
        ..watch()
    }
}

/// A relay of this person's serves.
pub fn relay() -> Sponsored {
    Sponsored {
        relay: "9f2c".into(),
        number: 1,
        provider: banyan_cloud::provider::Kind::Ec2,
        region: Some("eu-central-1".into()),
        state: RelayState::Serving,
        click_to_serving_ms: Some(1_240),
        spent_usd: 0.21,
        bytes_sent: 1_930_000_000,
        bytes_budget: 9_200_000_000,
        ends_at: 1_790_000_000,
        serves: 7,
    }
}

/// This person watches, and sponsors.
pub fn sponsor_watching() -> Model {
    let mut model = watch();
    if let Some(watching) = &mut model.watching {
        watching.snapshot.relays = vec![relay()];
    }
    model.now_s = relay().ends_at - 38 * 60;
    model
}

/// This person wants to leave, and a relay of theirs runs.
pub fn leaving() -> Model {
    Model {
        leaving: Some(Leaving::Channel),
        ..sponsor_watching()
    }
}

/// This person sponsors, and looks at what runs.
pub fn sponsoring() -> Model {
    let mut model = sponsor_watching();
    model.page = Page::Relays;
    model.relays = Relays::Found(vec![
        Found {
            lease: "9f2c".into(),
            provider: "Amazon EC2".into(),
            place: "eu-central-1".into(),
            minutes_left: Some(38),
            spent_usd: Some(0.21),
            orphaned: None,
        },
        Found {
            lease: "11ab".into(),
            provider: "Amazon EC2".into(),
            place: "us-east-1".into(),
            minutes_left: None,
            spent_usd: Some(0.03),
            orphaned: Some("its lease is over".into()),
        },
    ]);
    model
}

/// On the air.
pub fn on_air() -> Model {
    let capacity = Capacity {
        viewers: 11,
        full: 10,
        degraded: 1,
        slots_total: 74,
        slots_used: 55,
        places_left: 4,
        slot_bps: 640_000,
        relays: 1,
        ..Capacity::default()
    };
    Model {
        page: Page::Broadcast,
        broadcasting: Some(Broadcasting {
            title: "Garden concert".into(),
            link: Some(link(1, "Garden concert")),
            snapshot: Snapshot {
                capacity: Some(capacity),
                ..snapshot(Phase::Live, 1, 5)
            },
            ..Broadcasting::default()
        }),
        trees: Some(trees()),
        history: history(),
        ..known()
    }
}

/// The form with this source, as far as it can be filled in.
pub fn form_of(source: Source) -> Model {
    let mut model = known();
    model.page = Page::Broadcast;
    model.form.source = source;
    model.form.push = Push::Srt;
    model.form.from_elsewhere = true;
    model.form.found = Inputs {
        tuners: vec![0],
        reached_at: vec!["192.0.2.7".parse().expect("an address")],
        passphrase: "6b1f0c9a2e7d54830a1b".into(),
        ..Inputs::default()
    };
    model
}

/// An input is looked at, or cannot be.
pub fn previewing(trouble: Option<&str>) -> Model {
    let mut model = form_of(Source::Test);
    let height = if trouble.is_none() { 720 } else { 0 };
    model.preview = Some(Preview {
        player: player::State {
            width: height * 16 / 9,
            height,
            ..player::State::default()
        },
        trouble: trouble.map(Into::into),
    });
    model
}

/// Five minutes of a channel with a dip in the middle.
pub fn history() -> History {
    let mut history = History::default();
    for second in 0..120_u64 {
        let dip = (50..62).contains(&second);
        let mut shot = snapshot(Phase::Live, 1, if dip { 3 } else { 5 });
        shot.up = Bitrate::from_kbps(2_600 + (second * 37 % 11) * 40);
        shot.down = Bitrate::from_kbps(if dip {
            1_900
        } else {
            3_050 + (second * 29 % 7) * 25
        });
        if let Some(viewer) = &mut shot.stats.viewer {
            viewer.buffer_ms = if dip { 500 } else { 1_400 };
        }
        history.add(&shot);
    }
    history
}

/// A source, a relay with its sponsor, and seven viewers in five trees.
pub fn trees() -> Trees {
    let id = |n: u8| PeerId([n.wrapping_mul(37); 32]);
    let node = |n: u8, kind, up: u64, used: u64| Node {
        peer: id(n),
        kind,
        is_me: n == 3,
        sponsor: (n == 1).then(|| id(3)),
        uplink: Bitrate::from_kbps(up),
        used: Bitrate::from_kbps(used),
    };
    let mut nodes = vec![
        node(0, NodeKind::Source, 10_000, 9_600),
        node(1, NodeKind::Relay, 40_000, 16_000),
    ];
    nodes.extend((2..10).map(|n| {
        node(
            n,
            NodeKind::Viewer,
            640 * u64::from(10 - n),
            640 * u64::from((10 - n) / 2),
        )
    }));
    let mut edges = Vec::new();
    for stripe in 0..5_u8 {
        let mut edge = |parent: u8, child: u8| {
            edges.push(Edge {
                stripe: StripeId {
                    tier: TierId(1),
                    index: stripe,
                },
                parent: id(parent),
                child: id(child),
            });
        };
        edge(0, 1);
        edge(0, 2 + stripe % 2);
        edge(1, 3 - stripe % 2);
        (4..8).for_each(|child| edge(if child % 2 == 0 { 1 } else { 2 }, child));
        edge(4 + stripe % 3, 8);
        edge(5 + stripe % 2, 9);
    }
    Trees {
        nodes,
        edges,
        whole: true,
    }
}

/// At the low tier, and why.
pub fn degraded_model() -> Model {
    Model {
        watching: Some(degraded()),
        ..watch()
    }
}

/// Two stripes are missing.
pub fn stalled_model() -> Model {
    Model {
        watching: Some(stalled()),
        ..watch()
    }
}

/// The account cannot be looked into.
pub fn relays_failed() -> Model {
    Model {
        page: Page::Relays,
        relays: Relays::Failed(
            "Amazon refuses these credentials: they have expired. Log in again with `aws login`.".into(),
        ),
        ..known()
    }
}

/// Messages of each gravity.
pub fn with_messages() -> Model {
    let mut model = known();
    model.say(
        Gravity::Note,
        "Port 4600 is taken, so this link names port 4601 and may not stay good.",
    );
    model.say(
        Gravity::Warning,
        "The settings were damaged; they were set aside, and the usual ones are used.",
    );
    model.say(
        Gravity::Failure,
        "The input cannot be opened: film.mkv is no video.",
    );
    model
}
