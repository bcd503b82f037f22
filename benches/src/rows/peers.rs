//! Beside neighbouring tools, whose scripts are not part of this repository.

use super::Row;
use crate::bench::Bench;
use crate::line::Line;
use crate::quantity::Quantity;
use anyhow::{Context, Result, ensure};
use async_trait::async_trait;
use made_up::people::Ids;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

/// Contacts in the peers' file, as in ours.
const RECORDS: u64 = 100_000;

/// The first sync beside what the peers take for their contacts.csv.
#[derive(Debug)]
pub(super) struct Peers;

fn python(script: &Path, arguments: &[&Path]) -> Result<f64> {
    let started = Instant::now();
    let status = Command::new("python3").arg(script).args(arguments).stdout(Stdio::null()).status().context("python3 cannot be run")?;
    ensure!(status.success(), "{} ended with {status}", script.display());
    Ok(started.elapsed().as_secs_f64())
}

/// The middle of three runs of the script that upserts contacts and a link for each.
fn floor(peers: &Path, folder: &Path) -> Result<f64> {
    python(&peers.join("gen.py"), &[Path::new("--out"), folder])?;
    let mut times = Vec::new();
    for run in 0..3 {
        let database = folder.join(format!("floor{run}.db"));
        times.push(python(&peers.join("py_floor.py"), &[&folder.join("contacts.csv"), &database])?);
    }
    times.sort_by(f64::total_cmp);
    Ok(times[1])
}

/// The seconds of a first load that a row of the peers' own table gives.
fn published(readme: &str, peer: &str) -> Option<f64> {
    let line = readme.lines().find(|line| line.starts_with(&format!("| {peer}")) && line.contains("first 100k"))?;
    line.split('|').nth(4)?.split_whitespace().next()?.parse().ok()
}

#[async_trait(?Send)]
impl Row for Peers {
    fn name(&self) -> &'static str {
        "peers"
    }

    async fn measure(&self, bench: &mut Bench) -> Result<Vec<Line>> {
        let what = "first sync of 100,000 contacts, beside the peers";
        let Some(peers) = bench.options.peers.clone() else {
            return Ok(vec![Line::missing(what, "the folder of the peers was not given with --peers")]);
        };
        let took = bench.synced(RECORDS, Ids::Sequential).await?.1;
        let folder = tempfile::tempdir_in(bench.folder.path())?;
        let floor = floor(&peers, folder.path())?;
        let line = || Line::took(what, took).note("made-up contacts of 8 fields beside their contacts.csv of 6");
        let beaten = line().beside("py_floor.py, in this run", Quantity::Seconds(floor));
        let holds = beaten.ratio.is_some_and(|ratio| ratio < 1.0);
        let mut lines = vec![beaten.goal("the moonshot: quicker", holds)];
        let readme = std::fs::read_to_string(peers.join("README.md"))?;
        for (peer, name) in [("Singer tap", "Singer tap and target"), ("dlt 1.31.0 > SQLite", "dlt → SQLite")] {
            lines.push(match published(&readme, peer) {
                Some(seconds) => {
                    let beside = format!("{name}, as its README gives it, not in this run");
                    let line = line().beside(beside, Quantity::Seconds(seconds));
                    let holds = line.ratio.is_some_and(|ratio| ratio * 3.0 <= 1.0);
                    line.goal("3 × faster", holds)
                }
                None => Line::missing(format!("{what}: {name}"), "its README has no figure"),
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
        let readme = "| peer | case |\n| dlt 1.31.0 > SQLite | first 100k | 3 | 4.24 (4.09-4.43) | 4.12 | 110.6 |\n";
        assert_eq!(published(readme, "dlt 1.31.0 > SQLite"), Some(4.24));
        assert_eq!(published(readme, "Singer"), None);
    }
}
