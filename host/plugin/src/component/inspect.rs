//! Static validation of a component, before anything of it is compiled: kind, size, imports, exports,
//! manifest.

use super::interface::{Capability, Interface, PACKAGE, names};
use super::manifest::{MANIFEST_FILE, MANIFEST_SECTION, Manifest, ManifestError};
use crate::limits::{LimitReached, Limits};
use crate::text::clean;
use entente_sync::Remedy;
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use wasmparser::{
    CanonicalFunction, CanonicalOption, CustomSectionReader, Encoding, KnownCustom, Parser, Payload,
};

/// The result of static validation: what is known of a plugin without running it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Inspection {
    /// Bytes of the file.
    pub size: u64,
    /// SHA-256 of the file, in hexadecimal.
    pub digest: String,
    /// The version of the package `entente:integration` that it is written for.
    pub version: String,
    /// The world that it implements: `integration`, `integration-lookup`, `integration-webhook`,
    /// `integration-full`.
    pub world: &'static str,
    /// Whether it exports `lookup`.
    pub lookup: bool,
    /// Whether it exports `webhook`.
    pub webhook: bool,
    /// The capabilities that it imports.
    pub asks: Vec<Capability>,
    /// Every interface that it imports, by its full name.
    pub imports: Vec<String>,
    /// The languages and tools that produced it, with versions, where the file says so: what it says of itself, or of its first
    /// module. Other modules are adapters and libraries of the tool chain, in whatever language.
    pub producers: BTreeMap<String, Vec<String>>,
    /// Functions in all its modules.
    pub functions: u64,
    /// The number of global variables, of all modules.
    pub globals: u64,
    /// Whether it hands over texts in another encoding than UTF-8, which take more memory here than there.
    #[serde(skip)]
    pub wide_texts: bool,
    /// Its manifest; a plugin without one asks for nothing.
    pub manifest: Manifest,
}

/// Why a file cannot be used as a plugin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InspectError {
    /// Not WebAssembly.
    #[error("this is not WebAssembly but {looks_like}; give the .wasm file of a plugin")]
    NotWasm {
        /// The format that it looks like.
        looks_like: &'static str,
    },
    /// WebAssembly in text format.
    #[error(
        "this is WebAssembly in its text format; turn it into a binary component first, for example with 'wasm-tools parse'"
    )]
    Text,
    /// A core module without a component around it.
    #[error(
        "this is a core module, not a component; build the plugin anew, or use 'wasm-tools component new' where the module was built \
         with wit-bindgen"
    )]
    CoreModule,
    /// Precompiled native code.
    #[error(
        "this is compiled native code (.cwasm), which is never accepted because it cannot be checked; give the .wasm file that it was made from"
    )]
    Precompiled,
    /// Truncated or damaged.
    #[error("the file is cut off or damaged: {reason} (at byte {offset} of {size}); copy or build it again")]
    Broken {
        /// The parser's message.
        reason: String,
        /// The byte offset of the error.
        offset: u64,
        /// The size of the file.
        size: u64,
    },
    /// A component for another purpose.
    #[error(
        "this component is no plugin of Entente: it exports {}, but nothing of {PACKAGE}*",
        list(exports)
    )]
    NoPlugin {
        /// What it exports.
        exports: Vec<String>,
    },
    /// A plugin that lacks required exports.
    #[error("the plugin does not export {}; every plugin exports {}", list(missing), required.join(", "))]
    Incomplete {
        /// The missing exports.
        missing: Vec<String>,
        /// The exports of every plugin of that version.
        required: &'static [&'static str],
    },
    /// It targets an interface version that this host does not have.
    #[error("the plugin is written for entente:integration {}; this host has {}. {}", list(found), known.join(", "),
        "Build the plugin for that version, or use a host that has the other one")]
    UnknownVersion {
        /// The versions that it targets.
        found: Vec<String>,
        /// The versions that the host has.
        known: Vec<&'static str>,
    },
    /// It targets several interface versions at once.
    #[error(
        "the plugin names several versions of entente:integration that do not go together: {}; build it with the interface files of one of them",
        list(found)
    )]
    MixedVersions {
        /// The versions that it targets.
        found: Vec<String>,
    },
    /// It exports an interface that this host does not know.
    #[error("the plugin exports {name}, which this host does not know; it knows {}. {}", known.join(", "),
        "A newer host may; without it the plugin would be run without what that export does")]
    UnknownExport {
        /// The interface.
        name: String,
        /// The interfaces that a plugin of that version may export.
        known: Vec<&'static str>,
    },
    /// It imports something that the host does not provide.
    #[error("the plugin asks for {name}, which this host does not offer")]
    UnknownImport {
        /// The import.
        name: String,
    },
    /// Its manifest cannot be read.
    #[error("{0}; report it to the author of the plugin")]
    Manifest(#[from] ManifestError),
    /// Its manifest has webhooks, and it exports nothing that reads them.
    #[error(
        "the manifest of the plugin has a webhook, but the plugin does not export 'webhook'; leave one out, or add the other"
    )]
    NoWebhook,
    /// It imports a capability that its manifest does not ask for.
    #[error(
        "the plugin {words}, but its manifest does not ask for that; the author says so, with the reason, in {MANIFEST_FILE} beside Cargo.toml and builds it again"
    )]
    NotAsked {
        /// The use of the capability.
        words: &'static str,
    },
    /// A limit on its size or contents is exceeded.
    #[error("{0}")]
    Limit(#[from] LimitReached),
}

impl InspectError {
    /// Remedies for the error.
    pub fn remedies(&self) -> Vec<Remedy> {
        match self {
            InspectError::Limit(limit) => limit.remedies(),
            InspectError::CoreModule => vec![Remedy::BuildPlugin { folder: None }],
            _ => Vec::new(),
        }
    }
}

/// Names that a message lists.
const LISTED: usize = 12;
/// The length limit of a name in bytes, and of each producer entry.
const NAME: u64 = 200;
const PRODUCERS: usize = 100;

/// Names for a message.
pub(crate) fn list(names: &[String]) -> String {
    match names.len() {
        0 => "nothing".to_owned(),
        count if count > LISTED => format!("{} and {} more", names[..LISTED].join(", "), count - LISTED),
        _ => names.join(", "),
    }
}

/// Validates the bytes of a plugin for a host that speaks the `known` versions, if `may` accepts their SHA-256
/// (in hex).
pub(crate) fn inspect_if<E: From<InspectError>>(
    bytes: &[u8],
    limits: &Limits,
    known: &[&'static Interface],
    may: impl FnOnce(&str) -> Result<(), E>,
) -> Result<Inspection, E> {
    let size = bytes.len() as u64;
    if size > limits.component_bytes {
        return Err(InspectError::from(limits.component_bytes(Some(size))).into());
    }
    let digest = hex::encode(Sha256::digest(bytes));
    may(&digest)?;
    check_kind(bytes)?;
    let counted = count(bytes, limits)?;
    let names = names(&counted.imports, &counted.exports, known)?;
    Ok(Inspection {
        size,
        digest,
        version: names.version,
        world: match (names.lookup, names.webhook) {
            (false, false) => "integration",
            (true, false) => "integration-lookup",
            (false, true) => "integration-webhook",
            (true, true) => "integration-full",
        },
        lookup: names.lookup,
        webhook: names.webhook,
        asks: names.asks.into_iter().collect(),
        imports: counted.imports,
        producers: counted
            .producers
            .told()
            .into_iter()
            .map(|(field, values)| (field, values.into_iter().collect()))
            .collect(),
        functions: counted.functions,
        globals: counted.globals,
        wide_texts: counted.wide_texts,
        manifest: counted.manifest.unwrap_or_default(),
    })
}

impl Inspection {
    /// Checks that the manifest asks for every capability that the component imports, so that an operator has
    /// seen it.
    ///
    /// # Errors
    /// [`InspectError::NotAsked`].
    pub fn check_asks(&self) -> Result<(), InspectError> {
        if self.manifest.webhook.is_some() && !self.webhook {
            return Err(InspectError::NoWebhook);
        }
        for ask in &self.asks {
            let asked = match ask {
                Capability::Http => !self.manifest.hosts.is_empty(),
                Capability::Secrets => !self.manifest.secrets.is_empty(),
                Capability::State => self.manifest.state.is_some(),
                Capability::Settings | Capability::Log | Capability::Clock | Capability::EmptyWasi => true,
            };
            if !asked {
                return Err(InspectError::NotAsked { words: ask.words() });
            }
        }
        Ok(())
    }
}

/// Checks the magic number and the format version.
fn check_kind(bytes: &[u8]) -> Result<(), InspectError> {
    if let Some(rest) = bytes.strip_prefix(b"\0asm") {
        return match rest {
            // The version word: a core module has version 1 and layer 0, a component layer 1.
            [1, 0, 0, 0, ..] => Err(InspectError::CoreModule),
            [0x0d, 0, 1, 0, ..] => Ok(()),
            [_, _, 1, 0, ..] => {
                Err(broken("a version of the component format that this host does not know", 4, bytes))
            }
            [_, _, _, _, ..] => Err(broken("neither a module nor a component", 4, bytes)),
            _ => Err(broken("it ends within its first 8 bytes", bytes.len() as u64, bytes)),
        };
    }
    if wasmtime::Engine::detect_precompiled(bytes).is_some() {
        return Err(InspectError::Precompiled);
    }
    let start = bytes.trim_ascii_start();
    if start.starts_with(b"(module") || start.starts_with(b"(component") || start.starts_with(b";;") {
        return Err(InspectError::Text);
    }
    let looks_like = match bytes {
        [] => "an empty file",
        [0x7f, b'E', b'L', b'F', ..] => "a native program or library",
        [b'P', b'K', 3, 4, ..] => "a zip archive",
        [0x1f, 0x8b, ..] => "a gzip archive",
        _ if start.starts_with(b"<") => "an HTML or XML page (a failed download?)",
        _ if bytes.len() < 8 && b"\0asm".starts_with(bytes) => "the beginning of a file that is cut off",
        _ if std::str::from_utf8(bytes).is_ok() => "text",
        _ => "something else",
    };
    Err(InspectError::NotWasm { looks_like })
}

fn broken(reason: impl Into<String>, offset: u64, bytes: &[u8]) -> InspectError {
    InspectError::Broken { reason: reason.into(), offset, size: bytes.len() as u64 }
}

#[derive(Default)]
struct Counted {
    functions: u64,
    globals: u64,
    wide_texts: bool,
    manifest: Option<Manifest>,
    imports: Vec<String>,
    exports: Vec<String>,
    producers: Producers,
}

/// Names of languages and tools by kind.
type Named = BTreeMap<String, BTreeSet<String>>;

/// What a component says of how it was made.
#[derive(Default)]
struct Producers {
    /// Of the component itself.
    own: Named,
    /// Of its first module, which its author's code is compiled to.
    first: Named,
    /// How many modules have begun.
    modules: u64,
    /// The depth of the module that is being read.
    within: Option<u64>,
}

impl Producers {
    /// A section of the component, or of the module in it that is being read.
    fn take(&mut self, section: &CustomSectionReader<'_>, depth: u64) {
        let mut told: usize = self.own.values().chain(self.first.values()).map(BTreeSet::len).sum();
        let named = match self.within {
            None if depth == 1 => &mut self.own,
            Some(2) if depth == 2 && self.modules == 1 => &mut self.first,
            _ => return,
        };
        // Informational only: what cannot be parsed is ignored.
        let KnownCustom::Producers(fields) = section.as_known() else { return };
        for field in fields.into_iter().flatten() {
            for value in field.values.into_iter().flatten() {
                if told < PRODUCERS {
                    let text = clean(format!("{} {}", value.name, value.version).trim(), 100);
                    told += usize::from(named.entry(clean(field.name, 100)).or_default().insert(text));
                }
            }
        }
    }

    /// What is so of the plugin. A component that names its language was made of modules in others: an interpreter, say.
    fn told(self) -> Named {
        let Self { mut own, first, .. } = self;
        if !own.contains_key("language") {
            for (kind, names) in first {
                own.entry(kind).or_default().extend(names);
            }
        }
        own
    }
}

/// Compares an amount with the limit on it.
fn at_most(limit: impl FnOnce(Option<u64>) -> LimitReached, there: u64) -> Result<(), InspectError> {
    let reached = limit(Some(there));
    if there > reached.value { Err(reached.into()) } else { Ok(()) }
}

fn count(bytes: &[u8], limits: &Limits) -> Result<Counted, InspectError> {
    let damaged =
        |error: wasmparser::BinaryReaderError| broken(clean(error.message(), NAME), error.offset(), bytes);
    let mut counted = Counted::default();
    let mut depth: u64 = 0;
    let mut ended = false;
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.map_err(damaged)? {
            Payload::Version { encoding, .. } if encoding == Encoding::Component || depth > 0 => {
                depth += 1;
                if encoding == Encoding::Module {
                    counted.producers.modules += 1;
                    counted.producers.within = Some(depth);
                }
                at_most(|there| limits.nesting(there), depth)?;
            }
            Payload::End(_) => {
                counted.producers.within = None;
                depth = depth.saturating_sub(1);
                ended = depth == 0;
            }
            Payload::FunctionSection(functions) => {
                counted.functions += u64::from(functions.count());
                at_most(|there| limits.functions(there), counted.functions)?;
            }
            Payload::ComponentCanonicalSection(functions) => {
                for function in functions {
                    counted.wide_texts |= has_wide_texts(&function.map_err(damaged)?);
                }
            }
            Payload::GlobalSection(globals) => {
                counted.globals += u64::from(globals.count());
                at_most(|there| limits.globals(there), counted.globals)?;
            }
            // Their number is looked at before their names are kept.
            Payload::ComponentImportSection(imports) if depth == 1 => {
                let there = counted.imports.len() as u64 + u64::from(imports.count());
                at_most(|there| limits.imports(there), there)?;
                for import in imports {
                    counted.imports.push(clean(import.map_err(damaged)?.name.name, NAME));
                }
            }
            Payload::ComponentExportSection(exports) if depth == 1 => {
                let there = counted.exports.len() as u64 + u64::from(exports.count());
                at_most(|there| limits.exports(there), there)?;
                for export in exports {
                    counted.exports.push(clean(export.map_err(damaged)?.name.name, NAME));
                }
            }
            // The section of the outermost component, not of a nested one.
            Payload::CustomSection(section) if section.name() == MANIFEST_SECTION && depth == 1 => {
                let size = section.data().len() as u64;
                at_most(|there| limits.manifest_bytes(there), size)?;
                if counted.manifest.replace(Manifest::parse(section.data())?).is_some() {
                    return Err(ManifestError("it occurs twice".to_owned()).into());
                }
            }
            Payload::CustomSection(section) => counted.producers.take(&section, depth),
            _ => {}
        }
    }
    if ended { Ok(counted) } else { Err(broken("it ends too early", bytes.len() as u64, bytes)) }
}

/// Whether texts cross this function in UTF-16 or Latin-1.
fn has_wide_texts(function: &CanonicalFunction) -> bool {
    let (CanonicalFunction::Lift { options, .. } | CanonicalFunction::Lower { options, .. }) = function
    else {
        return false;
    };
    options.iter().any(|option| matches!(option, CanonicalOption::UTF16 | CanonicalOption::CompactUTF16))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::component::interface::testing::DRAFT;

    const HEADER: &[u8] = b"\0asm\x0d\0\x01\0";

    /// A component with names only: enough for validation, not to run.
    fn component(imports: &[&str], exports: &[&str]) -> Vec<u8> {
        let mut bytes = HEADER.to_vec();
        let name = |name: &str| [&[0, name.len() as u8], name.as_bytes()].concat();
        // Imports of an instance of type 0; exports of instance 0 without a type of their own.
        for (section, names, end) in [(10, imports, &[5, 0][..]), (11, exports, &[5, 0, 0][..])] {
            let mut content = vec![names.len() as u8];
            for one in names {
                content.extend_from_slice(&name(one));
                content.extend_from_slice(end);
            }
            // A two-byte LEB128 length, for contents of up to 16 KiB.
            bytes.extend_from_slice(&[
                section,
                (content.len() & 0x7f) as u8 | 0x80,
                (content.len() >> 7) as u8,
            ]);
            bytes.extend_from_slice(&content);
        }
        bytes
    }

    /// The component with a manifest section.
    fn asking(component: &[u8], manifest: &str) -> Vec<u8> {
        let mut content = vec![MANIFEST_SECTION.len() as u8];
        content.extend_from_slice(MANIFEST_SECTION.as_bytes());
        content.extend_from_slice(manifest.as_bytes());
        let length = [0, (content.len() & 0x7f) as u8 | 0x80, (content.len() >> 7) as u8];
        [component, &length, &content].concat()
    }

    fn inspect(bytes: &[u8], limits: &Limits) -> Result<Inspection, InspectError> {
        inspect_if(bytes, limits, DRAFT, |_| Ok(()))
    }

    fn look(bytes: &[u8]) -> Result<Inspection, InspectError> {
        inspect(bytes, &Limits::default())
    }

    fn ours(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| format!("entente:integration/{name}@0.1.0-draft.2")).collect()
    }

    fn plugin(imports: &[&str], more: &[&str]) -> Result<Inspection, InspectError> {
        let exports =
            [ours(DRAFT[0].required), more.iter().map(|name| (*name).to_owned()).collect()].concat();
        let exports: Vec<&str> = exports.iter().map(String::as_str).collect();
        look(&component(imports, &exports))
    }

    #[test]
    fn x1_exports_and_globals_are_counted_before_anything_of_them_is_kept() {
        let few = Limits { exports: 2, globals: 1, ..Limits::default() };
        let told = |bytes: &[u8]| inspect(bytes, &few).unwrap_err().to_string();
        insta::assert_snapshot!(told(&component(&[], &["a", "b", "c"])), @"limit exports of 2 reached (asked for: 3)");
        // A number of exports that the section does not have: it is the number that counts.
        let many = [HEADER, &[11, 4, 0xff, 0xff, 0x7f, 0]].concat();
        insta::assert_snapshot!(told(&many), @"limit exports of 2 reached (asked for: 2097151); it cannot be more than 1000");
        // A module of two globals of type i32.
        let global = [0x7f, 0, 0x41, 0, 0x0b];
        let globals = [&[6, 11, 2][..], &global, &global].concat();
        let module = [b"\0asm\x01\0\0\0", &globals[..]].concat();
        let with_module = [HEADER, &[1, module.len() as u8], &module].concat();
        insta::assert_snapshot!(told(&with_module), @"limit globals of 1 reached (asked for: 2)");
    }

    #[test]
    fn a_plugin_is_described() {
        let imports = [
            "entente:integration/data@0.1.0-draft.2",
            "entente:integration/log@0.1.0-draft.2",
            "wasi:http/outgoing-handler@0.2.12",
            "wasi:filesystem/types@0.2.9",
        ];
        let found = plugin(&imports, &["entente:integration/lookup@0.1.0-draft.2", "exports"]).unwrap();
        assert_eq!(
            (found.version.as_str(), found.world, found.lookup, found.webhook),
            ("0.1.0-draft.2", "integration-lookup", true, false)
        );
        assert_eq!(found.asks, [Capability::Http, Capability::Log, Capability::EmptyWasi]);
        assert_eq!(found.imports, imports);
        assert_eq!(found.digest.len(), 64);
    }

    /// A section with short contents.
    fn section(id: u8, content: &[u8]) -> Vec<u8> {
        [&[id, content.len() as u8][..], content].concat()
    }

    /// What made something: kinds with a name each.
    fn made(producers: &[(&str, &str)]) -> Vec<u8> {
        let text = |text: &str| [&[text.len() as u8], text.as_bytes()].concat();
        let mut content = [text("producers"), vec![producers.len() as u8]].concat();
        for (kind, name) in producers {
            content.extend([text(kind), vec![1], text(name), text("")].concat());
        }
        section(0, &content)
    }

    #[test]
    fn the_language_is_that_of_the_component_or_of_its_first_module_and_not_of_an_adapter() {
        let module =
            |producers: &[(&str, &str)]| section(1, &[&b"\0asm\x01\0\0\0"[..], &made(producers)].concat());
        let told = |modules: &[&[(&str, &str)]], own: &[(&str, &str)]| {
            let exports = ours(DRAFT[0].required);
            let exports: Vec<&str> = exports.iter().map(String::as_str).collect();
            let modules: Vec<u8> = modules.iter().flat_map(|producers| module(producers)).collect();
            let whole = [component(&[], &exports), modules, made(own)].concat();
            look(&whole).unwrap().producers.remove("language").unwrap_or_default().join(", ")
        };
        let (rust, c) = (&[("language", "Rust")][..], &[("language", "C11")][..]);
        let tool = &[("processed-by", "wit-component")][..];
        assert_eq!(told(&[rust, tool], tool), "Rust");
        assert_eq!(told(&[tool, rust, c], tool), "", "as componentize-py makes it: the adapter is in Rust");
        assert_eq!(told(&[c, rust], &[("language", "JavaScript")]), "JavaScript");
        assert_eq!(told(&[], &[]), "");
    }

    #[test]
    fn a_hundred_producers_are_told_at_most() {
        let many =
            |of: &str| -> Vec<Vec<u8>> { (0..80).map(|n| made(&[("sdk", &format!("{of}{n}"))])).collect() };
        let module = [b"\0asm\x01\0\0\0".to_vec(), many("m").concat()].concat();
        // A two-byte LEB128 length.
        let head = [1, (module.len() & 0x7f) as u8 | 0x80, (module.len() >> 7) as u8];
        let exports = ours(DRAFT[0].required);
        let exports: Vec<&str> = exports.iter().map(String::as_str).collect();
        let whole = [component(&[], &exports), head.to_vec(), module, many("c").concat()].concat();
        assert_eq!(look(&whole).unwrap().producers["sdk"].len(), PRODUCERS);
    }

    #[test]
    fn names_in_a_file_move_no_cursor_and_fill_no_screen() {
        let text = look(&component(&[], &["a\u{1b}[2J\u{202e}"])).unwrap_err().to_string();
        assert!(text.contains("it exports a\\u{1b}[2J\\u{202e}, but"), "{text}");
        let many: Vec<String> = (0..20).map(|n| format!("x{n}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let text = look(&component(&[], &many)).unwrap_err().to_string();
        assert!(text.contains("x11 and 8 more, but"), "{text}");
    }

    #[test]
    fn a_plugin_asks_for_what_it_uses() {
        let imports =
            [ours(&["secrets", "state", "settings"]), vec!["wasi:http/types@0.2.9".to_owned()]].concat();
        let uses: Vec<&str> = imports.iter().map(String::as_str).collect();
        let exports = ours(DRAFT[0].required);
        let exports: Vec<&str> = exports.iter().map(String::as_str).collect();
        let component = component(&uses, &exports);
        let told = |manifest: &str| {
            look(&asking(&component, manifest)).unwrap().check_asks().map_err(|error| error.to_string())
        };
        let silent = look(&component).unwrap();
        assert_eq!(silent.manifest, Manifest::default());
        assert!(silent.check_asks().is_err());
        let (host, secret) = (
            r#""host":[{"address":"*","reason":"r"}]"#,
            r#""secret":[{"name":"a","use":"sign","reason":"r"}]"#,
        );
        let state = r#""state":{"reason":"r"}"#;
        assert_eq!(told(&format!("{{{host},{secret},{state}}}")), Ok(()));
        assert!(
            told(&format!("{{{secret},{state}}}"))
                .unwrap_err()
                .starts_with("the plugin sends HTTP requests to the hosts that you grant, but")
        );
        assert!(told(&format!("{{{host},{state}}}")).unwrap_err().contains("uses the secrets"));
        assert!(told(&format!("{{{host},{secret}}}")).unwrap_err().contains("keeps a few bytes"));
    }

    #[test]
    fn a_manifest_that_is_none_is_refused() {
        let plain = component(&[], &[]);
        let told = |bytes: &[u8], limits: &Limits| inspect(bytes, limits).unwrap_err().to_string();
        let bad = told(&asking(&plain, "{\"files\":true}"), &Limits::default());
        assert!(bad.starts_with("the manifest of the plugin cannot be read: unknown field `files`"), "{bad}");
        assert!(told(&asking(&asking(&plain, "{}"), "{}"), &Limits::default()).contains("it occurs twice"));
        let long = told(&asking(&plain, "{}  "), &Limits { manifest_bytes: 3, ..Limits::default() });
        assert!(long.starts_with("limit manifest-bytes of 3 bytes reached (asked for: 4 bytes)"), "{long}");
    }

    #[test]
    fn what_is_no_plugin_is_told_apart() {
        let table: Vec<(Vec<u8>, &str)> = vec![
            (b"".to_vec(), "not WebAssembly but an empty file"),
            (b"hello".to_vec(), "not WebAssembly but text"),
            (b"PK\x03\x04....".to_vec(), "not WebAssembly but a zip archive"),
            (b"<!doctype html>".to_vec(), "not WebAssembly but an HTML or XML page"),
            (b"\x7fELF\x02\x01\x01\0 not one of wasmtime".to_vec(), "not WebAssembly but a native program"),
            (b" (component (import \"a\"))".to_vec(), "text format"),
            (b"(module)".to_vec(), "text format"),
            (b"\0asm\x01\0\0\0".to_vec(), "core module, not a component; build the plugin anew"),
            (b"\0asm\x0d\0".to_vec(), "it ends within its first 8 bytes (at byte 6 of 6)"),
            (b"\0asm\x0c\0\x01\0".to_vec(), "version of the component format that this host does not know"),
            (HEADER.to_vec(), "it exports nothing, but nothing of entente:integration/*"),
            (component(&[], &["wasi:cli/run@0.2.0"]), "it exports wasi:cli/run@0.2.0, but nothing of"),
        ];
        for (bytes, expected) in table {
            let error = look(&bytes).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn compiled_code_is_never_accepted() {
        let engine = wasmtime::Engine::default();
        let compiled = engine.precompile_component(HEADER).unwrap();
        assert_eq!(look(&compiled), Err(InspectError::Precompiled));
    }

    #[test]
    fn a_component_that_is_cut_off_is_damaged_wherever_it_ends() {
        let whole = component(&["wasi:io/poll@0.2.0"], &["a", "b"]);
        for end in 8..whole.len() {
            match look(&whole[..end]) {
                Err(InspectError::Broken { size, .. }) => assert_eq!(size, end as u64),
                // A file truncated between two sections is valid; what is missing is then named.
                Err(InspectError::NoPlugin { .. }) => {}
                other => panic!("cut at {end}: {other:?}"),
            }
        }
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let missing = look(&component(&[], &["entente:integration/sync-report@0.1.0-draft.2"])).unwrap_err();
        assert!(
            missing
                .to_string()
                .starts_with("the plugin does not export mapping-manual, order-execution; every plugin"),
            "{missing}"
        );
        let newer = look(&component(&[], &["entente:integration/sync-report@0.2.0"])).unwrap_err();
        assert!(
            newer.to_string().starts_with(
                "the plugin is written for entente:integration 0.2.0; this host has 0.1.0-draft.2."
            ),
            "{newer}"
        );
        let mixed = plugin(&[], &["entente:integration/webhook@0.2.0"]).unwrap_err();
        assert!(matches!(mixed, InspectError::UnknownVersion { .. }), "it would look like none: {mixed}");
        let strange = plugin(&[], &["entente:integration/dance@0.1.0-draft.2"]).unwrap_err();
        assert!(
            strange
                .to_string()
                .contains("exports entente:integration/dance@0.1.0-draft.2, which this host does not know"),
            "{strange}"
        );
        for import in [
            "acme:own/thing@1.0.0",
            "wasi:nn/graph@0.2.0",
            "wasi:http/types@0.3.0",
            "wasi:http/incoming-handler@0.2.0",
            "thing",
        ] {
            let error = plugin(&[import], &[]).unwrap_err();
            assert_eq!(
                error.to_string(),
                format!("the plugin asks for {import}, which this host does not offer")
            );
        }
    }

    #[test]
    fn too_much_is_refused_before_it_is_compiled() {
        let bytes = component(&["wasi:io/poll@0.2.0", "wasi:io/error@0.2.0"], &[]);
        let small = |limits: Limits| inspect(&bytes, &limits).unwrap_err().to_string();
        let size = small(Limits { component_bytes: 10, ..Limits::default() });
        assert!(size.starts_with("limit component-bytes of 10 bytes reached (asked for: "), "{size}");
        assert!(
            small(Limits { imports: 1, ..Limits::default() })
                .starts_with("limit imports of 1 reached (asked for: 2)")
        );
        // Two modules with functions that do nothing: those of all modules are counted.
        let module = |count: u8| {
            let functions = [vec![count], vec![0; count.into()]].concat();
            let bodies = [vec![count], [2, 0, 0x0b].repeat(count.into())].concat();
            let sections = [section(1, &[1, 0x60, 0, 0]), section(3, &functions), section(10, &bodies)];
            section(1, &[b"\0asm\x01\0\0\0".to_vec(), sections.concat()].concat())
        };
        let bytes = [HEADER.to_vec(), module(2), module(1)].concat();
        let functions = |functions: u64| inspect(&bytes, &Limits { functions, ..Limits::default() });
        let refused = functions(2).unwrap_err().to_string();
        assert!(refused.starts_with("limit functions of 2 reached (asked for: 3)"), "{refused}");
        assert!(!functions(3).unwrap_err().to_string().contains("limit"));
    }
}
