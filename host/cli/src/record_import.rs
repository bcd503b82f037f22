//! `entente record import`: a CSV file into the hub.

use super::output::{Done, Usage};
use super::{Context, dates, progress};
use anyhow::Context as _;
use entente::Tenant;
use entente_core::Timestamp;
use entente_plugin::open_file;
use entente_sqlite::{DateOrder, Empty, ImportKey, ImportOptions, ImportReport, import_csv};
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

/// Options of `entente record import`.
#[derive(Debug, clap::Args)]
pub(super) struct ImportArgs {
    /// The object that the rows are records of, such as contact
    object: String,
    /// The file; - for standard input, also of another program
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
    /// By which fields a row is a record that is there already: names, id, or none [default: the first
    /// identifier]
    #[arg(long, value_delimiter = ',')]
    key: Vec<String>,
    /// What an empty cell does
    #[arg(long, value_enum, default_value_t = EmptyCell::Keep)]
    empty: EmptyCell,
    /// The column with the change times of the rows [default: one that is called changed, updated_at,
    /// modified or the like]
    #[arg(long, value_name = "COLUMN")]
    changed_column: Option<String>,
    /// As of when the file was right, for rows without a change time of their own [default: today]
    #[arg(long, value_name = "DATE")]
    as_of: Option<String>,
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

pub(super) async fn import_command(
    args: ImportArgs,
    tenant: &Tenant,
    context: &Context,
) -> anyhow::Result<Done> {
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
        [] => ImportKey::Usual,
        [word] if word == "none" => ImportKey::None,
        [word] if word == "id" => ImportKey::Id,
        fields => ImportKey::Fields(fields.to_vec()),
    };
    options.empty = match args.empty {
        EmptyCell::Keep => Empty::Keep,
        EmptyCell::Clear => Empty::Clear,
    };
    options.changed_column = args.changed_column;
    options.as_of = args.as_of.as_deref().map(as_of).transpose()?;
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

fn as_of(text: &str) -> anyhow::Result<Timestamp> {
    let now = chrono::Utc::now();
    let at = dates::parse(text, now).map_err(|why| Usage(format!("--as-of: {why}")))?;
    if at > Timestamp::from(now) {
        return Err(
            Usage(format!("--as-of: {text} is still to come; a file cannot be newer than now")).into()
        );
    }
    Ok(at)
}

/// Imports a file, with a progress bar.
pub(super) async fn import(
    tenant: &Tenant,
    file: &Path,
    options: &ImportOptions,
    context: &Context,
) -> anyhow::Result<ImportReport> {
    let (reader, size): (Box<dyn Read + Send>, u64) = if file == Path::new("-") {
        (Box::new(std::io::stdin()), 0)
    } else {
        let opened = open_file(file).with_context(|| format!("{} cannot be read", file.display()))?;
        let size = opened.metadata().map(|metadata| metadata.len()).unwrap_or(0);
        (Box::new(BufReader::new(opened)), size)
    };
    let bar = progress::bytes(context.output.shows_progress(), size, "importing");
    let report = import_csv(tenant.hub(), reader, options, &mut |bytes, _| bar.set_position(bytes)).await;
    bar.finish_and_clear();
    report.with_context(|| file.display().to_string())
}

pub(super) fn import_text(report: &ImportReport, file: &Path, dry_run: bool) -> String {
    /// How many refused rows and unread columns are shown to people; --json has more.
    const SHOWN: usize = 20;
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
    for column in report.unused.iter().take(SHOWN) {
        text.push_str(&format!(
            "\ncolumn {} '{}' was not read: {}",
            column.number,
            column.name.cut(60),
            column.reason
        ));
    }
    if report.unused.len() > SHOWN {
        let more = report.unused.len() - SHOWN;
        text.push_str(&format!("\nand {more} more columns were not read; --json lists them"));
    }
    for note in &report.notes {
        text.push_str(&format!("\nnote: {note}"));
    }
    for bad in report.bad.iter().take(SHOWN) {
        let column = bad
            .column
            .as_ref()
            .map(|column| column.cut(60))
            .map(|column| format!(", column {column}"))
            .unwrap_or_default();
        let value = match bad.value.cut(60) {
            blank if blank.is_empty() => String::new(),
            value => format!(" '{value}'"),
        };
        text.push_str(&format!("\nline {}{column}{value}: {}", bad.line, bad.reason));
    }
    if report.failed as usize > SHOWN {
        text.push_str(&format!(
            "\nand {} more refused rows; --json lists them",
            report.failed as usize - SHOWN
        ));
    }
    text
}
