//! The quick start, and every command that it prints.

use crate::world::root;
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

/// Runs a command line in the root of the sources.
fn shell(line: &str) -> Output {
    let mut command = Command::new("sh");
    command
        .args(["-c", line])
        .current_dir(root())
        .env_remove("ENTENTE_HOME")
        .env_remove("ENTENTE_KEY")
        .env_remove("ENTENTE_LOG");
    command.output().unwrap()
}

fn text(output: &Output) -> String {
    format!("{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// The address of the sample CRM, once it listens.
fn address(dir: &Path) -> String {
    let text = std::fs::read_to_string(dir.join("hello-crm.address")).unwrap();
    text.trim().trim_start_matches("http://").to_owned()
}

#[track_caller]
fn ends(address: &str) {
    let begun = Instant::now();
    while TcpStream::connect(address).is_ok() {
        assert!(begun.elapsed() < Duration::from_secs(60), "hello-crm still listens at {address}");
        std::thread::yield_now();
    }
}

/// Starts the sample CRM beside `entente`; a build of the workspace has it.
fn ensure_crm(entente: &Path) {
    if !entente.with_file_name("hello-crm").is_file() {
        let built = Command::new(env!("CARGO"))
            .args(["build", "-p", "hello-crm"])
            .current_dir(root())
            .status()
            .unwrap();
        assert!(built.success());
    }
}

#[test]
fn it_runs_from_start_to_end_and_all_that_it_advises_works() {
    let entente = Path::new(env!("CARGO_BIN_EXE_entente"));
    ensure_crm(entente);
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("quick start");
    let quickstart = format!("{} quickstart --dir '{}'", entente.display(), dir.display());

    let first = shell(&quickstart);
    assert_eq!(first.status.code(), Some(0), "{}", text(&first));
    let before = address(&dir);
    assert!(TcpStream::connect(&before).is_ok());
    let output = shell(&quickstart);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let now = address(&dir);
    // The system may give the port of the one that has ended to the next one.
    if now != before {
        ends(&before);
    }
    assert!(TcpStream::connect(&now).is_ok());

    let printed = String::from_utf8(output.stdout.clone()).unwrap();
    let (_, advice) = printed.split_once("Try next:\n").unwrap_or_else(|| panic!("{printed}"));
    let commands: Vec<&str> = advice
        .lines()
        .filter_map(|line| line.strip_prefix("  "))
        .filter(|line| !line.starts_with(' '))
        .collect();
    assert!(commands.len() >= 9, "{advice}");
    assert!(commands.last().is_some_and(|last| last.contains("--stop")), "{advice}");
    for command in commands {
        let output = shell(command);
        let said = text(&output);
        let code = output.status.code();
        // The sample has a duplicate, so a run may hold a record.
        let fine =
            if command.contains(" sync ") { code == Some(0) || code == Some(3) } else { code == Some(0) };
        assert!(fine, "$ {command}\nexit code {code:?}\n{said}");
        assert!(!said.contains("panicked"), "$ {command}\n{said}");
        if command.contains("--json") {
            let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
            for counts in json["counts"]
                .as_object()
                .unwrap()
                .values()
                .flat_map(|objects| objects.as_object().unwrap().values())
            {
                assert_eq!(
                    (&counts["created"], &counts["updated"]),
                    (&0.into(), &0.into()),
                    "$ {command}\n{said}"
                );
            }
        }
        if command.contains("record list") {
            assert!(said.to_lowercase().contains("müller"), "$ {command}\n{said}");
        }
    }
    ends(&now);
}
