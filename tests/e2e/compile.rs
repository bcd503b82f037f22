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
    Home::new().run(&["doctor"]).well().says(&[
        "compiling",
        "plugins can be compiled, in a process of its own",
        #[cfg(target_os = "linux")]
        "without files, network, processes (Landlock and seccomp)",
    ]);
}

/// X12: what a process gives up is in force as soon as it has begun, whoever runs it.
#[cfg(target_os = "linux")]
#[test]
fn x12_the_process_has_no_core_dumps_no_new_privileges_and_no_debugger() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    use std::os::unix::process::CommandExt;
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
    // Root may look into every process, and owns those that are for nobody: another user's are told apart.
    let copy = folder.path().join("entente");
    std::fs::copy(env!("CARGO_BIN_EXE_entente"), &copy).unwrap();
    let command = |args: &[&str]| {
        let mut command = Command::new(&copy);
        command.arg("--home").arg(folder.path().join("home")).args(args).current_dir(folder.path());
        if std::fs::metadata(&copy).unwrap().uid() == 0 {
            command.uid(65_534).gid(65_534);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    };
    // It waits for a line.
    let mut child = command(&["judge"]).spawn().unwrap();
    let process = std::path::Path::new("/proc").join(child.id().to_string());
    let read = |name: &str| std::fs::read_to_string(process.join(name)).unwrap_or_default();
    let begun = std::time::Instant::now();
    while !read("status").contains("NoNewPrivs:\t1") && begun.elapsed().as_secs() < 60 {
        std::thread::yield_now();
    }
    let (status, limits) = (read("status"), read("limits"));
    let owner = std::fs::metadata(process.join("environ")).unwrap().uid();
    drop(child.stdin.take());
    child.wait().unwrap();
    assert!(status.contains("NoNewPrivs:\t1") && status.contains("Umask:\t0077"), "{status}");
    assert!(status.contains("Uid:\t65534") || std::fs::metadata(&copy).unwrap().uid() != 0, "{status}");
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().skip(4).take(2).collect::<Vec<_>>(), ["0", "0"], "{core}");
    assert_eq!(owner, 0, "what /proc has of the memory of a process without dumps belongs to root");

    // It finds itself to compile with, as a user like any other.
    let output = command(&["doctor", "--offline", "--create"]).output().unwrap();
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(
        output.status.success() && said.contains("plugins can be compiled, in a process of its own"),
        "{said}"
    );
}

/// X12: what is in the home is for its user alone; what is built is given the rights that the user gives to files.
#[cfg(unix)]
#[test]
fn x12_files_of_the_home_are_private_whatever_the_umask_and_what_is_built_is_not() {
    use std::os::unix::fs::PermissionsExt;
    let home = Home::new();
    let component = home.file("mail.wasm", crate::support::handmade::Handmade::default().module());
    let manifest = home.file("asks.toml", "name = \"mail\"\nversion = \"1\"\ndescription = \"by hand\"\n");
    let output = text(&home.path().join("../built.wasm"));
    let run = |args: &[&str]| {
        let command = home.command(args);
        let mut shell = Command::new("sh");
        shell
            .args(["-c", "umask 002 && exec \"$@\"", "sh"])
            .arg(command.get_program())
            .args(command.get_args());
        let output = shell.current_dir(home.path().join("..")).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    std::fs::create_dir(home.path()).unwrap();
    run(&["plugin", "build", &component, "--manifest", &manifest, "--output", &output]);
    run(&["plugin", "install", &output, "--name", "mail"]);
    run(&["tenant", "add", "acme"]);
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(std::path::Path::new(&output)), 0o664);
    let (mut folders, mut files) = (vec![home.path()], 0);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            assert_eq!(mode(&path) & 0o077, 0, "{}", path.display());
            if path.is_dir() { folders.push(path) } else { files += 1 }
        }
    }
    assert!(files > 3, "{files} files");
}

/// X11: building runs code of the author, and that finds no secret in its environment.
#[test]
fn x11_a_build_script_finds_no_secret_in_its_environment() {
    // With it the compiler has been set up, which no build does that is offline.
    let home = Home::with_plugin();
    let project = home.dir.path().join("project");
    std::fs::create_dir_all(project.join("src")).unwrap();
    let write = |name: &str, text: &str| std::fs::write(project.join(name), text).unwrap();
    write(
        "Cargo.toml",
        "[package]\nname = \"nosy\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[lib]\ncrate-type = [\"cdylib\"]\n[workspace]\n",
    );
    write("src/lib.rs", "");
    write("plugin.toml", "description = \"nosy\"\n");
    write(
        "build.rs",
        "fn main() {\n    let all: String = std::env::vars().map(|(name, value)| format!(\"{name}={value}\\n\")).collect();\n    std::fs::write(\"seen\", all).unwrap();\n    panic!(\"enough is seen\");\n}\n",
    );
    let mut command = home.command(&["plugin", "build", "--offline", &text(&project)]);
    command.env("ENTENTE_KEY", "canary-of-the-key").env("SHOP_API_KEY", "canary-of-the-shop");
    command.env("SHOP_PASSWORD", "canary-of-the-password").env("DATABASE_URL", "canary-of-the-database");
    command.env("CARGO_REGISTRY_TOKEN", "canary-of-the-registry");
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("enough is seen"), "{said}");
    let seen = std::fs::read_to_string(project.join("seen")).unwrap();
    assert!(seen.contains("PATH=") && seen.contains("OUT_DIR="), "{seen}");
    for forbidden in ["canary", "ENTENTE"] {
        assert!(!seen.contains(forbidden), "{forbidden} in {seen}");
    }
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
