//! A plugin in WebAssembly text format, for code that no compiler would emit.

use std::fmt::Write as _;
use std::path::Path;
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// The address of a valid result: all zero, which is success without content.
pub const ANSWER: u32 = 1024;

/// An endless loop.
pub const LOOP: &str = "(loop $for_ever br $for_ever) unreachable";

/// The bodies of its functions. Those that are not given behave well.
pub struct Handmade<'a> {
    pub describe: &'a str,
    pub manual: &'a str,
    pub report: &'a str,
    /// The parameters of the function, as the canonical ABI flattens a request.
    pub report_params: &'a str,
    pub execute: &'a str,
    pub collect: &'a str,
    /// Allocates memory for what the host passes.
    pub realloc: &'a str,
    /// Imports the log, as `$log`.
    pub log: bool,
    /// Further imports of the module.
    pub imports: &'a str,
    /// Further fields of the module.
    pub more: &'a str,
    /// How its texts are encoded.
    pub encoding: StringEncoding,
    /// Edits the WIT that it is built for.
    pub wit: &'a dyn Fn(String) -> String,
}

impl Default for Handmade<'_> {
    fn default() -> Self {
        let well = "i32.const 1024";
        Self {
            describe: well,
            manual: well,
            report: well,
            report_params: "(param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i64 i32 i32 i32 i32)",
            execute: well,
            collect: well,
            // A bump allocator that never frees.
            realloc: "global.get $free local.get 2 i32.add i32.const 1 i32.sub i32.const 0 local.get 2 i32.sub i32.and \
                      global.set $free global.get $free global.get $free local.get 3 i32.add global.set $free",
            log: false,
            imports: "",
            more: "",
            encoding: StringEncoding::UTF8,
            wit: &|text| text,
        }
    }
}

impl Handmade<'_> {
    fn text(&self) -> String {
        let version = "0.1.0-draft.2";
        let mut text = format!("(module\n{}\n", self.imports);
        if self.log {
            writeln!(
                text,
                r#"(import "entente:integration/log@{version}" "log" (func $import (param i32 i32 i32 i32 i32)))
                (func $log i32.const 0 i32.const 0 i32.const 0 i32.const 0 i32.const 0 call $import)"#
            )
            .unwrap();
        }
        writeln!(text, r#"(memory (export "memory") 8) (global $free (mut i32) (i32.const 400000))"#)
            .unwrap();
        writeln!(
            text,
            r#"(func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) {})"#,
            self.realloc
        )
        .unwrap();
        let exports = [
            ("mapping-manual", "describe", "(param i64 i32 i32)", self.describe),
            ("mapping-manual", "manual", "(param i64 i32 i32)", self.manual),
            ("sync-report", "report", self.report_params, self.report),
            (
                "order-execution",
                "execute",
                "(param i32 i32 i32 i32 i32 i32 i32 i32 i32 i64 i32 i32 i32 i32)",
                self.execute,
            ),
            (
                "order-execution",
                "collect",
                "(param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i64 i32 i32 i32 i32)",
                self.collect,
            ),
        ];
        for (interface, name, params, body) in exports {
            writeln!(text, r#"(func (export "entente:integration/{interface}@{version}#{name}") {params} (result i32) {body})"#).unwrap();
        }
        writeln!(text, "{})", self.more).unwrap();
        text
    }

    /// The bytes of the core module, with the world that it is written for.
    pub fn module(&self) -> Vec<u8> {
        let folder = tempfile::tempdir().unwrap();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit/0.1.0-draft.2");
        for entry in std::fs::read_dir(source).unwrap().map(Result::unwrap) {
            let text = std::fs::read_to_string(entry.path()).unwrap();
            std::fs::write(folder.path().join(entry.file_name()), (self.wit)(text)).unwrap();
        }
        let mut resolve = Resolve::default();
        let (package, _) = resolve.push_dir(folder.path()).unwrap();
        let world = resolve.select_world(&[package], Some("integration")).unwrap();
        let mut module = wat::parse_str(self.text()).unwrap_or_else(|error| panic!("{error}"));
        embed_component_metadata(&mut module, &resolve, world, self.encoding).unwrap();
        module
    }

    /// The bytes of the component.
    pub fn component(&self) -> Vec<u8> {
        ComponentEncoder::default()
            .module(&self.module())
            .and_then(|encoder| encoder.validate(true).encode())
            .unwrap_or_else(|error| panic!("{error:#}"))
    }
}

/// Words in their memory layout, for a data segment.
pub fn words(words: &[u32]) -> String {
    words.iter().flat_map(|word| word.to_le_bytes()).map(|byte| format!("\\{byte:02x}")).collect()
}
