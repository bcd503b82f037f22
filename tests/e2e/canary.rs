//! Secret leakage (canary test): secrets in every place where one can be, a remote that echoes them in every
//! encoding, and a plugin that searches for them and discloses whatever it gets. Everything printed or
//! written is then searched; the canaries may be in the key files only.

use crate::support::guests;
use crate::support::server::{Server, answer};
use crate::world::{Home, text};
use aho_corasick::AhoCorasick;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use std::io::Write;
use std::process::Stdio;
use std::sync::{Mutex, mpsc};
use tokio::runtime::Runtime;

/// Sent as a header; given in the environment.
const KEY: &str = "canary/key+4f81d2c95b7e=do~not~print";
/// Sent in the query; given in the environment, by `entente.toml`.
const PARAM: &str = "canary&param%9c3b07aa=never(shown)";
/// Not granted to anything; given on standard input.
const SIGN: &str = "canary-sign/77aa01+nobody+knows";
/// A signing key; given in the environment.
const SIGNING: &str = "canary/signing+5d20ee=only~the~mac~is~seen";
/// The key of the second home, from the environment.
const SEALING: [u8; 32] = *b"\x9a canary for sealing the rest \xe1\x07";

/// Every encoding that is searched for.
fn forms(value: &[u8]) -> Vec<Vec<u8>> {
    let percent = |upper: bool| {
        let one = |byte: &u8| match byte {
            byte if byte.is_ascii_alphanumeric() || b"-._~".contains(byte) => char::from(*byte).to_string(),
            byte if upper => format!("%{byte:02X}"),
            byte => format!("%{byte:02x}"),
        };
        value.iter().map(one).collect::<String>().into_bytes()
    };
    let mut forms = vec![
        value.to_vec(),
        hex::encode(value).into_bytes(),
        hex::encode_upper(value).into_bytes(),
        percent(true),
        percent(false),
    ];
    for before in 0..3usize {
        let whole = [&[b'x'; 3][..before], value].concat();
        for encoded in [STANDARD.encode(&whole), URL_SAFE_NO_PAD.encode(&whole)] {
            forms.push(encoded.as_bytes()[(before * 8).div_ceil(6)..whole.len() * 8 / 6].to_vec());
        }
    }
    forms
}

/// Canaries by name, in every encoding.
#[derive(Default)]
struct Hidden(Vec<(&'static str, Vec<u8>)>);

impl Hidden {
    fn secrets() -> Self {
        let mut hidden = Self::default();
        for (name, value) in [("key", KEY), ("param", PARAM), ("sign", SIGN), ("signing", SIGNING)] {
            hidden.add(name, value.as_bytes());
        }
        hidden
    }

    fn add(&mut self, name: &'static str, value: &[u8]) {
        self.0.extend(forms(value).into_iter().map(|form| (name, form)));
    }

    /// A key as text, as in its file or variable, and as bytes.
    fn add_key(&mut self, name: &'static str, text: &str) {
        let bytes = STANDARD.decode(text.trim()).unwrap();
        assert_eq!(bytes.len(), 32);
        self.add(name, text.trim().as_bytes());
        self.add(name, &bytes);
    }

    /// The names and encodings found in the bytes.
    fn found(&self, bytes: &[u8]) -> Vec<String> {
        let search = AhoCorasick::new(self.0.iter().map(|(_, form)| form)).unwrap();
        let hits = search.find_overlapping_iter(bytes).map(|hit| &self.0[hit.pattern().as_usize()]);
        hits.map(|(name, form)| format!("{name} as {}", String::from_utf8_lossy(form))).collect()
    }

    /// Reversed, so that the plugin can search for them without holding them.
    fn reversed(&self) -> String {
        let backwards = |form: &Vec<u8>| form.iter().rev().map(|byte| char::from(*byte)).collect::<String>();
        self.0.iter().map(|(_, form)| backwards(form)).collect::<Vec<_>>().join(" ")
    }
}

/// Echoes the request in every encoding, beside the fields of a token endpoint's answer.
fn echo(request: &str) -> Vec<u8> {
    let echoed: Vec<String> =
        request.lines().filter(|line| line.contains("canary")).map(str::to_owned).collect();
    let mut forms: Vec<String> =
        forms(request.as_bytes()).iter().map(|form| String::from_utf8_lossy(form).into_owned()).collect();
    // JavaScript's encoding, which escapes fewer characters.
    forms.extend([KEY, PARAM].map(|secret| {
        secret
            .replace('%', "%25")
            .replace('/', "%2F")
            .replace('+', "%2B")
            .replace('=', "%3D")
            .replace('&', "%26")
    }));
    forms.extend(
        [KEY, PARAM].map(|secret| secret.replace('/', "\\/").replace('&', "\\u0026").replace('=', "\\u003D")),
    );
    let body = json!({"access_token": KEY, "refresh_token": PARAM, "token_type": "bearer", "echo": forms, "lines": echoed}).to_string();
    let echoed = echoed.join(" ");
    let encoded = STANDARD.encode(&echoed);
    answer(
        "200 OK",
        &[("x-echo", echoed.as_str()), ("x-encoded", &encoded), ("set-cookie", &format!("session={KEY}"))],
        body.as_bytes(),
    )
}

/// A home, and everything that the program printed in it.
struct Watch {
    home: Home,
    sealing: Option<String>,
    printed: Mutex<Vec<(String, Vec<u8>)>>,
}

impl Watch {
    fn command(&self, args: &[&str]) -> std::process::Command {
        let mut command = self.home.command(args);
        command.env("CANARY_KEY", KEY).env("CANARY_PARAM", PARAM).env("CANARY_SIGNING", SIGNING);
        if let Some(sealing) = &self.sealing {
            command.env("ENTENTE_KEY", sealing);
        }
        command
    }

    fn run_with(&self, args: &[&str], input: &str, variables: &[(&str, &str)]) -> (i32, String) {
        let mut command = self.command(args);
        command
            .envs(variables.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let all = [output.stdout, output.stderr].concat();
        let shown = String::from_utf8_lossy(&all).into_owned();
        self.printed.lock().unwrap().push((args.join(" "), all));
        (output.status.code().unwrap_or(-1), shown)
    }

    fn run(&self, args: &[&str]) -> (i32, String) {
        self.run_with(args, "", &[])
    }

    #[track_caller]
    fn well(&self, args: &[&str]) -> String {
        let (code, shown) = self.run(args);
        assert_eq!(code, 0, "{args:?}: {shown}");
        shown
    }

    /// No output and no file contains a canary, except that a key file contains its own key.
    #[track_caller]
    fn hides(&self, hidden: &Hidden) {
        assert!(
            !hidden.found(STANDARD.encode(format!("me:{KEY}")).as_bytes()).is_empty(),
            "what is there is found"
        );
        for (what, bytes) in self.printed.lock().unwrap().iter() {
            assert_eq!(hidden.found(bytes), [""; 0], "printed by {what}");
        }
        let files = self.home.files();
        assert!(files.iter().any(|(path, _)| path.ends_with("entente.db")), "the database is among them");
        for (path, bytes) in files {
            let own = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
            let found: Vec<String> = hidden
                .found(&bytes)
                .into_iter()
                .filter(|found| !found.starts_with(&format!("{own} as ")))
                .collect();
            assert_eq!(found, [""; 0], "in {}", path.display());
        }
    }
}

fn configuration(url: &str) -> String {
    format!(
        r#"
[object.thing.field.name]
kind = "text"
identifier = true

[object.thing.field.score]
kind = "float"

[integration.evil]
plugin = "hostile"
secrets = {{ param = {{ env = "CANARY_PARAM" }} }}

[integration.evil.settings]
attack = "hunt"
url = "{url}/path"
elsewhere = "http://127.0.0.1:9"

[integration.evil.grants]
http = ["{url}"]

[integration.evil.grants.secrets]
param = {{ hosts = ["{url}"], query = "param" }}

[sync.evil]

[[sync.evil.object]]
left = "thing"
right = "thing"
identifiers = ["name"]
create = "both"

[sync.evil.object.fields]
name = true
score = true
"#
    )
}

/// A home with all canaries; `sealing` is its key, if given.
fn watched(url: &str, sealing: Option<String>) -> Watch {
    let watch = Watch { home: Home::new(), sealing, printed: Mutex::default() };
    watch.well(&["plugin", "install", &text(guests::hostile_path()), "--name", "hostile"]);
    let file = watch.home.file("entente.toml", configuration(url));
    watch.well(&["apply", &file, "-vv"]);
    watch.well(&[
        "integration",
        "set",
        "evil",
        "--secret-env",
        "key=CANARY_KEY",
        "--secret-env",
        "signing=CANARY_SIGNING",
        "--json",
    ]);
    let (code, shown) = watch.run_with(
        &["integration", "set", "evil", "--secret", "sign", "-vvv"],
        &format!("{SIGN}\n"),
        &[],
    );
    assert_eq!(code, 0, "{shown}");
    watch.well(&["integration", "grant", "evil", "--secret", &format!("key={url}"), "--secret", "signing"]);
    watch
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// The plugin's log says that it found nothing.
#[track_caller]
fn found_nothing(shown: &str) {
    assert!(shown.contains("found 0;"), "{shown}");
    assert!(shown.contains("*****"), "something came back, and was masked: {shown}");
}

#[test]
fn a_canary_is_found_nowhere_whatever_a_hostile_plugin_does_with_it() {
    let runtime = runtime();
    let server = runtime.block_on(Server::start(echo));
    let watch = watched(&server.url, None);
    let mut hidden = Hidden::secrets();
    let reversed = format!("reversed={}", hidden.reversed());
    let sync = |then: &str, variables: &[(&str, &str)], options: &[&str]| {
        watch.well(&["integration", "set", "evil", "--set", &reversed, "--set", &format!("then={then}")]);
        watch.run_with(&[&["sync", "evil"], options].concat(), "", variables)
    };

    // Control: the plugin finds a text that is there.
    let control = "reversed=nekot_sseccA nekot_ssecca";
    watch.well(&["integration", "set", "evil", "--set", control, "--set", "then=error"]);
    let (code, shown) = watch.run(&["sync", "evil", "--json"]);
    assert!(code == 1 && shown.contains("found ") && !shown.contains("found 0;"), "{shown}");
    let requests = server.requests().join("\n");
    for expected in [
        format!("authorization: Bearer {KEY}\r\n"),
        format!("x-api-key: {KEY}\r\n"),
        "param=canary%26param%259c3b07aa%3Dnever%28shown%29 HTTP".to_owned(),
    ] {
        assert!(requests.contains(&expected), "{expected} was not sent: {requests}");
    }
    assert!(
        requests.contains(&STANDARD.encode(format!("me:{KEY}"))) && !requests.contains(SIGN),
        "{requests}"
    );
    assert!(!requests.contains(SIGNING), "{requests}");

    let (code, shown) = sync("error", &[], &["--json", "-vvv"]);
    assert_eq!(code, 1, "{shown}");
    found_nothing(&shown);
    let (code, shown) = sync("panic", &[("ENTENTE_LOG", "trace"), ("RUST_BACKTRACE", "full")], &["-vvv"]);
    assert_eq!(code, 1, "{shown}");
    assert!(shown.contains("the plugin crashed in report"), "{shown}");
    found_nothing(&shown);
    for (then, options) in [
        ("log", vec!["-vvv"]),
        ("state", vec!["--json"]),
        ("state", vec!["--json", "-v"]),
        ("row", vec!["--json", "--full"]),
    ] {
        let (code, shown) = sync(then, &[], &options);
        assert!([0, 3].contains(&code), "{then}: {shown}");
        if then == "log" {
            found_nothing(&shown);
            let mac = Hmac::<Sha256>::new_from_slice(SIGNING.as_bytes())
                .unwrap()
                .chain_update(b"data")
                .finalize()
                .into_bytes();
            assert!(shown.contains(&format!("{:?}", mac.to_vec())), "it was signed with: {shown}");
        }
    }
    let records = watch.well(&["record", "list", "thing", "--json"]);
    found_nothing(&records);

    // Every command that prints data.
    let id = serde_json::from_str::<Value>(&records).unwrap()["rows"][0]["id"].as_str().unwrap().to_owned();
    let (record, plugin) = (format!("thing:{id}"), text(guests::hostile_path()));
    watch.well(&["export"]);
    let commands: &[&[&str]] = &[
        &["status", "-vvv"],
        &["status", "evil"],
        &["run", "list"],
        &["run", "show", "1"],
        &["run", "show", "2"],
        &["run", "show", "3"],
        &["run", "show", "2", "--log"],
        &["run", "undo", "2", "--dry-run"],
        &["conflict", "list"],
        &["retry"],
        &["record", "list", "thing"],
        &["record", "show", &record],
        &["record", "history", &record],
        &["record", "export", "thing"],
        &["plugin", "list"],
        &["plugin", "inspect", &plugin],
        &["integration", "list"],
        &["integration", "calls", "evil"],
        &["integration", "fields", "evil"],
        &["integration", "grant", "evil"],
        &["integration", "upgrade", "evil"],
        &["doctor", "--offline"],
        &["apply", "entente.toml", "--dry-run"],
        &["apply", "entente.toml"],
    ];
    for command in commands {
        for json in [&[][..], &["--json"]] {
            let (code, shown) = watch.run(&[*command, json].concat());
            assert_ne!(code, 2, "{command:?}: {shown}");
        }
    }
    // What it writes is one of the files that are searched.
    let out = text(&watch.home.dir.path().join("out.tar"));
    watch.well(&["tenant", "export", "default", "--output", &out]);
    assert!(watch.home.files().iter().any(|(path, _)| path.ends_with("out.tar")), "the export is among them");
    // Failures while a secret is given.
    watch.run_with(&["integration", "set", "evil", "--secret", "no good name"], &format!("{SIGN}\n"), &[]);
    watch.run_with(
        &["integration", "add", "worse", "--plugin", "hostile", "--secret", "sign", "--secret", "key"],
        &format!("{SIGN}\n"),
        &[],
    );
    watch.run_with(&["sync", "evil"], "", &[("ENTENTE_KEY", KEY)]);

    for name in ["secret.key", "code.key"] {
        let file = std::fs::read_to_string(watch.home.path().join(name)).unwrap();
        hidden.add_key(if name == "code.key" { "code.key" } else { "secret.key" }, &file);
    }
    watch.hides(&hidden);
}

#[test]
fn a_canary_key_in_the_environment_and_a_run_that_is_killed_leave_nothing() {
    let runtime = runtime();
    let (asked, asking) = mpsc::channel();
    let (going, held) = mpsc::channel::<()>();
    let (asked, held) = (Mutex::new(asked), Mutex::new(held));
    let server = runtime.block_on(Server::start(move |request| {
        let _ = asked.lock().unwrap().send(());
        let _ = held.lock().unwrap().recv();
        echo(request)
    }));
    let watch = watched(&server.url, Some(STANDARD.encode(SEALING)));
    let mut child = watch
        .command(&["sync", "evil", "-vvv"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    asking.recv_timeout(std::time::Duration::from_secs(300)).expect("the plugin asks");
    child.kill().unwrap();
    let output = child.wait_with_output().unwrap();
    watch
        .printed
        .lock()
        .unwrap()
        .push(("the run that was killed".to_owned(), [output.stdout, output.stderr].concat()));
    assert!(!watch.home.path().join("secret.key").exists(), "the key of the environment is not written down");
    watch.well(&["export"]);
    watch.run(&["status", "--json"]);

    let mut hidden = Hidden::secrets();
    hidden.add_key("ENTENTE_KEY", &STANDARD.encode(SEALING));
    hidden.add_key("code.key", &std::fs::read_to_string(watch.home.path().join("code.key")).unwrap());
    watch.hides(&hidden);
    // Control: the canary is where it must be.
    drop(going);
    let (code, shown) = watch.run(&["sync", "evil"]);
    assert_eq!(code, 1, "{shown}");
    assert!(server.requests().concat().contains(KEY));
    watch.hides(&hidden);
}
