//! Test fixture: a home folder of its own, a running hello-crm, calls of the program and look-ups in the CRM.

use crate::support::guests;
use hello_crm::{Clock, Config, Handle, ManualClock, Object, RecordView, Server, Stamp, SystemClock};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// The CRM's key, a canary: it must appear nowhere.
pub(crate) const CANARY: &str = "canary-4f81d2c95b7e-do-not-print";

/// A timeout far above what any command takes.
const PATIENCE: Duration = Duration::from_secs(300);

/// Removes the `--home` of each test from commands to copy; that they name it is tested separately
/// (`cli/remedy.rs`, and `a_command_to_copy_names_the_home_that_was_given`).
fn without_home(text: &str) -> String {
    let mut parts = text.split("entente --home ");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (_, rest) = part.split_once(' ').unwrap_or_else(|| panic!("no command after --home: {text}"));
        plain.push_str("entente ");
        plain.push_str(rest);
    }
    plain
}

/// The result of a command.
#[derive(Debug)]
pub(crate) struct Output {
    args: String,
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Output {
    fn of(args: String, output: &std::process::Output) -> Self {
        let text = |bytes: &[u8]| {
            let text = String::from_utf8(bytes.to_vec());
            without_home(&text.unwrap_or_else(|_| panic!("{args} printed what is no text")))
        };
        let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
        let code = output
            .status
            .code()
            .unwrap_or_else(|| panic!("{args} was ended by a signal or took too long\n{stdout}\n{stderr}"));
        let output = Self { args, code, stdout, stderr };
        for text in [&output.stdout, &output.stderr] {
            assert!(!text.contains(CANARY), "the key is shown: {output}");
            assert!(!text.contains("panicked at") && !text.contains("RUST_BACKTRACE"), "{output}");
        }
        output
    }

    /// Asserts the exit code.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self}");
        self
    }

    /// Asserts exit code 0.
    #[track_caller]
    pub(crate) fn well(self) -> Self {
        self.exits(0)
    }

    /// Asserts the exit code, and that the error contains all of these.
    #[track_caller]
    pub(crate) fn fails(self, code: i32, parts: &[&str]) -> Self {
        let said = match self.error() {
            Some(error) => {
                let steps = error["remedies"].as_array().into_iter().flatten();
                let commands: Vec<&str> = steps.filter_map(|step| step["command"].as_str()).collect();
                format!("error: {}\n{}", error["error"].as_str().unwrap_or_default(), commands.join("\n"))
            }
            None => self.stderr.clone(),
        };
        for part in parts {
            assert!(said.contains(part), "«{part}» is not in the error: {self}");
        }
        self.exits(code)
    }

    /// The error of a command with `--json`; `None` where it is none.
    pub(crate) fn error(&self) -> Option<Value> {
        let begin = self.stderr.find("{\n")?;
        serde_json::from_str(&self.stderr[begin..]).ok()
    }

    /// Asserts that the output contains all of these.
    #[track_caller]
    pub(crate) fn says(self, parts: &[&str]) -> Self {
        for part in parts {
            assert!(self.stdout.contains(part), "«{part}» is not in the output: {self}");
        }
        self
    }

    /// The output as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("no JSON ({error}): {self}"))
    }

    /// The counts of an object on a side, from `--json`.
    #[track_caller]
    pub(crate) fn counts(&self, exchange: &str, object: &str) -> Value {
        let counts = self.json()["counts"][exchange][object].clone();
        assert!(counts.is_object(), "no counts of {exchange} {object}: {self}");
        counts
    }

    /// The number of records written on a side.
    #[track_caller]
    pub(crate) fn written(&self, exchange: &str) -> u64 {
        let json = self.json();
        let objects = json["counts"][exchange].as_object().cloned().unwrap_or_default();
        objects
            .values()
            .flat_map(|counts| {
                ["created", "updated", "removed"].map(|name| counts[name].as_u64().expect("a count"))
            })
            .sum()
    }
}

impl std::fmt::Display for Output {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "\n$ entente {}\nexit code {}\n{}\n{}", self.args, self.code, self.stdout, self.stderr)
    }
}

/// A record of the hub: id, and values by field.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct HubRecord {
    pub(crate) id: String,
    pub(crate) fields: BTreeMap<String, Value>,
}

impl HubRecord {
    pub(crate) fn text(&self, field: &str) -> &str {
        self.fields.get(field).and_then(Value::as_str).unwrap_or_default()
    }
}

/// A home folder.
pub(crate) struct Home {
    pub(crate) dir: TempDir,
}

impl Home {
    pub(crate) fn new() -> Self {
        Self { dir: TempDir::new().unwrap() }
    }

    /// A home with the plugin HelloWorld, which is compiled once for all tests.
    pub(crate) fn with_plugin() -> Self {
        static TEMPLATE: OnceLock<Home> = OnceLock::new();
        TEMPLATE
            .get_or_init(|| {
                let home = Self::new();
                home.run(&["plugin", "install", &text(guests::hello_path())]).well();
                home
            })
            .copy()
    }

    /// A copy of the home.
    pub(crate) fn copy(&self) -> Self {
        let copy = Self::new();
        copy_folder(&self.path(), &copy.path());
        copy
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.dir.path().join("home")
    }

    /// Writes a file beside the home folder.
    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.dir.path().join(name);
        std::fs::write(&path, content).unwrap();
        text(&path)
    }

    /// A command of the program.
    pub(crate) fn command(&self, args: &[&str]) -> std::process::Command {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_entente"));
        command.arg("--home").arg(self.path()).args(args).current_dir(self.dir.path());
        if !self.path().join("tenants").exists() {
            // The first command makes it.
            command.arg("--create");
        }
        for name in ["ENTENTE_HOME", "ENTENTE_TENANT", "ENTENTE_KEY", "ENTENTE_LOG", "RUST_BACKTRACE"] {
            command.env_remove(name);
        }
        command.env("CRM_KEY", CANARY);
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Output {
        self.run_with(args, "")
    }

    /// Runs the program with this standard input.
    pub(crate) fn run_with(&self, args: &[&str], input: impl Into<Vec<u8>>) -> Output {
        let mut command = assert_cmd::Command::from_std(self.command(args));
        let output = command.write_stdin(input).timeout(PATIENCE).output().unwrap();
        Output::of(args.join(" "), &output)
    }

    /// Runs a command that was made elsewhere; `args` are those of the program, for what the test prints.
    #[cfg(unix)]
    pub(crate) fn run_command(&self, command: std::process::Command, args: &[&str]) -> Output {
        let output = assert_cmd::Command::from_std(command).timeout(PATIENCE).output().unwrap();
        Output::of(args.join(" "), &output)
    }

    /// All records of an object, by id.
    pub(crate) fn records(&self, object: &str) -> Vec<HubRecord> {
        let list = self.run(&["record", "list", object, "--limit", "1000000", "--json"]).well().json();
        assert_eq!(list["next"], Value::Null, "not everything was listed");
        let records = list["rows"].as_array().expect("rows").iter();
        let fields = |record: &Value| {
            let fields = record["fields"].as_array().expect("fields").iter();
            fields
                .map(|field| (field["name"].as_str().expect("a name").to_owned(), field["value"].clone()))
                .collect()
        };
        records
            .map(|record| HubRecord {
                id: record["id"].as_str().expect("an id").to_owned(),
                fields: fields(record),
            })
            .collect()
    }

    /// The single record with this value.
    #[track_caller]
    pub(crate) fn find(&self, object: &str, field: &str, value: &str) -> HubRecord {
        let mut found: Vec<_> =
            self.records(object).into_iter().filter(|record| record.text(field) == value).collect();
        assert_eq!(found.len(), 1, "records of {object} with {field} = {value}: {found:?}");
        found.remove(0)
    }

    /// Every file, with its bytes.
    pub(crate) fn files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut files = Vec::new();
        let mut folders = vec![self.dir.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    files.push((path.clone(), std::fs::read(&path).unwrap()));
                }
            }
        }
        files
    }

    /// Asserts that no file contains the CRM's key.
    #[track_caller]
    pub(crate) fn keeps_the_key_secret(&self) {
        let files = self.files();
        assert!(files.iter().any(|(path, _)| path.ends_with("entente.db")), "the database is among them");
        for (path, bytes) in files {
            assert!(!contains(&bytes, CANARY.as_bytes()), "the key stands in {}", path.display());
        }
    }
}

pub(crate) fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// A path as an argument.
pub(crate) fn text(path: &Path) -> String {
    path.to_str().expect("a path that is text").to_owned()
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    std::fs::set_permissions(to, std::fs::metadata(from).unwrap().permissions()).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            copy_folder(&path, &target);
        } else {
            std::fs::copy(&path, &target).unwrap();
        }
    }
}

/// The root of the sources.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the workspace")
}

/// A sample file of the program.
pub(crate) fn sample(name: &str) -> String {
    text(&root().join("host/samples").join(name))
}

/// A home with the integration HelloWorld and its sync, and the CRM behind it.
pub(crate) struct World {
    pub(crate) home: Home,
    pub(crate) crm: Handle,
    pub(crate) url: String,
    server: Option<Server>,
    runtime: Runtime,
}

impl std::ops::Deref for World {
    type Target = Home;

    fn deref(&self) -> &Home {
        &self.home
    }
}

impl World {
    /// A CRM without records, with a manual clock at the beginning of 2020.
    pub(crate) fn new() -> Self {
        Self::with(
            Home::with_plugin(),
            hello_crm::seed::Seed::default(),
            Arc::new(ManualClock::new(moment("2020-01-01T00:00:00Z"))),
        )
    }

    /// A CRM with this many sample people, and the system clock.
    pub(crate) fn with_sample(people: usize) -> Self {
        Self::with(Home::with_plugin(), hello_crm::seed::sample(people), Arc::new(SystemClock))
    }

    pub(crate) fn with(home: Home, seed: hello_crm::seed::Seed, clock: Arc<dyn Clock>) -> Self {
        let world = Self::unconnected(home, seed, clock);
        world.connect().well();
        world
    }

    /// Without the integration.
    pub(crate) fn unconnected(home: Home, seed: hello_crm::seed::Seed, clock: Arc<dyn Clock>) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let config = Config { seed: Some(seed), clock, ..Config::new(CANARY) };
        let server = runtime.block_on(Server::start(config)).unwrap();
        Self { home, crm: server.handle().clone(), url: server.url(), server: Some(server), runtime }
    }

    /// Adds the integration and its sync.
    pub(crate) fn connect(&self) -> Output {
        let set = format!("url={}", self.url);
        self.run_with(
            &["integration", "add", "HelloWorld", "--set", &set, "--http", &self.url, "--secret", "api-key"],
            format!("{CANARY}\n"),
        )
    }

    /// Runs the sync with `--json`.
    pub(crate) fn sync(&self, options: &[&str]) -> Output {
        let mut args = vec!["sync", "HelloWorld", "--json"];
        args.extend(options);
        self.run(&args)
    }

    /// Asserts convergence: one more run writes to neither side. Records held before may still be held.
    #[track_caller]
    pub(crate) fn is_quiet(&self) -> Output {
        let before = (self.everything(), self.crm.request_count("POST", "/batch"));
        let output = self.sync(&[]);
        assert!([0, 3].contains(&output.code), "{output}");
        assert_eq!((output.written("hub"), output.written("HelloWorld")), (0, 0), "{output}");
        let after = (self.everything(), self.crm.request_count("POST", "/batch"));
        assert!(before == after, "a run that had nothing to do changed something: {output}");
        output
    }

    /// Every record of both sides.
    pub(crate) fn everything(&self) -> (Vec<Vec<HubRecord>>, Vec<Vec<RecordView>>) {
        let hub = ["company", "contact"].map(|object| self.records(object)).into();
        (hub, Object::ALL.map(|object| self.crm.records(object)).into())
    }

    /// The single person with this e-mail address.
    #[track_caller]
    pub(crate) fn person(&self, email: &str) -> RecordView {
        let mut found = self.crm.find(Object::Person, "email", &json!(email));
        assert_eq!(found.len(), 1, "people with {email}: {found:?}");
        found.remove(0)
    }

    /// Creates a person in the CRM at this time.
    #[track_caller]
    pub(crate) fn make_person(&self, at: &str, fields: Value) -> String {
        assert!(self.crm.set_clock(moment(at)), "the clock runs by itself");
        let outcome = self.crm.create(Object::Person, fields);
        assert_eq!(outcome.status, 201, "{outcome:?}");
        outcome.record.expect("the new person")["id"].as_str().expect("an id").to_owned()
    }

    /// Edits a person in the CRM at this time.
    #[track_caller]
    pub(crate) fn edit_person(&self, at: &str, id: &str, fields: Value) {
        assert!(self.crm.set_clock(moment(at)), "the clock runs by itself");
        let outcome = self.crm.update(Object::Person, id, fields);
        assert_eq!(outcome.status, 200, "{outcome:?}");
    }

    /// Imports contacts whose last column is their change time.
    #[track_caller]
    pub(crate) fn import(&self, csv: &str) -> Output {
        let file = self.file("import.csv", csv);
        self.run(&["record", "import", "contact", &file])
    }

    /// A CRM that keeps its data in the file that is given back, with the system clock, so that it can be stopped,
    /// given another file, and started again.
    pub(crate) fn with_file() -> (Self, PathBuf) {
        let mut world =
            Self::unconnected(Home::with_plugin(), hello_crm::seed::Seed::default(), Arc::new(SystemClock));
        let file = world.dir.path().join("crm.json");
        world.stop_crm();
        world.start_crm(&file);
        world.connect().well();
        (world, file)
    }

    /// Starts the CRM at the address where it was, with this file.
    pub(crate) fn start_crm(&mut self, file: &Path) {
        let listen = self.url.trim_start_matches("http://").parse().unwrap();
        let config = Config { data: Some(file.to_owned()), listen, ..Config::new(CANARY) };
        let server = self.runtime.block_on(Server::start(config)).unwrap();
        self.crm = server.handle().clone();
        self.server = Some(server);
    }

    /// Ends the CRM.
    pub(crate) fn stop_crm(&mut self) {
        if let Some(server) = self.server.take() {
            self.runtime.block_on(server.stop()).unwrap();
        }
    }
}

/// An instant.
pub(crate) fn moment(text: &str) -> Stamp {
    Stamp::parse(text).unwrap()
}

/// Asserts that both sides have the same people by e-mail address, the same companies by name, and the same
/// references between them.
#[track_caller]
pub(crate) fn agree(world: &World) {
    agree_after(world, "");
}

/// The same, with a context for the message.
#[track_caller]
pub(crate) fn agree_after(world: &World, what: &str) {
    let (hub, crm) = world.everything();
    let [companies, contacts] = &hub[..] else { panic!() };
    let [people, organisations] = &crm[..] else { panic!() };
    let company_names: BTreeMap<&str, &str> =
        companies.iter().map(|company| (company.id.as_str(), company.text("name"))).collect();
    let organisation_names: BTreeMap<&str, &str> = organisations
        .iter()
        .map(|one| (one.id.as_str(), one.fields["name"].as_str().expect("a name")))
        .collect();
    let mut names: [Vec<&str>; 2] =
        [company_names.values().copied().collect(), organisation_names.values().copied().collect()];
    names.iter_mut().for_each(|names| names.sort_unstable());
    assert_eq!(names[0], names[1], "companies and organisations");

    type Shown = BTreeMap<&'static str, String>;
    let plain = |value: Option<&Value>| {
        value.filter(|value| !value.is_null()).map(ToString::to_string).unwrap_or_default()
    };
    const FIELDS: [(&str, &str); 9] = [
        ("first_name", "first_name"),
        ("last_name", "last_name"),
        ("phone", "phone"),
        ("mobile", "mobile"),
        ("position", "job_title"),
        ("address", "street"),
        ("city", "city"),
        ("country", "country"),
        ("points", "score"),
    ];
    // A field may differ only while it is listed as a conflict.
    let conflicts = world.run(&["conflict", "list", "--json"]).well().json();
    let conflicts = conflicts["rows"].as_array().expect("rows");
    let hide = |shown: &mut Shown, record: &str| {
        for (field, value) in shown.iter_mut() {
            let of = |one: &&Value| {
                one["field"] == **field
                    && one["records"].as_array().is_some_and(|all| all.iter().any(|r| r == record))
            };
            if conflicts.iter().any(|one| of(&one)) {
                *value = "in conflict".to_owned();
            }
        }
    };
    let mut by_email: [BTreeMap<String, Vec<Shown>>; 2] = Default::default();
    for contact in contacts {
        let mut shown: Shown =
            FIELDS.iter().map(|(name, _)| (*name, plain(contact.fields.get(*name)))).collect();
        let id = contact.fields.get("company").and_then(|value| value["ref"][1].as_str());
        shown.insert("company", id.map(|id| company_names[id].to_owned()).unwrap_or_default());
        hide(&mut shown, &format!("contact:{}", contact.id));
        by_email[0].entry(contact.text("email").to_lowercase()).or_default().push(shown);
    }
    for person in people {
        let mut shown: Shown =
            FIELDS.iter().map(|(name, theirs)| (*name, plain(person.fields.get(*theirs)))).collect();
        let id = person.fields["organisation"].as_str();
        shown.insert("company", id.map(|id| organisation_names[id].to_owned()).unwrap_or_default());
        hide(&mut shown, &format!("HelloWorld/person:{}", person.id));
        by_email[1]
            .entry(person.fields["email"].as_str().unwrap_or_default().to_owned())
            .or_default()
            .push(shown);
    }
    by_email.iter_mut().flat_map(BTreeMap::values_mut).for_each(|people| people.sort());
    let [hub, crm] = &by_email;
    assert_eq!(hub.keys().collect::<Vec<_>>(), crm.keys().collect::<Vec<_>>(), "the addresses on both sides");
    for (email, contacts) in hub {
        let people = &crm[email];
        if email.is_empty() {
            // They have no identifier, so they were created one for one.
            assert_eq!(contacts, people, "people without an address");
            continue;
        }
        // One side may have had a duplicate from the start; the sync adds none, and links one of the two.
        let [one] = &(if contacts.len() == 1 { contacts } else { people })[..] else {
            panic!("{email} is there {} and {} times", contacts.len(), people.len())
        };
        assert!(
            contacts.contains(one) && people.contains(one),
            "{what}: {email}: {contacts:#?} and {people:#?}"
        );
    }
}
