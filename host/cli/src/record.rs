//! `entente record`: the records of the hub.

use super::output::{Done, Usage, cell, table};
use super::paging::{PageArgs, go_on};
use super::record_delete::{DeleteArgs, EraseArgs};
use super::record_export::{ExportArgs, export_command};
use super::record_import::{ImportArgs, import_command};
use super::{Context, record_delete, record_show};
use anyhow::Context as _;
use entente::view::Page;
use entente::{HUB, RecordName};
use entente_core::{Timestamp, Value};
use entente_sqlite::{Hub, ListQuery, ObjectDefinition, ParseOptions, RecordView, parse_value};

/// The commands below `entente record`.
#[derive(Debug, clap::Subcommand)]
pub(super) enum RecordCommand {
    /// Import a CSV file; bad rows are listed and the good ones kept
    Import(Box<ImportArgs>),
    /// Export records as CSV, or with --json as a line of JSON each
    Export(ExportArgs),
    /// List records
    List {
        /// The object, such as contact
        object: String,
        /// Only records whose field has this value; may come several times
        #[arg(long, value_name = "FIELD=VALUE")]
        filter: Vec<String>,
        /// Only records of which each of these words begins a word, in any field: names, addresses, numbers; without case
        /// and accents
        #[arg(long)]
        search: Option<String>,
        /// How many
        #[arg(long, default_value_t = 50)]
        limit: usize,
        /// Go on after the record of this id
        #[arg(long, value_name = "ID")]
        after: Option<String>,
    },
    /// Show a record: each field with its value, since when, where it came from, and what waits
    Show {
        /// The record, such as contact:12; one of another system, such as HelloWorld/person:p3, as syncs know it
        record: String,
    },
    /// What syncs have written to a record and its counterparts, the newest first: when, which run, and why
    History {
        /// The record, such as contact:12 or HelloWorld/person:p3
        record: String,
        /// Only of this field, by its name on either side
        #[arg(long)]
        field: Option<String>,
        #[command(flatten)]
        page: PageArgs,
    },
    /// Change fields of a record, or make one
    Set {
        /// The record, such as contact:12; or the object alone for a new one
        record: String,
        /// What to set; nothing after the = clears the field
        #[arg(required = true, value_name = "FIELD=VALUE")]
        values: Vec<String>,
    },
    /// Delete records; what becomes of their counterparts is the policy `deletes` of each sync
    Delete(DeleteArgs),
    /// Restore deleted records, with what they held; the next run compares them with their counterparts, or makes these again
    Restore {
        /// The records, such as contact:12
        #[arg(required = true)]
        records: Vec<String>,
        /// Wait for a run that is under way
        #[arg(long)]
        wait: bool,
    },
    /// Take one person, or any one record, out of everything that is kept: values, links, history, conflicts, messages and logs.
    /// This cannot be undone
    Erase(EraseArgs),
}

/// A record by object and id.
pub(super) fn reference(text: &str) -> Result<(&str, &str), Usage> {
    match text.split_once(':') {
        Some((object, id)) if !object.is_empty() && !id.is_empty() => Ok((object, id)),
        _ => Err(Usage(format!("'{text}' names no record; write for example contact:12"))),
    }
}

pub(super) async fn definition(hub: &Hub, object: &str) -> anyhow::Result<ObjectDefinition> {
    let objects = hub.objects().await?;
    let known: Vec<String> = objects.iter().map(|known| known.name.clone()).collect();
    match objects.into_iter().find(|known| known.name == object) {
        Some(found) => Ok(found),
        None => anyhow::bail!("the hub has no object '{object}'; it has {}", known.join(", ")),
    }
}

/// `field=value` as values of an object.
pub(super) fn assignments(
    object: &ObjectDefinition,
    texts: &[String],
) -> anyhow::Result<Vec<(String, Value)>> {
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
            parse_value(field, value, &ParseOptions::default())
                .with_context(|| format!("{name}: '{}'", cell(value, 60)))?
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
        RecordCommand::Import(args) => return import_command(*args, &tenant, context).await,
        RecordCommand::Export(args) => return export_command(args, &tenant, context).await,
        RecordCommand::List { object, filter, search, limit, after } => {
            let definition = definition(hub, &object).await?;
            let query = ListQuery { filter: assignments(&definition, &filter)?, search, after, limit };
            let page = tenant.list_records(&object, &query).await?;
            let (output, now) = (context.output, tenant.clock().now());
            output.show(&page, |page| list_table(&definition, page, |at| output.moment(at, now)))?;
        }
        RecordCommand::Show { record } => {
            let name: RecordName = record.parse().map_err(Usage)?;
            match name.exchange == HUB {
                true => record_show::show(&tenant, &name.object, &name.id, context.output).await?,
                false => record_show::show_known(&tenant, &name, context.output).await?,
            }
        }
        RecordCommand::History { record, field, page } => {
            let name: RecordName = record.parse().map_err(Usage)?;
            let request = page.request(context.output);
            let history = tenant.show_history(&name, field.as_deref(), request).await?;
            context.output.show(&history, record_show::history_text)?;
        }
        RecordCommand::Delete(args) => return record_delete::delete(&args, &tenant, context).await,
        RecordCommand::Restore { records, wait } => {
            return record_delete::restore(&records, wait, &tenant, context).await;
        }
        RecordCommand::Erase(args) => return record_delete::erase(&args, &tenant, context).await,
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

/// Records in a table: id, the fields that tell most, and when they changed.
fn list_table(
    object: &ObjectDefinition,
    page: &Page<RecordView>,
    moment: impl Fn(Timestamp) -> String,
) -> String {
    let records = &page.rows;
    if records.is_empty() {
        return format!("no {} matches", object.name);
    }
    /// The most fields that a table shows.
    const COLUMNS: usize = 5;
    let filled =
        |name: &str| records.iter().any(|record| record.value(name).is_some_and(|value| !value.is_blank()));
    let names: Vec<&str> = object
        .fields
        .iter()
        .map(|field| field.name.as_str())
        .filter(|name| filled(name))
        .take(COLUMNS)
        .collect();
    let mut rows = table(["id"]);
    let head: Vec<&str> = ["id"].into_iter().chain(names.iter().copied()).chain(["changed"]).collect();
    rows.set_header(head);
    for record in records {
        let mut row = vec![record.id.clone()];
        row.extend(
            names
                .iter()
                .map(|name| record.value(name).map(|value| cell(&value.to_string(), 40)).unwrap_or_default()),
        );
        row.push(moment(record.changed));
        rows.add_row(row);
    }
    format!("{rows}{}", go_on(page))
}
