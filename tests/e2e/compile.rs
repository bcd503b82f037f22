//! The program as the compiler child of its own plugins.

use crate::support::guests;
use crate::world::{Home, text};
use std::process::{Command, Stdio};

fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_entente"))
}

#[test]
fn it_is_no_command_for_people() {
    for args in [&["help"][..], &["--help"], &["completion", "bash"], &["completion", "zsh"]] {
        let output = program().args(args).output().unwrap();
        assert!(output.status.success() && !output.stdout.is_empty(), "{args:?}");
        assert!(!String::from_utf8_lossy(&output.stdout).contains("compile-plugin"), "{args:?}");
    }
    let output = program().arg("compile-plugin").stdin(Stdio::null()).output().unwrap();
    assert_eq!(output.status.code(), Some(64));
    insta::assert_snapshot!(String::from_utf8(output.stderr).unwrap(), @"it was started by another version of the host, or by hand");
    assert!(output.stdout.is_empty());
}

#[test]
fn whether_it_works_is_told_by_doctor() {
    Home::new()
        .run(&["doctor"])
        .well()
        .says(&["compiling", "plugins can be compiled, in a process of its own"]);
}

/// Without address space to reserve, plugins are compiled for on-demand allocation.
#[cfg(target_os = "linux")]
#[test]
fn with_little_address_space_it_compiles_for_that() {
    let home = Home::new();
    let path = text(guests::hello_path());
    let install = home.command(&["plugin", "install", &path]);
    let mut limited = Command::new("sh");
    limited
        .args(["-c", "ulimit -v 8000000 && exec \"$@\"", "sh"])
        .arg(install.get_program())
        .args(install.get_args());
    let output = limited.output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    assert!(stderr.contains("memory for plugins cannot be reserved"), "{stderr}");
    let compiled = || std::fs::read_dir(home.path().join("cache")).unwrap().count();
    assert_eq!(compiled(), 1);
    home.run(&["plugin", "install", &path, "--name", "again"]).well();
    assert_eq!(compiled(), 2, "what was compiled for the one is not right for the other");
}
