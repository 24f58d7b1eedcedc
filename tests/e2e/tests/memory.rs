//! How much memory a relay takes with as many children as it may have, half of which have stopped reading.

use anyhow::{Context, Result, ensure};
use rig::Stage;
use rig::stage::built;
use rig::verdict::Verdict;
use serde_json::Value;
use std::process::Command;

/// Promised, in MiB: what the smallest machine has left.
const MOST_MIB: f64 = 64.0;

const CHILDREN: u64 = 200;
const STALLED: u64 = 100;

/// What `banyan bench relay` says of the relay's program at so many bits a second to each child.
fn loaded(rate: &str) -> Result<Value> {
    let [children, stalled] = [CHILDREN, STALLED].map(|count| count.to_string());
    let relay = built("banyan-relay")?;
    let words = [
        "bench",
        "relay",
        "--children",
        &children,
        "--stalled",
        &stalled,
        "--rate",
        rate,
        "--seconds",
        "5",
        "--forwarder",
        &relay,
        "--json",
    ];
    let output = Command::new(built("banyan")?).args(words).output()?;
    let said = String::from_utf8(output.stdout)?;
    ensure!(
        output.status.success(),
        "{}{said}",
        String::from_utf8_lossy(&output.stderr)
    );
    let last = said.lines().last().context("it says nothing")?;
    Ok(serde_json::from_str(last)?)
}

#[test]
fn a_relay_with_200_children_of_whom_half_stall_takes_64_mib_at_most() -> Result<()> {
    let stage = Stage::open("memory")?;
    let mut verdict = Verdict::of("memory");
    let result = loaded("4M")?;
    let counts = ["children", "stalled"].map(|field| result[field].as_u64());
    ensure!(counts == [Some(CHILDREN), Some(STALLED)], "{result}");
    verdict.note("share that came", &result["delivered"]);
    let peak = result["peak_mib"].as_f64().context("it tells its peak")?;
    verdict.at_most("peak MiB", peak, MOST_MIB);
    verdict.close()?;
    stage.passed();
    Ok(())
}
