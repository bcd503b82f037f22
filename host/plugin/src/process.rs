//! What this process gives up at its start: core dumps, new privileges, and files that others can read.

use std::io;

/// Protects this process, which holds secrets in its memory: no core dumps and no debuggers of other programs, no
/// privileges by `setuid` programs that it starts, and nothing that it makes can be read by others. To be called
/// first of all, before there are threads. What the system does not know is left out.
///
/// # Errors
/// Where the system refuses it; the rest is in force.
#[cfg(unix)]
pub fn protect_process() -> io::Result<()> {
    use rustix::process::{Resource, Rlimit, setrlimit};
    unix::keep_umask();
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    let mut refused = Vec::new();
    let mut note = |what: &str, done: Result<(), String>| {
        if let Err(error) = done {
            refused.push(format!("{what}: {error}"));
        }
    };
    note("core dumps", setrlimit(Resource::Core, none).map_err(|error| error.to_string()));
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};
        let not_dumpable = set_dumpable_behavior(DumpableBehavior::NotDumpable);
        note("debuggers", not_dumpable.map_err(|error| error.to_string()));
        let no_privileges = landlock::RestrictSelf::default().apply();
        note("new privileges", no_privileges.map(drop).map_err(|error| error.to_string()));
    }
    if refused.is_empty() { Ok(()) } else { Err(io::Error::other(refused.join("; "))) }
}

/// Other systems have other ways.
#[cfg(not(unix))]
pub fn protect_process() -> io::Result<()> {
    Ok(())
}

/// Makes something that is not for this program alone, such as a component that its user has built: files get the
/// rights that the user gives to new files. Other threads are to make none meanwhile.
#[cfg(unix)]
pub fn with_umask_of_user<T>(make: impl FnOnce() -> T) -> T {
    unix::with_umask_of_user(make)
}

/// There are no umasks here.
#[cfg(not(unix))]
pub fn with_umask_of_user<T>(make: impl FnOnce() -> T) -> T {
    make()
}

#[cfg(unix)]
mod unix {
    use rustix::fs::Mode;
    use rustix::process::umask;
    use std::sync::{Mutex, OnceLock, PoisonError};

    /// What the user has set; unset where this process has not been protected.
    static OF_USER: OnceLock<Mode> = OnceLock::new();
    /// The umask is that of the whole process.
    static CHANGING: Mutex<()> = Mutex::new(());

    pub(super) fn keep_umask() {
        let before = umask(Mode::RWXG | Mode::RWXO);
        OF_USER.get_or_init(|| before);
    }

    /// Sets the umask back, however it ends.
    struct Restored(Mode);

    impl Drop for Restored {
        fn drop(&mut self) {
            umask(self.0);
        }
    }

    pub(super) fn with_umask_of_user<T>(make: impl FnOnce() -> T) -> T {
        let Some(of_user) = OF_USER.get() else { return make() };
        let _changing = CHANGING.lock().unwrap_or_else(PoisonError::into_inner);
        let _restored = Restored(umask(*of_user));
        make()
    }
}
