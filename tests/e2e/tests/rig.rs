//! The rig itself: that its network does what the other tests take for granted.

use anyhow::{Result, ensure};
use banyan_protocol::units::Bitrate;
use rig::clip::Clip;
use rig::frames::Frames;
use rig::percentile::percentile;
use rig::switch::{Line, Order};
use rig::{Host, Net, Program, Stage, Wire};
use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::time::{Duration, Instant};

/// Longer than any packet here is under way.
const PATIENCE: Duration = Duration::from_millis(500);

fn socket(host: &Host) -> Result<UdpSocket> {
    let socket = host.inside(|| UdpSocket::bind((host.address(), 5000)))??;
    socket.set_read_timeout(Some(PATIENCE))?;
    Ok(socket)
}

fn at(host: &Host) -> SocketAddr {
    (host.address(), 5000).into()
}

/// The next packet, or nothing if none comes in time.
fn receive(socket: &UdpSocket) -> Result<Option<(Vec<u8>, SocketAddr)>> {
    let mut packet = [0; 2048];
    match socket.recv_from(&mut packet) {
        Ok((length, from)) => Ok(Some((packet[..length].to_vec(), from))),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn ways() -> [Wire; 2] {
    let line = Line {
        delay: Duration::ZERO,
        jitter: Duration::ZERO,
        loss_per_100k: 0,
        order: Order::Kept,
        seed: 1,
    };
    [Wire::Bridge, Wire::Switch(line)]
}

#[test]
fn hosts_reach_each_other_until_the_cable_is_cut() -> Result<()> {
    let stage = Stage::open("rig-cut")?;
    for wire in ways() {
        let net = Net::new(wire)?;
        let (a, b) = (net.host("a")?, net.host("b")?);
        let (from, to) = (socket(&a)?, socket(&b)?);
        from.send_to(b"one", at(&b))?;
        assert_eq!(receive(&to)?, Some((b"one".to_vec(), at(&a))));
        b.cut()?;
        from.send_to(b"two", at(&b))?;
        assert_eq!(receive(&to)?, None);
        b.mend()?;
        from.send_to(b"three", at(&b))?;
        assert_eq!(receive(&to)?, Some((b"three".to_vec(), at(&a))));
    }
    stage.passed();
    Ok(())
}

#[test]
fn an_uplink_carries_its_rate_and_counts_its_drops() -> Result<()> {
    let stage = Stage::open("rig-shape")?;
    for wire in ways() {
        let net = Net::new(wire)?;
        let (a, b) = (net.host("a")?, net.host("b")?);
        a.shape(Bitrate::from_kbps(4_000))?;
        let (from, to) = (socket(&a)?, socket(&b)?);
        from.send_to(b"so that the address is resolved", at(&b))?;
        ensure!(receive(&to)?.is_some());
        let before = a.traffic()?;
        // Four sockets, for one alone may have no more under way than the queue takes: 125 kB of these 300.
        let senders = a.inside(|| [0; 4].map(|_| UdpSocket::bind("0.0.0.0:0")))?;
        let started = Instant::now();
        for sender in senders {
            let sender = sender?;
            (0..75).try_for_each(|_| sender.send_to(&[0; 1000], at(&b)).map(drop))?;
        }
        let (mut came, mut last) = (0, started);
        while receive(&to)?.is_some() {
            (came, last) = (came + 1, Instant::now());
        }
        let (traffic, took) = (a.traffic()? - before, last - started);
        ensure!(traffic.dropped > 150 && came > 100, "{came} came, {traffic:?}");
        // The kernel adds a few of its own.
        ensure!(
            (300..310).contains(&(came + traffic.dropped)),
            "{came} came, {traffic:?}"
        );
        let rate = Bitrate::of(
            came * 1042,
            banyan_protocol::time::Duration::from_micros(took.as_micros() as u64),
        );
        ensure!(
            (3_600..4_600).contains(&(rate.as_bps() / 1000)),
            "{rate} in {took:?}, {came} came"
        );
    }
    stage.passed();
    Ok(())
}

#[test]
fn a_new_rate_is_a_new_queue() -> Result<()> {
    let stage = Stage::open("rig-reshape")?;
    let net = Net::new(Wire::Bridge)?;
    let (a, b) = (net.host("a")?, net.host("b")?);
    a.shape(Bitrate::from_kbps(4_000))?;
    let (from, to) = (socket(&a)?, socket(&b)?);
    for _ in 0..20 {
        from.send_to(&[0; 1000], at(&b))?;
        ensure!(receive(&to)?.is_some());
    }
    ensure!(a.traffic()?.bytes >= 20_000);
    a.shape(Bitrate::from_kbps(400))?;
    let traffic = a.traffic()?;
    ensure!(traffic.bytes < 5_000, "the old one goes on: {traffic:?}");
    from.send_to(b"one", at(&b))?;
    ensure!(receive(&to)?.is_some());
    stage.passed();
    Ok(())
}

#[test]
fn the_switch_delays_and_loses_as_told() -> Result<()> {
    let stage = Stage::open("rig-delay")?;
    let (delay, jitter) = (Duration::from_millis(20), Duration::from_millis(10));
    let net = Net::new(Wire::Switch(Line {
        delay,
        jitter,
        loss_per_100k: 5_000,
        order: Order::Kept,
        seed: 3,
    }))?;
    let (a, b) = (net.host("a")?, net.host("b")?);
    let (from, to) = (socket(&a)?, socket(&b)?);
    let mut delays = Vec::new();
    for n in 0..400_u32 {
        let sent = Instant::now();
        from.send_to(&n.to_be_bytes(), at(&b))?;
        to.set_read_timeout(Some(Duration::from_millis(60)))?;
        if receive(&to)?.is_some() {
            delays.push(sent.elapsed().as_micros() as u64);
        }
    }
    let lost = 400 - delays.len();
    let (least, middle) = (delays.iter().min().copied(), percentile(&delays, 50));
    ensure!((5..45).contains(&lost), "{lost} of 400 lost at 5 %");
    ensure!(least >= Some(10_000), "the fastest took {least:?} us");
    ensure!(
        (Some(17_000)..Some(24_000)).contains(&middle),
        "the median took {middle:?} us"
    );
    stage.passed();
    Ok(())
}

#[test]
fn behind_nat_one_reaches_out_and_is_not_reached() -> Result<()> {
    let stage = Stage::open("rig-nat")?;
    for wire in ways() {
        let net = Net::new(wire)?;
        let (outside, home) = (net.host("outside")?, net.host_behind_nat("home")?);
        let (out, inner) = (socket(&outside)?, socket(&home.host)?);
        out.send_to(b"knock", (home.router.address(), 5000))?;
        assert_eq!(receive(&inner)?, None);
        inner.send_to(b"hello", at(&outside))?;
        let (said, seen) = receive(&out)?.expect("it reaches out");
        assert_eq!(
            (said.as_slice(), seen.ip()),
            (&b"hello"[..], home.router.address())
        );
        out.send_to(b"answer", seen)?;
        assert_eq!(receive(&inner)?.map(|(said, _)| said), Some(b"answer".to_vec()));
    }
    stage.passed();
    Ok(())
}

#[test]
fn a_program_speaks_and_goes_with_its_value() -> Result<()> {
    let stage = Stage::open("rig-program")?;
    let net = Net::new(Wire::Bridge)?;
    let host = net.host("a")?;
    let script =
        r#"echo '{"event":"ready","pid":'$$'}'; read answer; echo '{"event":"'$answer'"}'; exec sleep 600"#;
    let program = Program::start(&stage, &host, "a", &["sh", "-c", script].map(str::to_owned))?;
    let ready = program.wait("ready", Duration::from_secs(5), |_| true)?;
    program.say("told")?;
    program.wait("told", Duration::from_secs(5), |_| true)?;
    let process = format!("/proc/{}", ready.number("pid"));
    ensure!(
        Path::new(&process).exists(),
        "the pid that it sees is the one that it has"
    );
    drop(program);
    ensure!(!Path::new(&process).exists(), "it outlived its value");
    stage.passed();
    Ok(())
}

#[test]
fn what_a_killed_run_left_is_removed() -> Result<()> {
    let stage = Stage::open("rig-reaper")?;
    let mut dead = std::process::Command::new("true").spawn()?;
    let left = format!("bny-{}-0", dead.id());
    dead.wait()?;
    let added = std::process::Command::new("ip")
        .args(["netns", "add", &left])
        .status()?;
    ensure!(added.success());
    let net = Net::new(Wire::Bridge)?;
    ensure!(
        !Path::new("/run/netns").join(&left).exists(),
        "{left} is still there"
    );
    let host = net.host("a")?;
    let own = Path::new("/run/netns").join(host.namespace());
    ensure!(own.exists());
    drop((host, net));
    ensure!(!own.exists(), "a namespace outlived its host");
    stage.passed();
    Ok(())
}

#[test]
fn a_copied_piece_has_the_frames_of_its_clip() -> Result<()> {
    let stage = Stage::open("rig-frames")?;
    let clip = Clip::five_stripes()?;
    let (input, piece) = (clip.frames(2)?, stage.path("piece.ts"));
    ensure!(
        input.video.len() == 2 * 25 * clip.seconds as usize,
        "{} frames",
        input.video.len()
    );
    let piece_of = [
        "-v",
        "error",
        "-ss",
        "17",
        "-i",
        &clip.argument(),
        "-t",
        "9",
        "-c",
        "copy",
    ];
    let copied = std::process::Command::new("ffmpeg")
        .args(piece_of)
        .arg(&piece)
        .status()?;
    ensure!(copied.success());
    let frames = Frames::of(&piece)?;
    ensure!(
        frames.video.len() > 200 && frames.audio.len() > 400,
        "the piece is short"
    );
    frames.check_within(&input)?;
    stage.passed();
    Ok(())
}

/// Ten hosts, 5 Mbit/s each: what the scenarios with delay put through the switch, and all of it comes.
#[test]
fn the_switch_carries_ten_hosts() -> Result<()> {
    const PACKETS: u32 = 1_000;
    let stage = Stage::open("rig-load")?;
    let (delay, jitter) = (Duration::from_millis(20), Duration::from_millis(10));
    let net = Net::new(Wire::Switch(Line {
        delay,
        jitter,
        loss_per_100k: 0,
        order: Order::Kept,
        seed: 5,
    }))?;
    let hosts: Vec<Host> = (0..10)
        .map(|n| net.host(&format!("h{n}")))
        .collect::<Result<_>>()?;
    let sockets: Vec<UdpSocket> = hosts.iter().map(socket).collect::<Result<_>>()?;
    let begun = Instant::now();
    let came: Vec<u32> = std::thread::scope(|scope| {
        let receive_all = |to: &UdpSocket| -> Result<u32> {
            let mut came = 0;
            while came < PACKETS && receive(to)?.is_some() {
                came += 1;
            }
            Ok(came)
        };
        let receivers: Vec<_> = sockets
            .iter()
            .map(|to| scope.spawn(move || receive_all(to)))
            .collect();
        for n in 0..PACKETS {
            let due = begun + Duration::from_millis(2) * n;
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            for (from, to) in sockets.iter().zip(hosts.iter().cycle().skip(1)) {
                from.send_to(&[0; 1250], at(to))?;
            }
        }
        receivers
            .into_iter()
            .map(|receiver| receiver.join().expect("it does not panic"))
            .collect::<Result<_>>()
    })?;
    ensure!(
        came.iter().all(|came| *came == PACKETS),
        "of {PACKETS} came {came:?}"
    );
    stage.passed();
    Ok(())
}
