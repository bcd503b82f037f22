//! `entente conflict`: fields of which both sides claim another value.

use super::Context;
use super::output::{Done, Usage, cell, table};
use super::remedy::{self, Advised};
use super::sides::SideWord;
use entente::HUB;
use entente::WaitingConflict;
use entente::view::reason::{Names, ReasonView, called};
use entente_core::{Kind, Side, Timestamp, Value};
use entente_sqlite::{FieldDefinition, ParseOptions, parse_value};
use entente_sync::Remedy;
use entente_sync::{Choice, Field, Seen, Sides};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// The commands below `entente conflict`.
#[derive(Debug, clap::Subcommand)]
pub(super) enum ConflictCommand {
    /// Conflicts that are open: both values, since when, and why nothing could decide
    List {
        /// Only of this sync
        #[arg(long)]
        sync: Option<String>,
    },
    /// Decide conflicts; the next run of the sync writes what was decided
    Settle(SettleArgs),
}

/// Options of `entente conflict settle`.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("choice").required(true))]
pub(super) struct SettleArgs {
    /// The numbers of the conflicts
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    conflicts: Vec<i64>,
    /// All that are open
    #[arg(long)]
    all: bool,
    /// With --all: only of this sync
    #[arg(long, conflicts_with = "conflicts")]
    sync: Option<String>,
    /// Take the value of the left side
    #[arg(long, group = "choice")]
    left: bool,
    /// Take the value of the right side
    #[arg(long, group = "choice")]
    right: bool,
    /// Take the value of the hub
    #[arg(long, group = "choice")]
    hub: bool,
    /// Take the value of the integration
    #[arg(long, group = "choice")]
    integration: bool,
    /// Take this value, as the left side writes it: text, or JSON for lists and links; nothing clears the
    /// field
    #[arg(long, group = "choice", value_name = "VALUE", allow_hyphen_values = true)]
    value: Option<String>,
    /// Wait for a run that is under way
    #[arg(long)]
    wait: bool,
}

/// What one side claims.
#[derive(Debug, Serialize)]
struct Claim<'a> {
    exchange: &'a str,
    field: &'a str,
    value: &'a Value,
    since: Option<Timestamp>,
    /// Whether that time is the field's own, and no upper bound.
    certain: bool,
}

/// A conflict, for people and programs.
#[derive(Debug, Serialize)]
struct Shown<'a> {
    conflict: i64,
    sync: &'a str,
    records: Vec<String>,
    field: &'a str,
    left: Claim<'a>,
    right: Claim<'a>,
    #[serde(flatten)]
    reason: ReasonView,
    run: i64,
    first: Timestamp,
    last: Timestamp,
    times: u64,
    #[serde(skip)]
    exchanges: &'a Sides<String>,
}

impl<'a> Shown<'a> {
    fn of(waiting: &'a WaitingConflict) -> Self {
        let open = &waiting.open;
        let claim = |side: Side, seen: &'a Seen| Claim {
            exchange: &waiting.exchanges[side],
            field: &open.fields[side],
            value: &seen.value,
            since: seen.time.map(|time| time.at),
            certain: seen.time.is_some_and(|time| time.certain),
        };
        let record = |side: Side| Some(format!("{}:{}", open.objects[side], open.ids[side].as_ref()?));
        Self {
            conflict: open.id,
            sync: &waiting.sync,
            records: Side::BOTH.into_iter().filter_map(record).collect(),
            field: &open.fields.left,
            left: claim(Side::Left, &open.conflict.left),
            right: claim(Side::Right, &open.conflict.right),
            reason: Names(&waiting.exchanges).field_view(
                &open.conflict.reason,
                Sides::new(open.conflict.left.time, open.conflict.right.time),
            ),
            run: open.conflict.run,
            first: open.first,
            last: open.last,
            times: open.times,
            exchanges: &waiting.exchanges,
        }
    }
}

/// Runs the command.
pub(super) async fn run(command: ConflictCommand, context: &Context) -> anyhow::Result<Done> {
    match command {
        ConflictCommand::List { sync } => list(sync.as_deref(), context).await,
        ConflictCommand::Settle(args) => settle(args, context).await,
    }
}

async fn list(sync: Option<&str>, context: &Context) -> anyhow::Result<Done> {
    let conflicts = context.tenant()?.conflicts(sync).await?;
    let shown: Vec<Shown<'_>> = conflicts.iter().map(Shown::of).collect();
    context.output.show(&shown, |shown| {
        if shown.is_empty() {
            return "no conflict is open".to_owned();
        }
        let mut rows = table(["number", "records", "field", "one value", "the other", "why", "seen"]);
        for one in shown {
            let claim = |claim: &Claim<'_>| {
                let since = match claim.since {
                    Some(at) if claim.certain => format!("since {at}"),
                    Some(at) => format!("at the latest since {at}"),
                    None => "since when is not known".to_owned(),
                };
                format!("{}: {}, {since}", claim.exchange, cell(&claim.value.to_string(), 60))
            };
            let seen = match one.times {
                1 => format!("{} (run {})", one.first, one.run),
                times => format!("{} (run {}), {times} times, last {}", one.first, one.run, one.last),
            };
            rows.add_row(vec![
                one.conflict.to_string(),
                one.records.join(" ↔ "),
                one.field.to_owned(),
                claim(&one.left),
                claim(&one.right),
                cell(&one.reason.reason, 120),
                seen,
            ]);
        }
        let hub = shown.iter().all(|one| one.exchanges.iter().any(|exchange| exchange == HUB));
        format!("{rows}{}", remedy::lines(&[Remedy::SettleConflicts { hub }]))
    })?;
    Ok(Done::Well)
}

impl SettleArgs {
    /// What was chosen for one conflict.
    fn choice(&self, conflict: &WaitingConflict) -> Result<Choice, Usage> {
        let number = conflict.open.id;
        let refuse = |why: String| Usage(format!("conflict {number}: {why}"));
        if let Some(text) = &self.value {
            let field = conflict
                .field
                .as_ref()
                .ok_or_else(|| refuse("its field is not mapped any more".to_owned()))?;
            return value(text, &field.names.left, &field.kinds.left).map(Choice::Value).map_err(refuse);
        }
        let word = match (self.left, self.right, self.hub) {
            (true, ..) => SideWord::Left,
            (_, true, _) => SideWord::Right,
            (.., true) => SideWord::Hub,
            _ => SideWord::Integration,
        };
        word.side(&conflict.exchanges).map(Choice::Side).map_err(refuse)
    }
}

/// A value as it is typed for a field of this kind.
fn value(text: &str, name: &str, kind: &Kind) -> Result<Value, String> {
    if text.is_empty() {
        return Ok(Value::Null);
    }
    let plain = Field {
        name: name.to_owned(),
        kind: kind.clone(),
        writable: true,
        targets: vec!["record".to_owned()],
        ..Field::default()
    };
    let json = text.trim_start().starts_with(['[', '{', '"']).then(|| serde_json::from_str::<Value>(text));
    match json {
        Some(Ok(value)) => entente::fit(value, &plain, false),
        Some(Err(why)) if !matches!(kind, Kind::Text | Kind::LongText) => {
            Err(format!("--value is no JSON that is a value: {why}"))
        }
        // A kind that the hub does not know is handled as text.
        _ => match FieldDefinition::from_field(&plain) {
            Ok(field) => {
                parse_value(&field, text, &ParseOptions::default()).map_err(|why| format!("--value: {why}"))
            }
            Err(_) => Ok(Value::text(text)),
        },
    }
}

async fn settle(args: SettleArgs, context: &Context) -> anyhow::Result<Done> {
    let tenant = context.tenant()?;
    let mut open = tenant.conflicts(args.sync.as_deref()).await?;
    if !args.all {
        let wanted: BTreeSet<i64> = args.conflicts.iter().copied().collect();
        open.retain(|conflict| wanted.contains(&conflict.open.id));
        let missing: Vec<String> = wanted
            .iter()
            .filter(|number| !open.iter().any(|conflict| conflict.open.id == **number))
            .map(ToString::to_string)
            .collect();
        if !missing.is_empty() {
            let text = format!("no conflict {} is open; nothing was settled", missing.join(", "));
            return Err(Advised::new(text, [Remedy::ListConflicts { sync: None }]).into());
        }
    }
    let mut choices = Vec::with_capacity(open.len());
    for conflict in open {
        let choice = args.choice(&conflict)?;
        choices.push((conflict, choice));
    }
    let gone = tenant.settle_conflicts(&choices, args.wait).await?;
    #[derive(Serialize)]
    struct Settled<'a> {
        conflict: i64,
        sync: &'a str,
        choice: &'a Choice,
        /// It was closed before by a run: its values have changed or agree.
        closed: bool,
    }
    let settled: Vec<Settled<'_>> = choices
        .iter()
        .map(|(conflict, choice)| Settled {
            conflict: conflict.open.id,
            sync: &conflict.sync,
            choice,
            closed: gone.contains(&conflict.open.id),
        })
        .collect();
    context.output.show(&settled, |settled| {
        if settled.is_empty() {
            return "no conflict is open".to_owned();
        }
        let mut text = String::new();
        let mut syncs: BTreeMap<&str, u64> = BTreeMap::new();
        for ((conflict, choice), settled) in choices.iter().zip(settled) {
            if settled.closed {
                text.push_str(&format!(
                    "conflict {} was closed meanwhile: its values have changed or agree\n",
                    settled.conflict
                ));
                continue;
            }
            *syncs.entry(settled.sync).or_default() += 1;
            let what = match choice {
                Choice::Side(side) => {
                    let seen = if *side == Side::Left {
                        &conflict.open.conflict.left
                    } else {
                        &conflict.open.conflict.right
                    };
                    format!("{} of {}", cell(&seen.value.to_string(), 60), called(&conflict.exchanges[*side]))
                }
                Choice::Value(value) => cell(&value.to_string(), 60),
            };
            text.push_str(&format!(
                "conflict {}: {} takes {what}\n",
                settled.conflict, conflict.open.fields.left
            ));
        }
        for (sync, count) in syncs {
            let next = remedy::command(&Remedy::Sync { sync: Some(sync.to_owned()) });
            text.push_str(&format!("{count} settled; the next run writes it: {next}\n"));
        }
        text.trim_end().to_owned()
    })?;
    Ok(Done::Well)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(subcommand)]
        command: ConflictCommand,
    }

    #[test]
    fn one_choice_for_numbers_or_for_all() {
        let parse = |text: &str| Line::try_parse_from(format!("conflict {text}").split_whitespace()).is_ok();
        for good in [
            "settle 1 2 --left",
            "settle 1 --value -5",
            "settle --all --hub",
            "settle --all --sync x --integration",
            "list --sync x",
        ] {
            assert!(parse(good), "{good}");
        }
        for bad in [
            "settle 1",
            "settle --left",
            "settle 1 --left --right",
            "settle 1 --all --left",
            "settle 1 --sync x --left",
            "settle x --left",
        ] {
            assert!(!parse(bad), "{bad}");
        }
    }

    #[test]
    fn values_are_read_by_the_kind_of_the_field() {
        for (text, kind, expected) in [
            ("12", "text", Value::text("12")),
            ("12", "integer", Value::Integer(12)),
            ("yes", "boolean", Value::Boolean(true)),
            ("[so it is]", "text", Value::text("[so it is]")),
            ("[\"a\", \"b\"]", "choices", Value::Texts(vec!["a".into(), "b".into()])),
            ("{\"ref\": [\"company\", \"12\"]}", "reference", Value::reference("company", "12").unwrap()),
            ("", "integer", Value::Null),
            ("2020-02-29", "date", Value::date(2020, 2, 29).unwrap()),
            ("x", "a kind of its own", Value::text("x")),
        ] {
            assert_eq!(value(text, "f", &kind.into()), Ok(expected), "{text} as {kind}");
        }
        for (text, kind) in [
            ("many", "integer"),
            ("[1, 2]", "choices"),
            ("[\"a\"]", "integer"),
            ("{\"ref\": 1}", "reference"),
        ] {
            assert!(
                value(text, "f", &kind.into()).is_err(),
                "{text} as {kind}: {:?}",
                value(text, "f", &kind.into())
            );
        }
    }
}
