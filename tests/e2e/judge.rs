//! Commands that need no home folder.

use crate::world::Home;
use serde_json::{Value, json};

#[test]
fn every_line_gets_its_verdict() {
    let lines = [
        r#"{"mode":"hard","left":{"value":1,"certain":"2020-01-01T00:00:00Z"},"right":{"value":2,"certain":"2020-01-01T00:00:00+01:00"}}"#,
        r#"{"mode":"hard","left":{"value":1,"possible":"2020-01-01T00:00:00Z"},"right":{"value":2,"possible":"2020-01-02T00:00:00Z"}}"#,
        r#"{"mode":"best","left":{"value":1,"possible":"2020-01-01T00:00:00Z"},"right":{"value":2,"possible":"2020-01-02T00:00:00Z"}}"#,
        r#"{"mode":"fuzzy","left":{"value":1,"certain":"2020-01-03T00:00:00Z"},"right":{"value":2,"possible":"2020-01-02T00:00:00Z"}}"#,
        r#"{"mode":"hard","left":{"value":"a"},"right":{"value":"a"}}"#,
    ];
    let home = Home::new();
    let verdicts = |output: &str| -> Vec<Value> {
        output.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let output = home.run_with(&["judge"], lines.join("\n")).well();
    let winners: Vec<Value> =
        verdicts(&output.stdout).iter().map(|verdict| verdict["winner"].clone()).collect();
    assert_eq!(winners, ["left", "unresolved", "right", "left", "equal"].map(|winner| json!(winner)));
    assert!(
        verdicts(&output.stdout)
            .iter()
            .all(|verdict| verdict["reason"].as_str().is_some_and(|reason| !reason.is_empty())),
        "{output}"
    );

    let output = home.run_with(&["judge"], format!("{}\nnot JSON\n{}\n", lines[0], lines[4])).exits(3);
    let answers = verdicts(&output.stdout);
    assert_eq!(
        (&answers[0]["winner"], &answers[1]["line"], &answers[2]["winner"]),
        (&json!("left"), &json!(2), &json!("equal"))
    );
    assert!(answers[1]["error"].is_string(), "{output}");
    assert!(!home.path().exists(), "it keeps nothing");
    assert_eq!(home.run_with(&["judge"], "").well().stdout, "");
}

#[test]
fn version_help_and_completion() {
    let home = Home::new();
    assert_eq!(home.run(&["--version"]).well().stdout, format!("entente {}\n", env!("CARGO_PKG_VERSION")));
    home.run(&["--help"]).well().says(&[
        "sync",
        "quickstart",
        "Exit codes: 0 done; 1 the run or command failed; 2 wrong usage; 3",
    ]);
    home.run(&["completion", "bash"]).well().says(&["_clap_complete_entente", "COMPLETE="]);
    for shell in ["zsh", "fish", "powershell", "elvish"] {
        home.run(&["completion", shell]).well().says(&["entente"]);
    }
    home.run(&["completion", "cmd"]).fails(2, &["invalid value 'cmd'"]);
    home.run(&["no-such-command"]).fails(2, &["no-such-command"]);
    home.run(&[]).exits(2);
    assert!(!home.path().exists());
}
