//! `entente sync`: one run, and what it did.

use super::output::{Done, Output, Usage};
use super::progress::RunProgress;
use super::report::{done, show};
use super::stop::OnSignal;
use super::{Context, dates, sides};
use entente::Tenant;
use entente::view::ChangeQuery;
use entente_core::Timestamp;
use entente_sync::{Reading, RunEnd, RunKind, RunOptions, Scope, Sides, Span, SyncDefinition, Trust};

/// Options of `entente sync`.
#[derive(Debug, clap::Args)]
pub(super) struct SyncArgs {
    /// The sync; `integration add` makes one of the integration's name
    pub(super) name: String,
    /// Only records that changed from here on, on both sides; UTC, or relative such as "-10 minutes"
    #[arg(long, short = 't', value_name = "DATE", allow_hyphen_values = true)]
    pub(super) start_datetime: Option<String>,
    /// Only records that changed before
    #[arg(long, value_name = "DATE", allow_hyphen_values = true)]
    pub(super) end_datetime: Option<String>,
    /// Read everything, as if nothing had ever been synced
    #[arg(long, short = 'f')]
    first_time_sync: bool,
    /// List everything on both sides
    #[arg(long)]
    full: bool,
    /// No writes to the integration
    #[arg(long)]
    disable_push: bool,
    /// No writes to the hub
    #[arg(long)]
    disable_pull: bool,
    /// Only this record of the hub, such as contact:12
    #[arg(long, value_name = "OBJECT:ID")]
    object_id: Vec<String>,
    /// Only this record of the integration, such as person:p12
    #[arg(long, value_name = "OBJECT:ID")]
    integration_object_id: Vec<String>,
    /// Handed to the plugin
    #[arg(long, value_name = "KEY:VALUE")]
    option: Vec<String>,
    /// Show the plan and write nothing
    #[arg(long)]
    dry_run: bool,
    /// Show only changes of the plan of these: object=contact,action=update,record=contact:12
    #[arg(long, value_name = "FILTER", requires = "dry_run")]
    filter: Option<ChangeQuery>,
    /// How many changes of a plan to show [default: 50; with --json all]
    #[arg(long, requires = "dry_run")]
    limit: Option<usize>,
    /// This side wins once, whatever changed: until a whole run has made all of it
    #[arg(long, value_enum, value_name = "SIDE")]
    trust: Option<sides::SideWord>,
    /// With --trust: only in this field, by its name on the left side, such as contact.phone
    #[arg(long, value_name = "OBJECT.FIELD", requires = "trust")]
    trust_field: Vec<String>,
    /// Do what the brake holds back: many deletions or values replaced by blanks at once
    #[arg(long)]
    lift_brake: bool,
    /// Do what the brake on identifiers holds back: many linked records of the integration have other identifiers
    /// than before
    #[arg(long)]
    lift_identifiers: bool,
    /// Wait until the remote system has told what became of changes that it deferred
    #[arg(long, conflicts_with = "dry_run")]
    until_settled: bool,
    /// Stop at a safe point after this long, such as 5m
    #[arg(long, value_name = "DURATION")]
    max_time: Option<String>,
    /// Wait for a run that is under way
    #[arg(long)]
    wait: bool,
    /// End with 3 also where only earlier runs have left something that waits for you
    #[arg(long)]
    strict: bool,
}

impl SyncArgs {
    /// A sync of a window, without further options.
    pub(super) fn window(name: &str, start: &str, end: &str) -> Self {
        Self {
            name: name.to_owned(),
            start_datetime: Some(start.to_owned()),
            end_datetime: Some(end.to_owned()),
            first_time_sync: false,
            full: false,
            disable_push: false,
            disable_pull: false,
            object_id: Vec::new(),
            integration_object_id: Vec::new(),
            option: Vec::new(),
            dry_run: false,
            filter: None,
            limit: None,
            trust: None,
            trust_field: Vec::new(),
            lift_brake: false,
            lift_identifiers: false,
            until_settled: false,
            max_time: None,
            wait: true,
            strict: false,
        }
    }

    /// What the run is asked to do; but for trust, which needs the names of the sync.
    pub(super) fn options(&self) -> Result<RunOptions, Usage> {
        let now = chrono::Utc::now();
        let date = |name: &str, text: &Option<String>| -> Result<Option<Timestamp>, Usage> {
            text.as_deref()
                .map(|text| dates::parse(text, now).map_err(|why| Usage(format!("--{name}: {why}"))))
                .transpose()
        };
        let since = date("start-datetime", &self.start_datetime)?;
        let until = date("end-datetime", &self.end_datetime)?;
        if let (Some(since), Some(until)) = (since, until)
            && since >= until
        {
            return Err(Usage(format!(
                "--end-datetime ({until}) is not after --start-datetime ({since}); the window is empty"
            )));
        }
        let ids = |option: &str, texts: &[String]| -> Result<Vec<(String, String)>, Usage> {
            texts.iter().map(|text| pair(option, text, "contact:12")).collect()
        };
        let ids = Sides::new(
            ids("object-id", &self.object_id)?,
            ids("integration-object-id", &self.integration_object_id)?,
        );
        let scope = self.scope(Span::new(since, until), ids)?;
        let kind = if self.dry_run {
            RunKind::Plan { scope }
        } else {
            RunKind::Sync { scope, until_settled: self.until_settled }
        };
        Ok(RunOptions {
            kind,
            disable_push: self.disable_push,
            disable_pull: self.disable_pull,
            options: self
                .option
                .iter()
                .map(|text| pair("option", text, "segment:vip"))
                .collect::<Result<_, _>>()?,
            max_time: self.max_time.as_deref().map(|text| dates::duration("max-time", text)).transpose()?,
            wait: self.wait,
            lift_brake: self.lift_brake,
            lift_identifiers: self.lift_identifiers,
        })
    }

    /// What the run reads. Words that name several scopes at once are refused.
    fn scope(&self, window: Option<Span>, ids: Sides<Vec<(String, String)>>) -> Result<Scope, Usage> {
        let reading = match (self.first_time_sync, self.full) {
            (true, _) => Reading::FirstTime,
            (false, true) => Reading::Full,
            (false, false) => Reading::Changes,
        };
        let everything = reading != Reading::Changes;
        let named = ids.iter().any(|ids| !ids.is_empty());
        if window.is_some() && everything {
            return Err(Usage(
                "a window and --first-time-sync or --full exclude each other: the first asks for a part, the others for everything"
                    .to_owned(),
            ));
        }
        if named && (window.is_some() || everything) {
            return Err(Usage(
                "named records and a window, --first-time-sync or --full exclude each other".to_owned(),
            ));
        }
        if self.trust.is_some() && (window.is_some() || named) {
            return Err(Usage(
                "--trust holds until a whole run has made all of it, so it goes with no window and no named records; for single fields there is: entente conflict settle"
                    .to_owned(),
            ));
        }
        if named {
            return Ok(Scope::Ids(ids));
        }
        Ok(window.map_or(reading.into(), Scope::Window))
    }

    /// The side that is to win once.
    fn trust(&self, definition: &SyncDefinition) -> Result<Option<Trust>, Usage> {
        let Some(word) = self.trust else { return Ok(None) };
        let side = word.side(&definition.exchanges).map_err(|why| Usage(format!("--trust: {why}")))?;
        let mut fields = Vec::new();
        for text in &self.trust_field {
            let refuse = |why: String| Err(Usage(format!("--trust-field: '{text}' {why}")));
            // Objects may have dots in their names, fields of the hub have none.
            let named = |mapping: &&entente_sync::ObjectMapping| {
                text.strip_prefix(&mapping.objects.left).is_some_and(|rest| rest.starts_with('.'))
            };
            let objects: Vec<_> = definition.mappings.iter().filter(named).collect();
            if objects.is_empty() {
                let known: Vec<&str> =
                    definition.mappings.iter().map(|mapping| mapping.objects.left.as_str()).collect();
                return refuse(format!(
                    "is of the form OBJECT.FIELD, by the names on the left side; its objects are {}",
                    known.join(", ")
                ));
            }
            let before = fields.len();
            for mapping in &objects {
                let name = &text[mapping.objects.left.len() + 1..];
                for field in mapping.fields.iter().filter(|field| field.names.left == name) {
                    if field.direction.only_target().is_some() {
                        return refuse("flows one way, so that its source always wins".to_owned());
                    }
                    fields.push((mapping.id, field.slot));
                }
            }
            if fields.len() == before {
                let both = |field: &&entente_sync::FieldMapping| field.direction.only_target().is_none();
                let known: Vec<&str> = objects
                    .iter()
                    .flat_map(|mapping| &mapping.fields)
                    .filter(both)
                    .map(|field| field.names.left.as_str())
                    .collect();
                return refuse(format!(
                    "is no mapped field; those that flow both ways are {}",
                    known.join(", ")
                ));
            }
        }
        Ok(Some(Trust { side, fields }))
    }
}

/// Two texts with a colon between; the second may have colons of its own.
fn pair(option: &str, text: &str, example: &str) -> Result<(String, String), Usage> {
    match text.split_once(':') {
        Some((name, rest)) if !name.is_empty() && !rest.is_empty() => Ok((name.to_owned(), rest.to_owned())),
        _ => Err(Usage(format!("--{option}: '{text}' is not of the form {example}"))),
    }
}

/// Runs the command.
pub(super) async fn run(args: SyncArgs, context: &Context) -> anyhow::Result<Done> {
    let mut options = args.options()?;
    let tenant = context.tenant()?;
    if let RunKind::Sync { scope: Scope::Whole { trust, .. }, .. }
    | RunKind::Plan { scope: Scope::Whole { trust, .. } } = &mut options.kind
    {
        *trust = args.trust(&tenant.configuration().definition(&args.name).await?)?;
    }
    let end = run_once(&tenant, &args.name, options, context.output).await?;
    let left = show(&tenant, &end, &args.filter.unwrap_or_default(), args.limit, context.output).await?;
    done(end, left, args.strict)
}

/// Runs a sync with progress; a signal ends it at the next safe point.
pub(super) async fn run_once(
    tenant: &Tenant,
    name: &str,
    options: RunOptions,
    output: Output,
) -> anyhow::Result<RunEnd> {
    let exchanges = tenant.configuration().definition(name).await?.exchanges;
    let progress = RunProgress::new(output.shows_progress(), exchanges);
    let signals = OnSignal::listen()?;
    let result = tenant.sync(name, options, &progress, &signals.stop).await;
    drop(signals);
    progress.finish();
    Ok(result?.1)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use clap::Parser;
    use entente_sync::{Direction, FieldMapping, ObjectMapping, Side, Slot};

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        args: SyncArgs,
    }

    fn args(words: &[&str]) -> Result<SyncArgs, String> {
        let line = ["sync", "HelloWorld"].iter().chain(words);
        Line::try_parse_from(line).map(|line| line.args).map_err(|error| error.to_string())
    }

    fn definition(exchanges: Sides<&str>) -> SyncDefinition {
        let field = |slot, name: &str, direction| FieldMapping {
            slot,
            names: Sides::new(name.into(), name.into()),
            direction,
            ..FieldMapping::default()
        };
        let mapping = |id, object: &str| ObjectMapping {
            id,
            objects: Sides::new(object.into(), "person".into()),
            fields: vec![
                field(Slot(0), "email", Direction::Both),
                field(Slot(4), "phone", Direction::Both),
                field(Slot(5), "score", Direction::ToLeft),
            ],
            ..ObjectMapping::default()
        };
        SyncDefinition {
            name: "HelloWorld".into(),
            relation: "HelloWorld".into(),
            exchanges: exchanges.map(str::to_owned),
            mappings: vec![mapping(3, "contact"), mapping(7, "res.partner")],
            version: 1,
            brake: Default::default(),
        }
    }

    #[test]
    fn the_trusted_side_is_named_by_place_or_by_what_is_there() {
        let trust = |words: &[&str], exchanges| {
            args(words).unwrap().trust(&definition(exchanges)).map_err(|usage| usage.0)
        };
        assert_eq!(trust(&[], Sides::new("hub", "x")), Ok(None));
        assert_eq!(
            trust(&["--trust", "hub"], Sides::new("x", "hub")),
            Ok(Some(Trust { side: Side::Right, fields: vec![] }))
        );
        assert_eq!(
            trust(&["--trust", "integration"], Sides::new("x", "hub")),
            Ok(Some(Trust { side: Side::Left, fields: vec![] }))
        );
        let two = ["--trust", "left", "--trust-field", "contact.phone", "--trust-field", "res.partner.email"];
        assert_eq!(
            trust(&two, Sides::new("x", "y")),
            Ok(Some(Trust { side: Side::Left, fields: vec![(3, Slot(4)), (7, Slot(0))] }))
        );
        insta::assert_snapshot!(trust(&["--trust", "hub"], Sides::new("x", "y")).unwrap_err(), @"--trust: neither side of this sync is the hub, so write left or right");
        for (field, message) in [
            (
                "phone",
                "--trust-field: 'phone' is of the form OBJECT.FIELD, by the names on the left side; its objects are contact, res.partner",
            ),
            (
                "contact.fax",
                "--trust-field: 'contact.fax' is no mapped field; those that flow both ways are email, phone",
            ),
            ("contact.score", "--trust-field: 'contact.score' flows one way, so that its source always wins"),
        ] {
            assert_eq!(
                trust(&["--trust", "left", "--trust-field", field], Sides::new("hub", "x")).unwrap_err(),
                message
            );
        }
    }

    #[test]
    fn options_that_contradict_each_other_are_refused() {
        for words in [
            &["--trust-field", "contact.phone"][..],
            &["--until-settled", "--dry-run"],
            &["--limit", "3"],
            &["--trust", "middle"],
            &["--apply", "1"],
            &["--undo", "1"],
        ] {
            assert!(args(words).is_err(), "{words:?}");
        }
        for words in [
            &["--trust", "left", "--object-id", "contact:1"][..],
            &["--trust", "left", "--start-datetime", "2020-01-01"],
            &["--full", "--start-datetime", "2020-01-01"],
            &["--full", "--object-id", "contact:1"],
            &["--start-datetime", "2020-01-02", "--end-datetime", "2020-01-01"],
            &["--object-id", "contact"],
            &["--max-time", "soon"],
        ] {
            assert!(args(words).unwrap().options().is_err(), "{words:?}");
        }
        let options =
            args(&["--lift-brake", "--until-settled", "--wait", "--full"]).unwrap().options().unwrap();
        assert!(options.lift_brake && options.wait);
        assert_eq!(options.kind, RunKind::Sync { scope: Reading::Full.into(), until_settled: true });
    }
}
