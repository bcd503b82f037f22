//! Child processes: their duration and peak memory.

use anyhow::{Context, Result, bail};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// The resource use of a process.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Used {
    /// Wall time in seconds.
    pub(crate) wall: f64,
    /// Peak memory in bytes, where it was sampled and the system reports it.
    pub(crate) peak: Option<u64>,
}

/// The program `entente` beside this one, built where it is not there or is older than its sources.
///
/// # Errors
/// Where it cannot be built.
pub(crate) fn entente() -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    let folder = own.parent().context("the program is in no folder")?;
    // Benches are one folder deeper.
    let folder = if folder.ends_with("deps") { folder.parent().unwrap_or(folder) } else { folder };
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    if let Some(program) = BUILT.get() {
        return Ok(program.clone());
    }
    let program = folder.join("entente");
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        // As this program is built: chosen by its package alone it would have other features, and most would
        // be compiled once more.
        .args(["build", "--release", "--bin", "entente", "--bin", "speed", "--manifest-path"])
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml"));
    if let Some(target) = folder.parent() {
        cargo.arg("--target-dir").arg(target);
    }
    if !cargo.status().context("cargo cannot be run")?.success() || !program.exists() {
        bail!("the program entente could not be built");
    }
    Ok(BUILT.get_or_init(|| program).clone())
}

/// Runs a program to its end, with a file as its input where one is given.
///
/// # Errors
/// Where it cannot be run or ends badly.
pub(crate) fn run(program: &Path, arguments: &[&str], input: Option<&Path>) -> Result<f64> {
    Ok(watch(program, arguments, input, None)?.wall)
}

/// The middle of some runs of a program, in seconds.
///
/// # Errors
/// Where it cannot be run or ends badly.
pub(crate) fn middle(runs: usize, program: &Path, arguments: &[&str]) -> Result<f64> {
    let mut times = (0..runs).map(|_| run(program, arguments, None)).collect::<Result<Vec<f64>>>()?;
    times.sort_by(f64::total_cmp);
    times.get(runs / 2).copied().context("no runs")
}

/// Runs a program to its end, and looks at its memory meanwhile.
///
/// # Errors
/// Where it cannot be run or ends badly.
pub(crate) fn run_with_memory(program: &Path, arguments: &[&str]) -> Result<Used> {
    watch(program, arguments, None, Some(Duration::from_millis(2)))
}

fn watch(program: &Path, arguments: &[&str], input: Option<&Path>, look: Option<Duration>) -> Result<Used> {
    let mut command = Command::new(program);
    command.args(arguments).stdout(Stdio::null()).stderr(Stdio::piped());
    match input {
        Some(input) => command.stdin(File::open(input)?),
        None => command.stdin(Stdio::null()),
    };
    let started = Instant::now();
    let mut child = command.spawn().with_context(|| format!("{} cannot be run", program.display()))?;
    let mut peak = None;
    if let Some(pause) = look {
        while child.try_wait()?.is_none() {
            // The high-water mark of the kernel: only what the very last moments add can be missed.
            peak = high_water(child.id()).or(peak);
            std::thread::sleep(pause);
        }
    }
    let output = child.wait_with_output()?;
    let wall = started.elapsed().as_secs_f64();
    if !output.status.success() {
        bail!(
            "{} {} ended with {}: {}",
            program.display(),
            arguments.join(" "),
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(Used { wall, peak })
}

fn high_water(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}
