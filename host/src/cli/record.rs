//! `entente record`: the records of the hub.

use super::Context;
use super::output::{Done, Usage, cell, table};
use super::progress;
use crate::hub::{
    DateOrder, Empty, ExportOptions, Hub, ImportOptions, ImportReport, Key, ListQuery, ObjectDefinition, Origin, ParseOptions, RecordView,
    export_csv, import_csv, parse_value,
};
use crate::record::Value;
use crate::tenant::Tenant;
use anyhow::Context as _;
use serde::Serialize;
use std::fs::File;
use std::io::{BufReader, Read, Write};
use std::path::{Path, PathBuf};

/// The commands below `entente record`.
#[derive(Debug, clap::Subcommand)]
pub(super) enum RecordCommand {
    /// Import a CSV file; bad rows are listed and the good ones kept
    Import(ImportArgs),
    /// Export records as CSV
    Export(ExportArgs),
    /// List records
    List {
        /// The object, such as contact
        object: String,
        /// Only records whose field has this value; may come several times
        #[arg(long, value_name = "FIELD=VALUE")]
        filter: Vec<String>,
        /// Only records that contain this text somewhere
        #[arg(long)]
        search: Option<String>,
        /// How many
        #[arg(long, default_value_t = 50)]
        limit: usize,
        /// Go on after the record of this id
        #[arg(long, value_name = "ID")]
        after: Option<String>,
    },
    /// Show a record: each field with its value, since when, and where it came from
    Show {
        /// The record, such as contact:12
        record: String,
    },
    /// Change fields of a record, or make one
    Set {
        /// The record, such as contact:12; or the object alone for a new one
        record: String,
        /// What to set; nothing after the = clears the field
        #[arg(required = true, value_name = "FIELD=VALUE")]
        values: Vec<String>,
    },
}

/// Options of `entente record import`.
#[derive(Debug, clap::Args)]
pub(super) struct ImportArgs {
    /// The object that the rows are records of, such as contact
    object: String,
    /// The file; - for standard input
    file: PathBuf,
    /// What stands between cells [default: found out]
    #[arg(long)]
    delimiter: Option<char>,
    /// The encoding, such as windows-1252 [default: found out]
    #[arg(long)]
    encoding: Option<String>,
    /// Which field a column is, where its name does not say; "Column=" leaves it out
    #[arg(long, value_name = "COLUMN=FIELD")]
    map: Vec<String>,
    /// By which fields a row is a record that is there already: names, id, or none [default: the first identifier]
    #[arg(long, value_delimiter = ',')]
    key: Vec<String>,
    /// What an empty cell does
    #[arg(long, value_enum, default_value_t = EmptyCell::Keep)]
    empty: EmptyCell,
    /// The column with the change times of the rows [default: one that is called changed, updated_at, modified or the like]
    #[arg(long, value_name = "COLUMN")]
    changed_column: Option<String>,
    /// What stands between the elements of a list
    #[arg(long, default_value_t = ';')]
    list_separator: char,
    /// Numbers are written 1.234,5
    #[arg(long)]
    decimal_comma: bool,
    /// Dates with slashes have the day first
    #[arg(long, conflicts_with = "month_first")]
    day_first: bool,
    /// Dates with slashes have the month first
    #[arg(long)]
    month_first: bool,
    /// Do not make records that rows link to
    #[arg(long)]
    no_create_references: bool,
    /// Write nothing, tell what would happen
    #[arg(long)]
    dry_run: bool,
}

/// What an empty cell does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum EmptyCell {
    /// It leaves the field as it is.
    Keep,
    /// It clears the field.
    Clear,
}

/// Options of `entente record export`.
#[derive(Debug, clap::Args)]
pub(super) struct ExportArgs {
    /// The object, such as contact
    object: String,
    /// The file; without one, standard output
    file: Option<PathBuf>,
    /// Only these fields, in this order
    #[arg(long, value_delimiter = ',')]
    fields: Vec<String>,
    /// Only records whose field has this value
    #[arg(long, value_name = "FIELD=VALUE")]
    filter: Vec<String>,
    /// With a column of ids
    #[arg(long)]
    id: bool,
    /// With a column of change times
    #[arg(long)]
    changed: bool,
    /// What stands between cells
    #[arg(long, default_value_t = ',')]
    delimiter: char,
    /// With a byte order mark, for spreadsheet programs
    #[arg(long)]
    bom: bool,
    /// Guard texts that a spreadsheet program would run as formulas
    #[arg(long)]
    guard_formulas: bool,
}

/// A record by object and id.
fn reference(text: &str) -> Result<(&str, &str), Usage> {
    match text.split_once(':') {
        Some((object, id)) if !object.is_empty() && !id.is_empty() => Ok((object, id)),
        _ => Err(Usage(format!("'{text}' names no record; write for example contact:12"))),
    }
}

async fn definition(hub: &Hub, object: &str) -> anyhow::Result<ObjectDefinition> {
    let objects = hub.objects().await?;
    let known: Vec<String> = objects.iter().map(|known| known.name.clone()).collect();
    match objects.into_iter().find(|known| known.name == object) {
        Some(found) => Ok(found),
        None => anyhow::bail!("the hub has no object '{object}'; it has {}", known.join(", ")),
    }
}

/// `field=value` as values of an object.
fn assignments(object: &ObjectDefinition, texts: &[String]) -> anyhow::Result<Vec<(String, Value)>> {
    let mut values = Vec::new();
    for text in texts {
        let Some((name, value)) = text.split_once('=') else {
            return Err(Usage(format!("'{text}' is not of the form FIELD=VALUE")).into());
        };
        let Some(field) = object.field(name) else {
            let known: Vec<&str> = object.fields.iter().map(|field| field.name.as_str()).collect();
            anyhow::bail!("{} has no field '{name}'; it has {}", object.name, known.join(", "));
        };
        let value = if value.is_empty() {
            Value::Null
        } else {
            parse_value(field, value, &ParseOptions::default()).with_context(|| format!("{name}: '{}'", cell(value, 60)))?
        };
        values.push((name.to_owned(), value));
    }
    Ok(values)
}

/// Runs the command.
pub(super) async fn run(command: RecordCommand, context: &Context) -> anyhow::Result<Done> {
    let tenant = context.tenant()?;
    let hub = tenant.hub();
    match command {
        RecordCommand::Import(args) => return import_command(args, &tenant, context).await,
        RecordCommand::Export(args) => return export_command(args, &tenant, context).await,
        RecordCommand::List { object, filter, search, limit, after } => {
            let definition = definition(hub, &object).await?;
            let query = ListQuery { filter: assignments(&definition, &filter)?, search, after, limit };
            let list = hub.list(&object, &query).await?;
            context.output.show(&list, |list| list_table(&definition, &list.records, list.next.as_deref()))?;
        }
        RecordCommand::Show { record } => {
            let (object, id) = reference(&record)?;
            let view = hub.get(object, id).await?;
            let pairs = pairs_of(&tenant, object, id).await?;
            #[derive(Serialize)]
            struct Shown<'a> {
                #[serde(flatten)]
                record: &'a RecordView,
                pairs: &'a [ShownPair],
            }
            context.output.show(&Shown { record: &view, pairs: &pairs }, |_| record_table(&view, &pairs))?;
        }
        RecordCommand::Set { record, values } => {
            let (object, id) = match record.split_once(':') {
                Some(_) => reference(&record).map(|(object, id)| (object, Some(id)))?,
                None => (record.as_str(), None),
            };
            let values = assignments(&definition(hub, object).await?, &values)?;
            let view = match id {
                Some(id) => hub.set(object, id, &values).await?,
                None => hub.create(object, &values).await?,
            };
            context.output.show(&view, |view| format!("{}:{} is set", view.object, view.id))?;
        }
    }
    Ok(Done::Well)
}

async fn import_command(args: ImportArgs, tenant: &Tenant, context: &Context) -> anyhow::Result<Done> {
    let mut options = ImportOptions::new(&args.object);
    options.delimiter = args.delimiter;
    options.encoding = args.encoding;
    for text in &args.map {
        let Some((column, field)) = text.rsplit_once('=') else {
            return Err(Usage(format!("--map: '{text}' is not of the form COLUMN=FIELD")).into());
        };
        options.map.push((column.to_owned(), field.to_owned()));
    }
    options.key = match args.key.as_slice() {
        [] => Key::Usual,
        [word] if word == "none" => Key::None,
        [word] if word == "id" => Key::Id,
        fields => Key::Fields(fields.to_vec()),
    };
    options.empty = match args.empty {
        EmptyCell::Keep => Empty::Keep,
        EmptyCell::Clear => Empty::Clear,
    };
    options.changed_column = args.changed_column;
    options.parse.list_separator = args.list_separator;
    options.parse.decimal_comma = args.decimal_comma;
    if args.day_first {
        options.parse.date_order = DateOrder::DayFirst;
    } else if args.month_first {
        options.parse.date_order = DateOrder::MonthFirst;
    }
    options.create_references = !args.no_create_references;
    options.dry_run = args.dry_run;
    let report = import(tenant, &args.file, &options, context).await?;
    let failed = report.failed > 0;
    context.output.show(&report, |report| import_text(report, &args.file, args.dry_run))?;
    Ok(if failed { Done::WithProblems } else { Done::Well })
}

/// Imports a file, with a progress bar.
pub(super) async fn import(tenant: &Tenant, file: &Path, options: &ImportOptions, context: &Context) -> anyhow::Result<ImportReport> {
    let (reader, size): (Box<dyn Read + Send>, u64) = if file == Path::new("-") {
        (Box::new(std::io::stdin()), 0)
    } else {
        let opened = File::open(file).with_context(|| format!("{} cannot be read", file.display()))?;
        let size = opened.metadata().map(|metadata| metadata.len()).unwrap_or(0);
        (Box::new(BufReader::new(opened)), size)
    };
    let bar = progress::bytes(context.output.shows_progress(), size, "importing");
    let report = import_csv(tenant.hub(), reader, options, &mut |bytes, _| bar.set_position(bytes)).await;
    bar.finish_and_clear();
    report.with_context(|| file.display().to_string())
}

pub(super) fn import_text(report: &ImportReport, file: &Path, dry_run: bool) -> String {
    let mut text = format!(
        "{}: {} rows, {} created, {} updated, {} unchanged, {} refused{}",
        file.display(),
        report.rows,
        report.created,
        report.updated,
        report.unchanged,
        report.failed,
        if dry_run { "; dry run, nothing was written" } else { "" }
    );
    if report.references_created > 0 {
        text.push_str(&format!("\n{} records that rows link to were made", report.references_created));
    }
    if report.older > 0 {
        text.push_str(&format!("\n{} fields were left alone because the hub has newer values", report.older));
    }
    for column in &report.unused {
        text.push_str(&format!("\ncolumn {} '{}' was not read: {}", column.number, column.name, column.reason));
    }
    for note in &report.notes {
        text.push_str(&format!("\nnote: {note}"));
    }
    /// How many refused rows are shown to people; --json has more.
    const SHOWN: usize = 20;
    for bad in report.bad.iter().take(SHOWN) {
        let column = bad.column.as_deref().map(|column| format!(", column {column}")).unwrap_or_default();
        let value = if bad.value.is_empty() { String::new() } else { format!(" '{}'", cell(&bad.value, 60)) };
        text.push_str(&format!("\nline {}{column}{value}: {}", bad.line, bad.reason));
    }
    if report.failed as usize > SHOWN {
        text.push_str(&format!("\nand {} more refused rows; --json lists them", report.failed as usize - SHOWN));
    }
    text
}

async fn export_command(args: ExportArgs, tenant: &Tenant, context: &Context) -> anyhow::Result<Done> {
    let definition = definition(tenant.hub(), &args.object).await?;
    let mut options = ExportOptions::new(&args.object);
    options.fields = args.fields;
    options.query = ListQuery { filter: assignments(&definition, &args.filter)?, ..ListQuery::default() };
    options.id = args.id;
    options.changed = args.changed;
    options.delimiter = args.delimiter;
    options.byte_order_mark = args.bom;
    options.guard_formulas = args.guard_formulas;
    match args.file {
        None => {
            let mut output = std::io::BufWriter::new(std::io::stdout());
            export_csv(tenant.hub(), &mut output, &options).await?;
            output.flush()?;
        }
        Some(file) => {
            // Written beside and renamed, so that a file that is there is whole.
            let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
            let mut output = tempfile::NamedTempFile::new_in(folder).with_context(|| format!("{} cannot be written", file.display()))?;
            let exported = export_csv(tenant.hub(), std::io::BufWriter::new(&mut output), &options).await?;
            output.persist(&file).with_context(|| format!("{} cannot be written", file.display()))?;
            context.output.show(&exported, |exported| format!("{} records exported to {}", exported.rows, file.display()))?;
        }
    }
    Ok(Done::Well)
}

/// Records in a table: id, the fields that tell most, and when they changed.
fn list_table(object: &ObjectDefinition, records: &[RecordView], next: Option<&str>) -> String {
    if records.is_empty() {
        return format!("no {} matches", object.name);
    }
    /// The most fields that a table shows.
    const COLUMNS: usize = 5;
    let filled = |name: &str| records.iter().any(|record| record.value(name).is_some_and(|value| !value.is_blank()));
    let names: Vec<&str> = object.fields.iter().map(|field| field.name.as_str()).filter(|name| filled(name)).take(COLUMNS).collect();
    let mut rows = table(["id"]);
    let head: Vec<&str> = ["id"].into_iter().chain(names.iter().copied()).chain(["changed"]).collect();
    rows.set_header(head);
    for record in records {
        let mut row = vec![record.id.clone()];
        row.extend(names.iter().map(|name| record.value(name).map(|value| cell(&value.to_string(), 40)).unwrap_or_default()));
        row.push(record.changed.to_string());
        rows.add_row(row);
    }
    let more = next.map(|next| format!("\nmore: --after {next}")).unwrap_or_default();
    format!("{rows}{more}")
}

/// A pair of a record, for people and programs.
#[derive(Debug, Serialize)]
struct ShownPair {
    sync: String,
    counterpart: Option<String>,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

async fn pairs_of(tenant: &Tenant, object: &str, id: &str) -> anyhow::Result<Vec<ShownPair>> {
    let mut shown = Vec::new();
    for sync in tenant.configuration().syncs().await? {
        for (side, exchange) in crate::judge::Side::BOTH.into_iter().zip(&sync.exchanges) {
            if exchange != crate::config::HUB {
                continue;
            }
            for (mapping, pair) in tenant.ledger().pairs_of_record(Some(&sync.relation), side, object, id).await? {
                let other = side.other();
                let counterpart = pair.half(other).id.as_ref().map(|id| format!("{}:{id}", mapping.objects[other.index()]));
                shown.push(ShownPair { sync: sync.name.clone(), counterpart, status: pair.status.word(), reason: pair.reason });
            }
        }
    }
    Ok(shown)
}

fn record_table(view: &RecordView, pairs: &[ShownPair]) -> String {
    let mut rows = table(["field", "value", "since", "from"]);
    for field in &view.fields {
        let since = match field.time {
            Some(time) if time.certain => time.at.to_string(),
            Some(time) => format!("at the latest {}", time.at),
            None => String::new(),
        };
        let from = match &field.origin {
            Some(Origin::Operator) => "set by hand".to_owned(),
            Some(Origin::Import) => "import".to_owned(),
            Some(Origin::Sync { name, run }) => format!("{name}, run {run}"),
            None => String::new(),
        };
        rows.add_row(vec![field.name.clone(), cell(&field.value.to_string(), 60), since, from]);
    }
    let mut text = format!("{}:{}\n{rows}", view.object, view.id);
    for pair in pairs {
        let counterpart = pair.counterpart.as_deref().unwrap_or("no counterpart");
        let reason = pair.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
        text.push_str(&format!("\n{}: {counterpart}, {}{reason}", pair.sync, pair.status));
    }
    text
}
