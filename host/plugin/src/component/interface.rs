//! Interface compatibility: the interfaces and versions that this host knows, and whether a component fits
//! them.

use super::inspect::InspectError;
use semver::Version;
use serde::Serialize;
use std::collections::BTreeSet;

/// The WIT package of the interface.
pub(crate) const PACKAGE: &str = "entente:integration/";
/// The versions of the package that this host runs.
pub const KNOWN_VERSIONS: &[&str] = &["0.1.0-draft.2"];
pub(crate) const REQUIRED: &[&str] = &["mapping-manual", "sync-report", "order-execution"];
pub(crate) const OPTIONAL: &[&str] = &["lookup", "webhook-draft"];
const WASI: &[&str] = &["cli", "clocks", "filesystem", "io", "random", "sockets"];

/// A capability that a plugin imports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Capability {
    /// To send HTTP requests, to hosts that are granted.
    Http,
    /// To read its settings.
    Settings,
    /// To use secrets without seeing them.
    Secrets,
    /// To keep a few bytes between calls.
    State,
    /// To write log lines.
    Log,
    /// Clocks and random numbers.
    Clock,
    /// WASI interfaces that its language runtime imports unasked (files, environment, sockets, …): linked,
    /// but with nothing granted.
    EmptyWasi,
}

impl Capability {
    /// A description for the operator who decides whether to install the plugin.
    pub fn words(self) -> &'static str {
        match self {
            Capability::Http => "sends HTTP requests to the hosts that you grant",
            Capability::Settings => "reads its own settings",
            Capability::Secrets => "uses the secrets that you grant, without seeing them",
            Capability::State => "keeps a few bytes between runs",
            Capability::Log => "writes log lines",
            Capability::Clock => "reads the clock and random numbers",
            Capability::EmptyWasi => {
                "imports files, environment or sockets of its language, which are empty here"
            }
        }
    }
}

pub(crate) struct Names {
    pub(crate) version: String,
    pub(crate) lookup: bool,
    pub(crate) webhook: bool,
    pub(crate) asks: BTreeSet<Capability>,
}

/// Splits a name of our package: `entente:integration/log@0.1.0` is (`log`, `0.1.0`).
fn ours(name: &str) -> Option<(&str, &str)> {
    let rest = name.strip_prefix(PACKAGE)?;
    Some(rest.split_once('@').unwrap_or((rest, "")))
}

/// Whether a component of one version of the package runs on the other one, by the rules of Semantic Versioning: the same
/// major version, before 1.0 the same minor one; a draft only on itself. Which functions are present is checked apart.
fn is_compatible(known: &str, asked: &str) -> bool {
    let (Ok(known), Ok(asked)) = (Version::parse(known), Version::parse(asked)) else { return false };
    if !known.pre.is_empty() || !asked.pre.is_empty() {
        return known == asked;
    }
    known.major == asked.major && (known.major > 0 || known.minor == asked.minor)
}

/// Checks the exports and imports of a component against what this host provides.
pub(crate) fn names(imports: &[String], exports: &[String]) -> Result<Names, InspectError> {
    let exported: Vec<_> = exports.iter().filter_map(|name| Some((ours(name)?, name))).collect();
    if exported.is_empty() {
        let exports = exports.to_vec();
        return Err(InspectError::NoPlugin { exports });
    }
    let imported: Vec<_> = imports.iter().filter_map(|name| Some((ours(name)?, name))).collect();
    // Versions first: the exports of an unknown version cannot be judged.
    let strange: BTreeSet<_> =
        exported
            .iter()
            .chain(&imported)
            .map(|((_, version), _)| *version)
            .filter(|version| !KNOWN_VERSIONS.iter().any(|known| is_compatible(known, version)))
            .map(|version| {
                if version.is_empty() { "(no version)".to_owned() } else { crate::text::clean(version, 100) }
            })
            .collect();
    if !strange.is_empty() {
        return Err(InspectError::UnknownVersion { found: strange.into_iter().collect() });
    }
    for ((interface, _), name) in &exported {
        if !REQUIRED.contains(interface) && !OPTIONAL.contains(interface) && *interface != "data" {
            return Err(InspectError::UnknownExport { name: crate::text::clean(name, 200) });
        }
    }
    let has = |wanted: &str| exported.iter().any(|((interface, _), _)| *interface == wanted);
    let missing: Vec<_> = REQUIRED.iter().filter(|name| !has(name)).map(|name| (*name).to_owned()).collect();
    if !missing.is_empty() {
        return Err(InspectError::Incomplete { missing });
    }
    Ok(Names {
        version: exported.first().map(|((_, version), _)| (*version).to_owned()).unwrap_or_default(),
        lookup: has("lookup"),
        webhook: has("webhook-draft"),
        asks: asks(imports)?,
    })
}

fn asks(imports: &[String]) -> Result<BTreeSet<Capability>, InspectError> {
    let mut asks = BTreeSet::new();
    for name in imports {
        let ask = match ours(name) {
            Some(("data", _)) => continue,
            Some(("log", _)) => Capability::Log,
            Some(("settings", _)) => Capability::Settings,
            Some(("secrets", _)) => Capability::Secrets,
            Some(("state", _)) => Capability::State,
            Some(_) => return Err(unknown_import(name)),
            None => wasi(name).ok_or_else(|| unknown_import(name))?,
        };
        asks.insert(ask);
    }
    Ok(asks)
}

fn wasi(name: &str) -> Option<Capability> {
    let rest = name.strip_prefix("wasi:")?;
    let (path, version) = rest.split_once('@')?;
    // 0.2.x is one compatible track; 0.3 has other interfaces under the same names.
    if !version.starts_with("0.2.") {
        return None;
    }
    let (package, interface) = path.split_once('/')?;
    match (package, interface) {
        ("http", "types" | "outgoing-handler") => Some(Capability::Http),
        ("clocks" | "random" | "io", _) => Some(Capability::Clock),
        _ if WASI.contains(&package) => Some(Capability::EmptyWasi),
        _ => None,
    }
}

fn unknown_import(name: &str) -> InspectError {
    InspectError::UnknownImport { name: crate::text::clean(name, 200) }
}

#[cfg(test)]
mod tests {
    use super::is_compatible;

    #[test]
    fn versions_of_one_track_are_compatible() {
        for (known, asked, fits) in [
            ("0.1.0", "0.1.0", true),
            ("0.1.0", "0.1.7", true),
            ("0.1.7", "0.1.0", true),
            ("0.1.0", "0.2.0", false),
            ("1.2.0", "1.0.3", true),
            ("1.2.0", "2.0.0", false),
            ("0.1.0-draft.2", "0.1.0-draft.2", true),
            ("0.1.0-draft.2", "0.1.0-draft", false),
            ("0.1.0", "0.1.0-draft.2", false),
            ("0.1.0", "", false),
            ("0.1.0", "0.1", false),
        ] {
            assert_eq!(is_compatible(known, asked), fits, "{known} {asked}");
        }
    }
}
