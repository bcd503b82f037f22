//! Interface compatibility: what a version of the interface consists of, and whether a component fits one of
//! those that a host speaks.

use super::inspect::InspectError;
use semver::Version;
use serde::Serialize;
use std::collections::BTreeSet;

/// The WIT package of the interface.
pub(crate) const PACKAGE: &str = "entente:integration/";
const WASI: &[&str] = &["cli", "clocks", "filesystem", "io", "random", "sockets"];

/// A version of the package: the names of its interfaces. Their types belong to the module that speaks it.
#[derive(Debug)]
pub(crate) struct Interface {
    /// As Semantic Versioning has it.
    pub(crate) version: &'static str,
    /// What every plugin exports.
    pub(crate) required: &'static [&'static str],
    /// What a plugin exports that finds records.
    pub(crate) lookup: Option<&'static str>,
    /// What a plugin exports that understands webhooks.
    pub(crate) webhook: Option<&'static str>,
    /// Interfaces of types only, which a component may import and export.
    pub(crate) types: &'static [&'static str],
    /// What the host offers.
    pub(crate) offers: &'static [Offer],
}

/// An interface that the host offers to plugins.
#[derive(Debug)]
pub(crate) struct Offer {
    pub(crate) interface: &'static str,
    pub(crate) capability: Capability,
    pub(crate) functions: &'static [&'static str],
}

impl Interface {
    /// Whether a component that names this version runs on the module of this one, by the rules of Semantic
    /// Versioning: the same major version, before 1.0 the same minor one; a draft only on itself. Which
    /// functions are present is checked apart.
    pub(crate) fn runs(&self, asked: &str) -> bool {
        let (Ok(known), Ok(asked)) = (Version::parse(self.version), Version::parse(asked)) else {
            return false;
        };
        if !known.pre.is_empty() || !asked.pre.is_empty() {
            return known == asked;
        }
        known.major == asked.major && (known.major > 0 || known.minor == asked.minor)
    }

    /// The interfaces that a plugin may export.
    fn exportable(&self) -> Vec<&'static str> {
        self.required.iter().copied().chain(self.lookup).chain(self.webhook).collect()
    }

    /// Whether it offers a function, by the full name of its interface as a component imports it. Interfaces of
    /// other packages are not judged here.
    pub(crate) fn offers(&self, interface: &str, function: &str) -> bool {
        let Some((name, _)) = ours(interface) else { return true };
        self.offers.iter().any(|offer| offer.interface == name && offer.functions.contains(&function))
    }
}

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

/// Finds the version that all names of the package belong to: the module that runs a component, and the
/// greatest version that it names.
fn version<'a>(
    names: impl Iterator<Item = &'a str>,
    known: &[&'static Interface],
) -> Result<(&'static Interface, String), InspectError> {
    let asked: BTreeSet<&str> = names.collect();
    let (mut spoken, mut strange) = (Vec::new(), Vec::new());
    for version in asked {
        match known.iter().find(|interface| interface.runs(version)) {
            Some(interface) => spoken.push((Version::parse(version).ok(), version, *interface)),
            None if version.is_empty() => strange.push("(no version)".to_owned()),
            None => strange.push(crate::text::clean(version, 100)),
        }
    }
    if !strange.is_empty() {
        let known = known.iter().map(|interface| interface.version).collect();
        return Err(InspectError::UnknownVersion { found: strange, known });
    }
    spoken.sort_by(|one, other| one.0.cmp(&other.0));
    match spoken.last() {
        Some((_, greatest, last)) if spoken.iter().all(|(.., other)| other.version == last.version) => {
            Ok((last, (*greatest).to_owned()))
        }
        _ => {
            let found = spoken.iter().map(|(_, version, _)| (*version).to_owned()).collect();
            Err(InspectError::MixedVersions { found })
        }
    }
}

/// Checks the exports and imports of a component against the versions that a host speaks.
pub(crate) fn names(
    imports: &[String],
    exports: &[String],
    known: &[&'static Interface],
) -> Result<Names, InspectError> {
    let exported: Vec<_> = exports.iter().filter_map(|name| Some((ours(name)?, name))).collect();
    if exported.is_empty() {
        let exports = exports.to_vec();
        return Err(InspectError::NoPlugin { exports });
    }
    let imported = imports.iter().filter_map(|name| ours(name));
    // Versions first: the exports of an unknown version cannot be judged.
    let named = exported.iter().map(|((_, version), _)| *version);
    let (interface, version) = version(named.chain(imported.map(|(_, version)| version)), known)?;
    let exportable = interface.exportable();
    for ((name, _), full) in &exported {
        if !exportable.contains(name) && !interface.types.contains(name) {
            return Err(InspectError::UnknownExport {
                name: crate::text::clean(full, 200),
                known: exportable,
            });
        }
    }
    let has = |wanted: &str| exported.iter().any(|((interface, _), _)| *interface == wanted);
    let missing: Vec<_> =
        interface.required.iter().filter(|name| !has(name)).map(|name| (*name).to_owned()).collect();
    if !missing.is_empty() {
        return Err(InspectError::Incomplete { missing, required: interface.required });
    }
    Ok(Names {
        version,
        lookup: interface.lookup.is_some_and(has),
        webhook: interface.webhook.is_some_and(has),
        asks: asks(imports, interface)?,
    })
}

fn asks(imports: &[String], interface: &Interface) -> Result<BTreeSet<Capability>, InspectError> {
    let mut asks = BTreeSet::new();
    for name in imports {
        let ask = match ours(name) {
            Some((types, _)) if interface.types.contains(&types) => continue,
            Some((offered, _)) => {
                interface.offers.iter().find(|offer| offer.interface == offered).map(|offer| offer.capability)
            }
            None => wasi(name),
        };
        asks.insert(ask.ok_or_else(|| unknown_import(name))?);
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

/// What the tests of this layer, which is below all versions, have for one.
#[cfg(test)]
pub(crate) mod testing {
    use super::{Capability, Interface, Offer};

    const fn version(version: &'static str) -> Interface {
        Interface {
            version,
            required: &["mapping-manual", "sync-report", "order-execution"],
            lookup: Some("lookup"),
            webhook: Some("webhook-draft"),
            types: &["data"],
            offers: &[
                Offer { interface: "log", capability: Capability::Log, functions: &["log"] },
                Offer { interface: "settings", capability: Capability::Settings, functions: &["get"] },
                Offer { interface: "secrets", capability: Capability::Secrets, functions: &[] },
                Offer { interface: "state", capability: Capability::State, functions: &[] },
            ],
        }
    }

    /// A host that has one draft.
    pub(crate) const DRAFT: &[&Interface] = &[&version("0.1.0-draft.2")];
    /// A host that has two versions.
    pub(crate) const TWO: &[&Interface] = &[&version("0.1.4"), &version("0.2.1")];
    /// A version, to compare with.
    pub(crate) fn of(text: &'static str) -> Interface {
        version(text)
    }
}

#[cfg(test)]
mod tests {
    use super::testing::{TWO, of};
    use super::*;

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
            assert_eq!(of(known).runs(asked), fits, "{known} {asked}");
        }
    }

    fn exports(version: &str) -> Vec<String> {
        let names = TWO[0].required.iter();
        names.map(|name| format!("entente:integration/{name}@{version}")).collect()
    }

    fn judged(imports: &[&str], exports: &[String]) -> Result<String, InspectError> {
        let imports: Vec<String> = imports.iter().map(|name| (*name).to_owned()).collect();
        names(&imports, exports, TWO).map(|names| names.version)
    }

    #[test]
    fn a_component_belongs_to_one_version() {
        // The greatest that is named, by the rules of versions and not of texts.
        let of_one_track = ["entente:integration/log@0.1.10", "entente:integration/settings@0.1.9"];
        assert_eq!(judged(&of_one_track, &exports("0.1.2")), Ok("0.1.10".to_owned()));
        assert_eq!(judged(&["entente:integration/log@0.2.0"], &exports("0.2.3")), Ok("0.2.3".to_owned()));
        for (imports, exports) in [
            (&["entente:integration/log@0.2.0"][..], exports("0.1.2")),
            (&[][..], [exports("0.1.2"), exports("0.2.0")].concat()),
        ] {
            let error = judged(imports, &exports).unwrap_err();
            let found = ["0.1.2", "0.2.0"].map(str::to_owned).to_vec();
            assert_eq!(error, InspectError::MixedVersions { found });
            let text = "the plugin names several versions of entente:integration that do not go together: 0.1.2, 0.2.0; build it with the \
                        interface files of one of them";
            assert_eq!(error.to_string(), text);
        }
    }

    #[test]
    fn what_no_host_has_is_told_before_what_does_not_go_together() {
        let mixed = [exports("0.1.0"), exports("0.3.0")].concat();
        let (found, known) = (vec!["0.3.0".to_owned()], vec!["0.1.4", "0.2.1"]);
        assert_eq!(judged(&[], &mixed), Err(InspectError::UnknownVersion { found, known }));
    }

    #[test]
    fn functions_are_offered_by_name() {
        let version = of("0.1.0");
        assert!(version.offers("entente:integration/log@0.1.3", "log"));
        assert!(!version.offers("entente:integration/log@0.1.3", "get"));
        assert!(!version.offers("entente:integration/clock@0.1.3", "log"));
        assert!(version.offers("wasi:io/poll@0.2.0", "poll"), "another package");
    }
}
