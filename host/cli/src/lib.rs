//! The command line: one file a command. It parses, calls the library, prints; it decides nothing.

mod apply;
mod changes;
mod completion;
mod conflict;
mod dates;
mod doctor;
mod door;
mod examples;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod grid;
mod import_text;
mod import_undo;
mod init;
mod integration;
mod integration_calls;
mod integration_grant;
mod judge;
mod link;
mod man;
mod output;
mod paging;
mod plugin;
mod progress;
mod quickstart;
mod record;
mod record_delete;
mod record_export;
mod record_import;
mod record_show;
mod remedy;
mod report;
mod retry;
mod run;
mod run_again;
mod sides;
mod status;
mod stop;
mod stream;
mod sync;
mod sync_list;
mod tenant;
mod toolchain;
mod waiting;
mod whole_file;

use entente::view::{ErrorCode, ErrorView};
use entente::{ConfigError, DEFAULT_TENANT, FileError, Home, SecretText, Tenant, TenantError};
pub use toolchain::{BuildError, BuildOptions, Built, Progress, build_plugin};

use clap::{Parser, Subcommand};
use entente_core::Foreign;
use entente_plugin::{Compiler, answer_as_compiler, protect_process};
use entente_sqlite::HubError;
use entente_sync::SyncError;
use output::{Done, Output, Usage};
use std::path::PathBuf;
use std::process::ExitCode;

/// A way in for the fuzz targets.
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzz_entry {
    /// What `entente judge` answers.
    pub fn judge_lines(input: &[u8]) -> Vec<u8> {
        let mut output = Vec::new();
        super::judge::answer_lines(entente_core::Mode::Span, input, &mut output)
            .map(|_| output)
            .unwrap_or_default()
    }

    /// Lines as a terminal may have them.
    pub fn safe(text: &str) -> String {
        super::door::safe(text).into_owned()
    }

    /// A JSON document as a terminal may have it.
    pub fn safe_json(text: &str) -> String {
        super::door::safe_json(text).into_owned()
    }

    /// Data in pieces as a terminal may have it: text, CSV or lines of JSON.
    pub fn data(kind: u8, pieces: &[&[u8]]) -> Vec<u8> {
        use super::door::Data;
        let kind = match kind {
            0 => Data::Text,
            1 => Data::Csv,
            _ => Data::Json,
        };
        super::door::streamed(kind, pieces)
    }

    /// A word within a command.
    pub fn quoted(text: &str) -> String {
        super::remedy::quoted(text)
    }
}

/// Keeps records in agreement between systems, through sandboxed plugins
///
/// Exit codes: 0 done; 1 the run or command failed; 2 wrong usage; 3 done, but this run left records that failed or are
/// held, or fields in conflict. What earlier runs have left is told by `status --check`.
#[derive(Debug, Parser)]
#[command(name = "entente", version, propagate_version = true, max_term_width = 110)]
struct Cli {
    #[command(flatten, next_help_heading = "Global options")]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Args)]
struct Global {
    /// The folder with everything that is kept [default: $ENTENTE_HOME, else the data folder of the user]
    #[arg(long, global = true, value_name = "FOLDER")]
    home: Option<PathBuf>,
    /// The tenant that it is about [default: $ENTENTE_TENANT, else the tenant `default`]
    #[arg(long, global = true, value_name = "NAME")]
    tenant: Option<String>,
    /// Make the home folder that --home or ENTENTE_HOME names, where there is none
    #[arg(long, global = true)]
    create: bool,
    /// Print data as JSON
    #[arg(long, global = true)]
    json: bool,
    /// Tell what goes on; twice for more
    #[arg(long, short, global = true, action = clap::ArgAction::Count, conflicts_with = "quiet")]
    verbose: u8,
    /// Tell people moments in UTC, as in --json, instead of how long ago they were
    #[arg(long, global = true)]
    utc: bool,
    /// Print errors only, and the data of --json: no tables, no progress, no warnings
    #[arg(long, short, global = true)]
    quiet: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// See everything work: a sample CRM, some hundred records, a first sync
    Quickstart(quickstart::QuickstartArgs),
    /// Make a home folder, with the tenant `default`
    Init,
    /// Bring two systems into agreement
    Sync(sync_list::SyncCommand),
    /// Set integrations, syncs, mappings and custom fields by a file
    Apply(apply::ApplyArgs),
    /// Print the configuration as a file for apply, without secrets
    Export,
    /// Plugins: build, look into, install
    #[command(subcommand)]
    Plugin(plugin::PluginCommand),
    /// Integrations: configured plugins
    #[command(subcommand)]
    Integration(integration::IntegrationCommand),
    /// Records of the hub
    #[command(subcommand)]
    Record(record::RecordCommand),
    /// What ran and what it did
    #[command(subcommand)]
    Run(run::RunCommand),
    /// Fields of which both sides claim another value: list them, decide
    #[command(subcommand)]
    Conflict(conflict::ConflictCommand),
    /// Counterparts: say which record is the one of another, or that none was made
    #[command(subcommand)]
    Link(link::LinkCommand),
    /// What failed: list it, or put it back to be done
    Retry(retry::RetryArgs),
    /// How the syncs stand: every record counted once, and what to do next
    Status(status::StatusArgs),
    Judge(judge::JudgeArgs),
    /// Tenants: isolated sets of everything, and their limits
    #[command(subcommand)]
    Tenant(tenant::TenantCommand),
    /// Check that everything needed is there and works
    Doctor(doctor::DoctorArgs),
    /// Print a completion script for a shell
    Completion(completion::CompletionArgs),
    /// Write a man page for each command into a folder
    Man(man::ManArgs),
}

/// What every command gets.
struct Context {
    home: Option<PathBuf>,
    create: bool,
    tenant: Option<String>,
    output: Output,
}

impl Context {
    fn home(&self) -> anyhow::Result<PathBuf> {
        let environment = |name: &str| std::env::var_os(name);
        Ok(match self.create {
            true => Home::locate(self.home.as_deref(), environment)?,
            false => Home::find(self.home.as_deref(), environment)?,
        })
    }

    /// The name of the tenant.
    fn tenant_name(&self) -> String {
        let variable = || std::env::var("ENTENTE_TENANT").ok().filter(|name| !name.is_empty());
        self.tenant.clone().or_else(variable).unwrap_or_else(|| DEFAULT_TENANT.to_owned())
    }

    fn tenant(&self) -> anyhow::Result<Tenant> {
        Ok(Tenant::open_named(&self.home()?, &self.tenant_name(), key_variable(), Compiler::this_program()?)?)
    }
}

/// The key from the environment, if it is there.
fn key_variable() -> Option<SecretText> {
    std::env::var("ENTENTE_KEY").ok().filter(|text| !text.is_empty()).map(SecretText::new)
}

/// The command line: its commands, arguments and options, for documents and tests.
pub fn command() -> clap::Command {
    examples::add_to(<Cli as clap::CommandFactory>::command())
}

/// Reads the command line.
fn parse() -> Result<Cli, clap::Error> {
    <Cli as clap::FromArgMatches>::from_arg_matches(&command().try_get_matches()?)
}

/// Runs the program with the arguments of the process.
pub fn main() -> ExitCode {
    // Before there are threads and secrets.
    let protected = protect_process();
    if let Some(code) = answer_as_compiler(std::env::args_os()) {
        return code;
    }
    completion::answer();
    // A message of a panic goes through the door as well.
    std::panic::set_hook(Box::new(|panic| door::tell(&panic.to_string())));
    let cli = match parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version go to standard output and are no error.
            if error.use_stderr() && std::env::args_os().any(|argument| argument == "--json") {
                report_json(&ErrorView::new(ErrorCode::Usage, error.to_string().trim_end()));
                return ExitCode::from(2);
            }
            let code = if error.use_stderr() { ExitCode::from(2) } else { ExitCode::SUCCESS };
            // Help and usage errors repeat words of the command line, which may have been copied from anywhere.
            match error.use_stderr() {
                true => door::tell(error.render().to_string().trim_end()),
                false => door::print_line(error.render().to_string().trim_end()),
            }
            return code;
        }
    };
    remedy::given(remedy::Given {
        home: cli.global.home.clone(),
        tenant: cli.global.tenant.clone(),
        arguments: std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect(),
    });
    log_to_stderr(cli.global.verbose, cli.global.quiet);
    if let Err(error) = protected {
        tracing::warn!(%error, "this process could not give up all that it has no need of");
    }
    let context = Context {
        home: cli.global.home,
        create: cli.global.create,
        tenant: cli.global.tenant,
        output: Output { json: cli.global.json, quiet: cli.global.quiet, utc: cli.global.utc, paged: true },
    };
    let result = match cli.command {
        // The fastest commands need no runtime.
        Command::Judge(args) => judge::run(&args),
        Command::Completion(args) => completion::run(&args),
        Command::Man(args) => man::run(&args),
        command => tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .map_err(anyhow::Error::from)
            .and_then(|runtime| runtime.block_on(run(command, &context))),
    };
    match result {
        Ok(done) => done.into(),
        // Whoever reads has read enough: `| head`.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            report(&error, context.output.json);
            if is_wrong_usage(&error) { ExitCode::from(2) } else { ExitCode::FAILURE }
        }
    }
}

async fn run(command: Command, context: &Context) -> anyhow::Result<Done> {
    match command {
        Command::Quickstart(args) => quickstart::run(args, context).await,
        Command::Init => init::run(context),
        Command::Sync(command) => sync_list::run(command, context).await,
        Command::Apply(args) => apply::run(args, context).await,
        Command::Export => apply::export(context).await,
        Command::Plugin(command) => plugin::run(command, context).await,
        Command::Integration(command) => integration::run(command, context).await,
        Command::Record(command) => record::run(command, context).await,
        Command::Run(command) => run::run(command, context).await,
        Command::Conflict(command) => conflict::run(command, context).await,
        Command::Link(command) => link::run(command, context).await,
        Command::Retry(args) => retry::run(args, context).await,
        Command::Status(args) => status::run(args, context).await,
        Command::Tenant(command) => tenant::run(command, context).await,
        Command::Doctor(args) => doctor::run(args, context).await,
        Command::Judge(_) | Command::Completion(_) | Command::Man(_) => Ok(Done::Well),
    }
}

/// Whether what was asked for can never work: the words are wrong, or name a sync that is not there or an object
/// that the sync does not map.
fn is_wrong_usage(error: &anyhow::Error) -> bool {
    let no_sync = |error: &ConfigError| matches!(error, ConfigError::Unknown { what: "sync", .. });
    error.is::<Usage>()
        || error.downcast_ref().is_some_and(no_sync)
        || match error.downcast_ref() {
            Some(TenantError::Config(error)) => no_sync(error),
            Some(TenantError::Grants(_) | TenantError::Sync(SyncError::NotMapped { .. })) => true,
            _ => false,
        }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let kind = |cause: &(dyn std::error::Error + 'static)| {
        let written = cause.downcast_ref().map(std::io::Error::kind);
        // It does not give its cause as one.
        written.or_else(|| cause.downcast_ref().and_then(serde_json::Error::io_error_kind))
    };
    error.chain().any(|cause| kind(cause) == Some(std::io::ErrorKind::BrokenPipe))
}

/// Prints an error with what caused it, each cause once.
fn report(error: &anyhow::Error, json: bool) {
    let mut text = error.to_string();
    for cause in error.chain().skip(1) {
        let cause = cause.to_string();
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    if !has_lines_of_its_own(error) {
        text = Foreign::new(text).to_string();
    }
    let remedies = remedy::of(error);
    let known = error.chain().find_map(|cause| {
        let of_tenant = cause.downcast_ref::<TenantError>().map(ErrorView::from);
        of_tenant.or_else(|| cause.downcast_ref::<ConfigError>().map(ErrorView::from))
    });
    if json {
        return report_json(&ErrorView { error: text, remedies, ..known.unwrap_or_else(|| unknown(error)) });
    }
    door::tell(&format!("error: {text}{}", remedy::lines(&remedies)));
    let problems = known.map_or(0, |error| error.problems.len());
    if problems > 1 {
        door::tell(&format!("{problems} problems; nothing was saved"));
    }
}

/// Whether an error is told in several lines, each made safe where it is made: problems of a file, and what compilers said.
/// Any other is one line, and a line break in it a stranger's.
fn has_lines_of_its_own(error: &anyhow::Error) -> bool {
    let config = |error: &ConfigError| matches!(error, ConfigError::Problems(_));
    error.is::<remedy::Advised>()
        || error.chain().any(|cause| {
            cause.is::<BuildError>()
                || cause.downcast_ref().is_some_and(config)
                || matches!(cause.downcast_ref(), Some(TenantError::Config(error)) if config(error))
                || matches!(cause.downcast_ref(), Some(TenantError::NotAdded { .. }))
        })
}

/// An error that is none of a tenant.
fn unknown(error: &anyhow::Error) -> ErrorView {
    let sync = error.chain().find_map(|cause| cause.downcast_ref::<SyncError>()).map(ErrorCode::of_sync);
    let file = error.chain().find_map(|cause| cause.downcast_ref::<FileError>()).map(|_| ErrorCode::Invalid);
    let hub = error.chain().find_map(|cause| cause.downcast_ref::<HubError>()).map(ErrorCode::of_hub);
    let io = error.chain().find_map(|cause| cause.downcast_ref::<std::io::Error>()).map(|_| ErrorCode::Files);
    let code = match error.is::<Usage>() {
        true => ErrorCode::Usage,
        false => sync.or(file).or(hub).or(io).unwrap_or(ErrorCode::Failed),
    };
    ErrorView::new(code, String::new())
}

/// Prints an error for programs: one object on standard error.
fn report_json(error: &ErrorView) {
    let Ok(mut data) = serde_json::to_value(error) else { return };
    remedy::add_commands(&mut data);
    door::tell_json(&format!("{data:#}"));
}

fn log_to_stderr(verbose: u8, quiet: bool) {
    let level = match verbose {
        0 if quiet => "error",
        0 => "warn",
        1 => "info,wasmtime=warn,cranelift=warn,hyper=warn,reqwest=warn",
        2 => "debug,wasmtime=warn,cranelift=warn,hyper=info,reqwest=info",
        _ => "trace,wasmtime=info,cranelift=warn",
    };
    let filter = tracing_subscriber::EnvFilter::try_from_env("ENTENTE_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(level));
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .fmt_fields(remedy::log_fields())
        .with_writer(door::log_writer)
        .with_target(false)
        .with_ansi(door::shows_progress())
        .try_init();
}
