//! Packages: a `.deb` with the app, its menu entry and its link handler, and a plain tarball.

use crate::{setup, shell};
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What is in the package.
const PROGRAMS: [&str; 3] = ["banyan", "banyan-tv", "banyan-relay"];

/// The app's screen, sound and graphics libraries are opened while it runs, so that nothing else shows that it needs them.
const OPENED: &str = "libasound2, libegl1, libgl1, libvulkan1, libwayland-client0, libx11-6, libxcursor1, libxi6, libxkbcommon0, \
                      libxkbcommon-x11-0, libxrandr2";

/// Makes both, and tells where they are. With `check`, installs the package on a fresh Debian and starts what is in it.
pub(crate) fn run(check: bool) -> Result<()> {
    setup::run()?;
    setup::packages(&["dpkg-dev", "mmdebstrap"])?;
    let mut build = vec!["build", "--release"];
    build.extend(PROGRAMS.iter().flat_map(|program| ["--bin", program]));
    shell::run(&mut shell::cargo(&build))?;
    let folder = PathBuf::from("target/dist");
    let tree = folder.join("tree");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    lay_out(&tree)?;
    let package = package(&folder, &tree)?;
    let tarball = tarball(&folder, &tree)?;
    if check {
        try_out(&folder, &package)?;
    }
    println!("{}\n{}", package.display(), tarball.display());
    Ok(())
}

fn lay_out(tree: &Path) -> Result<()> {
    for program in PROGRAMS {
        let installed = tree.join("usr/bin").join(program);
        copy(&Path::new("target/release").join(program), &installed)?;
        shell::run(&mut shell::command(&["strip", &text(&installed)]))?;
    }
    let share = tree.join("usr/share");
    copy(
        Path::new("ui/share/banyan-tv.desktop"),
        &share.join("applications/banyan-tv.desktop"),
    )?;
    copy(
        Path::new("ui/share/banyan-tv.svg"),
        &share.join("icons/hicolor/scalable/apps/banyan-tv.svg"),
    )?;
    for paper in ["README.md", "CHANGELOG.md", "LICENSE-MIT", "LICENSE-APACHE"] {
        copy(Path::new(paper), &share.join("doc/banyan").join(paper))?;
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to.parent().context("a file has a folder")?)?;
    fs::copy(from, to).with_context(|| format!("cannot copy {}", from.display()))?;
    Ok(())
}

fn package(folder: &Path, tree: &Path) -> Result<PathBuf> {
    let control = format!(
        "Package: banyan\nVersion: {}\nArchitecture: {}\nMaintainer: Banyan's authors <banyan@localhost>\nSection: video\n\
         Priority: optional\nDepends: {}, {OPENED}\nRecommends: mesa-vulkan-drivers\nDescription: live TV that its viewers pass on to \
         each other\n A broadcaster's uplink carries a few copies; viewers pass the stream on through several\n trees. Where that is not \
         enough, a viewer can sponsor a relay.\n",
        env!("CARGO_PKG_VERSION"),
        printed(&mut shell::command(&["dpkg", "--print-architecture"]))?,
        needed(folder, tree)?,
    );
    let meta = tree.join("DEBIAN/control");
    fs::create_dir_all(meta.parent().context("a file has a folder")?)?;
    fs::write(&meta, control)?;
    let package = folder.join(format!("banyan_{}.deb", env!("CARGO_PKG_VERSION")));
    shell::run(&mut shell::command(&[
        "dpkg-deb",
        "--root-owner-group",
        "--build",
        &text(tree),
        &text(&package),
    ]))?;
    fs::remove_dir_all(tree.join("DEBIAN"))?;
    Ok(package)
}

/// The packages of the libraries that the programs are linked with.
fn needed(folder: &Path, tree: &Path) -> Result<String> {
    // dpkg-shlibdeps wants a source package around it.
    fs::create_dir_all(folder.join("debian"))?;
    fs::write(
        folder.join("debian/control"),
        "Source: banyan\n\nPackage: banyan\nArchitecture: any\n",
    )?;
    let mut look = shell::command(&["dpkg-shlibdeps", "-O", "--ignore-missing-info"]);
    for program in PROGRAMS {
        look.arg(fs::canonicalize(tree.join("usr/bin").join(program))?);
    }
    let found = printed(look.current_dir(folder))?;
    let list = found.strip_prefix("shlibs:Depends=").unwrap_or(&found);
    Ok(list.to_string())
}

fn tarball(folder: &Path, tree: &Path) -> Result<PathBuf> {
    let tarball = folder.join(format!("banyan-{}.tar.gz", env!("CARGO_PKG_VERSION")));
    let usr = tree.join("usr");
    shell::run(&mut shell::command(&[
        "tar",
        "--create",
        "--gzip",
        "--owner=0",
        "--group=0",
        "--transform=s,^\\.,banyan,",
        "--file",
        &text(&tarball),
        "--directory",
        &text(&usr),
        ".",
    ]))?;
    Ok(tarball)
}

/// On a Debian that has nothing else: it installs, its programs start, its entry and its link handler are valid.
fn try_out(folder: &Path, package: &Path) -> Result<()> {
    let package = fs::canonicalize(package)?;
    let inside = "/tmp/banyan.deb";
    let script = format!(
        "apt-get install --yes --no-install-recommends {inside} desktop-file-utils xvfb xauth >/dev/null && banyan --version && banyan-tv \
         --version && banyan-relay --version && desktop-file-validate /usr/share/applications/banyan-tv.desktop && update-desktop-database \
         && grep banyan-tv /usr/share/applications/mimeinfo.cache && sh /tmp/start"
    );
    let start = folder.join("start");
    fs::write(&start, START)?;
    shell::run(&mut shell::command(&[
        "mmdebstrap",
        "--variant=apt",
        "--mode=root",
        &format!(
            "--customize-hook=copy-in {} {} /tmp",
            text(&package),
            text(&start)
        ),
        &format!(
            "--customize-hook=mv \"$1\"/tmp/{} \"$1\"{inside}",
            package
                .file_name()
                .context("a package has a name")?
                .to_string_lossy()
        ),
        &format!("--customize-hook=chroot \"$1\" sh -ec '{script}'"),
        "bookworm",
        "/dev/null",
    ]))
}

/// Opens the window, and ends it when it has stood for five seconds.
const START: &str = "set -e\nexport HOME=/root XDG_RUNTIME_DIR=/tmp\nxvfb-run --auto-servernum timeout --preserve-status --signal=TERM 5 banyan-tv && exit 0 || \
                     test $? = 143\n";

fn printed(command: &mut Command) -> Result<String> {
    let output = command
        .output()
        .with_context(|| format!("cannot run {command:?}"))?;
    anyhow::ensure!(
        output.status.success(),
        "{command:?} failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
