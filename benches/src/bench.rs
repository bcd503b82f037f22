//! Shared state of the rows: options, and fixtures that are expensive to build.

use crate::guests;
use crate::took::{Took, median};
use crate::world::{Guest, World};
use anyhow::Result;
use made_up::people::{Ids, People};
use std::path::PathBuf;
use tempfile::TempDir;

/// The number of people edited in rows that measure edits.
pub(crate) const EDITED: u64 = 10;

/// Command-line options.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Only sizes up to 100,000.
    pub quick: bool,
    /// The folder with the scripts of the peers.
    pub peers: Option<PathBuf>,
    /// Where databases are made; `None`: where the system puts what is temporary.
    pub folder: Option<PathBuf>,
    /// Build the program once more from nothing, to take the time.
    pub cold_build: bool,
}

/// What the rows share.
#[derive(Debug)]
pub struct Bench {
    /// What was asked.
    pub options: Options,
    /// Where databases are made.
    pub folder: TempDir,
    made_up: Option<PathBuf>,
    synced: Vec<(World, Took)>,
}

impl Bench {
    /// Nothing measured yet.
    ///
    /// # Errors
    /// Where no folder can be made.
    pub fn new(options: Options) -> Result<Self> {
        let parent = options.folder.clone().unwrap_or_else(std::env::temp_dir);
        let folder = tempfile::Builder::new().prefix("speed-").tempdir_in(parent)?;
        Ok(Self { options, folder, made_up: None, synced: Vec::new() })
    }

    /// The large sizes that were asked for.
    pub fn sizes(&self) -> Vec<u64> {
        if self.options.quick { vec![100_000] } else { vec![100_000, 1_000_000] }
    }

    /// The largest of them.
    pub fn largest(&self) -> u64 {
        if self.options.quick { 100_000 } else { 1_000_000 }
    }

    /// The component of `plugins/made-up`.
    ///
    /// # Errors
    /// Where it cannot be built.
    pub fn made_up(&mut self) -> Result<PathBuf> {
        if let Some(path) = &self.made_up {
            return Ok(path.clone());
        }
        let path = guests::made_up()?;
        self.made_up = Some(path.clone());
        Ok(path)
    }

    /// An empty hub and so many people.
    ///
    /// # Errors
    /// Where the tenant cannot be set up.
    pub async fn world(&mut self, records: u64, ids: Ids) -> Result<World> {
        let component = self.made_up()?;
        World::new(People { records, ids, changed: EDITED, edition: 0 }, &component, self.folder.path()).await
    }

    /// A world after its first sync, and how long that took. Made once.
    ///
    /// # Errors
    /// Where the sync does not end well.
    pub async fn synced(&mut self, records: u64, ids: Ids) -> Result<&mut (World, Took)> {
        let is_it = |(world, _): &(World, Took)| world.people.records == records && world.people.ids == ids;
        let place = match self.synced.iter().position(is_it) {
            Some(place) => place,
            None => {
                let mut times = Vec::new();
                // What takes long is taken once: its own noise is small.
                let repeats = if records > 100_000 { 1 } else { 3 };
                let world = loop {
                    let world = self.world(records, ids).await?;
                    times.push(world.first_sync(Guest::Component).await?);
                    if times.len() == repeats {
                        break world;
                    }
                };
                self.synced.push((world, median(times)));
                self.synced.len() - 1
            }
        };
        Ok(&mut self.synced[place])
    }
}
