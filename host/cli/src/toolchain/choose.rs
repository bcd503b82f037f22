//! Which compiler builds the plugin: the ways in their order, and what is remembered of those that failed.

use std::path::Path;
use std::time::SystemTime;

use super::debian::{self, Debian};
use super::lock::Lock;
use super::{BuildError, BuildOptions, Compiler, Progress, TARGET, environment, rustup, target};

/// The ways to a compiler. Each answers why it does not work here.
trait Ways {
    fn installed(&mut self) -> Result<Compiler, String>;
    fn rustup(&mut self) -> Result<Compiler, String>;
    fn debian(&mut self) -> Result<Compiler, String>;
}

/// The first way that works, cheapest first.
fn first<W: Ways>(ways: &mut W) -> Result<Compiler, BuildError> {
    let mut attempts = Vec::new();
    for way in [W::installed, W::rustup, W::debian] {
        match way(ways) {
            Ok(compiler) => return Ok(compiler),
            Err(reason) => {
                tracing::debug!(reason, "no compiler this way");
                attempts.push(reason);
            }
        }
    }
    Err(BuildError::NoCompiler { attempts })
}

/// Finds a compiler for the plugin in `dir`, and sets one up if there is none.
pub(super) fn compiler(
    dir: &Path,
    toolchain_dir: &Path,
    options: &BuildOptions,
    progress: &mut dyn FnMut(Progress),
) -> Result<Compiler, BuildError> {
    progress(Progress::LookingForTarget);
    let mut machine = Machine { dir, toolchain_dir, options, progress };
    if let Ok(compiler) = machine.installed() {
        return Ok(compiler);
    }
    // Nothing to set up, so nothing to wait for; the folder need not be writable either.
    let unpacked = debian::is_unpacked(toolchain_dir);
    if options.offline || (unpacked && machine.rustup_failed().is_some()) {
        return first(&mut machine);
    }
    let waiting = &mut || (machine.progress)(Progress::Waiting("sets up a compiler"));
    let _lock = match Lock::acquire(&toolchain_dir.join("lock"), waiting) {
        Ok(lock) => lock,
        // Somebody else's folder, ready for use.
        Err(_) if unpacked => {
            return machine.debian().map_err(|reason| BuildError::NoCompiler { attempts: vec![reason] });
        }
        Err(source) => {
            return Err(BuildError::ToolchainFolder { path: toolchain_dir.to_path_buf(), source });
        }
    };
    // All ways from the first one: whoever held the lock may have found one.
    first(&mut machine)
}

struct Machine<'a> {
    dir: &'a Path,
    toolchain_dir: &'a Path,
    options: &'a BuildOptions,
    progress: &'a mut dyn FnMut(Progress),
}

impl Machine<'_> {
    /// Why rustup is not tried now, if it failed not long ago.
    fn rustup_failed(&self) -> Option<String> {
        let sysroot = target::sysroot(self.dir).ok()?;
        rustup::remembered(self.toolchain_dir, &sysroot, SystemTime::now())
    }
}

impl Ways for Machine<'_> {
    fn installed(&mut self) -> Result<Compiler, String> {
        let sysroot = target::sysroot(self.dir)?;
        if target::is_installed(&sysroot) {
            Ok(Compiler::Installed)
        } else {
            Err(format!("the compiler in {} does not have the target {TARGET}", sysroot.display()))
        }
    }

    fn rustup(&mut self) -> Result<Compiler, String> {
        if self.options.offline {
            return Err("rustup was not asked: this build is offline".to_owned());
        }
        if !environment::has_program("rustup") {
            return Err("rustup is not installed".to_owned());
        }
        if let Some(reason) = self.rustup_failed() {
            return Err(reason);
        }
        let sysroot = target::sysroot(self.dir)?;
        let added = rustup::add_target(self.dir, self.options.target_timeout, self.progress).and_then(|()| {
            if target::is_installed(&sysroot) {
                Ok(Compiler::RustupAdded)
            } else {
                Err(format!(
                    "rustup added the target to another compiler than the one in use, {}",
                    sysroot.display()
                ))
            }
        });
        match &added {
            Ok(_) => rustup::forget(self.toolchain_dir),
            Err(reason) => {
                rustup::remember(
                    self.toolchain_dir,
                    &rustup::Failure::new(SystemTime::now(), &sysroot, reason),
                );
            }
        }
        added
    }

    fn debian(&mut self) -> Result<Compiler, String> {
        if !debian::is_unpacked(self.toolchain_dir) {
            if self.options.offline {
                return Err("Debian's compiler is not unpacked, and this build is offline".to_owned());
            }
            debian::set_up(self.toolchain_dir, self.dir, self.progress)
                .map_err(|reason| format!("Debian's compiler: {reason}"))?;
        }
        let root = debian::root(self.toolchain_dir);
        Debian::open(&root, self.dir).map_err(|reason| format!("Debian's compiler: {reason}"))?;
        Ok(Compiler::Debian { root })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    /// Which ways work, and which were tried.
    struct Fake {
        works: [bool; 3],
        tried: Vec<usize>,
    }

    impl Fake {
        fn way(&mut self, number: usize, compiler: Compiler) -> Result<Compiler, String> {
            self.tried.push(number);
            if self.works[number] { Ok(compiler) } else { Err(format!("reason {number}")) }
        }
    }

    impl Ways for Fake {
        fn installed(&mut self) -> Result<Compiler, String> {
            self.way(0, Compiler::Installed)
        }
        fn rustup(&mut self) -> Result<Compiler, String> {
            self.way(1, Compiler::RustupAdded)
        }
        fn debian(&mut self) -> Result<Compiler, String> {
            self.way(2, Compiler::Debian { root: "d".into() })
        }
    }

    #[test]
    fn the_cheapest_way_that_works_is_taken_and_no_other_tried() {
        for (works, tried) in [([true, true, true], 1), ([false, true, true], 2), ([false, false, true], 3)] {
            let mut fake = Fake { works, tried: vec![] };
            first(&mut fake).unwrap();
            assert_eq!(fake.tried, (0..tried).collect::<Vec<_>>());
        }
    }

    #[test]
    fn when_none_works_every_reason_is_told() {
        let mut fake = Fake { works: [false; 3], tried: vec![] };
        let text = first(&mut fake).unwrap_err().to_string();
        for number in 0..3 {
            assert!(text.contains(&format!("reason {number}")), "{text}");
        }
    }
}
