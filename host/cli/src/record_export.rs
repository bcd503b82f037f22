//! `entente record export`: records of the hub as CSV, as vCards, or as lines of JSON.

use super::Context;
use super::door::{self, Data, data_output};
use super::output::{Done, Output, Usage};
use super::record::{assignments, definition};
use crate::whole_file::WholeFile;
use anyhow::Context as _;
use entente::Tenant;
use entente::view::ExportedView;
use entente_sqlite::{
    CardVersion, ExportOptions, Exported, ListQuery, ObjectDefinition, export_cards, export_csv,
};
use std::io::Write;
use std::path::PathBuf;

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
    /// Guard texts that a spreadsheet program would run as formulas; an import takes the guard off again
    #[arg(long)]
    guard_formulas: bool,
    /// The format of the file [default: vcard where its name ends with .vcf, else csv]
    #[arg(long, value_enum)]
    format: Option<Format>,
}

/// The format of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// Cells between delimiters.
    Csv,
    /// vCards of version 3.0, of the fields that a card has.
    Vcard,
    /// vCards of version 4.0.
    #[value(name = "vcard-4")]
    Vcard4,
}

/// Writes an export that is not JSON.
async fn write_records(
    tenant: &Tenant,
    writer: &mut (impl Write + Send),
    options: &ExportOptions,
    format: Format,
) -> anyhow::Result<Exported> {
    let exported = match format {
        Format::Csv => export_csv(tenant.hub(), writer, options).await?,
        Format::Vcard => export_cards(tenant.hub(), writer, options, CardVersion::V3).await?,
        Format::Vcard4 => export_cards(tenant.hub(), writer, options, CardVersion::V4).await?,
    };
    Ok(exported)
}

/// Says which fields are not in the file.
fn tell_left_out(left_out: &[String], output: Output) {
    if !left_out.is_empty() && !output.quiet {
        door::tell(&format!("warning: cards have no place for {}, which have values", left_out.join(", ")));
    }
}

pub(super) async fn export_command(
    args: ExportArgs,
    tenant: &Tenant,
    context: &Context,
) -> anyhow::Result<Done> {
    let definition = definition(tenant.hub(), &args.object).await?;
    let mut options = ExportOptions::new(&args.object);
    options.fields = args.fields;
    options.query = ListQuery { filter: assignments(&definition, &args.filter)?, ..ListQuery::default() };
    options.id = args.id;
    options.changed = args.changed;
    options.delimiter = args.delimiter;
    options.byte_order_mark = args.bom;
    options.guard_formulas = args.guard_formulas;
    let json = context.output.json;
    let is_card = |file: &PathBuf| file.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("vcf"));
    let format = args.format.unwrap_or_else(|| match args.file.as_ref().is_some_and(is_card) && !json {
        true => Format::Vcard,
        false => Format::Csv,
    });
    if (json || format != Format::Csv) && (args.bom || args.guard_formulas) {
        return Err(Usage(
            "--bom and --guard-formulas are for CSV; leave them out with --json and --format".to_owned(),
        )
        .into());
    }
    if json && format != Format::Csv {
        return Err(Usage("--json and --format name two formats; leave one out".to_owned()).into());
    }
    let file = match args.file {
        None => {
            let mut output = std::io::BufWriter::new(data_output(match format {
                _ if json => Data::Json,
                Format::Csv => Data::Csv,
                Format::Vcard | Format::Vcard4 => Data::Text,
            }));
            if json {
                export_lines(tenant, &definition, options, &mut output).await?;
            } else {
                let exported = write_records(tenant, &mut output, &options, format).await?;
                tell_left_out(&exported.left_out, context.output);
            }
            output.flush()?;
            return Ok(Done::Well);
        }
        Some(file) => file,
    };
    // Written beside and renamed, so that a file that is there is whole.
    let context_of = || format!("{} cannot be written", file.display());
    let mut output = WholeFile::private(&file).with_context(context_of)?;
    let mut writer = std::io::BufWriter::new(&mut output);
    let Exported { rows, left_out } = if json {
        let rows = export_lines(tenant, &definition, options, &mut writer).await?;
        Exported { rows, ..Exported::default() }
    } else {
        write_records(tenant, &mut writer, &options, format).await?
    };
    writer.flush()?;
    drop(writer);
    output.finish().with_context(context_of)?;
    tell_left_out(&left_out, context.output);
    let view = ExportedView { rows, left_out };
    let records = if rows == 1 { "record" } else { "records" };
    context.output.show(&view, |_| format!("{rows} {records} exported to {}", file.display()))?;
    Ok(Done::Well)
}

/// A record on each line, with all that is known of its fields.
async fn export_lines(
    tenant: &Tenant,
    object: &ObjectDefinition,
    options: ExportOptions,
    output: &mut impl Write,
) -> anyhow::Result<u64> {
    if let Some(name) = options.fields.iter().find(|name| object.field(name).is_none()) {
        let known: Vec<&str> = object.fields.iter().map(|field| field.name.as_str()).collect();
        anyhow::bail!("{} has no field '{name}'; it has {}", object.name, known.join(", "));
    }
    /// Records that are read at a time.
    const PAGE: usize = 1000;
    let mut query = ListQuery { limit: PAGE, ..options.query };
    let mut rows = 0;
    loop {
        let list = tenant.hub().list(&object.name, &query).await?;
        for mut record in list.records {
            if !options.fields.is_empty() {
                let place = |name: &str| options.fields.iter().position(|wanted| wanted == name);
                record.fields.retain(|field| place(&field.name).is_some());
                record.fields.sort_by_key(|field| place(&field.name));
            }
            serde_json::to_writer(&mut *output, &record)?;
            output.write_all(b"\n")?;
            rows += 1;
        }
        match list.next {
            Some(next) => query.after = Some(next),
            None => return Ok(rows),
        }
    }
}
