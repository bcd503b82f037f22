//! Ahead-of-time compilation in a child process with resource limits. wasmtime does not bound the cost of
//! compiling a hostile component, so the child has its own limits, and the host loads the artifact that it
//! returns.

use super::child::{FOREIGN, INVALID, Job, PROBE, UNFIT};
use super::sandbox::CompilerSandbox;
use super::settings::{Allocation, settings_hash};
use crate::limits::{LimitReached, Limits};
use crate::text::clean;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;
use wasmtime::Engine;

/// Wall time allowed, as a multiple of CPU time: on a busy machine a compilation has to wait.
const WALL_PER_CPU: u32 = 3;
/// Bytes of a compiler's message that an error shows.
const MESSAGE_BYTES: u64 = 500;
/// Functions compiled in parallel; memory use grows with each.
const THREADS: usize = 2;

/// Where plugins are compiled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Compiler {
    /// A child process per plugin, with limits on its memory and time. The program must call
    /// [`answer_as_compiler`](super::child::answer_as_compiler) first of all, and be built with the same
    /// version of this library, such as `entente`.
    Child(PathBuf),
    /// This process. A plugin made to be hard to compile can exhaust its memory, block its other work, or
    /// abort it: for trusted plugins and tests only.
    InThisProcess,
}

impl Compiler {
    /// Child processes of the running program. It must begin with
    /// [`answer_as_compiler`](super::child::answer_as_compiler), or it would start itself recursively.
    ///
    /// # Errors
    /// Where the system does not tell the path of the running program.
    pub fn this_program() -> io::Result<Self> {
        // The running executable itself, even after an update has replaced the file.
        let running = Path::new("/proc/self/exe");
        if cfg!(target_os = "linux") && running.exists() {
            return Ok(Self::Child(running.to_owned()));
        }
        std::env::current_exe().map(Self::Child)
    }
}

/// Why a plugin was not compiled.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    /// The component is invalid in a way that only compiling shows.
    #[error(
        "the plugin cannot be compiled: {0}; build it again, with a tool chain for WebAssembly components (WASI 0.2)"
    )]
    Invalid(String),
    /// A limit on time, memory or size is exceeded.
    #[error("the plugin was not compiled: {0}")]
    Limit(LimitReached),
    /// It took too long by the clock, perhaps because the machine was busy.
    #[error("the plugin was not compiled: {0}")]
    Slow(LimitReached),
    /// It failed lately, with the same limits, and is not tried again yet.
    #[error("{error} (as before; it is tried again in {} min, or with other limits)", minutes(*again))]
    Known {
        /// Why it failed.
        error: Arc<CompileError>,
        /// When it is tried again.
        again: Duration,
    },
    /// The system killed the compiler process.
    #[error(
        "the plugin was not compiled: the compiler was killed, perhaps because the machine is short of memory{said}; other plugins are not affected. Report it, with the plugin"
    )]
    Killed {
        /// What it said, if it said something.
        said: String,
    },
    /// The compiler process ended unexpectedly.
    #[error(
        "the plugin was not compiled: the compiler {how}; other plugins are not affected. Report it, with the plugin"
    )]
    Crashed {
        /// How, with what it said.
        how: String,
    },
    /// The compiler program cannot be started.
    #[error("plugins cannot be compiled: {} cannot be started: {error}; if the program was moved or updated, start it anew", program.display())]
    Missing {
        /// The program that should compile.
        program: PathBuf,
        /// Why it does not.
        error: io::Error,
    },
    /// The compiler has another version or other engine settings than this host.
    #[error(
        "plugins cannot be compiled: {} is no compiler for this version of the host ({said}); if the program was updated, start it anew",
        program.display()
    )]
    Foreign {
        /// The program that should compile.
        program: PathBuf,
        /// Its output, or what is wrong with its artifact.
        said: String,
    },
    /// The compiler does not work on this machine.
    #[error("plugins cannot be compiled on this machine: {0}")]
    Unfit(String),
}

fn minutes(time: Duration) -> u64 {
    time.as_secs().div_ceil(60)
}

impl CompileError {
    /// The limit that was reached.
    pub fn limit(&self) -> Option<&LimitReached> {
        match self {
            Self::Limit(limit) | Self::Slow(limit) => Some(limit),
            Self::Known { error, .. } => error.limit(),
            _ => None,
        }
    }

    /// The same error, if another try would end with it: plugin and limits are the reason, and not the machine.
    pub(crate) fn lasting(&self) -> Option<Self> {
        match self {
            Self::Invalid(said) => Some(Self::Invalid(said.clone())),
            Self::Limit(limit) => Some(Self::Limit(limit.clone())),
            Self::Crashed { how } => Some(Self::Crashed { how: how.clone() }),
            _ => None,
        }
    }
}

/// Compiles in this process.
///
/// Blocks, for up to seconds.
pub(crate) fn in_process(engine: &Engine, wasm: &[u8]) -> Result<Vec<u8>, CompileError> {
    engine
        .precompile_component(wasm)
        .map_err(|error| CompileError::Invalid(clean(&format!("{error:#}"), MESSAGE_BYTES)))
}

/// Compiles in a child process, which is killed when this future is dropped.
pub(crate) async fn in_child(
    program: &Path,
    engine: &Engine,
    allocation: Allocation,
    limits: &Limits,
    wasm: &[u8],
) -> Result<Vec<u8>, CompileError> {
    let time = Limits::time(limits.compile_time);
    let job = Job {
        allocation,
        settings: settings_hash(engine),
        memory: limits.compile_memory,
        seconds: limits.compile_time.div_ceil(1000).max(1),
    };
    let missing = |error| CompileError::Missing { program: program.to_owned(), error };
    let mut child = command(program).args(job.arguments()).stdin(Stdio::piped()).spawn().map_err(missing)?;
    let (Some(mut stdin), Some(stdout), Some(stderr)) =
        (child.stdin.take(), child.stdout.take(), child.stderr.take())
    else {
        return Err(missing(io::Error::from(io::ErrorKind::BrokenPipe)));
    };
    let talk = async {
        let give = async {
            // The child may exit before it has read everything; its exit status says more than a broken pipe.
            let _ = stdin.write_all(wasm).await;
            drop(stdin);
            Ok::<_, CompileError>(())
        };
        let ((), artifact, said) =
            tokio::try_join!(give, read_artifact(stdout, limits), read_stderr(stderr))?;
        let status = child.wait().await.map_err(missing)?;
        Ok::<_, CompileError>((status, artifact, said))
    };
    let (status, artifact, said) = match tokio::time::timeout(time.saturating_mul(WALL_PER_CPU), talk).await {
        Ok(ended) => ended?,
        Err(_) => return Err(CompileError::Slow(limits.compile_time(None))),
    };
    match failure(status, &said, limits) {
        None => Ok(artifact),
        Some(Ended::Foreign) => Err(CompileError::Foreign { program: program.to_owned(), said }),
        Some(Ended::Known(error)) => Err(error),
    }
}

/// What every child has: nothing of this process but the pipes to it.
fn command(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.env_clear().envs(environment()).current_dir("/").kill_on_drop(true);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Has a child try what it is shut off from.
pub(crate) async fn probe(program: &Path) -> Result<CompilerSandbox, CompileError> {
    const PATIENCE: Duration = Duration::from_secs(30);
    let missing = |error| CompileError::Missing { program: program.to_owned(), error };
    let answer = command(program).arg(PROBE).output();
    let output = tokio::time::timeout(PATIENCE, answer)
        .await
        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
        .map_err(missing)?;
    let said = String::from_utf8_lossy(&output.stdout);
    CompilerSandbox::parse(&said).ok_or_else(|| CompileError::Foreign {
        program: program.to_owned(),
        said: clean(&said, MESSAGE_BYTES),
    })
}

/// The child's complete environment. It inherits none: no variable of this process can change the artifact,
/// and no secret in one is exposed to a component that attacks the compiler.
fn environment() -> [(&'static str, String); 3] {
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(THREADS);
    [
        ("RAYON_NUM_THREADS", threads.to_string()),
        // Allocators reserve address space in advance, by the gigabyte, which would count against the limit.
        ("MIMALLOC_ARENA_RESERVE", "32MiB".to_owned()),
        ("MALLOC_ARENA_MAX", "1".to_owned()),
    ]
}

/// Reads the artifact, up to the limit `compiled-bytes`.
async fn read_artifact(from: impl AsyncRead + Unpin, limits: &Limits) -> Result<Vec<u8>, CompileError> {
    let most = limits.compiled_bytes;
    let mut artifact = Vec::new();
    from.take(most.saturating_add(1)).read_to_end(&mut artifact).await.map_err(broken_pipe)?;
    if artifact.len() as u64 > most {
        return Err(CompileError::Limit(limits.compiled_bytes(None)));
    }
    Ok(artifact)
}

/// Reads standard error: the beginning is kept, the rest is drained so that the child does not block on a
/// full pipe.
async fn read_stderr(from: impl AsyncRead + Unpin) -> Result<String, CompileError> {
    const KEPT: u64 = 16 << 10;
    let mut said = Vec::new();
    let mut from = from.take(KEPT);
    from.read_to_end(&mut said).await.map_err(broken_pipe)?;
    tokio::io::copy(&mut from.into_inner(), &mut tokio::io::sink()).await.map_err(broken_pipe)?;
    Ok(clean(String::from_utf8_lossy(&said).trim(), MESSAGE_BYTES))
}

fn broken_pipe(error: io::Error) -> CompileError {
    CompileError::Crashed { how: format!("could not be heard: {error}") }
}

enum Ended {
    Foreign,
    Known(CompileError),
}

/// Maps the exit status to an error; `None` where there is an artifact.
fn failure(status: ExitStatus, said: &str, limits: &Limits) -> Option<Ended> {
    let crashed = |how: String| CompileError::Crashed {
        how: if said.is_empty() { how } else { format!("{how} and said: {said}") },
    };
    // The messages of Rust's allocator, of the system, and of the system where a thread's stack cannot be
    // allocated.
    let no_memory =
        ["memory allocation of", "out of memory", "os error 12", "Resource temporarily unavailable"]
            .iter()
            .any(|words| said.contains(words));
    Some(Ended::Known(match (status.code().and_then(|code| u8::try_from(code).ok()), signal(status)) {
        (Some(0), _) => return None,
        (Some(FOREIGN), _) => return Some(Ended::Foreign),
        (Some(INVALID), _) => CompileError::Invalid(said.to_owned()),
        (_, Some(signals::ABORT)) | (Some(_), None) if no_memory => {
            CompileError::Limit(limits.compile_memory(None))
        }
        (Some(UNFIT), _) => CompileError::Unfit(said.to_owned()),
        (_, Some(signals::XCPU)) => CompileError::Limit(limits.compile_time(None)),
        (_, Some(signals::KILL)) => {
            let said = if said.is_empty() { String::new() } else { format!(" and said: {said}") };
            CompileError::Killed { said }
        }
        (_, Some(signal)) => crashed(format!("was ended by signal {signal}")),
        (Some(code), None) => crashed(format!("ended with exit code {code}")),
        (None, None) => crashed("ended for an unknown reason".to_owned()),
    }))
}

#[cfg(unix)]
fn signal(status: ExitStatus) -> Option<i32> {
    std::os::unix::process::ExitStatusExt::signal(&status)
}

#[cfg(not(unix))]
fn signal(_: ExitStatus) -> Option<i32> {
    None
}

#[cfg(unix)]
mod signals {
    use rustix::process::Signal;

    pub(crate) const ABORT: i32 = Signal::ABORT.as_raw();
    pub(crate) const KILL: i32 = Signal::KILL.as_raw();
    pub(crate) const XCPU: i32 = Signal::XCPU.as_raw();
}

#[cfg(not(unix))]
mod signals {
    pub(crate) const ABORT: i32 = 6;
    pub(crate) const KILL: i32 = 9;
    pub(crate) const XCPU: i32 = 24;
}

/// The smallest component, to test whether compilation works at all.
pub(crate) const SMALLEST: &[u8] = b"\0asm\x0d\0\x01\0";
