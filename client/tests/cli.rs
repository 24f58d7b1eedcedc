//! The program as scripts see it: exit codes, and what standard output and standard error say.

use std::net::UdpSocket;
use std::path::PathBuf;
use std::process::{Command, Output};

/// A link to nobody's key at a port where nobody is.
const LINK: &str = "banyan://2d5ge4a4bqyj3eqep75oq4r6t6r2fjin3czgfzeqiqr5o2qbr4ca?a=127.0.0.1:9";

/// The program with folders of its own.
struct Program {
    home: PathBuf,
}

impl Program {
    fn new(name: &str) -> Self {
        let home = std::env::temp_dir().join(format!("banyan-cli-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&home).expect("the temporary folder takes another");
        Self { home }
    }

    fn run(&self, args: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_banyan"))
            .args(args)
            .env("HOME", &self.home)
            .env_remove("XDG_CONFIG_HOME")
            .env_remove("XDG_DATA_HOME")
            .output()
            .expect("the program starts")
    }

    /// Runs it, expects an exit code and one line on standard error that says `why`.
    fn fails(&self, args: &[&str], code: i32, why: &str) -> Output {
        let output = self.run(args);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {stderr}");
        assert!(stderr.contains(why), "{args:?}: {stderr}");
        assert_eq!(stderr.trim_end().lines().count(), 1, "{args:?}: {stderr}");
        output
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.home);
    }
}

#[test]
fn usage_errors_are_2() {
    let program = Program::new("usage");
    program.fails(&["broadcast"], 2, "Name an input");
    program.fails(&["watch", "http://example.org"], 2, "begins with banyan://");
    program.fails(&["watch", &LINK[..40]], 2, "was it copied whole?");
    program.fails(&["watch", LINK, "--sponsor", "yes"], 2, "--hours and --budget");
    program.fails(&["watch", LINK, "--json", "--output", "-"], 2, "standard output");
    program.fails(&["watch", LINK, "--buffer", "1h"], 2, "--buffer");
    program.fails(&["bench", "relay", "--children", "0"], 2, "--children");
    program.fails(&["watch", LINK, "--config", "/nonexistent"], 2, "/nonexistent");
    for args in [
        &["broadcast", "x", "--uplink", "2Q"][..],
        &["watch"],
        &["relays"],
        &[],
    ] {
        assert_eq!(program.run(args).status.code(), Some(2), "{args:?}");
    }
}

#[test]
fn an_input_that_cannot_be_read_is_5() {
    let program = Program::new("input");
    program.fails(&["broadcast", "/nonexistent/film.mkv"], 5, "does not exist");
    let text = program.home.join("text.mkv");
    std::fs::write(&text, "this is no film\n".repeat(100)).unwrap();
    program.fails(&["broadcast", text.to_str().unwrap()], 5, "text.mkv");
    let output = program.fails(
        &["broadcast", "/nonexistent/film.mkv", "--json"],
        5,
        "does not exist",
    );
    let ended: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&ended["event"], &ended["why"]),
        (&"ended".into(), &"input".into())
    );
}

#[test]
fn a_port_in_use_is_named() {
    let program = Program::new("port");
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    program.fails(&["broadcast", "test:", "--listen", &address], 1, &address);
    program.fails(&["watch", LINK, "--listen", &address], 1, &address);
}

#[test]
fn an_output_that_cannot_be_written_is_named() {
    let program = Program::new("output");
    program.fails(
        &["watch", LINK, "--output", "/nonexistent/a.ts"],
        1,
        "/nonexistent/a.ts",
    );
}

#[test]
fn a_config_file_with_an_unknown_key_is_a_usage_error() {
    let program = Program::new("config");
    let file = program.home.join("settings.toml");
    std::fs::write(&file, "[watch]\nbufer = '3s'\n").unwrap();
    program.fails(&["watch", LINK, "--config", file.to_str().unwrap()], 2, "bufer");
}

#[test]
fn every_command_helps_with_an_example() {
    let program = Program::new("help");
    for args in [
        &["--help"][..],
        &["broadcast", "--help"],
        &["watch", "--help"],
        &["bench", "relay", "--help"],
    ] {
        let output = program.run(args);
        let help = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success() && help.contains("Example"),
            "{args:?}: {help}"
        );
    }
}

#[test]
fn completions_know_the_commands() {
    let program = Program::new("completions");
    for shell in ["bash", "zsh", "fish"] {
        let output = program.run(&["completions", shell]);
        let script = String::from_utf8_lossy(&output.stdout);
        assert!(
            script.contains("broadcast") && script.contains("relay-only"),
            "{shell}"
        );
    }
}
