//! What strangers said acts on no terminal (X4, X5): every command of the program that prints any of it runs at a
//! real terminal (a pty) whose screen an emulator draws (`vt100`). Ids, values, names, errors, log lines and headings of
//! strangers all hold a forged plan behind every way that is known to move a cursor, clear a line, set a title, turn the
//! direction of writing, or hide.
//!
//! The commands are those of the command line itself: one without an entry here fails the test.

use crate::support::guests;
use crate::world::{Home, text};
use clap::Command;
use std::collections::BTreeMap;
use std::io::Read as _;
use std::process::Stdio;

/// Begins a forged line wherever it begins a line.
pub(crate) const FORGED: &str = "FORGED: nothing to do, all is well";

/// What a stranger says: everything that moves a cursor, and then a line of our own making.
fn hostile() -> String {
    format!("\r\n\u{1b}[2K\u{1b}[1A\u{1b}]0;title\u{7}\u{9b}2J\u{8}\u{202e}\u{200b}\u{e0041}\n{FORGED}\n")
}

const CONFIGURATION: &str = r#"
[object.thing.field.name]
kind = "text"
identifier = true

[object.thing.field.score]
kind = "float"

[object.thing.field.note]
kind = "text"

[integration.evil]
plugin = "hostile"

[sync.evil]

[[sync.evil.object]]
left = "thing"
right = "thing"
identifiers = ["name"]
create = "both"

[sync.evil.object.fields]
name = true
score = true
"#;

/// A home that knows what a hostile plugin and a hostile file have said: an import and a run of the sync.
pub(crate) fn home() -> Home {
    let home = Home::new();
    home.run(&["plugin", "install", &text(guests::hostile_path()), "--name", "hostile"]).well();
    home.run(&["apply", &home.file("entente.toml", CONFIGURATION)]).well();
    let said = hostile();
    let csv = format!("name,score,\"{said}\"\n\"ours {said}\",2,x\n\"{said}\",\"{said}\",y\n");
    let file = home.file(&format!("things{said}.csv"), csv);
    assert_eq!(home.run(&["record", "import", "thing", &file, "--no-create-references"]).code, 3);
    home.run(&["integration", "set", "evil", "--set", "attack=forged", "--set", &format!("said={said}")])
        .well();
    let first = home.run(&["sync", "evil"]);
    assert_eq!(first.code, 3, "{first}");
    home
}

/// What is run of a command: arguments beside its name; `None` with the reason why nothing of a stranger is in what it
/// prints.
type Runs = Result<Vec<Vec<String>>, &'static str>;

/// Every command, in an order that leaves something for the next one.
fn runs(home: &Home) -> Vec<(&'static str, Runs)> {
    let words = |lists: &[&[&str]]| -> Runs {
        Ok(lists.iter().map(|list| list.iter().map(|word| (*word).to_owned()).collect()).collect())
    };
    let toml = home.file("bad.toml", format!("[sync.\"{}\"]\nx = 1\n", FORGED.replace(' ', "\\n")));
    let csv = home.file("again.csv", format!("name,\"{0}\"\n\"{0}\",1\n,\n", hostile()));
    let judged =
        "{\"left\":{\"value\":1},\"right\":{\"value\":2},\"mode\":\"\u{202e}\u{9b}2J\"}\n".to_owned();
    let judged = home.file("lines", judged);
    let bad = home.file("bad.csv", format!("name,score\nx,\"{0}\"\n\"y{0}\",z\n", hostile()));
    let folder = text(&home.dir.path().join("nothing here"));
    let script = home.dir.path().join("script");
    std::fs::create_dir(&script).unwrap();
    let package = serde_json::json!({"name": "x", "version": "1.0.0", "main": format!("a{}", hostile())});
    std::fs::write(script.join("package.json"), package.to_string()).unwrap();
    let script = text(&script);
    vec![
        ("sync", words(&[&["evil", "--dry-run"], &["evil"], &["evil", "--json"], &["evil", "-v"]])),
        ("sync list", words(&[&[], &["--json"]])),
        ("status", words(&[&[], &["evil"], &["evil", "--differing"], &["evil", "--json"], &["--check"]])),
        ("retry", words(&[&["--list"], &["evil", "--list"]])),
        ("run list", words(&[&[], &["--json"]])),
        ("run show", words(&[&["1"], &["2"], &["2", "--log"], &["3"], &["1", "--json"], &["2", "--json"]])),
        ("run apply", words(&[&["3"]])),
        ("run undo", words(&[&["2", "--dry-run"], &["2"], &["1", "--dry-run"]])),
        ("record list", words(&[&["thing"], &["thing", "--json"]])),
        ("record show", words(&[&["thing:1"], &["thing:1", "--json"], &["evil/thing:1"]])),
        ("record history", words(&[&["thing:1"], &["thing:1", "--json"], &["evil/thing:1"]])),
        ("record set", words(&[&["thing:1", &format!("note={}", hostile())]])),
        ("record export", words(&[&["thing"], &["thing", "--json"]])),
        (
            "record import",
            words(&[
                &["thing", &csv],
                &["thing", &csv, "--json"],
                &["thing", &csv, "--key", "id"],
                &["thing", &bad],
                &["thing", &bad, "--json"],
                &["thing", &csv, "--dry-run"],
                &["--undo", "1", "--dry-run"],
                &["--undo", "1", "--yes"],
                &["--undo", "1", "--dry-run", "--json"],
            ]),
        ),
        ("record delete", words(&[&["thing:1", "thing:2", "--dry-run"], &["thing:1"]])),
        ("record restore", words(&[&["thing:1"]])),
        ("record erase", words(&[&["thing:1", "--yes"], &["thing:2", "--yes"]])),
        ("conflict list", words(&[&[]])),
        ("conflict settle", words(&[&["1", "--left"]])),
        (
            "link set",
            words(&[&["thing:2", "evil/thing:1"], &["thing:2", &format!("evil/thing:{}", hostile())]]),
        ),
        ("link remove", words(&[&["thing:2", "evil/thing:1"]])),
        ("link exclude", words(&[&["thing:2", "--dry-run"], &["evil/thing:1", "--dry-run"]])),
        ("link include", words(&[&["thing:2"], &[&format!("evil/thing:{}", hostile())]])),
        ("link new", words(&[&["thing:2"]])),
        (
            "link merge",
            words(&[
                &["thing:1", "thing:2", "--dry-run"],
                &["thing:1", &format!("evil/thing:{}", hostile())],
            ]),
        ),
        ("integration fields", words(&[&["evil"], &["evil", "--json"], &["evil", "--object", &hostile()]])),
        ("integration list", words(&[&[], &["--json"]])),
        (
            "integration add",
            words(&[&[
                "more",
                "--plugin",
                "hostile",
                "--set",
                "attack=forged-error",
                "--set",
                "where=describe",
                "--set",
                &format!("said={}", hostile()),
            ]]),
        ),
        ("integration set", words(&[&["evil", "--set", &format!("other={}", hostile())]])),
        ("integration disable", words(&[&["evil"]])),
        ("integration enable", words(&[&["evil"]])),
        ("integration grant", words(&[&["evil", "--http", &format!("https://x{}", hostile())]])),
        ("integration upgrade", words(&[&["evil"]])),
        ("integration rollback", words(&[&["evil"]])),
        ("integration resume", words(&[&["evil"]])),
        ("integration rebind", words(&[&["evil", "--same-system"]])),
        ("integration calls", words(&[&["evil"], &["evil", "--json"]])),
        ("integration remove", words(&[&["evil"]])),
        ("plugin list", words(&[&[]])),
        ("plugin inspect", words(&[&[&text(guests::hostile_path())], &[&csv]])),
        ("plugin install", words(&[&[&csv]])),
        ("plugin build", words(&[&[&folder], &[&script]])),
        ("plugin remove", words(&[&["hostile"]])),
        ("apply", words(&[&[&toml, "--dry-run"], &[&toml, "--json"]])),
        ("export", words(&[&[]])),
        ("tenant list", words(&[&[]])),
        ("tenant add", words(&[&["acme", "--from", &csv]])),
        ("tenant limits", words(&[&[]])),
        ("tenant set", words(&[&["default", "--limit", &format!("memory-bytes={}", hostile())]])),
        ("tenant export", words(&[&["default", "--output", &text(&home.dir.path().join("out.tar"))]])),
        ("tenant remove", Err("it asks a person for the name that was typed, and prints that")),
        ("init", words(&[&[], &["--json"]])),
        ("doctor", words(&[&["--offline"], &["--offline", "--json"]])),
        ("judge", words(&[&["<", &judged]])),
        ("quickstart", Err("it works with the sample CRM alone")),
        ("man", Err("it prints nothing, and writes names of commands and options")),
        ("completion", Err("it prints a script of ours; completion.rs tests what shells are answered")),
    ]
}

/// The commands that can be run, with the words before them.
fn leaves(command: &Command, before: &str, found: &mut Vec<String>) {
    for below in command.get_subcommands().filter(|below| below.get_name() != "help") {
        let name = format!("{before}{}", below.get_name());
        leaves(below, &format!("{name} "), found);
        // `sync` is one with a name, and has one below it.
        if !below.has_subcommands() || below.get_positionals().next().is_some() {
            found.push(name);
        }
    }
}

/// Columns and rows of the terminal. It is high enough for everything, so that each row can be looked at.
const SIZE: (u16, u16) = (120, 2000);

/// What a command has written to a terminal, as bytes.
fn at_a_terminal(home: &Home, args: &[&str], input: Option<&str>, errors: bool) -> Vec<u8> {
    let size = nix::pty::Winsize { ws_row: SIZE.1, ws_col: SIZE.0, ws_xpixel: 0, ws_ypixel: 0 };
    let pty = nix::pty::openpty(Some(&size), None).unwrap();
    let mut command = home.command(args);
    command.env("TERM", "xterm-256color");
    command.stdin(input.map_or_else(Stdio::null, |file| std::fs::File::open(file).unwrap().into()));
    match errors {
        true => command.stdout(Stdio::null()).stderr(pty.slave),
        false => command.stdout(pty.slave).stderr(Stdio::null()),
    };
    let mut child = command.spawn().unwrap();
    // The terminal ends when nobody has it open any more.
    drop(command);
    let mut written = Vec::new();
    // Linux tells the end of a pty as an error.
    let _ = std::fs::File::from(pty.master).read_to_end(&mut written);
    child.wait().unwrap();
    written
}

/// Bytes of progress bars and log lines of our own: colours, and a line that is drawn anew.
fn without_our_own(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('\u{1b}') {
        plain.push_str(&rest[..at]);
        let sequence = &rest[at..];
        let end = sequence.find(|c: char| c.is_ascii_alphabetic()).map_or(sequence.len(), |end| end + 1);
        let ours = ["m", "K", "A", "h", "l"].iter().any(|last| sequence[..end].ends_with(last));
        assert!(ours && sequence.starts_with("\u{1b}["), "{:?}", &sequence[..end]);
        rest = &sequence[end..];
    }
    plain.push_str(rest);
    plain
}

/// Asserts what a terminal shows: no character acts on it, no line is a stranger's, the title is as it was; without
/// progress, every cell shows the character that was printed for it.
fn look_at(what: &str, written: &[u8], errors: bool) {
    let text =
        String::from_utf8(written.to_vec()).unwrap_or_else(|_| panic!("{what} printed what is no text"));
    let text = text.replace("\r\n", "\n");
    let plain = if errors { without_our_own(&text).replace('\r', "\n") } else { text };
    let acts = |c: char| c != '\n' && entente_core::acts_on_a_terminal(c);
    assert!(!plain.contains(acts), "{what} prints what acts on a terminal:\n{plain:?}");
    for line in plain.lines() {
        assert!(
            !line.trim_start().starts_with("FORGED"),
            "a stranger's line in what {what} prints:\n{plain}"
        );
    }
    let size = |cells| std::num::NonZeroU16::new(cells).unwrap();
    let mut screen = vt100::Parser::new(size(SIZE.1), size(SIZE.0), 0);
    screen.process(plain.replace('\n', "\r\n").as_bytes());
    let shown: Vec<String> = screen.screen().rows(0, SIZE.0).map(|row| row.trim_end().to_owned()).collect();
    // A line that is too long goes on in the next row; blanks at the end of a row are not told.
    let squashed = |text: &str| text.chars().filter(|c| *c != ' ').collect::<String>();
    let mut rows = shown.iter();
    for line in plain.lines() {
        let (wanted, mut got) = (squashed(line), String::new());
        loop {
            got.push_str(&squashed(rows.next().expect("as many rows as lines")));
            if got.len() >= wanted.len() {
                break;
            }
        }
        assert_eq!(got, wanted, "{what} shows something else than it prints");
    }
}

#[test]
fn x4_nothing_that_strangers_say_acts_on_a_terminal_whatever_the_command() {
    let home = home();
    let runs = runs(&home);
    let mut known = Vec::new();
    leaves(&entente_cli::command(), "", &mut known);
    let with_entry: BTreeMap<&str, &Runs> = runs.iter().map(|(name, runs)| (*name, runs)).collect();
    for name in &known {
        assert!(with_entry.contains_key(name.as_str()), "the command «{name}» has no entry in this test");
    }
    let mut said = 0;
    for (name, runs) in &runs {
        assert!(known.iter().any(|known| known == name), "there is no command «{name}»");
        let lists = match runs {
            Ok(lists) => lists,
            Err(why) => {
                println!("left out: {name}: {why}");
                continue;
            }
        };
        for list in lists {
            let (given, input) = match list.iter().position(|word| word == "<") {
                Some(at) => (&list[..at], list.get(at + 1).map(String::as_str)),
                None => (&list[..], None),
            };
            let args: Vec<&str> = name.split(' ').chain(given.iter().map(String::as_str)).collect();
            for errors in [false, true] {
                let written = at_a_terminal(&home, &args, input, errors);
                said += usize::from(String::from_utf8_lossy(&written).contains("FORGED"));
                look_at(&args.join(" "), &written, errors);
            }
        }
    }
    assert!(said > 20, "strangers have a say in what is printed: {said}");
}
