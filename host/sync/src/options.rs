//! Options of a run: its kind, its scope, and what may be combined with each.

use super::number::{MappingId, PairId, RunId, Slot};
use entente_core::{Foreign, Side, Sides, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::time::Duration;

/// What a run is asked to do: its kind, and the options that apply to every kind. Serialised as one flat
/// object, the form of version 0.1.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(from = "Stored", into = "Stored")]
pub struct RunOptions {
    /// Sync, plan, apply, undo or import.
    pub kind: RunKind,
    /// Withhold all writes to the right.
    pub disable_push: bool,
    /// Withhold all writes to the left.
    pub disable_pull: bool,
    /// Free options, handed to the plugin.
    pub options: Vec<(String, String)>,
    /// Time limit: the run stops at a safe point after this long.
    pub max_time: Option<Duration>,
    /// Wait for the lease where another run of the relation holds it, instead of failing.
    pub wait: bool,
    /// Skip the deletion guard.
    pub lift_brake: bool,
    /// Skip the brake on identifiers.
    pub lift_identifiers: bool,
}

/// Kind of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunKind {
    /// Collects, decides and writes.
    Sync {
        /// Which records it reads.
        scope: Scope,
        /// Poll until the outcomes of all deferred changes are known.
        until_settled: bool,
    },
    /// Dry run: collects and decides, and writes nothing.
    Plan {
        /// Which records it reads.
        scope: Scope,
    },
    /// Executes the changes of an earlier plan and no others; each only while it would be decided the same
    /// way.
    Apply {
        /// The run that made the plan.
        plan: RunId,
        /// Which records it reads: the scope of the run that made the plan.
        scope: Scope,
    },
    /// Restores what an earlier run changed, as far as nobody has edited it since.
    Undo {
        /// The run that is undone.
        run: RunId,
        /// How many records the operator has agreed to delete.
        deletes_agreed: u64,
    },
    /// Dry run of an undo: decides what the undo would restore and what it would leave. Beside that, nothing is stored.
    PlanUndo {
        /// The run that would be undone.
        run: RunId,
    },
    /// Reads a file into the hub. Such a run belongs to no sync and no relation, and neither does its undo.
    Import(Imported),
}

/// What an import reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Imported {
    /// The object that its rows are records of.
    pub object: String,
    /// The name of the file, without its folder.
    pub file: Foreign,
}

impl Default for RunKind {
    fn default() -> Self {
        Self::Sync { scope: Scope::default(), until_settled: false }
    }
}

/// Which records a run reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// Everything that is to be read of both sides; bookmarks are read and moved.
    Whole {
        /// Changes only, or everything.
        reading: Reading,
        /// One-time trust: this side wins every field. Stored until a run with complete reports has executed
        /// all of it, which is why no other scope has it.
        trust: Option<Trust>,
    },
    /// Records whose change time lies in an interval.
    Window(Span),
    /// These records, by side: object and id.
    Ids(Sides<Vec<(String, String)>>),
}

impl Default for Scope {
    fn default() -> Self {
        Reading::default().into()
    }
}

impl From<Reading> for Scope {
    fn from(reading: Reading) -> Self {
        Self::Whole { reading, trust: None }
    }
}

/// How much a run with the scope [`Scope::Whole`] reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reading {
    /// Incremental: what changed since the last run.
    #[default]
    Changes,
    /// Full: lists everything that exists.
    Full,
    /// Full, as if nothing had ever been synced.
    FirstTime,
}

/// Half-open interval of change times: since ≤ time < until. Without an end it ends when the run starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Span {
    /// From this time on.
    Since(Timestamp),
    /// Before this time.
    Until(Timestamp),
    /// From the first time on and before the second.
    Between(Timestamp, Timestamp),
}

impl Span {
    /// The interval with these bounds; `None` without any bound.
    pub const fn new(since: Option<Timestamp>, until: Option<Timestamp>) -> Option<Self> {
        match (since, until) {
            (Some(since), Some(until)) => Some(Self::Between(since, until)),
            (Some(since), None) => Some(Self::Since(since)),
            (None, Some(until)) => Some(Self::Until(until)),
            (None, None) => None,
        }
    }

    /// Lower bound, inclusive.
    pub const fn since(self) -> Option<Timestamp> {
        match self {
            Self::Since(since) | Self::Between(since, _) => Some(since),
            Self::Until(_) => None,
        }
    }

    /// Upper bound, exclusive.
    pub const fn until(self) -> Option<Timestamp> {
        match self {
            Self::Until(until) | Self::Between(_, until) => Some(until),
            Self::Since(_) => None,
        }
    }
}

/// One-time trust: a side that wins whatever changed, for all fields or for some.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trust {
    /// The side.
    pub side: Side,
    /// Mapping and slot of the fields; empty: all fields.
    #[serde(default)]
    pub fields: Vec<(MappingId, Slot)>,
}

impl Trust {
    /// Whether it applies to a field.
    pub fn covers(&self, mapping: MappingId, slot: Slot) -> bool {
        self.fields.is_empty() || self.fields.contains(&(mapping, slot))
    }
}

/// One-time trust until it is used up: a run that has read both sides to their ends leaves of it what it could not
/// carry out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StandingTrust {
    /// The side and the fields.
    #[serde(flatten)]
    pub trust: Trust,
    /// The fields of pairs that it still applies to; `None`: of all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open: Option<BTreeSet<(PairId, Slot)>>,
}

impl StandingTrust {
    /// Whether it applies to a field of a pair.
    pub fn covers(&self, mapping: MappingId, pair: PairId, slot: Slot) -> bool {
        self.trust.covers(mapping, slot) && self.open.as_ref().is_none_or(|open| open.contains(&(pair, slot)))
    }
}

impl From<RunKind> for RunOptions {
    fn from(kind: RunKind) -> Self {
        Self { kind, ..Self::default() }
    }
}

impl RunOptions {
    /// A sync of this scope.
    pub fn sync(scope: impl Into<Scope>) -> Self {
        RunKind::Sync { scope: scope.into(), until_settled: false }.into()
    }

    /// A dry run of this scope.
    pub fn plan(scope: impl Into<Scope>) -> Self {
        RunKind::Plan { scope: scope.into() }.into()
    }

    /// Which records it reads; `None` for an undo, which reads the history, and for an import.
    pub const fn scope(&self) -> Option<&Scope> {
        match &self.kind {
            RunKind::Sync { scope, .. } | RunKind::Plan { scope } | RunKind::Apply { scope, .. } => {
                Some(scope)
            }
            RunKind::Undo { .. } | RunKind::PlanUndo { .. } | RunKind::Import(_) => None,
        }
    }

    /// How much it reads, where its scope is the whole.
    pub const fn reading(&self) -> Option<Reading> {
        match self.scope() {
            Some(Scope::Whole { reading, .. }) => Some(*reading),
            _ => None,
        }
    }

    /// Whether it is a first-time sync.
    pub fn is_first_time(&self) -> bool {
        self.reading() == Some(Reading::FirstTime)
    }

    /// Whether bookmarks are read and moved: its scope is the whole.
    pub const fn follows_bookmarks(&self) -> bool {
        self.reading().is_some()
    }

    /// The one-time trust that it was asked for.
    pub const fn trust(&self) -> Option<&Trust> {
        match self.scope() {
            Some(Scope::Whole { trust, .. }) => trust.as_ref(),
            _ => None,
        }
    }

    /// Whether it is a dry run.
    pub const fn is_dry(&self) -> bool {
        matches!(self.kind, RunKind::Plan { .. } | RunKind::PlanUndo { .. })
    }

    /// Whether it polls until the outcomes of all deferred changes are known.
    pub const fn waits_until_settled(&self) -> bool {
        matches!(self.kind, RunKind::Sync { until_settled: true, .. })
    }

    /// The run whose plan it executes.
    pub const fn applies(&self) -> Option<RunId> {
        match self.kind {
            RunKind::Apply { plan, .. } => Some(plan),
            _ => None,
        }
    }

    /// The run that it undoes, or would undo.
    pub const fn undoes(&self) -> Option<RunId> {
        match self.kind {
            RunKind::Undo { run, .. } | RunKind::PlanUndo { run } => Some(run),
            _ => None,
        }
    }

    /// What it imports.
    pub const fn imports(&self) -> Option<&Imported> {
        match &self.kind {
            RunKind::Import(imported) => Some(imported),
            _ => None,
        }
    }
}

/// Serialised form of the options: flat, as version 0.1 wrote it.
#[derive(Serialize, Deserialize)]
struct Stored {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    since: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until: Option<Timestamp>,
    #[serde(default)]
    first_time: bool,
    #[serde(default)]
    full: bool,
    #[serde(default)]
    disable_push: bool,
    #[serde(default)]
    disable_pull: bool,
    #[serde(default)]
    dry_run: bool,
    #[serde(default)]
    ids: Sides<Vec<(String, String)>>,
    #[serde(default)]
    options: Vec<(String, String)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_time: Option<Duration>,
    #[serde(default)]
    wait: bool,
    #[serde(default)]
    until_settled: bool,
    #[serde(default)]
    lift_brake: bool,
    #[serde(default)]
    lift_identifiers: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    trust: Option<Trust>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    apply: Option<RunId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    undo: Option<RunId>,
    #[serde(default)]
    deletes_agreed: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    import: Option<Imported>,
}

impl From<Stored> for RunOptions {
    fn from(stored: Stored) -> Self {
        let reading = match (stored.first_time, stored.full) {
            (true, _) => Reading::FirstTime,
            (false, true) => Reading::Full,
            (false, false) => Reading::Changes,
        };
        // Older versions could store several scopes at once; this is the order in which they took effect.
        let scope = if stored.ids.iter().any(|ids| !ids.is_empty()) {
            Scope::Ids(stored.ids)
        } else {
            Span::new(stored.since, stored.until)
                .map_or(Scope::Whole { reading, trust: stored.trust }, Scope::Window)
        };
        let kind = match (stored.undo, stored.apply) {
            _ if stored.import.is_some() => stored.import.map_or_else(RunKind::default, RunKind::Import),
            (Some(run), _) if stored.dry_run => RunKind::PlanUndo { run },
            (Some(run), _) => RunKind::Undo { run, deletes_agreed: stored.deletes_agreed },
            (None, Some(plan)) => RunKind::Apply { plan, scope },
            (None, None) if stored.dry_run => RunKind::Plan { scope },
            (None, None) => RunKind::Sync { scope, until_settled: stored.until_settled },
        };
        Self {
            kind,
            disable_push: stored.disable_push,
            disable_pull: stored.disable_pull,
            options: stored.options,
            max_time: stored.max_time,
            wait: stored.wait,
            lift_brake: stored.lift_brake,
            lift_identifiers: stored.lift_identifiers,
        }
    }
}

impl From<RunOptions> for Stored {
    fn from(asked: RunOptions) -> Self {
        let reading = asked.reading();
        let deletes_agreed = match asked.kind {
            RunKind::Undo { deletes_agreed, .. } => deletes_agreed,
            _ => 0,
        };
        let (span, ids) = match asked.scope() {
            Some(Scope::Window(span)) => (Some(*span), Sides::default()),
            Some(Scope::Ids(ids)) => (None, ids.clone()),
            Some(Scope::Whole { .. }) | None => (None, Sides::default()),
        };
        Self {
            since: span.and_then(Span::since),
            until: span.and_then(Span::until),
            first_time: reading == Some(Reading::FirstTime),
            full: reading == Some(Reading::Full),
            disable_push: asked.disable_push,
            disable_pull: asked.disable_pull,
            dry_run: asked.is_dry(),
            ids,
            until_settled: asked.waits_until_settled(),
            trust: asked.trust().cloned(),
            apply: asked.applies(),
            undo: asked.undoes(),
            deletes_agreed,
            import: asked.imports().cloned(),
            options: asked.options,
            max_time: asked.max_time,
            wait: asked.wait,
            lift_brake: asked.lift_brake,
            lift_identifiers: asked.lift_identifiers,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(micros: i64) -> Timestamp {
        Timestamp::from_micros(micros)
    }

    #[test]
    fn what_was_asked_comes_back_as_it_was() {
        let trust = Trust { side: Side::Right, fields: vec![(1, Slot(2))] };
        let named = Sides::new(vec![("contact".to_owned(), "1".to_owned())], vec![]);
        let scopes = [
            Scope::default(),
            Reading::Full.into(),
            Reading::FirstTime.into(),
            Scope::Whole { reading: Reading::Full, trust: Some(trust) },
            Scope::Window(Span::Since(at(1))),
            Scope::Window(Span::Until(at(2))),
            Scope::Window(Span::Between(at(1), at(2))),
            Scope::Ids(named),
        ];
        let imported =
            Imported { object: "contact".to_owned(), file: Foreign::new("a\u{1b}.csv".to_owned()) };
        let mut kinds = vec![
            RunKind::Undo { run: 7, deletes_agreed: 3 },
            RunKind::PlanUndo { run: 7 },
            RunKind::Import(imported),
        ];
        for scope in scopes {
            kinds.push(RunKind::Sync { scope: scope.clone(), until_settled: true });
            kinds.push(RunKind::Plan { scope: scope.clone() });
            kinds.push(RunKind::Apply { plan: 4, scope });
        }
        for kind in kinds {
            let asked = RunOptions {
                kind,
                disable_push: true,
                max_time: Some(Duration::from_secs(5)),
                ..RunOptions::default()
            };
            let text = serde_json::to_string(&asked).unwrap();
            assert_eq!(serde_json::from_str::<RunOptions>(&text).unwrap(), asked, "{text}");
        }
    }

    #[test]
    fn runs_of_older_versions_are_read() {
        let at_1970 = "1970-01-01T00:00:00Z";
        let table: [(String, RunOptions); 7] = [
            ("{}".to_owned(), RunOptions::default()),
            (
                r#"{"first_time":false,"full":true,"disable_push":false,"disable_pull":false,"dry_run":true,"ids":[[],[]],"options":[],"wait":false,"until_settled":false,"lift_brake":false,"deletes_agreed":0}"#.to_owned(),
                RunOptions::plan(Reading::Full),
            ),
            (r#"{"first_time":true,"full":true}"#.to_owned(), RunOptions::sync(Reading::FirstTime)),
            (
                format!(r#"{{"since":"{at_1970}","disable_pull":true,"apply":4}}"#),
                RunOptions {
                    disable_pull: true,
                    ..RunKind::Apply { plan: 4, scope: Scope::Window(Span::Since(at(0))) }.into()
                },
            ),
            (
                r#"{"full":true,"ids":[[["contact","1"]],[]]}"#.to_owned(),
                RunOptions::sync(Scope::Ids(Sides::new(vec![("contact".to_owned(), "1".to_owned())], vec![]))),
            ),
            (
                r#"{"undo":9,"deletes_agreed":2}"#.to_owned(),
                RunKind::Undo { run: 9, deletes_agreed: 2 }.into(),
            ),
            (
                r#"{"trust":{"side":"left"},"max_time":{"secs":300,"nanos":0},"until_settled":true}"#.to_owned(),
                RunOptions {
                    max_time: Some(Duration::from_secs(300)),
                    ..RunKind::Sync {
                        scope: Scope::Whole {
                            reading: Reading::Changes,
                            trust: Some(Trust { side: Side::Left, fields: vec![] }),
                        },
                        until_settled: true,
                    }
                    .into()
                },
            ),
        ];
        for (text, expected) in table {
            assert_eq!(serde_json::from_str::<RunOptions>(&text).unwrap(), expected, "{text}");
        }
    }
}
