//! The compiler child: a process that reads a component, writes the artifact, and gives up all rights that
//! compiling does not need (resource limits, files, network, system calls).

use super::sandbox;
use super::settings::{Allocation, compile_only, settings_hash};
use std::ffi::{OsStr, OsString};
use std::io::{Read, Write};
use std::process::ExitCode;

/// The first argument of a compiler child.
const WORD: &str = "compile-plugin";
/// The first argument of a child that tells what a compiler cannot do.
pub(crate) const PROBE: &str = "probe-compiler";

/// The exit code for a component that cannot be compiled; standard error says why.
pub(crate) const INVALID: u8 = 65;
/// The exit code of a program that is not a compiler for this host.
pub(crate) const FOREIGN: u8 = 64;
/// The exit code where resource limits could not be set, or reading or writing failed.
pub(crate) const UNFIT: u8 = 71;

/// Address space that uses no memory: the program image, thread stacks, and allocator reservations.
#[cfg(unix)]
const ADDRESSES: u64 = 1 << 30;
/// File descriptors: the standard streams, and what the system opens by itself.
#[cfg(unix)]
const FILES: u64 = 16;
/// How much it stands back behind the host and other programs (`nice`): little, so that it gets along.
#[cfg(unix)]
const NICE: i32 = 5;

/// The job of a child: what to compile for, and its resource limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Job {
    pub(crate) allocation: Allocation,
    /// The hash of the engine settings to compile for.
    pub(crate) settings: u64,
    /// Bytes.
    pub(crate) memory: u64,
    /// Processor time in seconds.
    pub(crate) seconds: u64,
}

impl Job {
    pub(crate) fn arguments(&self) -> Vec<String> {
        let allocation = match self.allocation {
            Allocation::Pooled => "pooled",
            Allocation::OnDemand => "on-demand",
        };
        vec![
            WORD.to_owned(),
            allocation.to_owned(),
            format!("{:016x}", self.settings),
            self.memory.to_string(),
            self.seconds.to_string(),
        ]
    }

    /// Parses the arguments after the first one.
    fn parse(arguments: &[OsString]) -> Option<Self> {
        let arguments: Vec<&str> =
            arguments.iter().map(|argument| argument.to_str()).collect::<Option<_>>()?;
        let [allocation, settings, memory, seconds] = arguments[..] else { return None };
        Some(Self {
            allocation: match allocation {
                "pooled" => Allocation::Pooled,
                "on-demand" => Allocation::OnDemand,
                _ => return None,
            },
            settings: u64::from_str_radix(settings, 16).ok()?,
            memory: memory.parse().ok()?,
            seconds: seconds.parse().ok()?,
        })
    }
}

/// Runs the compiler if this process was started as one by
/// [`Compiler::Child`](super::compiler::Compiler::Child); `None` if it was not. A program that compiles with
/// itself calls this first, and exits with the returned code:
/// code that it gets:
///
/// ```no_run
/// fn main() -> std::process::ExitCode {
///     if let Some(code) = entente_plugin::answer_as_compiler(std::env::args_os()) {
///         return code;
///     }
///     // … what the program is for …
///     std::process::ExitCode::SUCCESS
/// }
/// ```
pub fn answer_as_compiler(arguments: impl IntoIterator<Item = OsString>) -> Option<ExitCode> {
    let arguments: Vec<OsString> = arguments.into_iter().skip(1).collect();
    let first = arguments.first()?;
    let ended = if first == OsStr::new(PROBE) {
        tell_sandbox()
    } else if first == OsStr::new(WORD) {
        match Job::parse(&arguments[1..]) {
            Some(job) => compile(&job),
            None => Err((FOREIGN, "it was started by another version of the host, or by hand".to_owned())),
        }
    } else {
        return None;
    };
    Some(match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err((code, reason)) => {
            let _ = std::io::stderr().write_all(reason.as_bytes());
            ExitCode::from(code)
        }
    })
}

/// Ends this process when the one that asked ends, however that ends: nobody would take the code, and nobody would end a
/// compilation that takes too long.
#[cfg(target_os = "linux")]
fn end_with_parent() {
    // Where the kernel refuses, the limit on processor time remains.
    let _ = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL));
}

#[cfg(not(target_os = "linux"))]
fn end_with_parent() {}

fn compile(job: &Job) -> Result<(), (u8, String)> {
    let unfit = |what: &str, error: &dyn std::fmt::Display| (UNFIT, format!("{what}: {error}"));
    end_with_parent();
    confine(job).map_err(|error| unfit("its resource limits cannot be set", &error))?;
    let engine =
        compile_only(job.allocation).map_err(|error| unfit("the compiler cannot be set up", &error))?;
    if settings_hash(&engine) != job.settings {
        return Err((FOREIGN, "it compiles with other settings".to_owned()));
    }
    // From here on it meets what a stranger has written.
    sandbox::enter().map_err(|error| unfit("its sandbox cannot be set up", &error))?;
    let mut wasm = Vec::new();
    std::io::stdin()
        .lock()
        .read_to_end(&mut wasm)
        .map_err(|error| unfit("the plugin cannot be read", &error))?;
    let artifact = engine.precompile_component(&wasm).map_err(|error| (INVALID, format!("{error:#}")))?;
    let mut out = std::io::stdout().lock();
    out.write_all(&artifact)
        .and_then(|()| out.flush())
        .map_err(|error| unfit("the code cannot be handed over", &error))
}

/// Enters the sandbox of a compiler, and tells what does not work there.
fn tell_sandbox() -> Result<(), (u8, String)> {
    let sandbox = sandbox::try_out().map_err(|error| (UNFIT, error))?;
    std::io::stdout()
        .write_all(sandbox.write().as_bytes())
        .map_err(|error| (UNFIT, format!("it cannot be told: {error}")))
}

/// Sets resource limits (`setrlimit`) on memory, CPU time and files. A lower limit already in force stays.
#[cfg(unix)]
fn confine(job: &Job) -> std::io::Result<()> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    // Others come first on a busy machine; that it is not so is no reason not to compile.
    let _ = rustix::process::nice(NICE);
    #[cfg(target_os = "linux")]
    rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable)?;
    let same = |most| (most, most);
    let limits = [
        (Resource::Core, same(0)),
        (Resource::Fsize, same(0)),
        (Resource::Nofile, same(FILES)),
        // The soft limit sends SIGXCPU, which identifies the cause; the hard limit kills the process.
        (Resource::Cpu, (job.seconds, job.seconds.saturating_add(1))),
        // RLIMIT_DATA counts writable memory, whoever reserved it: less than the address space, and more than
        // the memory in use.
        (Resource::Data, same(job.memory)),
        (Resource::As, same(job.memory.saturating_add(ADDRESSES))),
    ];
    for (resource, (soft, hard)) in limits {
        let already = getrlimit(resource).maximum.unwrap_or(u64::MAX);
        setrlimit(resource, Rlimit { current: Some(soft.min(already)), maximum: Some(hard.min(already)) })?;
    }
    Ok(())
}

/// On systems other than Unix, only the host's timeout and the size limit of the artifact apply.
#[cfg(not(unix))]
fn confine(_job: &Job) -> std::io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Vec<OsString> {
        words.iter().map(OsString::from).collect()
    }

    #[test]
    fn a_job_is_read_as_it_was_written() {
        for allocation in [Allocation::Pooled, Allocation::OnDemand] {
            let job = Job { allocation, settings: 0x0123_4567_89ab_cdef, memory: 1 << 30, seconds: 60 };
            let arguments = job.arguments();
            assert_eq!(arguments[0], WORD);
            let rest: Vec<OsString> = arguments[1..].iter().map(OsString::from).collect();
            assert_eq!(Job::parse(&rest), Some(job));
        }
        for wrong in [
            &["pooled", "0", "1"][..],
            &["pooled", "0", "1", "2", "3"],
            &["other", "0", "1", "2"],
            &["pooled", "x", "1", "2"],
            &[],
        ] {
            assert_eq!(Job::parse(&words(wrong)), None, "{wrong:?}");
        }
    }

    #[test]
    fn other_calls_of_a_program_are_left_to_it() {
        for arguments in [&["entente"][..], &["entente", "sync", WORD], &[]] {
            assert!(answer_as_compiler(words(arguments)).is_none(), "{arguments:?}");
        }
    }
}
