//! What a shell is answered that completes names: nothing of it passes the door, and bash puts it into the command line as it is.
//! So neither a name in a database that somebody else has written, nor one of a file, is anything that a shell would run (X4).

use crate::terminal::home;
use crate::world::{Home, text};
use rusqlite::Connection;

/// The shells that can ask.
const SHELLS: [&str; 5] = ["bash", "elvish", "fish", "powershell", "zsh"];

/// Names that a shell would run, or that begin a line.
const BAD: [&str; 4] =
    ["shop;touch OWNED", "$(touch${IFS}OWNED)", "`touch OWNED`", "shop\nFORGED: nothing to do, all is well"];

/// What is completed, with a name that is there.
const ASKED: [(&[&str], &str); 6] = [
    (&["sync", ""], "evil"),
    (&["conflict", "list", "--sync", ""], "evil"),
    (&["integration", "enable", ""], "evil"),
    (&["run", "show", ""], "1"),
    (&["tenant", "export", ""], "default"),
    (&["record", "import", "thing", ""], "entente.toml"),
];

/// What a shell is answered that asks how these words go on.
fn answered(home: &Home, shell: &str, words: &[&str]) -> String {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_entente"));
    command.env("COMPLETE", shell).env("_CLAP_COMPLETE_INDEX", (words.len() + 2).to_string());
    command.args(["--", "entente", "--home", &text(&home.path())]).args(words);
    command.env_remove("ENTENTE_HOME").env_remove("ENTENTE_TENANT").current_dir(home.dir.path());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{shell} {words:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn x4_no_shell_is_offered_what_it_would_run() {
    let home = home();
    let database = Connection::open(home.path().join("tenants/default/entente.db")).unwrap();
    for name in BAD {
        for insert in [
            "INSERT INTO sync_definition SELECT ?1, relation, left_exchange, right_exchange, json_set(definition, '$.name', ?1)
             FROM sync_definition WHERE name = 'evil'",
            "INSERT INTO integration SELECT ?1, plugin, digest, enabled, settings, grants FROM integration WHERE name = 'evil'",
        ] {
            assert_eq!(database.execute(insert, [name]).unwrap(), 1);
        }
        // As a folder is named it cannot be a tenant; as a file it can be imported.
        let tenant = home.path().join("tenants").join(name);
        std::fs::create_dir(&tenant).unwrap();
        std::fs::copy(home.path().join("tenants/default/entente.db"), tenant.join("entente.db")).unwrap();
        std::fs::write(home.dir.path().join(name), "name\nx\n").unwrap();
    }
    assert!(database.execute("UPDATE run SET sync = ?1", [BAD[0]]).unwrap() > 0);
    database.close().unwrap();
    for shell in SHELLS {
        for (words, good) in ASKED {
            let answered = answered(&home, shell, words);
            assert!(answered.contains(good), "{shell} {words:?}: {answered:?}");
            for bad in ["OWNED", "FORGED", "\u{1b}", "\u{9b}", "\u{202e}"] {
                assert!(!answered.contains(bad), "{shell} {words:?} is offered {bad:?}: {answered:?}");
            }
        }
    }
}
