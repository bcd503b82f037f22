//! The state file, and the program that saves it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use common::{Crm, KEY, agent, ids, with_file};
use hello_crm::seed::{Seed, sample};
use hello_crm::{Config, Object, Server};
use serde_json::{Value, json};

#[test]
fn a_restart_keeps_records_tokens_and_keys() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("crm.json");
    let seeded = || Config { seed: Some(sample(30)), ..with_file(&path) };
    let crm = Crm::with(seeded());
    let pages = crm.pages("/v1/persons?limit=10");
    let cursor = pages[0]["next"].as_str().unwrap().to_owned();
    let token = pages[2]["sync_token"].as_str().unwrap().to_owned();
    let change = json!([{ "id": "k", "action": "create", "fields": { "last_name": "Ek" } }]);
    let created = crm.batch(change.clone());
    crm.delete("/v1/persons/p1");
    let before = crm.pages("/v1/persons?include_deleted=true");
    crm.stop();
    assert!(!std::fs::read_to_string(&path).unwrap().contains(KEY));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else is left");

    let crm = Crm::with(seeded());
    assert_eq!(crm.pages("/v1/persons?include_deleted=true"), before);
    let since = crm.pages(&format!("/v1/persons?sync_token={token}"));
    assert_eq!(
        (ids(&since, "records"), ids(&since, "deleted")),
        (vec!["p31".to_owned()], vec!["p1".to_owned()])
    );
    assert_eq!(crm.get(&format!("/v1/persons?limit=10&after={cursor}")).status, 200);
    let again = crm.batch(change);
    assert_eq!((&again[0]["record"], &again[0]["replayed"]), (&created[0]["record"], &json!(true)));
    // Stamps go on from the last, though the clock of this test stands still.
    let new = crm.person(json!({ "last_name": "Dahl" })).body;
    assert!(new["updated_at"].as_str() > created[0]["record"]["updated_at"].as_str());
    assert_eq!(new["id"], "p32");
    assert_eq!(crm.handle().count(Object::Person), 31);
}

#[test]
fn what_was_answered_is_in_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("crm.json");
    let crm = Crm::with(with_file(&path));
    crm.person(json!({ "last_name": "Ek" }));
    let other = folder.path().join("copy.json");
    std::fs::copy(&path, &other).unwrap();
    let copy = Crm::with(with_file(&other));
    assert_eq!(copy.handle().records(Object::Person), crm.handle().records(Object::Person));
}

#[test]
fn a_damaged_file_is_not_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("crm.json");
    let crm = Crm::with(with_file(&path));
    crm.person(json!({ "last_name": "Ek", "email": "ek@example.org" }));
    crm.stop();
    let good: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let broken = |change: &dyn Fn(&mut Value)| {
        let mut state = good.clone();
        change(&mut state);
        state.to_string()
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for (text, reason) in [
        ("{\"format\": 1".to_owned(), "EOF"),
        (String::new(), "EOF"),
        (broken(&|state| state["format"] = json!(2)), "format is 2"),
        (broken(&|state| state["persons"]["next"] = json!(1)), "occurs twice"),
        (
            broken(&|state| state["persons"]["records"][0]["fields"]["organisation"] = json!("o1")),
            "points to organisation",
        ),
        (broken(&|state| state["persons"]["records"][0]["fields"]["email"] = json!("x")), "wrong email"),
    ] {
        std::fs::write(&path, &text).unwrap();
        let error = runtime.block_on(Server::start(with_file(&path))).unwrap_err().to_string();
        assert!(error.contains(reason) && error.contains("crm.json"), "{error}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    }
}

#[test]
fn a_seed_file_is_checked() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("seed.json");
    let start = |seed: Value| {
        std::fs::write(&path, seed.to_string()).unwrap();
        let seed = Seed::load(&path)?;
        hello_crm::Handle::new(Config { seed: Some(seed), ..common::config() })
            .map_err(|error| error.to_string())
    };
    let handle = start(json!({
        "organisations": [{ "fields": { "name": "Fjord AB" }, "created_at": "2020-01-01T00:00:00+01:00" }],
        "persons": [{ "fields": { "last_name": "Ek", "organisation": "o1" }, "created_at": "2019-01-01T00:00:00Z", "changed": { "organisation": "2020-02-01T00:00:00Z" } }],
    }));
    let person = handle.unwrap().record(Object::Person, "p1").unwrap();
    assert_eq!(
        (person.updated_at.to_string(), person.changed["last_name"].to_string()),
        ("2020-02-01T00:00:00.000000Z".to_owned(), "2019-01-01T00:00:00.000000Z".to_owned())
    );
    assert!(
        start(json!({ "persons": [{ "fields": { "last_name": "Ek", "organisation": "o1" } }] }))
            .unwrap_err()
            .contains("p1: organisation")
    );
    assert!(start(json!({ "people": [] })).unwrap_err().contains("people"));
}

/// The program, ended when the test is.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hello-crm"));
    command.env_clear().env("HELLO_CRM_API_KEY", KEY);
    command
}

#[test]
fn the_program_serves_and_stops_when_told() {
    let folder = tempfile::tempdir().unwrap();
    let (data, port_file) = (folder.path().join("crm.json"), folder.path().join("port"));
    let mut child = command();
    child.args(["--listen", "127.0.0.1:0", "--seed", "15", "--clock", "2024-01-01T00:00:00Z"]);
    child.arg("--data").arg(&data).arg("--port-file").arg(&port_file);
    let mut program = Program(child.stdout(Stdio::piped()).spawn().unwrap());
    let mut line = String::new();
    BufReader::new(program.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let url = line.trim().strip_prefix("listening on ").unwrap();
    assert_eq!(format!("http://{}", std::fs::read_to_string(&port_file).unwrap().trim()), url);
    let mut response = agent()
        .get(format!("{url}/v1/persons"))
        .header("authorization", format!("Bearer {KEY}"))
        .call()
        .unwrap();
    let page: Value = response.body_mut().read_json().unwrap();
    assert_eq!(page["records"].as_array().unwrap().len(), 15);
    #[cfg(unix)]
    {
        let kill = format!("kill -TERM {}", program.0.id());
        let told = Command::new("sh").args(["-c", &kill]).status().unwrap();
        assert!(told.success());
        assert!(program.0.wait().unwrap().success());
        let state: Value = serde_json::from_slice(&std::fs::read(&data).unwrap()).unwrap();
        assert_eq!(state["persons"]["records"].as_array().unwrap().len(), 15);
    }
}

#[test]
fn the_program_says_why_it_does_not_start() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("crm.json");
    std::fs::write(&data, "{").unwrap();
    let output = command().args(["--listen", "127.0.0.1:0", "--data"]).arg(&data).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("damaged") && !error.contains(KEY), "{error}");
    let output = command().env_remove("HELLO_CRM_API_KEY").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let help = String::from_utf8(command().arg("--help").output().unwrap().stdout).unwrap();
    assert!(help.contains("HELLO_CRM_API_KEY") && !help.contains(KEY));
}
