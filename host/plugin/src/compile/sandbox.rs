//! What the compiler child gives up for good before it reads a byte of a plugin: files and the network by
//! Landlock, and by seccomp every system call but those of a program that computes.

use std::fmt;

/// What a compiler child cannot do on this machine: it was tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CompilerSandbox {
    /// Landlock is in force.
    pub landlock: bool,
    /// A filter of system calls is in force.
    pub seccomp: bool,
    /// It cannot open files.
    pub no_files: bool,
    /// It cannot make a socket.
    pub no_network: bool,
    /// It cannot start a process.
    pub no_processes: bool,
}

impl CompilerSandbox {
    /// Each fact with its name, for the pipe between child and host.
    fn facts(&mut self) -> [(&'static str, &mut bool); 5] {
        [
            ("landlock", &mut self.landlock),
            ("seccomp", &mut self.seccomp),
            ("no-files", &mut self.no_files),
            ("no-network", &mut self.no_network),
            ("no-processes", &mut self.no_processes),
        ]
    }

    const NONE: Self =
        Self { landlock: false, seccomp: false, no_files: false, no_network: false, no_processes: false };

    pub(crate) fn write(mut self) -> String {
        self.facts().map(|(name, holds)| format!("{name}={holds}\n")).concat()
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut sandbox = Self::NONE;
        for (name, holds) in sandbox.facts() {
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='))?;
            *holds = line.parse().ok()?;
        }
        Some(sandbox)
    }
}

impl fmt::Display for CompilerSandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let by = match (self.landlock, self.seccomp) {
            (true, true) => "Landlock and seccomp",
            (true, false) => "Landlock; the kernel has no seccomp",
            (false, true) => "seccomp; the kernel has no Landlock",
            (false, false) => {
                return f.write_str(
                    "with limits on time and memory alone: the kernel has neither Landlock nor seccomp",
                );
            }
        };
        let facts =
            [(self.no_files, "files"), (self.no_network, "network"), (self.no_processes, "processes")];
        let of = |wanted: bool| {
            let names: Vec<&str> =
                facts.iter().filter(|(without, _)| *without == wanted).map(|(_, name)| *name).collect();
            names.join(", ")
        };
        write!(f, "without {} ({by})", of(true))?;
        if facts.iter().any(|(without, _)| !without) {
            write!(f, ", but with {}", of(false))?;
        }
        Ok(())
    }
}

/// Gives up what compiling does not need. Best effort: a kernel that lacks one or the other is told by
/// `entente doctor`. Returns whether Landlock and seccomp are in force.
#[cfg(target_os = "linux")]
pub(crate) fn enter() -> Result<(bool, bool), String> {
    let landlock = linux::landlock().map_err(|error| error.to_string())?;
    let seccomp = linux::seccomp().map_err(|error| error.to_string())?;
    Ok((landlock, seccomp))
}

/// Other systems have neither.
#[cfg(not(target_os = "linux"))]
pub(crate) fn enter() -> Result<(bool, bool), String> {
    Ok((false, false))
}

/// Enters the sandbox, and tries what must not work there.
pub(crate) fn try_out() -> Result<CompilerSandbox, String> {
    use std::process::{Command, Stdio};
    let (landlock, seccomp) = enter()?;
    let no_files = std::fs::read_dir("/").is_err();
    let no_network = std::net::TcpListener::bind("127.0.0.1:0").is_err()
        && std::net::UdpSocket::bind("127.0.0.1:0").is_err();
    let program = if cfg!(windows) { "cmd" } else { "true" };
    let mut other = Command::new(program);
    let no_processes =
        other.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().is_err();
    Ok(CompilerSandbox { landlock, seccomp, no_files, no_network, no_processes })
}

#[cfg(target_os = "linux")]
mod linux {
    use landlock::{
        ABI, Access, AccessFs, AccessNet, Ruleset, RulesetAttr, RulesetError, RulesetStatus, Scope,
    };
    use seccompiler::{
        BpfProgram, Error, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
        SeccompRule, TargetArch, apply_filter,
    };
    use std::collections::BTreeMap;

    /// The newest that is known; of an older kernel, what that has.
    const NEWEST: ABI = ABI::V7;

    /// No file can be opened, and no port used; no signal or abstract socket reaches another process. Whether
    /// the kernel does it.
    pub(super) fn landlock() -> Result<bool, RulesetError> {
        // Without a rule: nothing of what is named is allowed.
        let status = Ruleset::default()
            .handle_access(AccessFs::from_all(NEWEST))?
            .handle_access(AccessNet::from_all(NEWEST))?
            .scope(Scope::from_all(NEWEST))?
            .create()?
            .restrict_self()?;
        Ok(status.ruleset != RulesetStatus::NotEnforced)
    }

    /// What a program calls that reads, computes in some threads and writes.
    const ALLOWED: &[i64] = &[
        libc::SYS_read,
        libc::SYS_readv,
        libc::SYS_write,
        libc::SYS_writev,
        libc::SYS_close,
        libc::SYS_fstat,
        libc::SYS_lseek,
        libc::SYS_ppoll,
        libc::SYS_munmap,
        libc::SYS_mremap,
        libc::SYS_madvise,
        libc::SYS_brk,
        libc::SYS_futex,
        libc::SYS_set_robust_list,
        libc::SYS_rseq,
        libc::SYS_sched_yield,
        libc::SYS_sched_getaffinity,
        libc::SYS_getcpu,
        libc::SYS_getpid,
        libc::SYS_gettid,
        libc::SYS_getrandom,
        libc::SYS_clock_gettime,
        libc::SYS_clock_getres,
        libc::SYS_clock_nanosleep,
        libc::SYS_nanosleep,
        libc::SYS_restart_syscall,
        libc::SYS_rt_sigaction,
        libc::SYS_rt_sigprocmask,
        libc::SYS_rt_sigreturn,
        libc::SYS_sigaltstack,
        libc::SYS_exit,
        libc::SYS_exit_group,
        // Not known, by a filter of its own.
        libc::SYS_clone3,
    ];

    /// The number of an argument, its size, a mask, and what is left of the argument under it.
    type Argument = (u8, SeccompCmpArgLen, u64, u64);

    /// What is allowed with these arguments only.
    fn with_arguments() -> Vec<(i64, Vec<Argument>)> {
        const EXECUTABLE: u64 = libc::PROT_EXEC as u64;
        const THREAD: u64 = libc::CLONE_THREAD as u64;
        const ALL: u64 = 0xffff_ffff;
        let int = || SeccompCmpArgLen::Dword;
        vec![
            // No code comes into being here: it is handed over as bytes.
            (libc::SYS_mmap, vec![(2, int(), EXECUTABLE, 0)]),
            (libc::SYS_mprotect, vec![(2, int(), EXECUTABLE, 0)]),
            // Threads, and no processes.
            (libc::SYS_clone, vec![(0, int(), THREAD, THREAD)]),
            // Its own limits are read; to set them it has to give a pointer.
            (libc::SYS_prlimit64, vec![(2, SeccompCmpArgLen::Qword, u64::MAX, 0)]),
            // Signals of its own, such as that of an abort.
            (libc::SYS_tgkill, vec![(0, int(), ALL, u64::from(std::process::id()))]),
            (libc::SYS_prctl, vec![(0, int(), ALL, libc::PR_SET_NAME as u64)]),
        ]
    }

    fn rule(arguments: &[Argument]) -> Result<SeccompRule, seccompiler::BackendError> {
        let conditions = arguments.iter().map(|(number, size, mask, value)| {
            SeccompCondition::new(*number, size.clone(), SeccompCmpOp::MaskedEq(*mask), *value)
        });
        SeccompRule::new(conditions.collect::<Result<_, _>>()?)
    }

    /// The filters, in the order in which they are put on.
    fn filters(arch: TargetArch) -> Result<[BpfProgram; 2], seccompiler::BackendError> {
        let mut rules: BTreeMap<i64, Vec<SeccompRule>> =
            ALLOWED.iter().map(|call| (*call, Vec::new())).collect();
        #[cfg(target_arch = "x86_64")]
        rules.insert(libc::SYS_poll, Vec::new());
        for (call, arguments) in with_arguments() {
            rules.insert(call, vec![rule(&arguments)?]);
        }
        let refused = SeccompAction::Errno(libc::EPERM as u32);
        let allowed = SeccompFilter::new(rules, refused, SeccompAction::Allow, arch)?;
        // The flags of `clone3` lie in memory, where no filter sees them. The C library takes `clone` where the
        // kernel does not know it.
        let unknown = SeccompAction::Errno(libc::ENOSYS as u32);
        let clone3 = BTreeMap::from([(libc::SYS_clone3, Vec::new())]);
        let clone3 = SeccompFilter::new(clone3, SeccompAction::Allow, unknown, arch)?;
        // None can be put on after the filter that allows what is listed.
        Ok([clone3.try_into()?, allowed.try_into()?])
    }

    /// Every system call that is not listed fails. Whether the kernel does it.
    pub(super) fn seccomp() -> Result<bool, Error> {
        let Ok(arch) = TargetArch::try_from(std::env::consts::ARCH) else { return Ok(false) };
        for filter in filters(arch)? {
            match apply_filter(&filter) {
                Ok(()) => {}
                // A kernel, or what stands for one, that has none.
                Err(Error::Seccomp(_) | Error::Prctl(_)) => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_tried_is_handed_over_and_told() {
        let all = CompilerSandbox {
            landlock: true,
            seccomp: true,
            no_files: true,
            no_network: true,
            no_processes: true,
        };
        let files = CompilerSandbox { seccomp: false, no_network: false, no_processes: false, ..all };
        for sandbox in [all, files, CompilerSandbox::NONE] {
            assert_eq!(CompilerSandbox::parse(&sandbox.write()), Some(sandbox));
        }
        assert_eq!(CompilerSandbox::parse("landlock=true"), None);
        insta::assert_snapshot!(all, @"without files, network, processes (Landlock and seccomp)");
        insta::assert_snapshot!(files, @"without files (Landlock; the kernel has no seccomp), but with network, processes");
        insta::assert_snapshot!(CompilerSandbox::NONE, @"with limits on time and memory alone: the kernel has neither Landlock nor seccomp");
    }
}
