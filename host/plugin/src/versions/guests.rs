//! Two plugins that say and do the same in two versions of the interface. They are components like any other,
//! written in WebAssembly text, since a unit test cannot rely on a compiler for plugins. Answers lie in
//! memory; what the host passes is put into them.

use super::memory::Memory;
use crate::component::manifest::MANIFEST_SECTION;
use serde_json::{Value as Json, json};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::{InterfaceId, PackageId, Resolve, Type, TypeDefKind};

/// A function that the plugin exports.
struct Function {
    interface: &'static str,
    name: &'static str,
    /// The parameters, as the canonical ABI flattens them.
    params: &'static str,
    /// What it does before it answers. `<name>` is the address of that place, `<answer>` that of the answer.
    body: String,
    answer: Json,
}

/// The interface files of a version.
pub(super) struct Files {
    pub(super) resolve: Resolve,
    pub(super) package: PackageId,
}

impl Files {
    /// A version in `wit`.
    pub(super) fn of(version: &str) -> Self {
        let mut resolve = Resolve::default();
        let (package, _) = resolve.push_dir(root().join("../../wit").join(version)).unwrap();
        Self { resolve, package }
    }

    /// The made-up version, edited.
    pub(super) fn made_up(edit: &dyn Fn(String) -> String) -> Self {
        let file = root().join("src/wire/made_up/interface.wit");
        let mut resolve = Resolve::default();
        let text = edit(std::fs::read_to_string(&file).unwrap());
        let package = resolve.push_str(&file, &text).unwrap();
        Self { resolve, package }
    }

    /// What stands behind the names in the component.
    fn version(&self) -> String {
        self.resolve.packages[self.package].name.version.as_ref().unwrap().to_string()
    }

    pub(super) fn interface(&self, name: &str) -> InterfaceId {
        self.resolve.packages[self.package].interfaces[name]
    }

    /// The offset of a field of a record, and the size of the record.
    fn place(&self, interface: &str, record: &str, field: &str) -> (usize, usize) {
        let id = self.resolve.interfaces[self.interface(interface)].types[record];
        let TypeDefKind::Record(found) = &self.resolve.types[id].kind else { panic!("{record}") };
        let memory = Memory::new(&self.resolve);
        let at = found.fields.iter().position(|given| given.name == field).unwrap();
        let offsets = memory.offsets(found.fields.iter().map(|field| &field.ty));
        (offsets[at], memory.size(&Type::Id(id)))
    }

    fn component(&self, world: &str, imports: &str, functions: &[Function]) -> Vec<u8> {
        let mut memory = Memory::new(&self.resolve);
        // The texts that it passes to the host, see `WHO` and `NOTE`; the result of the setting is put at `SETTING`.
        memory.bytes[16..19].copy_from_slice(b"who");
        memory.bytes[32..40].copy_from_slice(b"it looks");
        let answers: Vec<usize> = functions
            .iter()
            .map(|function| {
                let interface = &self.resolve.interfaces[self.interface(function.interface)];
                let result = interface.functions[function.name].result.unwrap();
                memory.put(&result, &function.answer)
            })
            .collect();
        let mut text = format!(
            r#"(module {imports} (memory (export "memory") 2) (global $free (mut i32) (i32.const 65536))
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
              (global.set $free (i32.and (i32.add (global.get $free) (i32.const 15)) (i32.const -16)))
              global.get $free (global.set $free (i32.add (global.get $free) (local.get 3))))"#
        );
        for (function, at) in functions.iter().zip(answers) {
            let Function { interface, name, params, body, .. } = function;
            let mut body = body.replace("<answer>", &at.to_string());
            for (name, place) in &memory.places {
                body = body.replace(name, &place.to_string());
            }
            write!(text, r#"(func (export "entente:integration/{interface}@VERSION#{name}") {params} (result i32) {body} (i32.const {at}))"#).unwrap();
        }
        let data: String = memory.bytes.iter().map(|byte| format!("\\{byte:02x}")).collect();
        write!(text, r#"(data (i32.const 0) "{data}"))"#).unwrap();
        let text = text.replace("VERSION", &self.version());
        let mut module = wat::parse_str(text).unwrap_or_else(|error| panic!("{error}"));
        let world = self.resolve.select_world(&[self.package], Some(world)).unwrap();
        embed_component_metadata(&mut module, &self.resolve, world, StringEncoding::UTF8).unwrap();
        let encoded = ComponentEncoder::default()
            .module(&module)
            .and_then(|encoder| encoder.validate(true).encode())
            .unwrap_or_else(|error| panic!("{error:#}"));
        with_manifest(encoded)
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

/// It reads a setting.
fn with_manifest(mut component: Vec<u8>) -> Vec<u8> {
    let manifest = json!({ "setting": [{ "name": "who", "reason": "to greet" }] }).to_string();
    let size = |length: usize| u8::try_from(length).ok().filter(|length| *length < 128).unwrap();
    let section = 1 + MANIFEST_SECTION.len() + manifest.len();
    component.extend([0, size(section), size(MANIFEST_SECTION.len())]);
    component.extend(MANIFEST_SECTION.as_bytes());
    component.extend(manifest.as_bytes());
    component
}

/// Puts the cursor that it was given, parameters `cursor` and the one after it, and its setting into the page.
fn look(note: &str, get: &str, setting: usize, cursor: usize) -> String {
    format!(
        "{note} {get} (i64.store (i32.const <who>) (i64.load (i32.const {setting})))
        (i32.store (i32.const <cursor>) (local.get {cursor}))
        (i32.store offset=4 (i32.const <cursor>) (local.get {}))",
        cursor + 1
    )
}

/// The object that the plugins of the tests describe.
fn person() -> Json {
    let field = |name: &str, kind: &str, features: Json| json!({ "name": name, "label": name, "kind": kind, "features": features });
    json!({
        "name": "person", "label": "Person", "change-times": "record", "precision": 1_000_000,
        "fields": [
            field("name", "text", json!(["identifier"])), field("age", "integer", json!([])), field("tags", "texts", json!([])),
            field("after", "text", json!([])), field("who", "text", json!([])),
        ],
        "features": ["create", "update", "delete", "full-listing"],
    })
}

/// What they report of it, with what they were given in `after` and `who`.
fn page() -> Json {
    let rows = json!([
        { "id": "1", "changed": 1_700_000_000_000_000_i64, "values": [
            { "text": "Ada" }, { "integer": 36 }, { "texts": ["a", "b"] }, { "text": "<cursor>" }, { "text": "<who>" },
        ] },
        { "id": "2", "values": ["null", "unset", "unset", "unset", "unset"] },
    ]);
    let batch = json!({
        "object": "person", "fields": ["name", "age", "tags", "after", "who"], "rows": rows, "deleted": [{ "id": "9" }],
    });
    json!({ "batches": [batch], "finished": [{ "object": "person", "complete": true }] })
}

/// A plugin of the version that this host speaks.
pub(super) fn real(version: &str) -> Vec<u8> {
    let files = Files::of(version);
    let imports = r#"
        (import "entente:integration/log@VERSION" "log" (func $log (param i32 i32 i32 i32 i32)))
        (import "entente:integration/settings@VERSION" "get" (func $get (param i32 i32 i32)))"#;
    let (values, change) = files.place("order-execution", "change", "values");
    let (action, _) = files.place("order-execution", "change", "action");
    // Text and list from the changes, whose address is parameter 4.
    let taken = |place: &str, number: usize, from: usize| {
        let offset = number * change + from;
        format!("(i64.store (i32.const <{place}>) (i64.load offset={offset} (local.get 4)))")
    };
    let execute = [
        taken("change0", 0, 0),
        taken("id0", 0, 0),
        taken("values0", 0, values),
        taken("change1", 1, 0),
        taken("id1", 1, action + 4),
        taken("values1", 1, values),
        taken("change2", 2, 0),
    ];
    let answers = json!([
        { "change": "<change0>", "outcome": { "created": { "id": "<id0>", "values": "<values0>" } } },
        { "change": "<change1>", "outcome": { "updated": { "id": "<id1>", "values": "<values1>" } } },
        { "change": "<change2>", "outcome": "deleted" },
    ]);
    let note = "(call $log (i32.const 2) (i32.const 32) (i32.const 8) (i32.const 0) (i32.const 0))";
    let get = "(call $get (i32.const 16) (i32.const 3) (i32.const 64))";
    let call = "(param i64 i32 i32)";
    let function = |interface, name, params, body: &str, answer| Function {
        interface,
        name,
        params,
        body: body.to_owned(),
        answer,
    };
    let order = "(param i32 i32 i32 i32 i32 i32 i32 i32 i32 i64 i32 i32 i32 i32)";
    let functions = [
        function("mapping-manual", "describe", call, "", json!({ "ok": { "objects": [person()] } })),
        function("mapping-manual", "manual", call, "", json!({ "ok": {} })),
        function(
            "sync-report",
            "report",
            "(param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i64 i32 i32 i32 i32)",
            // The setting is a value in an option: after two tags.
            &look(note, get, 64 + 16, 1),
            json!({ "ok": page() }),
        ),
        function(
            "order-execution",
            "execute",
            order,
            &execute.concat(),
            json!({ "ok": { "answers": answers } }),
        ),
        function(
            "order-execution",
            "collect",
            "(param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i64 i32 i32 i32 i32)",
            "unreachable",
            Json::Null,
        ),
    ];
    files.component("integration", imports, &functions)
}

/// What of the made-up version a plugin differs in.
pub(super) struct Edited<'a> {
    /// Edits the interface files.
    pub(super) files: &'a dyn Fn(String) -> String,
    /// A function of the host without parameters, which it calls.
    pub(super) calls: Option<&'a str>,
}

/// The same plugin for the made-up version.
pub(super) fn made_up(edited: &Edited<'_>) -> Vec<u8> {
    let files = Files::made_up(edited.files);
    let mut imports = r#"
        (import "entente:integration/desk@VERSION" "note" (func $note (param i32 i32)))
        (import "entente:integration/desk@VERSION" "ask" (func $ask (param i32 i32 i32)))"#
        .to_owned();
    if let Some(more) = edited.calls {
        write!(imports, r#"(import "entente:integration/desk@VERSION" "{more}" (func))"#).unwrap();
    }
    let part = |name: &str, kind: &str, key: bool| json!({ "name": name, "kind": kind, "key": key });
    let kind = json!({ "name": "person", "title": "Person", "parts": [
        part("name", "text", true), part("age", "integer", false), part("tags", "texts", false),
        part("after", "text", false), part("who", "text", false),
    ] });
    let named = |name: &str, content: Json| json!({ "name": name, "content": content });
    let ada = [
        named("who", json!({ "words": "<who>" })),
        named("tags", json!({ "several": ["a", "b"] })),
        named("age", json!({ "whole": 36 })),
        named("name", json!({ "words": "Ada" })),
        named("after", json!({ "words": "<cursor>" })),
    ];
    let things = json!([
        { "key": "1", "edited": 1_700_000_000, "contents": ada },
        { "key": "2", "contents": [named("name", json!("blank"))] },
    ]);
    let note = "(call $note (i32.const 32) (i32.const 8))";
    let ask = "(call $ask (i32.const 16) (i32.const 3) (i32.const 64))";
    // Parameters 2 and 3 are the slip, 4 to 6 the deed with its text, 7 and 8 the contents.
    let put = "
        (i32.store8 (i32.const <answer>) (i32.eq (local.get 4) (i32.const 2)))
        (i32.store (i32.const <key>) (select (local.get 5) (local.get 2) (local.get 4)))
        (i32.store offset=4 (i32.const <key>) (select (local.get 6) (local.get 3) (local.get 4)))
        (i32.store (i32.const <contents>) (local.get 7))
        (i32.store offset=4 (i32.const <contents>) (local.get 8))";
    let functions = [
        Function {
            interface: "shelf",
            name: "kinds",
            params: "",
            body: String::new(),
            answer: json!({ "ok": [kind] }),
        },
        Function {
            interface: "shelf",
            name: "look",
            params: "(param i32 i32 i32 i32 i32 i32 i32 i32)",
            // The setting is a text in an option: after one tag.
            body: look(note, ask, 64 + 4, 5),
            answer: json!({ "ok": { "things": things, "gone": ["9"] } }),
        },
        Function {
            interface: "shelf",
            name: "put",
            params: "(param i32 i32 i32 i32 i32 i32 i32 i32 i32)",
            body: put.to_owned(),
            answer: json!({ "is": { "key": "<key>", "contents": "<contents>" } }),
        },
    ];
    files.component("plugin", &imports, &functions)
}
