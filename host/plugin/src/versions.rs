//! Test: two versions of the interface live side by side in one host, and every version is what its files
//! say. The second one is made up, see `wire::made_up`.

mod guests;
mod memory;

use crate::compile::compiler::Compiler;
use crate::component::inspect::InspectError;
use crate::component::interface::Interface;
use crate::run::exchange::{PluginConfig, PluginExchange};
use crate::run::guest::Guest;
use crate::run::link::{KNOWN_VERSIONS, SPOKEN, Versions};
use crate::run::runtime::{LoadError, LoadedPlugin, PluginRuntime, inspect};
use crate::wire::Version;
use crate::{CacheMacKey, Limits};
use entente_core::{Timestamp, Value};
use entente_sync::{
    Action, Answer, Batch, Deletion, Exchange, Executed, Finished, Order, OrderedChange, Outcome, Page,
    ReportRequest, Row, Wanted, Window, Written,
};
use guests::{Edited, Files, made_up, real};
use std::collections::BTreeSet;

const BOTH: Versions = Version::<Guest>::WITH_MADE_UP;
const AS_IT_IS: Edited<'static> = Edited { files: &|text| text, calls: None };

/// A runtime that speaks these versions. Its folder is needed as long as plugins are loaded.
fn runtime(versions: Versions) -> (PluginRuntime, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let (cache, key) = (folder.path().join("compiled"), CacheMacKey::new([7; 32]));
    let compiler = Compiler::InThisProcess;
    (PluginRuntime::speaking(versions, &cache, key, Limits::default(), compiler).unwrap(), folder)
}

fn newest() -> &'static str {
    KNOWN_VERSIONS.last().unwrap()
}

/// The plugin, set up as an integration.
fn exchange(plugin: &LoadedPlugin) -> PluginExchange {
    let settings = [("who".to_owned(), Value::text("Grace"))].into();
    plugin.exchange(PluginConfig { integration: "it".to_owned(), settings, ..PluginConfig::default() })
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

fn request(cursor: Option<&str>) -> ReportRequest {
    let wanted = Wanted {
        object: "person".to_owned(),
        fields: texts(&["name", "age", "tags", "after", "who"]),
        ids: vec![],
        window: Window { since: None, until: Timestamp::from_micros(1) },
        bookmark: None,
        full: true,
    };
    ReportRequest {
        cursor: cursor.map(str::to_owned),
        iteration: 0,
        objects: vec![wanted],
        first_time: false,
        limit: 100,
        options: vec![],
        sync: String::new(),
    }
}

/// The page that both plugins answer, with what the host gave them.
fn page(cursor: &str) -> Page {
    let ada = Row {
        id: "1".to_owned(),
        changed: Some(Timestamp::from_micros(1_700_000_000_000_000)),
        values: vec![
            Some(Value::text("Ada")),
            Some(Value::Integer(36)),
            Some(Value::Texts(texts(&["a", "b"]))),
            Some(Value::text(cursor)),
            Some(Value::text("Grace")),
        ],
        ..Row::default()
    };
    let values = vec![Some(Value::Null), None, None, None, None];
    let blank = Row { id: "2".to_owned(), values, ..Row::default() };
    let batch = Batch {
        object: "person".to_owned(),
        fields: texts(&["name", "age", "tags", "after", "who"]),
        rows: vec![ada, blank],
        bad: vec![],
        deleted: vec![Deletion { id: "9".to_owned(), deleted: None }],
    };
    let finished = vec![Finished { object: "person".to_owned(), bookmark: None, complete: true }];
    Page { batches: vec![batch], finished, ..Page::default() }
}

fn order() -> Order {
    let change = |id: &str, action, values: [Option<Value>; 2]| OrderedChange {
        id: id.to_owned(),
        action,
        values: values.to_vec(),
        base: vec![],
        times: vec![],
        version: None,
        source: None,
    };
    Order {
        object: "person".to_owned(),
        fields: texts(&["name", "age"]),
        changes: vec![
            change("made", Action::Create, [Some(Value::text("Mary")), None]),
            change("changed", Action::Update("1".to_owned()), [Some(Value::Null), Some(Value::Integer(37))]),
            change("removed", Action::Delete("2".to_owned()), [None, None]),
        ],
        first_time: false,
        options: vec![],
        sync: String::new(),
        run: 1,
        at: Timestamp::from_micros(0),
    }
}

/// The answers of both plugins: ids and values are those of the order.
fn executed() -> Executed {
    let written = |id: &str, values: [Option<Value>; 2]| Written {
        id: id.to_owned(),
        values: values.to_vec(),
        ..Written::default()
    };
    let answer = |change: &str, outcome| Answer { change: change.to_owned(), outcome };
    let answers = vec![
        answer("made", Outcome::Created(written("made", [Some(Value::text("Mary")), None]))),
        answer("changed", Outcome::Updated(written("1", [Some(Value::Null), Some(Value::Integer(37))]))),
        answer("removed", Outcome::Deleted),
    ];
    Executed { answers, ..Executed::default() }
}

#[tokio::test]
async fn plugins_of_two_versions_run_side_by_side() {
    let (runtime, _folder) = runtime(BOTH);
    let real = runtime.load(real(newest())).await.unwrap();
    let made_up = runtime.load(made_up(&AS_IT_IS)).await.unwrap();
    assert_eq!(
        (real.inspection().version.as_str(), made_up.inspection().version.as_str()),
        (newest(), "0.2.1")
    );
    let both = [exchange(&real), exchange(&made_up)];
    let described = [both[0].describe().await.unwrap(), both[1].describe().await.unwrap()];
    assert_eq!(described[0], described[1]);
    assert_eq!(described[0].objects[0].fields.len(), 5);
    // By turns: both have their instances at the same time, and get what is theirs.
    for cursor in [None, Some("c7")] {
        for exchange in &both {
            let page = page(cursor.unwrap_or_default());
            assert_eq!(exchange.report(&request(cursor)).await.unwrap(), page);
            assert_eq!(exchange.execute(&order()).await.unwrap(), executed());
        }
    }
}

#[tokio::test]
async fn a_version_that_this_host_has_not_is_refused() {
    let plugin = made_up(&AS_IT_IS);
    let unknown = InspectError::UnknownVersion { found: texts(&["0.2.1"]), known: KNOWN_VERSIONS.to_vec() };
    assert_eq!(inspect(&plugin, &Limits::default()), Err(unknown.clone()));
    let (runtime, _folder) = runtime(SPOKEN);
    assert_eq!(runtime.inspect(&plugin), Err(unknown.clone()));
    match runtime.load(plugin).await.map(drop) {
        Err(LoadError::Inspect(error)) => assert_eq!(error, unknown),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn plugins_of_an_older_and_a_newer_version_of_a_track_run() {
    let (runtime, _folder) = runtime(BOTH);
    for version in ["0.2.0", "0.2.9"] {
        let files = |text: String| {
            let text = text.replace("@0.2.1", &format!("@{version}"));
            // The newer one has a function that this plugin does not call.
            if version == "0.2.0" { text } else { text.replace("note: func", "ring: func(); note: func") }
        };
        let plugin = runtime.load(made_up(&Edited { files: &files, calls: None })).await.unwrap();
        assert_eq!(plugin.inspection().version, version);
        let exchange = exchange(&plugin);
        assert_eq!(exchange.report(&request(None)).await.unwrap(), page(""));
        assert_eq!(exchange.execute(&order()).await.unwrap(), executed());
    }
}

#[tokio::test]
async fn a_function_that_this_host_lacks_is_told_by_name() {
    let (runtime, _folder) = runtime(BOTH);
    let files =
        |text: String| text.replace("@0.2.1", "@0.2.9").replace("note: func", "ring: func(); note: func");
    let plugin = made_up(&Edited { files: &files, calls: Some("ring") });
    let Err(error) = runtime.load(plugin).await.map(drop) else { panic!("it was loaded") };
    let text = "the plugin is written for entente:integration 0.2.9 and calls entente:integration/desk@0.2.9#ring, which this host (0.2.1) \
                does not offer; use a newer host, or build the plugin for 0.2.1";
    assert_eq!(error.to_string(), text);
    let LoadError::MissingFunctions { asked, known, functions } = error else { panic!("{error:?}") };
    let ring = texts(&["entente:integration/desk@0.2.9#ring"]);
    assert_eq!((asked.as_str(), known, functions), ("0.2.9", "0.2.1", ring));
}

#[test]
fn the_seeds_of_the_fuzz_target_are_plugins_of_this_host() {
    let seeds = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds/inspect");
    for seed in ["plugin", "with-module"] {
        let found = inspect(&std::fs::read(seeds.join(seed)).unwrap(), &Limits::default());
        assert_eq!(found.map(|found| found.version), Ok(newest().to_owned()), "{seed}");
    }
}

#[test]
fn every_version_is_what_its_files_say() {
    for version in BOTH {
        let interface = version.interface;
        let files = match interface.version {
            "0.2.1" => Files::made_up(&|text| text),
            real => Files::of(real),
        };
        let names = &files.resolve.packages[files.package].interfaces;
        let said: BTreeSet<&str> = names.keys().map(String::as_str).collect();
        assert_eq!(named(interface), said, "{}", interface.version);
        for offer in interface.offers {
            let functions = &files.resolve.interfaces[files.interface(offer.interface)].functions;
            assert_eq!(functions.keys().collect::<Vec<_>>(), offer.functions, "{}", offer.interface);
        }
    }
}

fn named(interface: &Interface) -> BTreeSet<&'static str> {
    let offered = interface.offers.iter().map(|offer| offer.interface);
    let exported = interface.required.iter().copied().chain(interface.lookup).chain(interface.webhook);
    offered.chain(exported).chain(interface.types.iter().copied()).collect()
}

#[test]
fn no_version_runs_what_is_written_for_another() {
    for one in BOTH {
        let runs = BOTH.iter().filter(|other| one.interface.runs(other.interface.version));
        assert_eq!(runs.count(), 1, "{}", one.interface.version);
    }
    let shipped: Vec<_> = SPOKEN.iter().map(|version| version.interface.version).collect();
    assert_eq!(shipped, KNOWN_VERSIONS);
    assert!(!KNOWN_VERSIONS.contains(&"0.2.1"), "the made-up version is for tests only");
}
