//! apt with folders of its own: it reads the system's package sources and nothing of it is written. The
//! system's own settings for fetching (a proxy, say) are taken over, its hooks are not: they clean and
//! rebuild the system's caches.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::process::{self, Finished, RunError};
use super::{Progress, environment, packages};

const UPDATE_LIMIT: Duration = Duration::from_secs(3 * 60);
const DOWNLOAD_LIMIT: Duration = Duration::from_secs(30 * 60);
const LOCAL_LIMIT: Duration = Duration::from_secs(2 * 60);

/// The programs that this needs.
pub(super) const PROGRAMS: [&str; 5] = ["apt-config", "apt-get", "apt-cache", "dpkg-query", "dpkg-deb"];

/// apt in a folder of its own.
#[derive(Debug)]
pub(super) struct Apt {
    config: PathBuf,
}

impl Apt {
    /// Sets apt up in `folder`, which must be empty.
    pub(super) fn new(folder: &Path) -> Result<Self, String> {
        for name in ["lists/partial", "cache/archives/partial", "no-settings"] {
            fs::create_dir_all(folder.join(name))
                .map_err(|error| format!("cannot make a folder for apt: {error}"))?;
        }
        let settings = run("apt-config", None, ["dump"], LOCAL_LIMIT, &mut |_| {})?;
        let config = folder.join("apt.conf");
        fs::write(&config, configuration(&settings.stdout, folder))
            .map_err(|error| format!("cannot write apt's settings: {error}"))?;
        Ok(Self { config })
    }

    /// Reads the lists of packages. One source that fails is no failure: the packages may be in another.
    pub(super) fn update(&self) -> Result<(), String> {
        self.run("apt-get", ["-q", "update"], UPDATE_LIMIT, &mut |_| {}).map(drop)
    }

    /// What these packages need, over all steps.
    pub(super) fn depends(&self, names: &[&str]) -> Result<packages::Depends, String> {
        let mut arguments = vec!["depends", "--recurse", "--important"];
        arguments.extend(names);
        Ok(packages::parse_depends(&self.run("apt-cache", arguments, LOCAL_LIMIT, &mut |_| {})?.stdout))
    }

    /// Fetches packages into `folder`. apt checks their sizes and hashes against the signed lists.
    pub(super) fn download(
        &self,
        names: &[String],
        folder: &Path,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<(), String> {
        let mut command = self.command("apt-get");
        command.args(["-q", "download"]).args(names).current_dir(folder);
        let mut number = 0;
        follow(command, "apt-get download", DOWNLOAD_LIMIT, &mut |line| {
            if let Some(package) = packages::fetched(line) {
                number += 1;
                progress(Progress::Downloading { package: package.to_owned(), number, of: names.len() });
            }
        })
        .map(drop)
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        environment::clean(&mut command);
        command.env("APT_CONFIG", &self.config);
        command
    }

    fn run<A: AsRef<OsStr>>(
        &self,
        program: &str,
        arguments: impl IntoIterator<Item = A>,
        limit: Duration,
        on_line: &mut dyn FnMut(&str),
    ) -> Result<Finished, String> {
        run(program, Some(self), arguments, limit, on_line)
    }
}

/// The packages that the system has.
pub(super) fn installed() -> Result<std::collections::BTreeSet<String>, String> {
    let query = ["-W", "-f", "${Package} ${db:Status-Status}\n"];
    Ok(packages::parse_installed(&run("dpkg-query", None, query, LOCAL_LIMIT, &mut |_| {})?.stdout))
}

/// Unpacks a package. Nothing of it is run.
pub(super) fn unpack(package: &Path, root: &Path) -> Result<(), String> {
    let arguments = [OsStr::new("-x"), package.as_os_str(), root.as_os_str()];
    run("dpkg-deb", None, arguments, LOCAL_LIMIT * 5, &mut |_| {}).map(drop)
}

fn run<A: AsRef<OsStr>>(
    program: &str,
    apt: Option<&Apt>,
    arguments: impl IntoIterator<Item = A>,
    limit: Duration,
    on_line: &mut dyn FnMut(&str),
) -> Result<Finished, String> {
    let mut command = match apt {
        Some(apt) => apt.command(program),
        None => {
            let mut command = Command::new(program);
            environment::clean(&mut command);
            command
        }
    };
    command.args(arguments);
    follow(command, program, limit, on_line)
}

fn follow(
    command: Command,
    name: &str,
    limit: Duration,
    on_line: &mut dyn FnMut(&str),
) -> Result<Finished, String> {
    match process::run(command, Some(limit), on_line) {
        Ok(finished) if finished.status.success() => Ok(finished),
        Ok(finished) => Err(format!("{name} failed: {}", complaint(&finished.stderr))),
        Err(RunError::Io(error)) => Err(format!("{name} cannot be run: {error}")),
        Err(RunError::Slow { stderr }) => {
            Err(format!("{name} did not end within {} s ({})", limit.as_secs(), complaint(&stderr)))
        }
    }
}

/// The lines of an output that complain; few, since apt says the same of every source.
fn complaint(stderr: &str) -> String {
    let complaints = |prefix: &str| {
        stderr.lines().filter(|line| line.starts_with(prefix)).take(3).collect::<Vec<_>>().join("; ")
    };
    let found = [complaints("E:"), complaints("W:"), stderr.lines().take(3).collect::<Vec<_>>().join("; ")];
    found.into_iter().find(|text| !text.is_empty()).unwrap_or_else(|| "it said nothing".to_owned())
}

/// apt's settings: how to fetch as the system has them, and every folder that is written below `folder`.
fn configuration(dump: &str, folder: &Path) -> String {
    let mut text = String::new();
    for line in dump.lines() {
        // Which indexes to fetch is left to apt's own default: programs that show packages add large ones.
        // What weakens the check of signatures is not taken over.
        let dropped = ["Acquire::IndexTargets", "Acquire::Allow", "Acquire::Languages", "Acquire::Retries"];
        if line.starts_with("Acquire::") && !dropped.iter().any(|name| line.starts_with(name)) {
            text.push_str(line);
            text.push('\n');
        }
    }
    let native = dump.lines().find_map(|line| line.strip_prefix("APT::Architecture \"")?.strip_suffix("\";"));
    if let Some(native) = native {
        text.push_str(&format!("APT::Architecture \"{native}\";\nAPT::Architectures {{ \"{native}\"; }};\n"));
    }
    let inside = |name: &str| folder.join(name).display().to_string();
    text.push_str(&format!(
        "Dir::Etc::main \"/dev/null\";\nDir::Etc::parts \"{}\";\nDir::State::lists \"{}\";\nDir::Cache \"{}\";\n",
        inside("no-settings"),
        inside("lists"),
        inside("cache"),
    ));
    // The lock and the sandbox user are for a root that writes the system's folders.
    text.push_str(
        "Debug::NoLocking \"true\";\nAPT::Sandbox::User \"\";\nAcquire::Languages \"none\";\nAcquire::Retries \"1\";\n\
         Acquire::http::Timeout \"20\";\nAcquire::https::Timeout \"20\";\n",
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_for_fetching_are_kept_and_hooks_are_not() {
        let dump = "APT \"\";\nAPT::Architecture \"amd64\";\nAPT::Architectures:: \"i386\";\nAPT::Update::Post-Invoke:: \"rm -f /x\";\n\
                    Acquire::http::Proxy \"http://proxy:3128\";\nAcquire::IndexTargets::deb::X \"\";\n\
                    Acquire::AllowInsecureRepositories \"1\";\nDir \"/\";\n";
        let text = configuration(dump, Path::new("/here/setup"));
        assert!(text.contains("Acquire::http::Proxy \"http://proxy:3128\";"));
        assert!(text.contains("APT::Architectures { \"amd64\"; };"));
        assert!(text.contains("Dir::State::lists \"/here/setup/lists\";"));
        for dropped in ["Post-Invoke", "IndexTargets", "AllowInsecure", "i386"] {
            assert!(!text.contains(dropped), "{dropped} in {text}");
        }
    }

    #[test]
    fn a_complaint_is_short() {
        assert_eq!(complaint("W: one\nE: two\nE: three\n"), "E: two; E: three");
        assert_eq!(complaint("W: one\n"), "W: one");
        assert_eq!(complaint("dpkg-deb: broken\n"), "dpkg-deb: broken");
        assert_eq!(complaint(""), "it said nothing");
    }
}
