//! Writes the specimens of the wire tests where `cargo fuzz` looks for what to begin with: `corpus/<target>/`.

#[path = "../../../protocol/tests/wire/specimens.rs"]
mod specimens;

use specimens::Specimen;
use std::path::Path;

fn main() -> std::io::Result<()> {
    let link = (String::from("link"), specimens::link().to_string().into());
    let sealed = specimens::sealed();
    let mut orders = specimens::commands();
    let delegation = orders.split_off(orders.len() - 1);
    write("data", &specimens::data_frames(), &[])?;
    write("control", &specimens::control_frames(), &[])?;
    write("layout", &sealed[..1], &[])?;
    write("ticket", &sealed[1..], &[])?;
    write("order", &orders, &[])?;
    write("delegation", &delegation, &[])?;
    write("link", &[link], &[])?;
    write("deframer", &specimens::control_frames(), &[7])?;
    write("record", &specimens::bodies(), &u16::MAX.to_le_bytes())
}

/// Writes each specimen as a file, with `head` before it.
fn write(target: &str, specimens: &[Specimen], head: &[u8]) -> std::io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    std::fs::create_dir_all(&folder)?;
    for (name, bytes) in specimens {
        std::fs::write(folder.join(name), [head, bytes].concat())?;
    }
    Ok(())
}
