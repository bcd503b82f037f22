//! `entente conflict`: fields of which both sides claim another value.

use super::Context;
use super::output::{Done, Usage, cell, table};
use super::paging::{PageArgs, go_on, more};
use super::remedy::{self, Advised};
use super::sides::SideWord;
use super::waiting::records;
use entente::view::reason::called;
use entente::view::{ClaimView, ConflictView, Page, SettledView};
use entente::{HUB, WaitingConflict};
use entente_core::{Kind, Side, Value};
use entente_sqlite::{FieldDefinition, ParseOptions, parse_value};
use entente_sync::{Choice, Field, Remedy};
use std::collections::{BTreeMap, BTreeSet};

/// The commands below `entente conflict`.
#[derive(Debug, clap::Subcommand)]
pub(super) enum ConflictCommand {
    /// Conflicts that are open: both values, since when, why nothing could decide, and what was decided since
    List {
        /// Only of this sync
        #[arg(long)]
        sync: Option<String>,
        #[command(flatten)]
        page: PageArgs,
    },
    /// Decide conflicts; the next run of the sync writes what was decided, and until then it can be decided otherwise
    Settle(SettleArgs),
}

/// Options of `entente conflict settle`.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("choice").required(true))]
pub(super) struct SettleArgs {
    /// The numbers of the conflicts
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    conflicts: Vec<i64>,
    /// All that nobody has decided
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

/// Runs the command.
pub(super) async fn run(command: ConflictCommand, context: &Context) -> anyhow::Result<Done> {
    match command {
        ConflictCommand::List { sync, page } => list(sync.as_deref(), page, context).await,
        ConflictCommand::Settle(args) => settle(args, context).await,
    }
}

async fn list(sync: Option<&str>, page: PageArgs, context: &Context) -> anyhow::Result<Done> {
    let tenant = context.tenant()?;
    let read = async |request| tenant.list_conflicts(sync, request).await;
    page.show(context.output, read, |page| {
        if page.rows.is_empty() {
            return "no conflict is open".to_owned();
        }
        // A column for what was decided, where anything was.
        let decided = page.rows.iter().any(|one| one.decided.is_some());
        let mut rows = table(["number", "records", "field", "one value", "the other", "why", "seen"]);
        if decided {
            rows.set_header([
                "number",
                "records",
                "field",
                "one value",
                "the other",
                "why",
                "seen",
                "decided",
            ]);
        }
        for one in &page.rows {
            let claim = |claim: &ClaimView| {
                let since = match claim.since {
                    Some(at) if claim.certain => format!("since {at}"),
                    Some(at) => match claim.after {
                        Some(after) => format!("since a time between {after} and {at}"),
                        None => format!("at the latest since {at}"),
                    },
                    None => "since when is not known".to_owned(),
                };
                format!("{}: {}, {since}", claim.exchange, cell(&claim.value.to_string(), 60))
            };
            let seen = match one.times {
                1 => format!("{} (run {})", one.first, one.run),
                times => format!("{} (run {}), {times} times, last {}", one.first, one.run, one.last),
            };
            let mut row = vec![
                one.conflict.to_string(),
                records(&one.records),
                one.field.clone(),
                claim(&one.left),
                claim(&one.right),
                cell(&one.reason.reason, 120),
                seen,
            ];
            if decided {
                row.push(one.decided.as_ref().map(|choice| choice_text(choice, one)).unwrap_or_default());
            }
            rows.add_row(row);
        }
        let hub = page.rows.iter().all(|one| one.left.exchange == HUB || one.right.exchange == HUB);
        format!(
            "{rows}{}{}",
            more(page, "conflicts") + &go_on(page),
            match page.rows.iter().all(|one| one.decided.is_some()) {
                true => remedy::lines(
                    &syncs(page).map(|sync| Remedy::Sync { sync: Some(sync) }).collect::<Vec<_>>()
                ),
                false => remedy::lines(&[Remedy::SettleConflicts { hub }]),
            }
        )
    })
    .await?;
    Ok(Done::Well)
}

/// What was decided, in a few words.
fn choice_text(choice: &Choice, one: &ConflictView) -> String {
    match choice {
        Choice::Side(Side::Left) => one.left.exchange.clone(),
        Choice::Side(Side::Right) => one.right.exchange.clone(),
        Choice::Value(value) => cell(&value.to_string(), 60),
    }
}

/// The syncs of these conflicts, each once.
fn syncs(page: &Page<ConflictView>) -> impl Iterator<Item = String> + use<> {
    let names: BTreeSet<String> = page.rows.iter().map(|one| one.sync.clone()).collect();
    names.into_iter()
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
    let (mut open, mut missing) = (Vec::new(), Vec::new());
    if args.all {
        open = tenant.undecided_conflicts(args.sync.as_deref()).await?;
    }
    for number in args.conflicts.iter().copied().collect::<BTreeSet<i64>>() {
        match tenant.find_conflict(number).await? {
            Some(conflict) => open.push(conflict),
            None => missing.push(number.to_string()),
        }
    }
    if !missing.is_empty() {
        let text = format!("no conflict {} is open; nothing was settled", missing.join(", "));
        return Err(Advised::new(text, [Remedy::ListConflicts { sync: None }]).into());
    }
    let mut choices = Vec::with_capacity(open.len());
    for conflict in open {
        let choice = args.choice(&conflict)?;
        choices.push((conflict, choice));
    }
    let gone = tenant.settle_conflicts(&choices, args.wait).await?;
    let settled: Vec<SettledView> = choices
        .iter()
        .map(|(conflict, choice)| SettledView {
            conflict: conflict.open.id,
            sync: conflict.sync.clone(),
            choice: choice.clone(),
            closed: gone.contains(&conflict.open.id),
            before: conflict.open.ruling.clone().filter(|before| before != choice),
        })
        .collect();
    context.output.show(&settled, |settled| {
        if settled.is_empty() {
            return "no conflict waits to be decided".to_owned();
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
            *syncs.entry(&settled.sync).or_default() += 1;
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
            let before = match settled.before {
                Some(_) => "; it was decided otherwise before",
                None => "",
            };
            let together = match (choice, conflict.together.join(", ")) {
                (Choice::Side(_), others) if !others.is_empty() => {
                    format!("; one fact with {others}, which go with it")
                }
                _ => String::new(),
            };
            text.push_str(&format!(
                "conflict {}: {} takes {what}{before}{together}\n",
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
