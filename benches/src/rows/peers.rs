//! Comparison with neighbouring tools, whose scripts are not part of this repository.

use super::Row;
use crate::bench::Bench;
use crate::line::Line;
use crate::quantity::Quantity;
use crate::took::median;
use anyhow::{Context, Result, ensure};
use async_trait::async_trait;
use made_up::people::Ids;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

/// Contacts in the peers' file.
const RECORDS: u64 = 100_000;

/// How often each is run; the middle one counts.
const RUNS: usize = 3;

/// The first sync of the peers' contacts.csv beside what they take for it.
#[derive(Debug)]
pub(super) struct Peers;

/// The folder with the scripts, and the one with the environments that its `setup.sh` has made.
struct Scripts {
    scripts: PathBuf,
    environments: PathBuf,
    folder: PathBuf,
}

impl Scripts {
    fn script(&self, name: &str) -> PathBuf {
        self.scripts.join(name)
    }

    fn contacts(&self) -> PathBuf {
        self.folder.join("contacts.csv")
    }

    /// The Python of a peer, where it is installed.
    fn python(&self, peer: &str) -> Option<PathBuf> {
        Some(self.environments.join(peer).join("bin/python")).filter(|python| python.exists())
    }

    fn generate(&self) -> Result<()> {
        let mut command = Command::new("python3");
        run(command.arg(self.script("gen.py")).arg("--out").arg(&self.folder).args(["--vcards", "1"]))
    }

    /// A hash compared, an upsert and a row that links, for each contact.
    fn floor(&self, database: &Path) -> Result<()> {
        run(Command::new("python3").arg(self.script("py_floor.py")).arg(self.contacts()).arg(database))
    }

    fn singer(&self, python: &Path, folder: &Path) -> Result<()> {
        let (source, target) = (folder.join("tap.json"), folder.join("target.json"));
        std::fs::write(&source, serde_json::json!({ "path": self.contacts() }).to_string())?;
        std::fs::write(&target, serde_json::json!({ "database": folder.join("singer.db") }).to_string())?;
        let mut tap = Command::new(python);
        let tap = tap
            .arg(self.script("tap_contacts.py"))
            .arg("--config")
            .arg(source)
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut tap = tap.spawn().context("the Singer tap cannot be run")?;
        let records = tap.stdout.take().context("the Singer tap has no output")?;
        let loaded = run(Command::new(python)
            .arg(self.script("target_sdk_sqlite.py"))
            .arg("--config")
            .arg(target)
            .stdin(records));
        ensure!(tap.wait()?.success(), "the Singer tap failed");
        loaded
    }

    fn dlt(&self, python: &Path, folder: &Path) -> Result<()> {
        run(Command::new(python)
            .arg(self.script("dlt_contacts.py"))
            .arg(self.contacts())
            .arg("sqlite")
            .arg(folder))
    }

    /// The middle of several runs, each in an empty folder.
    fn time(&self, load: impl Fn(&Path) -> Result<()>) -> Result<f64> {
        let mut times = Vec::new();
        for _ in 0..RUNS {
            let folder = tempfile::tempdir_in(&self.folder)?;
            let started = Instant::now();
            load(folder.path())?;
            times.push(started.elapsed().as_secs_f64());
        }
        times.sort_by(f64::total_cmp);
        Ok(times[RUNS / 2])
    }
}

fn run(command: &mut Command) -> Result<()> {
    let status = command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .with_context(|| format!("{command:?} cannot be run"))?;
    ensure!(status.success(), "{command:?} ended with {status}");
    Ok(())
}

/// The seconds of a first load that a row of the peers' own table gives.
fn published(readme: &str, peer: &str) -> Option<f64> {
    let line =
        readme.lines().find(|line| line.starts_with(&format!("| {peer}")) && line.contains("first 100k"))?;
    line.split('|').nth(4)?.split_whitespace().next()?.parse().ok()
}

#[async_trait(?Send)]
impl Row for Peers {
    fn name(&self) -> &'static str {
        "peers"
    }

    async fn measure(&self, bench: &mut Bench) -> Result<Vec<Line>> {
        let what = "first sync of the peers' contacts.csv, 100,000 contacts";
        let Some(scripts) = bench.options.peers.clone() else {
            return Ok(vec![Line::missing(what, "the folder of the peers was not given with --peers")]);
        };
        let environments = std::env::var_os("PEERS_WORK").map_or_else(|| scripts.join("work"), PathBuf::from);
        let folder = tempfile::tempdir_in(bench.folder.path())?;
        let peers = Scripts { scripts, environments, folder: folder.path().to_owned() };
        peers.generate()?;
        let mut times = Vec::new();
        for _ in 0..RUNS {
            let world = bench.world(RECORDS, Ids::Sequential).await?;
            times.push(world.first_sync_of(&peers.contacts()).await?);
        }
        let took = median(times);
        let line = || Line::took(what, took).note("4 fields, the file read by the page, the plugin native");

        let floor = peers.time(|folder| peers.floor(&folder.join("floor.db")))?;
        let beaten = line().beside("py_floor.py", Quantity::Seconds(floor));
        let holds = beaten.ratio.is_some_and(|ratio| ratio < 1.0);
        let mut lines = vec![beaten.goal("the moonshot: quicker", holds)];

        let readme = std::fs::read_to_string(peers.script("README.md"))?;
        for (environment, peer, name) in [
            ("singer", "Singer tap", "Singer tap and target"),
            ("dlt", "dlt 1.31.0 > SQLite", "dlt → SQLite"),
        ] {
            let (seconds, name) = match peers.python(environment) {
                Some(python) if environment == "singer" => {
                    (Some(peers.time(|folder| peers.singer(&python, folder))?), name.to_owned())
                }
                Some(python) => (Some(peers.time(|folder| peers.dlt(&python, folder))?), name.to_owned()),
                None => {
                    (published(&readme, peer), format!("{name}, as its README gives it, not in this run"))
                }
            };
            lines.push(match seconds {
                Some(seconds) => {
                    let line = line().beside(name, Quantity::Seconds(seconds));
                    let holds = line.ratio.is_some_and(|ratio| ratio * 3.0 <= 1.0);
                    line.goal("3 × faster", holds)
                }
                None => Line::missing(
                    format!("{what}, beside {name}"),
                    "it is not installed, and its README has no figure",
                ),
            });
        }
        Ok(lines)
    }
}

#[cfg(test)]
mod tests {
    use super::published;

    #[test]
    fn a_figure_of_the_readme() {
        let readme =
            "| peer | case |\n| dlt 1.31.0 > SQLite | first 100k | 3 | 4.24 (4.09-4.43) | 4.12 | 110.6 |\n";
        assert_eq!(published(readme, "dlt 1.31.0 > SQLite"), Some(4.24));
        assert_eq!(published(readme, "Singer"), None);
    }
}
