//! What opening, idling and playing cost, of the real window: `cargo xtask bench app`.

use crate::desk::Desk;
use crate::{BARS, SOON};
use std::fs;
use std::time::{Duration, Instant};

/// How long the processor's time is counted.
const COUNTED: Duration = Duration::from_secs(20);

/// Windows that are opened to see how long that takes.
const OPENED: usize = 5;

/// How long it plays, in minutes, before memory is looked at; none: not at all.
const MINUTES: &str = "BANYAN_MINUTES";

/// What a process has used of a processor: what draws in Mesa's place of a graphics card, and the rest.
#[derive(Clone, Copy, Debug)]
struct Used {
    drawing: u64,
    rest: u64,
}

impl Used {
    /// By all threads of the process so far, in hundredths of a second.
    fn by(process: u32) -> Self {
        let mut used = Self { drawing: 0, rest: 0 };
        for thread in fs::read_dir(format!("/proc/{process}/task"))
            .expect("it runs")
            .flatten()
        {
            let stat = fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
            let Some((name, fields)) = stat.rsplit_once(')') else {
                continue;
            };
            let times = fields.split_whitespace().skip(11).take(2);
            let ticks: u64 = times.filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
            match name.contains("(llvmpipe") {
                true => used.drawing += ticks,
                false => used.rest += ticks,
            }
        }
        used
    }

    /// Hundredths of a core from now on, over a while.
    fn over(process: u32, time: Duration) -> Self {
        let before = Self::by(process);
        std::thread::sleep(time);
        let after = Self::by(process);
        let share = |ticks: u64| ticks / time.as_secs();
        Self {
            drawing: share(after.drawing - before.drawing),
            rest: share(after.rest - before.rest),
        }
    }
}

/// Resident and private memory, in MiB.
fn memory(process: u32) -> [u64; 2] {
    let status = fs::read_to_string(format!("/proc/{process}/status")).expect("it runs");
    ["VmRSS:", "RssAnon:"].map(|name| {
        let line = status
            .lines()
            .find(|line| line.starts_with(name))
            .expect("Linux tells it");
        let kib = line
            .split_whitespace()
            .nth(1)
            .and_then(|kib| kib.parse::<u64>().ok());
        kib.expect("it is a number") / 1024
    })
}

#[test]
#[ignore = "it measures, and wants two cores for itself: cargo xtask bench app"]
fn what_the_window_costs() {
    opening();
    let desk = Desk::new("idles");
    desk.app(&[]);
    // The first look at the page has been drawn by then.
    std::thread::sleep(Duration::from_secs(2));
    let idle = Used::over(desk.app_process(), COUNTED);
    println!("idle: {} % of a core", idle.drawing + idle.rest);
    assert!(idle.drawing + idle.rest <= 2, "{idle:?}");
    drop(desk);
    playing();
}

fn opening() {
    let mut slowest = Duration::ZERO;
    for number in 0..OPENED {
        let desk = Desk::new(&format!("opens-{number}"));
        let began = Instant::now();
        desk.start(&[], &[]);
        while desk.look().is_black() {
            assert!(began.elapsed() < SOON, "there is no window");
        }
        slowest = slowest.max(began.elapsed());
        println!(
            "open: {} ms, seen by a look at the screen",
            began.elapsed().as_millis()
        );
    }
    assert!(slowest <= Duration::from_secs(1), "{slowest:?}");
}

fn playing() {
    let desk = Desk::new("costs");
    let link = desk.broadcast(&["test:?size=1280x720&rate=30", "--uplink", "20M"]);
    desk.app(&[&link]);
    desk.see("the test pattern", SOON, |picture| picture.has_bars(&BARS));
    let process = desk.app_process();
    let Used { drawing, rest } = Used::over(process, COUNTED);
    println!(
        "playing 720p30: {rest} % of a core, and {drawing} % by llvmpipe, which draws in a graphics card's place"
    );
    assert!(rest <= 60, "{rest} %");
    let minutes: u32 = std::env::var(MINUTES).map_or(0, |minutes| minutes.parse().expect("a number"));
    for minute in 0..=minutes {
        let [resident, private] = memory(process);
        println!("memory after {minute} min: {resident} MiB, of which {private} private");
        assert!(resident <= 300, "{resident} MiB");
        if minute < minutes {
            std::thread::sleep(Duration::from_secs(60));
        }
    }
}
