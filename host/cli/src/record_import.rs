//! `entente record import`: a file into the hub.

use super::import_text::{error_option, import_text};
use super::import_undo::{self, UndoImport};
use super::output::{Done, Output, Usage};
use super::run::run_number;
use super::{Context, dates, paging, progress};
use crate::whole_file::WholeFile;
use anyhow::Context as _;
use entente::Tenant;
use entente::view::ImportView;
use entente_core::Timestamp;
use entente_plugin::open_file;
use entente_sqlite::{
    BadCells, DateOrder, Empty, ImportKey, ImportOptions, ImportReport, Only, import_with_refused,
};
use std::fs;
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

/// Options of `entente record import`.
#[derive(Debug, clap::Args)]
pub(super) struct ImportArgs {
    /// The object that the rows are records of, such as contact
    #[arg(required_unless_present = "undo")]
    object: Option<String>,
    /// The file, CSV or vCards; - for standard input, also of another program
    #[arg(required_unless_present = "undo")]
    file: Option<PathBuf>,
    /// Write nothing, show what would be made and changed, field by field
    #[arg(long)]
    dry_run: bool,
    /// How many records to show of a dry run or an undo [default: 50]
    #[arg(long, value_name = "COUNT")]
    limit: Option<usize>,
    /// Put back what an import has changed, by the number of its run, where nobody has changed it since; the rest is listed
    #[arg(long, value_name = "RUN", value_parser = run_number, conflicts_with_all = ["object", "file", "refused"])]
    undo: Option<i64>,
    /// Undo: delete the records that the import has made without asking
    #[arg(long, requires = "undo", conflicts_with = "dry_run")]
    yes: bool,
    /// Write all refused rows into this file, each after its reason; mend them there, and import it in the same way
    #[arg(long, value_name = "FILE")]
    refused: Option<PathBuf>,
    #[command(flatten)]
    reading: ReadingArgs,
    #[command(flatten)]
    records: RecordArgs,
    #[command(flatten)]
    cells: CellArgs,
    #[command(flatten)]
    times: TimeArgs,
}

/// How the file is read.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Reading the file")]
struct ReadingArgs {
    /// What stands between cells [default: found out]
    #[arg(long)]
    delimiter: Option<char>,
    /// The encoding, such as windows-1252 [default: found out]
    #[arg(long)]
    encoding: Option<String>,
    /// How many lines stand above the names of the columns [default: found out]
    #[arg(long, value_name = "N", conflicts_with = "no_header")]
    skip_lines: Option<u64>,
    /// The first line is a record; columns are called #1, #2 and so on in --map
    #[arg(long)]
    no_header: bool,
    /// Which field a column is, where its name does not say; "Column=" leaves it out
    #[arg(long, value_name = "COLUMN=FIELD")]
    map: Vec<String>,
}

/// Which records the rows are.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Recognising records")]
struct RecordArgs {
    /// By which fields a row is a record that is there already: names, id, or none [default: the first
    /// identifier]
    #[arg(long, value_delimiter = ',')]
    key: Vec<String>,
    /// By which fields it is too, where the key is missing or finds none: all of FIELD,FIELD; may be given again
    #[arg(long, value_name = "FIELD[,FIELD]")]
    or_key: Vec<String>,
    /// Take new records only, records that are there only, or fill fields without a value only
    #[arg(long, value_enum)]
    only: Option<OnlyRows>,
    /// Do not make records that rows link to
    #[arg(long)]
    no_create_references: bool,
}

/// How cells are read.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Reading cells")]
struct CellArgs {
    /// What an empty cell does
    #[arg(long, value_enum, default_value_t = EmptyCell::Keep)]
    empty: EmptyCell,
    /// What a cell does that is no value of its field
    #[arg(long, value_enum, default_value_t = BadCell::RefuseRow)]
    bad_cells: BadCell,
    /// Words that mean an empty cell, in texts too
    #[arg(long, value_name = "WORD", value_delimiter = ',')]
    nothing: Vec<String>,
    /// What stands between the elements of a list [default: found out, or ;]
    #[arg(long)]
    list_separator: Option<char>,
    /// Numbers are written 1.234,5
    #[arg(long)]
    decimal_comma: bool,
    /// Dates with slashes have the day first [default: found out]
    #[arg(long, conflicts_with = "month_first")]
    day_first: bool,
    /// Dates with slashes have the month first
    #[arg(long)]
    month_first: bool,
}

/// When values came to be.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Which value is newer")]
struct TimeArgs {
    /// The column with the change times of the rows, "" for none [default: one that is called changed, updated_at,
    /// modified or the like]
    #[arg(long, value_name = "COLUMN")]
    changed_column: Option<String>,
    /// The change time of a row is that of every value in it, and not only of the last
    #[arg(long)]
    field_times: bool,
    /// As of when the file was right, for rows without a change time of their own [default: today]
    #[arg(long, value_name = "DATE")]
    as_of: Option<String>,
}

/// Which rows are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum OnlyRows {
    /// Rows that make a new record.
    New,
    /// Rows of records that are there.
    Update,
    /// All rows; of records that are there only fields without a value.
    Fill,
}

/// What an empty cell does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum EmptyCell {
    /// It leaves the field as it is.
    Keep,
    /// It clears the field.
    Clear,
}

/// What a cell does that is no value of its field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum BadCell {
    /// Its row is refused.
    RefuseRow,
    /// It is left out; the rest of the row is taken.
    LeaveOut,
}

pub(super) async fn import_command(
    args: ImportArgs,
    tenant: &Tenant,
    context: &Context,
) -> anyhow::Result<Done> {
    if let Some(run) = args.undo {
        let ImportArgs { yes, dry_run, limit, .. } = args;
        return import_undo::undo(&UndoImport { run, delete: None, yes, dry_run, limit }, tenant, context)
            .await;
    }
    let (Some(object), Some(file)) = (&args.object, &args.file) else {
        return Err(Usage("say which object the rows are records of, and the file".to_owned()).into());
    };
    let mut options = options(&args, object)?;
    // All that would be done would not fit into memory.
    options.told = paging::limit(args.limit, Output { json: false, ..context.output });
    let report = match &args.refused {
        None => import(tenant, file, &options, context).await?,
        Some(refused) => import_refusing(tenant, file, refused, &options, context).await?,
    };
    let failed = report.failed > 0;
    let refused = args.refused.as_deref();
    let view = ImportView::of(report);
    context.output.show(&view, |view| import_text(view, file, refused, &options))?;
    Ok(if failed { Done::WithProblems } else { Done::Well })
}

/// What the library is told.
fn options(args: &ImportArgs, object: &str) -> anyhow::Result<ImportOptions> {
    let ImportArgs { reading, records, cells, times, .. } = args;
    let mut options = ImportOptions::new(object);
    options.delimiter = reading.delimiter;
    options.encoding.clone_from(&reading.encoding);
    options.skip_lines = reading.skip_lines;
    options.no_header = reading.no_header;
    for text in &reading.map {
        let Some((column, field)) = text.rsplit_once('=') else {
            return Err(Usage(format!("--map: '{text}' is not of the form COLUMN=FIELD")).into());
        };
        options.map.push((column.to_owned(), field.to_owned()));
    }
    options.key = match records.key.as_slice() {
        [] => ImportKey::Usual,
        [word] if word == "none" => ImportKey::None,
        [word] if word == "id" => ImportKey::Id,
        fields => ImportKey::Fields(fields.to_vec()),
    };
    let fields = |key: &String| key.split(',').map(|field| field.trim().to_owned()).collect();
    options.or_key = records.or_key.iter().map(fields).collect();
    options.only = match records.only {
        None => Only::All,
        Some(OnlyRows::New) => Only::New,
        Some(OnlyRows::Update) => Only::Update,
        Some(OnlyRows::Fill) => Only::Fill,
    };
    options.create_references = !records.no_create_references;
    options.empty = match cells.empty {
        EmptyCell::Keep => Empty::Keep,
        EmptyCell::Clear => Empty::Clear,
    };
    options.bad_cells = match cells.bad_cells {
        BadCell::RefuseRow => BadCells::Refuse,
        BadCell::LeaveOut => BadCells::LeaveOut,
    };
    options.nothing.clone_from(&cells.nothing);
    options.list_separator = cells.list_separator;
    options.parse.decimal_comma = cells.decimal_comma;
    if cells.day_first {
        options.parse.date_order = DateOrder::DayFirst;
    } else if cells.month_first {
        options.parse.date_order = DateOrder::MonthFirst;
    }
    options.changed_column.clone_from(&times.changed_column);
    options.field_times = times.field_times;
    options.as_of = times.as_of.as_deref().map(as_of).transpose()?;
    options.dry_run = args.dry_run;
    Ok(options)
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
    import_into(tenant, file, options, None, context).await
}

/// Imports a file and writes the refused rows of it; also those of an import that was broken off.
async fn import_refusing(
    tenant: &Tenant,
    file: &Path,
    refused: &Path,
    options: &ImportOptions,
    context: &Context,
) -> anyhow::Result<ImportReport> {
    // If it were broken off, the rest of the file would be gone.
    if let (Ok(file), Ok(other)) = (fs::canonicalize(file), fs::canonicalize(refused))
        && file == other
    {
        return Err(Usage(
            "--refused: the refused rows go into another file than the one that is imported".to_owned(),
        )
        .into());
    }
    let context_of = || format!("{} cannot be written", refused.display());
    let mut output = WholeFile::private(refused).with_context(context_of)?;
    let mut writer = BufWriter::new(&mut output);
    let report = import_into(tenant, file, options, Some(&mut writer), context).await;
    writer.flush().with_context(context_of)?;
    drop(writer);
    output.finish().with_context(context_of)?;
    report
}

async fn import_into(
    tenant: &Tenant,
    file: &Path,
    options: &ImportOptions,
    refused: Option<&mut (dyn Write + Send)>,
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
    let mut advance = |bytes, _| bar.set_position(bytes);
    let name = file.file_name().filter(|_| file != Path::new("-"));
    let name = name.map_or_else(|| "standard input".to_owned(), |name| name.to_string_lossy().into_owned());
    let options = ImportOptions { file: name, ..options.clone() };
    let report = import_with_refused(tenant.hub(), reader, &options, refused, &mut advance).await;
    bar.finish_and_clear();
    let report = report.map_err(|error| match error_option(&error) {
        Some(option) => anyhow::anyhow!("{error}: {option}"),
        None => error.into(),
    });
    report.with_context(|| file.display().to_string())
}
