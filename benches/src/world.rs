//! A tenant with a generated remote system.

use crate::contacts::{COLUMNS, Contacts};
use crate::native::{Native, Source};
use crate::took::{Took, Watch};
use anyhow::{Context, Result, ensure};
use entente::Grants;
use entente::Tenant;
use entente_core::Value;
use entente_plugin::Compiler;
use entente_sync::{
    CancellationToken, Engine, Exchange, RunBudget, RunEnd, RunOptions, Side, Sides, Silent, SyncDefinition,
    SystemClock, SystemRandomness,
};
use made_up::people::{Ids, People};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// The name of plugin, integration and sync.
pub(crate) const NAME: &str = "made-up";

/// What stands for the remote system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guest {
    /// The plugin as a component.
    Component,
    /// The same source compiled natively.
    Native,
}

/// A tenant in a folder of its own, with a sync between its hub and a made-up remote system.
#[derive(Debug)]
pub struct World {
    tenant: Tenant,
    definition: SyncDefinition,
    /// The people there are; what an exchange is given is as they are now.
    pub people: People,
    folder: TempDir,
}

/// The settings of the plugin.
pub(crate) fn settings(people: &People) -> BTreeMap<String, Value> {
    let number = |number: u64| Value::Text(number.to_string());
    let ids = match people.ids {
        Ids::Sequential => "sequential",
        Ids::Random => "random",
    };
    let settings = [
        ("records", number(people.records)),
        ("ids", Value::text(ids)),
        ("changed", number(people.changed)),
        ("edition", number(people.edition)),
    ];
    settings.map(|(name, value)| (name.to_owned(), value)).into()
}

impl World {
    /// An empty hub and these people.
    ///
    /// # Errors
    /// Where the tenant cannot be set up.
    pub async fn new(people: People, component: &Path, parent: &Path) -> Result<Self> {
        let folder = tempfile::tempdir_in(parent)?;
        let tenant = Tenant::open(folder.path(), None, Compiler::InThisProcess)?;
        tenant.install_plugin(NAME, &std::fs::read(component)?).await?;
        let draft = tenant
            .configuration()
            .draft_integration(NAME, NAME, settings(&people), Grants::default(), BTreeMap::new())
            .await?;
        tenant.add_integration(&draft, true).await?;
        let definition = tenant.configuration().definition(NAME).await?;
        Ok(Self { tenant, definition, people, folder })
    }

    /// The home folder, for a process of its own.
    pub fn home(&self) -> &Path {
        self.folder.path()
    }

    /// The database.
    pub fn database(&self) -> PathBuf {
        self.tenant.configuration().home().database("default")
    }

    /// The whole.
    pub fn tenant(&self) -> &Tenant {
        &self.tenant
    }

    /// The sync.
    pub fn definition(&self) -> &SyncDefinition {
        &self.definition
    }

    /// Has some people edited.
    ///
    /// # Errors
    /// Where the settings cannot be written.
    pub async fn edit(&mut self) -> Result<()> {
        self.people.edition += 1;
        let settings = settings(&self.people);
        self.tenant
            .configuration()
            .change_integration(NAME, |integration| integration.settings = settings)
            .await?;
        Ok(())
    }

    /// The remote system as an exchange, ready to be called.
    ///
    /// # Errors
    /// Where the plugin cannot be loaded.
    pub async fn exchange(&self, guest: Guest) -> Result<Box<dyn Exchange>> {
        Ok(match guest {
            Guest::Component => self.tenant.exchange(NAME).await?,
            Guest::Native => Box::new(Native { source: Source::People(self.people), name: NAME.to_owned() }),
        })
    }

    /// Runs the sync.
    ///
    /// # Errors
    /// Where the run does not end well, or leaves something that needs a look.
    pub async fn run(&self, guest: Guest, options: RunOptions) -> Result<(Took, RunEnd)> {
        self.run_with(&self.definition, self.exchange(guest).await?.as_ref(), options).await
    }

    async fn run_with(
        &self,
        definition: &SyncDefinition,
        right: &dyn Exchange,
        options: RunOptions,
    ) -> Result<(Took, RunEnd)> {
        let engine = Engine {
            ledger: self.tenant.ledger(),
            exchanges: Sides::new(self.tenant.hub(), right),
            clock: &SystemClock,
            randomness: &SystemRandomness,
            observer: &Silent,
            stop: &CancellationToken::new(),
            budget: &RunBudget::default(),
            holder: "speed",
        };
        let watch = Watch::start();
        let mut end = engine.run(definition, options).await?;
        let took = watch.took();
        if let Some(error) = end.error.take() {
            return Err(error).context("the run did not end well");
        }
        ensure!(end.run.problems() == 0, "the run left problems: {:?}", end.run.counts);
        Ok((took, end))
    }

    /// The first run, which makes every record in the hub.
    ///
    /// # Errors
    /// Where it does anything else.
    pub async fn first_sync(&self, guest: Guest) -> Result<Took> {
        let (took, end) = self.run(guest, RunOptions::default()).await?;
        ensure!(
            end.run.writes() == self.people.records,
            "{} records written of {}",
            end.run.writes(),
            self.people.records
        );
        Ok(took)
    }

    /// A first run that makes the contacts of a file in the hub, the plugin native.
    ///
    /// # Errors
    /// Where it does anything else.
    pub async fn first_sync_of(&self, contacts: &Path) -> Result<Took> {
        let mut definition = self.definition.clone();
        for mapping in &mut definition.mappings {
            mapping.fields.retain(|field| COLUMNS.iter().any(|(_, known)| *known == field.name(Side::Right)));
        }
        let native =
            Native { source: Source::Contacts(Contacts(contacts.to_owned())), name: NAME.to_owned() };
        let (took, end) = self.run_with(&definition, &native, RunOptions::default()).await?;
        ensure!(
            end.run.writes() == self.people.records,
            "{} records written of {}",
            end.run.writes(),
            self.people.records
        );
        Ok(took)
    }
}
