//! The program `hello-crm`.

use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::{Args, Parser, Subcommand};
use hello_crm::seed::{self, Seed};
use hello_crm::{Config, ManualClock, Server, Stamp, SystemClock};

/// A small CRM with an HTTP JSON interface.
#[derive(Parser)]
#[command(version, args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: Serve,
}

#[derive(Subcommand)]
enum Command {
    /// Write the sample CSV files into a folder
    #[command(hide = true)]
    SampleCsv {
        /// The folder
        folder: PathBuf,
    },
}

#[derive(Args)]
struct Serve {
    /// Where to listen; port 0 for any free one
    #[arg(long, default_value = "127.0.0.1:8787")]
    listen: SocketAddr,
    /// The state file; without one the state is lost at the end
    #[arg(long)]
    data: Option<PathBuf>,
    /// The key that may read and write
    #[arg(long, env = "HELLO_CRM_API_KEY", hide_env_values = true, required = true)]
    api_key: Option<String>,
    /// A key that may only read
    #[arg(long, env = "HELLO_CRM_READ_ONLY_KEY", hide_env_values = true)]
    read_only_key: Option<String>,
    /// The key for /control; without one it answers to the same machine only
    #[arg(long, env = "HELLO_CRM_CONTROL_KEY", hide_env_values = true)]
    control_key: Option<String>,
    /// What to begin with where there is no state file yet: a number of sample people, or a JSON file
    #[arg(long, value_name = "N|FILE")]
    seed: Option<String>,
    /// Records of a page where the caller does not say
    #[arg(long, default_value_t = 100)]
    page_size: usize,
    /// Records of a page at most
    #[arg(long, default_value_t = 200)]
    largest_page: usize,
    /// Refuse two people with one e-mail address
    #[arg(long)]
    unique_email: bool,
    /// Answer 429 beyond so many requests a second
    #[arg(long, value_name = "N", conflicts_with = "clock")]
    requests_per_second: Option<u32>,
    /// Answer so much later
    #[arg(long, value_name = "MS", default_value_t = 0)]
    latency_ms: u64,
    /// Stand still at this instant, and move only when /control/clock says so (for tests)
    #[arg(long, value_name = "INSTANT", value_parser = Stamp::parse)]
    clock: Option<Stamp>,
    /// Write the address to this file when the server listens
    #[arg(long, value_name = "FILE")]
    port_file: Option<PathBuf>,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into());
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let done = match cli.command {
        Some(Command::SampleCsv { folder }) => hello_crm::sample_csv::write(&folder)
            .with_context(|| format!("cannot write to {}", folder.display())),
        None => serve(cli.serve),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nothing is left to do if standard error is closed as well.
            let _ = writeln!(std::io::stderr(), "hello-crm: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn serve(options: Serve) -> Result<()> {
    let config = Config {
        listen: options.listen,
        data: options.data,
        read_only_key: options.read_only_key,
        control_key: options.control_key,
        seed: options.seed.as_deref().map(seed).transpose()?,
        page_size: options.page_size,
        largest_page: options.largest_page,
        unique_email: options.unique_email,
        requests_per_second: options.requests_per_second,
        latency: Duration::from_millis(options.latency_ms),
        clock: match options.clock {
            Some(at) => Arc::new(ManualClock::new(at)),
            None => Arc::new(SystemClock),
        },
        ..Config::new(options.api_key.unwrap_or_default())
    };
    let mut stop = Stop::new()?;
    let server = Server::start(config).await?;
    announce(&server, options.port_file.as_deref())?;
    stop.wait().await;
    server.stop().await?;
    Ok(())
}

fn seed(given: &str) -> Result<Seed> {
    match given.parse() {
        Ok(people) => Ok(seed::sample(people)),
        Err(_) => Seed::load(Path::new(given))
            .map_err(|reason| anyhow::anyhow!("the seed cannot be used: {reason}")),
    }
}

/// Says where the server listens. Who waits for the file never sees half of it.
fn announce(server: &Server, port_file: Option<&Path>) -> Result<()> {
    if let Some(path) = port_file {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let written = tempfile::NamedTempFile::new_in(folder).and_then(|mut file| {
            writeln!(file, "{}", server.addr())?;
            file.persist(path)?;
            Ok(())
        });
        written.with_context(|| format!("cannot write {}", path.display()))?;
    }
    let mut out = std::io::stdout();
    writeln!(out, "listening on {}", server.url())
        .and_then(|()| out.flush())
        .context("cannot write to standard output")
}

/// Ctrl-C, and SIGTERM where there is such a thing.
struct Stop {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
}

impl Stop {
    fn new() -> Result<Self> {
        Ok(Self {
            #[cfg(unix)]
            terminate: tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?,
        })
    }

    async fn wait(&mut self) {
        #[cfg(unix)]
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
        #[cfg(not(unix))]
        let _ = tokio::signal::ctrl_c().await;
    }
}
