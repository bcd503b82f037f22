//! Many tenants in one process: the cost of an idle one, and the latency of its first call.

use super::{Row, thousands};
use crate::bench::Bench;
use crate::line::Line;
use crate::quantity::Quantity;
use crate::took::{Took, Watch, median};
use crate::world::{NAME, settings};
use anyhow::{Context, Result};
use async_trait::async_trait;
use entente::Grants;
use entente::{Host, HostOptions};
use entente_plugin::Compiler;
use made_up::people::{Ids, People};
use std::collections::BTreeMap;
use std::path::Path;

/// Tenants that stay open, as a program that does not say otherwise has it.
const OPEN: usize = 32;

/// A thousand tenants with one integration each.
#[derive(Debug)]
pub(super) struct Tenants;

fn name(number: usize) -> String {
    format!("tenant-{number}")
}

/// Memory and open files of this process, where the system tells.
#[derive(Debug, Clone, Copy)]
struct Taken {
    memory: u64,
    files: u64,
}

impl Taken {
    fn now() -> Result<Self> {
        let status = std::fs::read_to_string("/proc/self/status").context("the system does not tell")?;
        let resident = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .context("the system does not tell")?;
        let memory = resident.trim().trim_end_matches("kB").trim().parse::<u64>()? * 1024;
        // The folder that is read for this is one of them.
        let files = std::fs::read_dir("/proc/self/fd")?.count() as u64 - 1;
        Ok(Self { memory, files })
    }
}

fn open(home: &Path) -> Result<Host> {
    Ok(Host::open(home, None, Compiler::InThisProcess, HostOptions { open_tenants: OPEN })?)
}

/// Adds a tenant with the plugin and an integration.
async fn add(host: &Host, name: &str, component: &[u8]) -> Result<()> {
    host.add(name).await?;
    let tenant = host.tenant(name).await?;
    tenant.install_plugin(NAME, component).await?;
    let people = People { records: 1000, ids: Ids::Sequential, changed: 0, edition: 0 };
    let draft = tenant
        .configuration()
        .draft_integration(NAME, NAME, settings(&people), Grants::default(), BTreeMap::new())
        .await?;
    tenant.add_integration(&draft, true).await?;
    Ok(())
}

/// From the name of a tenant to the answer of its plugin.
async fn call(host: &Host, name: &str) -> Result<Took> {
    let watch = Watch::start();
    host.tenant(name).await?.exchange(NAME).await?.describe().await?;
    Ok(watch.took())
}

#[async_trait(?Send)]
impl Row for Tenants {
    fn name(&self) -> &'static str {
        "tenants"
    }

    async fn measure(&self, bench: &mut Bench) -> Result<Vec<Line>> {
        let count = if bench.options.quick { 100 } else { 1000 };
        let many = thousands(count as u64);
        let component = std::fs::read(bench.made_up()?)?;
        let folder = tempfile::tempdir_in(bench.folder.path())?;
        let host = open(folder.path())?;
        let watch = Watch::start();
        for number in 0..count {
            add(&host, &name(number), &component).await?;
        }
        let added = watch.took().wall / count as f64;
        let home = size(folder.path())?;
        drop(host);

        // As after a start: nothing is open, the compiled code is on disk.
        let host = open(folder.path())?;
        let first = call(&host, &name(0)).await?;
        for number in 0..2 * OPEN {
            call(&host, &name(number % count)).await?;
        }
        host.close_idle();
        let before = Taken::now()?;
        let mut idle = Vec::new();
        for number in 0..count {
            idle.push(call(&host, &name(number)).await?);
        }
        let held = Taken::now()?;
        host.close_idle();
        let after = Taken::now()?;
        let mut opened = Vec::new();
        for _ in 0..201 {
            opened.push(call(&host, &name(0)).await?);
        }

        let of_each = |whole: u64, many: usize| whole / many as u64;
        let line = Line::took(format!("first call of a tenant that is idle, one of {many}"), median(idle));
        let note =
            "database opened, plugin linked, started and called; its code is in memory for all tenants";
        let mut lines =
            vec![line.beside("of one that is open", Quantity::Seconds(median(opened).wall)).note(note)];
        lines.push(
            Line::took("first call of the first tenant of a process", first)
                .note("the code is read from disk and checked"),
        );
        let grown = after.memory.saturating_sub(before.memory);
        let line = Line::new(
            format!("memory of an idle tenant, one of {many} that were all called"),
            Quantity::Bytes(of_each(grown, count)),
        );
        lines.push(line.note(format!("the process has {} in all", Quantity::Bytes(after.memory))));
        let line = Line::new(
            format!("open files of a process with {many} idle tenants"),
            Quantity::Count(after.files),
        );
        lines.push(line.beside("with none", Quantity::Count(before.files)));
        let line = Line::new(
            format!("memory of a tenant that is held open, one of {OPEN}"),
            Quantity::Bytes(of_each(held.memory.saturating_sub(after.memory), OPEN)),
        );
        lines.push(
            line.note(format!("{} open files each", of_each(held.files.saturating_sub(after.files), OPEN))),
        );
        let line = Line::new("a tenant with one integration on disk", Quantity::Bytes(of_each(home, count)));
        lines.push(line.note("with its part of what all share: component and compiled code"));
        lines.push(Line::new("a tenant added, with plugin, integration and sync", Quantity::Seconds(added)));
        Ok(lines)
    }
}

/// The bytes of all files in a folder.
fn size(folder: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        bytes += if metadata.is_dir() { size(&entry.path())? } else { metadata.len() };
    }
    Ok(bytes)
}
