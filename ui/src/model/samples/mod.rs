//! Models as they are in use, for tests, pictures and the demonstration without a network.

mod network;
mod sponsoring;
mod states;

use super::*;
use banyan::player;
use banyan::session::input::Sight;
use banyan::snapshot::{Phase, Snapshot};
use banyan_protocol::event::{Capacity, Stats, ViewerStats};
use banyan_protocol::id::PublicKey;
use banyan_protocol::io::TierSetup;
use banyan_protocol::media::{Codec, Kind, TierId, Track};
use banyan_protocol::units::Bitrate;
use banyan_protocol::wire::link::ChannelLink;
use std::time::Duration;

pub use network::*;
pub use sponsoring::*;
pub use states::states;

/// The link of a channel of this title.
pub fn link(n: u8, title: &str) -> String {
    let link = ChannelLink {
        channel: PublicKey([n; 32]),
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
        network: Network {
            trees: Some(neighbours()),
            history: history(),
        },
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
        own_network: Network {
            trees: Some(trees()),
            history: sent(),
        },
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

/// An input is looked at, or cannot be: why.
pub fn previewing(source: Source, trouble: Option<&str>) -> Model {
    let mut model = form_of(source);
    let height = if trouble.is_none() { 720 } else { 0 };
    let sight = trouble.map_or_else(|| Sight::Comes(stream()), |why| Sight::Nothing(why.into()));
    model.preview = Some(Preview {
        player: player::State {
            width: height * 16 / 9,
            height,
            ..player::State::default()
        },
        sight: Some(sight),
    });
    model
}

/// 720p with sound.
fn stream() -> TierSetup {
    let track = |codec, kind| Track {
        codec,
        kind,
        setup: Default::default(),
    };
    let picture = Kind::Video {
        width: 1280,
        height: 720,
        frames_per_1000s: 30_000,
    };
    let sound = Kind::Audio {
        sample_rate: 48_000,
        channels: 2,
    };
    TierSetup {
        tier: TierId(1),
        rate: Bitrate::from_kbps(2_500),
        tracks: vec![track(Codec::H264, picture), track(Codec::Aac, sound)],
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
    let mut model = watch();
    model.watching = Some(stalled());
    model.network.trees = Some(troubled_neighbours());
    model
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
