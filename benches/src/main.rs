//! Measures how fast Entente is and prints the table.

use clap::Parser;
use speed::{Bench, Holds, Line, Options, as_json, as_table, rows};
use std::path::PathBuf;
use std::process::ExitCode;

/// Measures how fast Entente is: each figure beside what it is to be compared with, in the same run.
#[derive(Debug, Parser)]
#[command(name = "speed", version)]
struct Arguments {
    /// Only the sizes up to 100,000: a few minutes
    #[arg(long)]
    quick: bool,
    /// A JSON object for each row instead of the table
    #[arg(long)]
    json: bool,
    /// Only these rows
    #[arg(long, value_name = "NAME", num_args = 1.., value_parser = names())]
    only: Vec<String>,
    /// The folder with the scripts of the peers (gen.py, py_floor.py, README.md); without it they are not
    /// measured
    #[arg(long, value_name = "FOLDER")]
    peers: Option<PathBuf>,
    /// Where databases are made [default: the folder for temporary files]
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
    /// Build the program once more from nothing, to take the time
    #[arg(long)]
    cold_build: bool,
    /// Do fixed work instead, for instructions to be counted
    #[arg(long, value_name = "NAME", value_enum, requires = "times")]
    workload: Option<speed::workload::Workload>,
    /// How often
    #[arg(long, value_name = "N")]
    times: Option<u32>,
}

fn names() -> clap::builder::PossibleValuesParser {
    rows::ALL.map(|row| row.name()).into()
}

// As the program has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Some rows have plugins compiled in a process of its own, which is this program.
    if let Some(code) = entente_plugin::answer_as_compiler(std::env::args_os()) {
        return code;
    }
    let arguments = Arguments::parse();
    let done = match (arguments.workload, arguments.times) {
        (Some(workload), Some(times)) => workload.run(times),
        _ => measure(arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stdout, reason = "what the program is asked for")]
fn measure(arguments: Arguments) -> anyhow::Result<()> {
    let Arguments { quick, json, only, peers, folder, cold_build, .. } = arguments;
    let mut bench = Bench::new(Options { quick, peers, folder, cold_build })?;
    let runtime = speed::runtime()?;
    let mut lines: Vec<Line> = Vec::new();
    for row in
        rows::ALL.into_iter().filter(|row| only.is_empty() || only.iter().any(|name| name == row.name()))
    {
        eprintln!("{} …", row.name());
        // One row that cannot be measured does not cost the others.
        let measured = runtime
            .block_on(row.measure(&mut bench))
            .unwrap_or_else(|error| vec![Line::missing(row.name(), format!("{error:#}"))]);
        if json {
            for line in &measured {
                println!("{}", as_json(line)?);
            }
        }
        lines.extend(measured);
    }
    if !json {
        println!("{}", as_table(&lines));
        let of = |holds| lines.iter().filter(|line| line.holds == holds).count();
        println!(
            "{} goals hold, {} do not, {} figures are shown",
            of(Holds::Yes),
            of(Holds::No),
            of(Holds::Shown)
        );
    }
    Ok(())
}
