//! Applying, storing and exporting the configuration.

use super::*;
use entente_core::Value;
use entente_sync::Slot;

const FILE: &str = r#"
[object.project]
label = "Project"
[object.contact.field.loyalty]
kind = "integer"
label = "Loyalty"
[integration.HelloWorld]
plugin = "helloworld"
settings = { url = "http://127.0.0.1:8787", since = 2020-01-01, lists = ["a", "b"], ratio = 2.0 }
[integration.HelloWorld.grants]
http = ["http://127.0.0.1:8787", "https://{dc}.example.com"]
[sync.HelloWorld]
[[sync.HelloWorld.object]]
left = "contact"
right = "person"
identifiers = ["email"]
identify-by = "all"
filter-left = [{ field = "tags", contains = "customer" }, { field = "active", is = true }]
[sync.HelloWorld.object.fields]
email = "email"
loyalty = { right = "points", direction = "to-right", drift = "restore" }
name = { right = "full_name", blanks = "keep", write = "if-empty", trust = "left" }
status = { right = "state", values = { new = "N", won = "W" }, unresolved = "hub" }
"#;

#[tokio::test]
async fn applied_twice_changes_nothing_the_second_time() {
    let it = Try::new().await;
    let dry = it.apply_with(FILE, ApplyOptions { dry_run: true, prune: false }).await.unwrap().to_string();
    assert!(it.configuration.syncs().await.unwrap().is_empty());
    let done = it.apply(FILE).await.unwrap();
    assert_eq!(dry, done);
    insta::assert_snapshot!(done, @r#"
    + integration HelloWorld: plugin helloworld 89471d9d14ac
    + integration HelloWorld, may reach http://127.0.0.1:8787
    + integration HelloWorld, may reach https://{dc}.example.com
    + integration HelloWorld, setting lists: ["a", "b"]
    + integration HelloWorld, setting ratio: 2.0
    + integration HelloWorld, setting since: { date = "2020-01-01" }
    + integration HelloWorld, setting url: "http://127.0.0.1:8787"
    + object contact, field loyalty: integer, Loyalty
    + object project: Project
    + sync HelloWorld: hub ↔ HelloWorld, relation HelloWorld, mapping version 1
    + sync HelloWorld, contact ↔ person: identified by email, creates both, left only where tags contains customer and active is true
    + sync HelloWorld, contact ↔ person, field email ↔ email: both, required right
    + sync HelloWorld, contact ↔ person, field loyalty ↔ points: to-right, drift restore
    + sync HelloWorld, contact ↔ person, field name ↔ full_name: both, trust left, blanks keep, write if-empty
    + sync HelloWorld, contact ↔ person, field status ↔ state: both, unresolved left, values new = N, won = W
    "#);
    assert_eq!(it.apply(FILE).await.unwrap(), "");
    assert_eq!(
        it.configuration.integration("HelloWorld").await.unwrap().settings["ratio"],
        Value::Float(2.0)
    );
}

#[tokio::test]
async fn exported_and_applied_changes_nothing_also_in_a_new_home() {
    let it = Try::new().await;
    it.apply(FILE).await.unwrap();
    let text = it.configuration.export().await.unwrap();
    insta::assert_snapshot!(text, @r#"
    [object.project]
    label = "Project"

    [object.contact.field.loyalty]
    kind = "integer"
    label = "Loyalty"

    [integration.HelloWorld]
    plugin = "helloworld"

    [integration.HelloWorld.settings]
    lists = ["a", "b"]
    ratio = 2.0
    since = { date = "2020-01-01" }
    url = "http://127.0.0.1:8787"

    [integration.HelloWorld.grants]
    http = ["http://127.0.0.1:8787", "https://{dc}.example.com"]

    [sync.HelloWorld]
    left = "hub"
    right = "HelloWorld"

    [[sync.HelloWorld.object]]
    left = "contact"
    right = "person"
    identifiers = ["email"]
    identify-by = "all"
    create = "both"
    filter-left = [{ field = "tags", contains = "customer" }, { field = "active", is = true }]

    [sync.HelloWorld.object.fields]
    email = { right = "email", required = "right" }
    loyalty = { right = "points", direction = "to-right", drift = "restore" }
    name = { right = "full_name", trust = "left", blanks = "keep", write = "if-empty" }
    status = { right = "state", unresolved = "left", values = [["new", "N"], ["won", "W"]] }
    "#);
    assert_eq!(
        it.apply_with(&text, ApplyOptions { dry_run: false, prune: true }).await.unwrap().to_string(),
        ""
    );
    let other = Try::new().await;
    other.apply(&text).await.unwrap();
    assert_eq!(other.configuration.export().await.unwrap(), text);
    assert_eq!(
        other.configuration.definition("HelloWorld").await.unwrap(),
        it.configuration.definition("HelloWorld").await.unwrap()
    );
}

/// Whatever takes time for each part is not begun: a file takes time in proportion to its size.
#[tokio::test]
async fn a_file_that_defines_more_than_a_hub_may_have_is_refused_at_once() {
    let it = Try::new().await;
    let objects: String = (0..1001).map(|n| format!("[object.o{n}]\n")).collect();
    let fields: String =
        (0..501).map(|n| format!("[object.contact.field.f{n}]\nkind = \"text\"\n")).collect();
    let choices: String = (0..2001).map(|n| format!("\"c{n}\",")).collect();
    let choices = format!("[object.contact.field.size]\nkind = \"choice\"\nchoices = [{choices}]\n");
    // What a sync maps is looked at first too, also where what it maps is not known.
    let syncs: String = (0..1001).map(|n| format!("[sync.s{n}]\n")).collect();
    let mapped =
        |what: &str| format!("[sync.x]\nobject = [{{ left = \"contact\", right = \"person\", {what} }}]\n");
    let names = |count: usize| (0..count).map(|n| format!("\"f{n}\",")).collect::<String>();
    let pairs: String = (0..1001).map(|n| format!("f{n} = true,")).collect();
    let many = mapped(&format!("fields = {{ {pairs} }}"));
    let identifiers = mapped(&format!("identifiers = [{}]", names(101)));
    let conditions: String = (0..101).map(|n| format!("{{ field = \"f{n}\", blank = true }},")).collect();
    let filter = mapped(&format!("filter-left = [{conditions}]"));
    let mut told = String::new();
    for file in [&objects, &fields, &choices, &syncs, &many, &identifiers, &filter] {
        told.push_str(&it.apply(file).await.unwrap_err());
        told.push('\n');
    }
    insta::assert_snapshot!(told, @r"
    line 1, column 9: the file: it defines 1001 objects of the hub, and there are at most 1000
    line 1, column 9: object contact: it defines 501 fields, and there are at most 500
    line 1, column 23: object contact, field size: it defines 2001 choices, and there are at most 2000
    line 1, column 7: the file: it has 1001 syncs, and there are at most 1000
    line 2, column 11: sync x: it has 1001 fields of two objects, and there are at most 1000
    line 2, column 11: sync x: it has 101 identifiers of an object, and there are at most 100
    line 2, column 11: sync x: it has 101 conditions of a filter, and there are at most 100
    ");
    // As many as there may be are taken.
    let objects: String = (0..998).map(|n| format!("[object.o{n}.field.x]\nkind = \"text\"\n")).collect();
    assert_eq!(it.apply(&objects).await.unwrap().lines().count(), 2 * 998);
    assert!(it.apply("[object.more]\n").await.unwrap_err().contains("the hub has at most 1000 objects"));
    // Problems are told up to a number.
    let syncs: String =
        (0..600).map(|n| format!("[sync.s{n}]\nright = \"none\"\nbrake = {{ percent = 101 }}\n")).collect();
    let told = it.apply(&syncs).await.unwrap_err();
    assert!(told.contains("it has more than 1000 problems; mend these first"), "{}", &told[..1000]);
    assert_eq!(told.lines().count(), 1001);
}

#[tokio::test]
async fn nothing_is_saved_when_one_thing_is_wrong() {
    let it = Try::new().await;
    let text = format!(
        "{FILE}\n[integration.Two]\nplugin = \"helowrld\"\ngrants.http = [\"example.com\"]\n[sync.Two]\n[sync.Three]\nright = \"HelloWorld\"\nobject = [{{ left = \"contact\", right = \"person\", fields = {{ emial = true }} }}]"
    );
    insta::assert_snapshot!(it.apply(&text).await.unwrap_err(), @r#"
    line 26, column 10: integration Two: unknown plugin 'helowrld'; there is: helloworld
    line 27, column 16: integration Two: 'example.com' is no grant: it does not begin with https:// (or http://); write for example https://api.example.com or https://*.example.com
    line 31, column 11: sync Three, contact ↔ person: a new person of HelloWorld needs email, which nothing is written to; map it, or write create = "left"
    line 31, column 60: sync Three, contact ↔ person: contact of the hub has no field 'emial'; there is: email; [object.contact.field.NAME] defines one
    line 31, column 60: sync Three, contact ↔ person: person of HelloWorld has no field 'emial'; there is: email
    "#);
    // The last write of the transaction fails.
    let database = rusqlite::Connection::open(it.home.database("default")).unwrap();
    let trigger =
        "CREATE TRIGGER broken BEFORE INSERT ON sync_version BEGIN SELECT raise(ABORT, 'refused'); END";
    database.execute_batch(trigger).unwrap();
    insta::assert_snapshot!(it.apply(FILE).await.unwrap_err(), @"the database failed: refused");
    assert!(it.configuration.syncs().await.unwrap().is_empty());
    assert!(it.configuration.integrations().await.unwrap().is_empty());
    let custom = it.store.snapshot(crate::config::stored::custom::load).await.unwrap();
    assert!(custom.objects.is_empty() && custom.fields.is_empty());
}

#[tokio::test]
async fn the_version_grows_when_the_mapping_means_something_else() {
    let it = Try::new().await;
    it.apply(FILE).await.unwrap();
    assert_eq!(it.version("HelloWorld").await, 1);
    let same = [
        ("blanks = \"keep\"", "blanks = \"overwrite\""),
        ("trust = \"left\"", "unresolved = \"right\""),
        ("drift = \"restore\"", "drift = \"keep\""),
        ("write = \"if-empty\"", "required = true"),
        // With a single identifier, «any» and «all» are equivalent.
        ("identify-by = \"all\"", "identify-by = \"any\""),
        ("identify-by = \"all\"", "create = \"none\""),
        (
            "[{ field = \"tags\", contains = \"customer\" }, { field = \"active\", is = true }]",
            "[{ field = \"active\", is = true }, { field = \"tags\", contains = \"customer\" }]",
        ),
        ("email = \"email\"\n", "\n"),
    ];
    for (old, new) in same {
        assert!(FILE.contains(old), "{old}");
        // Fields in another order.
        let text = if old.starts_with("email") {
            format!("{}email = \"email\"\n", FILE.replace(old, new))
        } else {
            FILE.replace(old, new)
        };
        it.apply(&text).await.unwrap();
        assert_eq!(it.version("HelloWorld").await, 1, "{new}");
    }
    let other = [
        ("identifiers = [\"email\"]", "identifiers = [\"email\", \"name\"]"),
        ("contains = \"customer\"", "contains = \"client\""),
        ("is = true }]", "is = true }]\nfilter-right = [{ field = \"email\", blank = false }]"),
        ("email = \"email\"\n", "email = \"email\"\nphone = \"mobile\"\n"),
        ("direction = \"to-right\", drift = \"restore\"", "direction = \"both\""),
        ("won = \"W\"", "won = \"X\""),
    ];
    it.apply(FILE).await.unwrap();
    let mut version = 1;
    for (old, new) in other {
        assert!(FILE.contains(old), "{old}");
        for text in [FILE.replace(old, new), FILE.to_owned()] {
            it.apply(&text).await.unwrap();
            version += 1;
            assert_eq!(it.version("HelloWorld").await, version, "{new}");
        }
    }
    // A sync that is re-created under its name does not resume old listings.
    it.apply_with("", ApplyOptions { dry_run: false, prune: true }).await.unwrap();
    assert!(it.configuration.definition("HelloWorld").await.is_err());
    it.apply(FILE).await.unwrap();
    assert_eq!(it.version("HelloWorld").await, version + 1);
}

#[tokio::test]
async fn fields_keep_their_slots() {
    let it = Try::new().await;
    it.apply(FILE).await.unwrap();
    let slot = |definition: &entente_sync::SyncDefinition, name: &str| {
        definition.mappings[0].fields.iter().find(|field| field.names.left == name).map(|field| field.slot)
    };
    let before = it.configuration.definition("HelloWorld").await.unwrap();
    it.apply(&FILE.replace("email = \"email\"\n", "phone = \"mobile\"\nemail = \"email\"\n")).await.unwrap();
    let after = it.configuration.definition("HelloWorld").await.unwrap();
    for name in ["email", "name", "status"] {
        assert_eq!(slot(&before, name), slot(&after, name), "{name}");
    }
    assert_eq!(slot(&after, "phone"), Some(Slot(4)));
    assert_eq!(after.mappings[0].identifiers, before.mappings[0].identifiers);
}

#[tokio::test]
async fn what_the_file_does_not_name_stays_unless_pruned() {
    let it = Try::new().await;
    it.apply(FILE).await.unwrap();
    it.configuration
        .change_integration("HelloWorld", |integration| integration.enabled = false)
        .await
        .unwrap();
    assert_eq!(it.apply("[integration.HelloWorld]\nplugin = \"helloworld\"").await.unwrap(), "");
    insta::assert_snapshot!(it.apply("[integration.HelloWorld]\nplugin = \"helloworld\"\nsettings = { url = \"x\" }\ngrants = {}").await.unwrap(), @r#"
    - integration HelloWorld, may reach http://127.0.0.1:8787
    - integration HelloWorld, may reach https://{dc}.example.com
    - integration HelloWorld, setting lists: ["a", "b"]
    - integration HelloWorld, setting ratio: 2.0
    - integration HelloWorld, setting since: { date = "2020-01-01" }
    ~ integration HelloWorld, setting url: "http://127.0.0.1:8787" → "x"
    "#);
    insta::assert_snapshot!(it.configuration.remove_integration("HelloWorld", false).await.unwrap_err(), @"integration 'HelloWorld' is used by sync HelloWorld");
    let plan = it.apply_with("", ApplyOptions { dry_run: false, prune: true }).await.unwrap();
    insta::assert_snapshot!(plan, @r#"
    - integration HelloWorld: plugin helloworld 89471d9d14ac, disabled
    - integration HelloWorld, setting url: "x"
    - sync HelloWorld: hub ↔ HelloWorld, relation HelloWorld, mapping version 1
    - sync HelloWorld, contact ↔ person: identified by email, creates both, left only where tags contains customer and active is true
    - sync HelloWorld, contact ↔ person, field email ↔ email: both, required right
    - sync HelloWorld, contact ↔ person, field loyalty ↔ points: to-right, drift restore
    - sync HelloWorld, contact ↔ person, field name ↔ full_name: both, trust left, blanks keep, write if-empty
    - sync HelloWorld, contact ↔ person, field status ↔ state: both, unresolved left, values new = N, won = W
    "#);
    insta::assert_snapshot!(it.configuration.definition("HelloWorld").await.unwrap_err(), @"unknown sync 'HelloWorld'; there is none yet");
}

#[tokio::test]
async fn plugins_are_installed_found_and_kept() {
    let it = Try::new().await;
    it.apply(FILE).await.unwrap();
    let one =
        it.configuration.install_plugin("helloworld", b"\0asm one", &PluginFacts::default()).await.unwrap();
    assert_eq!(std::fs::read(it.home.component(&one.digest)).unwrap(), b"\0asm one");
    let facts = PluginFacts { version: Some("0.1.0".into()), description: "Hello".into() };
    let two = it.configuration.install_plugin("helloworld", b"\0asm two", &facts).await.unwrap();
    assert_eq!(it.configuration.plugins().await.unwrap().len(), 2);
    assert_eq!(it.configuration.plugin("helloworld").await.unwrap(), two);
    assert_eq!(it.configuration.plugin(&one.digest[..8]).await.unwrap().digest, one.digest);
    insta::assert_snapshot!(it.configuration.plugin("heloworld").await.unwrap_err(), @"unknown plugin 'heloworld'; there is: helloworld");
    insta::assert_snapshot!(it.configuration.remove_plugin("helloworld").await.unwrap_err(), @"plugin 'helloworld' is used by HelloWorld");

    // The integration keeps its digest until it is upgraded.
    let plan = it.apply_with(FILE, ApplyOptions::default()).await.unwrap();
    assert!(plan.is_empty(), "{plan}");
    let digests = |text: String| text.replace(&one.digest[..12], "ONE").replace(&two.digest[..12], "TWO");
    insta::assert_snapshot!(digests(plan.notices[0].to_string()), @"line 8, column 10: integration HelloWorld: a newer version of 'helloworld' is installed (TWO); this integration keeps ONE until it is upgraded");
    let by_digest = FILE.replace("plugin = \"helloworld\"", &format!("plugin = \"{}\"", two.digest));
    insta::assert_snapshot!(digests(it.apply(&by_digest).await.unwrap_err()), @"line 8, column 10: integration HelloWorld: it runs the plugin 'helloworld' (ONE), and the file names another one (TWO); its plugin is not changed by a file");
    it.configuration
        .upgrade_integration("HelloWorld", "helloworld", Grants::default(), BTreeMap::new())
        .await
        .unwrap();
    assert_eq!(it.configuration.integration("HelloWorld").await.unwrap().digest, two.digest);
    it.configuration.remove_plugin(&one.digest).await.unwrap();
    assert_eq!(it.configuration.plugins().await.unwrap(), [two]);
}

#[tokio::test]
async fn a_plugin_may_be_a_file_beside_entente_toml() {
    let it = Try::new().await;
    let text = "[integration.HelloWorld]\nplugin = \"made.here.wasm\"\n[sync.HelloWorld]";
    assert!(it.apply(text).await.unwrap_err().starts_with(
        "line 2, column 10: integration HelloWorld: the plugin made.here.wasm cannot be read: "
    ));
    std::fs::write(it.folder.path().join("made.here.wasm"), b"\0asm three").unwrap();
    let file = File::parse(text).unwrap();
    let component = |path: &Path| std::fs::read(it.folder.path().join(path));
    let inputs = FileInputs { component: &component, ..FileInputs::NONE };
    let prepared = it.configuration.prepare(&file, inputs).await.unwrap();
    assert_eq!(prepared.problems, []);
    assert!(
        prepared.drafts[0].needed
            && matches!(&prepared.drafts[0].plugin, PluginSource::File(bytes) if bytes.as_ref() == b"\0asm three")
    );
    it.apply(text).await.unwrap();
    let plugin = it.configuration.plugin("made-here").await.unwrap();
    assert_eq!(std::fs::read(it.home.component(&plugin.digest)).unwrap(), b"\0asm three");
    assert_eq!(it.apply(text).await.unwrap(), "");
}

#[tokio::test]
async fn an_integration_is_added_with_the_sync_of_its_manual() {
    let it = Try::new().await;
    let settings = BTreeMap::from([("url".to_owned(), Value::text("http://127.0.0.1:1"))]);
    let secrets = BTreeMap::from([("api-key".to_owned(), SecretText::new("x"))]);
    let grants = Grants { http: vec!["http://127.0.0.1:1".into()], ..Grants::default() };
    let draft = it
        .configuration
        .draft_integration("HelloWorld", "helloworld", settings, grants, secrets)
        .await
        .unwrap();
    let (sync, _) = definition_from_manual("HelloWorld", &hub(), &hello(), &manual()).unwrap();
    let added = it.configuration.add_integration(&draft, Some(sync.clone())).await.unwrap();
    assert_eq!(added.sync.unwrap(), it.configuration.definition("HelloWorld").await.unwrap());
    assert_eq!(it.configuration.open_secrets("HelloWorld").await.unwrap()["api-key"].reveal(), "x");
    insta::assert_snapshot!(it.configuration.add_integration(&draft, Some(sync)).await.unwrap_err(), @"the integration 'HelloWorld' already exists");
    let text = it.configuration.export().await.unwrap();
    assert_eq!(it.apply(&text).await.unwrap(), "");
    let draft = it
        .configuration
        .draft_integration("hub", "helloworld", BTreeMap::new(), Grants::default(), BTreeMap::new())
        .await;
    insta::assert_snapshot!(draft.unwrap_err(), @"'hub' cannot be the name of an integration: it stands for the built-in record store");
}

#[tokio::test]
async fn stored_integrations_are_known() {
    fn sendable<T: Send>(future: T) -> T {
        future
    }
    let mut it = Try::new().await;
    it.apply(FILE).await.unwrap();
    insta::assert_snapshot!(it.apply("[sync.a]\nright = \"HelloWord\"\n[sync.Another]").await.unwrap_err(), @"
    line 2, column 9: sync a: unknown integration 'HelloWord'; there is: HelloWorld
    line 3, column 7: sync Another: unknown integration 'Another' (right is missing, so the name of the sync was taken); there is: HelloWorld, hub
    ");
    it.described.descriptions.remove("HelloWorld");
    insta::assert_snapshot!(it.apply("[sync.HelloWorld]").await.unwrap_err(), @"line 1, column 7: sync HelloWorld: what 'HelloWorld' has is not known, so the mapping cannot be checked");
    let file = File::parse("[sync.HelloWorld]").unwrap();
    let prepared = sendable(it.configuration.prepare(&file, FileInputs::NONE)).await.unwrap();
    assert_eq!(prepared.drafts[0].integration, it.configuration.integration("HelloWorld").await.unwrap());
    let described = Described::default();
    assert!(
        sendable(it.configuration.apply(&file, FileInputs::NONE, &described, ApplyOptions::default()))
            .await
            .is_err()
    );
    assert!(sendable(it.configuration.export()).await.is_ok());
}

#[tokio::test]
async fn a_relation_that_is_stored_is_known() {
    let it = Try::new().await;
    it.apply(FILE).await.unwrap();
    let text = "[integration.Other]\nplugin = \"helloworld\"\n[sync.Other]\nrelation = \"HelloWorld\"\n[[sync.Other.object]]\nleft = \"contact\"\nright = \"person\"\nidentifiers = [\"email\"]\nfields.email = true";
    insta::assert_snapshot!(it.apply(text).await.unwrap_err(), @"line 4, column 12: sync Other: the relation 'HelloWorld' belongs to sync HelloWorld, which joins hub and HelloWorld; give this one a relation of its own");
}

#[tokio::test]
async fn the_hub_decides_about_changes_of_fields() {
    let it = Try::new().await;
    it.apply(FILE).await.unwrap();
    let hub = entente_sqlite::Hub::new(it.store.clone(), std::sync::Arc::new(entente_sync::SystemClock));
    for number in 1..=3 {
        hub.create("contact", &[("loyalty".to_owned(), Value::Integer(number))]).await.unwrap();
    }
    insta::assert_snapshot!(it.apply("[object.contact.field.loyalty]\nkind = \"float\"").await.unwrap_err(), @"object contact, field loyalty: field loyalty of contact: 3 records have values that would no longer fit (contact 1: the value is kept as integer); change them first, or define another field");
    insta::assert_snapshot!(it.apply("[object.contact.field.loyalty]\nkind = \"integer\"\nlabel = \"Points\"").await.unwrap(), @"~ object contact, field loyalty: integer, Loyalty → integer, Points");
}

/// Every policy of a sync that [`FILE`] does not have.
const POLICIES: &str = r#"
[integration.HelloWorld]
plugin = "helloworld"
[sync.HelloWorld]
brake = { percent = 20, records = 3 }
[[sync.HelloWorld.object]]
left = "contact"
right = "person"
identifiers = ["email"]
deletes = "delete"
prefer-left = [{ field = "tags", contains = "newsletter" }, "lowest-id"]
prefer-right = ["lowest-id"]
[sync.HelloWorld.object.fields]
email = true
tags = { right = "labels", default-right = ["new"] }
status = { constant = "won" }
[[sync.HelloWorld.object.field]]
right = "state"
constant = "hub"
"#;

#[tokio::test]
async fn policies_are_told_exported_and_applied_again() {
    let it = Try::new().await;
    let done = it.apply(POLICIES).await.unwrap();
    insta::assert_snapshot!(done, @"
    + integration HelloWorld: plugin helloworld 89471d9d14ac
    + sync HelloWorld: hub ↔ HelloWorld, relation HelloWorld, mapping version 1, brake over 20 % and 3 records
    + sync HelloWorld, contact ↔ person: identified by email, creates both, of several on the left where tags contains newsletter, then the lowest id, of several on the right the lowest id, deletions carried to the other side
    + sync HelloWorld, contact ↔ person, field email ↔ email: both, required right
    + sync HelloWorld, contact ↔ person, field state: to-right, always hub
    + sync HelloWorld, contact ↔ person, field status: to-left, always won
    + sync HelloWorld, contact ↔ person, field tags ↔ labels: both, a set, new on the right: new
    ");
    let text = it.configuration.export().await.unwrap();
    insta::assert_snapshot!(text, @r#"
    [integration.HelloWorld]
    plugin = "helloworld"

    [integration.HelloWorld.settings]

    [integration.HelloWorld.grants]
    http = []

    [sync.HelloWorld]
    left = "hub"
    right = "HelloWorld"
    brake = { percent = 20, records = 3 }

    [[sync.HelloWorld.object]]
    left = "contact"
    right = "person"
    identifiers = ["email"]
    create = "both"
    deletes = "delete"
    prefer-left = [{ field = "tags", contains = "newsletter" }, "lowest-id"]
    prefer-right = ["lowest-id"]

    [sync.HelloWorld.object.fields]
    email = { right = "email", required = "right" }
    tags = { right = "labels", default-right = ["new"] }
    status = { constant = "won" }

    [[sync.HelloWorld.object.field]]
    right = "state"
    constant = "hub"
    "#);
    assert_eq!(it.apply(&text).await.unwrap(), "");
    let new = Try::new().await;
    new.apply(&text).await.unwrap();
    assert_eq!(new.configuration.export().await.unwrap(), text);
    assert_eq!(
        new.configuration.definition("HelloWorld").await.unwrap(),
        it.configuration.definition("HelloWorld").await.unwrap()
    );

    // A changed constant starts a new mapping version; a changed deletion guard does not.
    it.apply(&text.replace("percent = 20", "percent = 21")).await.unwrap();
    assert_eq!(it.version("HelloWorld").await, 1);
    insta::assert_snapshot!(it.apply(&text.replace("\"won\"", "\"new\"").replace("\"delete\"", "\"unlink\"")).await.unwrap(), @"
    ~ sync HelloWorld: hub ↔ HelloWorld, relation HelloWorld, mapping version 1, brake over 21 % and 3 records → hub ↔ HelloWorld, relation HelloWorld, mapping version 2, brake over 20 % and 3 records
    ~ sync HelloWorld, contact ↔ person: identified by email, creates both, of several on the left where tags contains newsletter, then the lowest id, of several on the right the lowest id, deletions carried to the other side → identified by email, creates both, of several on the left where tags contains newsletter, then the lowest id, of several on the right the lowest id, deletions unlink
    ~ sync HelloWorld, contact ↔ person, field status: to-left, always won → to-left, always new
    ");
    assert_eq!(it.version("HelloWorld").await, 2);
}

/// A sync of contacts and persons, under a name and perhaps a relation of its own.
fn people(sync: &str, relation: &str) -> String {
    format!(
        "[integration.HelloWorld]\nplugin = \"helloworld\"\n[sync.{sync}]\nright = \"HelloWorld\"\n{relation}\n[[sync.{sync}.object]]\nleft = \"contact\"\nright = \"person\"\nidentifiers = [\"email\"]\nfields.email = true"
    )
}

/// Stores a link between two records in a relation.
async fn link(it: &Try, sync: &str, relation: &str) {
    use entente_sync::{Half, Ledger as _, Pair, Sides};
    let definition = it.configuration.definition(sync).await.unwrap();
    let ledger = entente_sqlite::SqliteLedger::new(it.store.clone());
    let (now, lasting) = (entente_core::Timestamp::from_micros(0), std::time::Duration::from_secs(60));
    let lease = ledger.acquire(relation, "a test", now, lasting).await.unwrap();
    let half = |id: &str| Half { id: Some(id.to_owned()), ..Half::default() };
    let halves = Sides::new(half("1"), half("7"));
    let mut pairs = [Pair { halves, ..Pair::new(definition.mappings[0].id) }];
    let mut unit = ledger.begin(&lease).await.unwrap();
    unit.save_pairs(&mut pairs).await.unwrap();
    unit.commit().await.unwrap();
    ledger.release(&lease).await.unwrap();
}

/// The ids on the right that contact 1 is linked with in the relation of a sync.
async fn linked(it: &Try, sync: &str) -> Vec<String> {
    use entente_sync::{OperatorLedger as _, Side};
    let relation = it.configuration.definition(sync).await.unwrap().relation;
    let ledger = entente_sqlite::SqliteLedger::new(it.store.clone());
    let pairs = ledger.pairs_of_record(Some(&relation), Side::Left, "contact", "1").await.unwrap();
    pairs.into_iter().filter_map(|(_, pair)| pair.half(Side::Right).id.clone()).collect()
}

#[tokio::test]
async fn m7_links_follow_a_relation_that_gets_another_name() {
    let it = Try::new().await;
    it.apply(&people("people", "relation = \"old\"")).await.unwrap();
    link(&it, "people", "old").await;
    // Another name for the relation of a sync.
    let told = it.apply(&people("people", "relation = \"new\"")).await.unwrap();
    assert!(told.contains("~ relation old: its links go on in relation new"), "{told}");
    assert_eq!(linked(&it, "people").await, ["7"]);
    assert_eq!(it.version("people").await, 1, "its records need not be listed again");
    // Another name for the sync: the file has to replace the old one.
    let prune = ApplyOptions { dry_run: false, prune: true };
    let told = it.apply_with(&people("persons", ""), prune).await.unwrap().to_string();
    assert!(told.contains("~ relation new: its links go on in relation persons"), "{told}");
    assert!(told.contains("~ sync people: its runs and bookmarks go on in sync persons"), "{told}");
    assert_eq!(linked(&it, "persons").await, ["7"]);
    assert_eq!(it.version("persons").await, 1);
}

#[tokio::test]
async fn m7_a_sync_that_would_begin_without_links_asks_for_its_relation() {
    let it = Try::new().await;
    it.apply(&people("people", "")).await.unwrap();
    // Nothing is linked yet, so that nothing can be made a second time.
    it.apply(&people("others", "")).await.unwrap();
    link(&it, "people", "people").await;
    let asked = "write relation = \"people\" to go on with them";
    let told = it.apply(&people("persons", "")).await.unwrap_err();
    assert!(told.contains(asked), "{told}");
    assert!(it.configuration.definition("persons").await.is_err());
    it.apply(&people("persons", "relation = \"people\"")).await.unwrap();
    assert_eq!(linked(&it, "persons").await, ["7"]);
    it.apply(&people("apart", "relation = \"apart\"")).await.unwrap();
    assert_eq!(linked(&it, "apart").await, Vec::<String>::new());

    // The same where the sync went in one file and comes back under another name in the next.
    let prune = ApplyOptions { dry_run: false, prune: true };
    it.apply_with("", prune).await.unwrap();
    let told = it.apply(&people("again", "")).await.unwrap_err();
    assert!(told.contains(asked), "{told}");
    it.apply(&people("again", "relation = \"people\"")).await.unwrap();
    assert_eq!(linked(&it, "again").await, ["7"]);
}
