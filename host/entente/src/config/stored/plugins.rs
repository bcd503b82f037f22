//! Installed plugins: component files by digest, and the names of their versions.

use crate::config::configuration::Configuration;
use crate::config::error::ConfigError;
use crate::config::home::components::store_component;
use crate::config::names::{check_name, known};
use entente_core::Timestamp;
use entente_sqlite::{PluginRow, Session};
use entente_sync::Remedy;
use entente_sync::{Clock, SystemClock};
use serde::Serialize;

/// The minimum length of a digest prefix.
const SHORTEST_PREFIX: usize = 6;

/// The length of a complete digest.
const WHOLE_DIGEST: usize = 64;

/// Facts about a component besides its bytes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PluginFacts {
    /// The version of the WIT package that it was built for, where known.
    pub version: Option<String>,
    /// Its description of itself.
    pub description: String,
}

/// An installed version of a plugin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InstalledPlugin {
    /// The name that it was installed under.
    pub name: String,
    /// The SHA-256 of its bytes, in hex.
    pub digest: String,
    /// Its size in bytes.
    pub size: u64,
    /// The version of the WIT package that it was built for, where known.
    pub version: Option<String>,
    /// Its description of itself.
    pub description: String,
    /// When it was installed.
    pub installed: Timestamp,
    /// Whether a new integration with this plugin gets it: the version installed last.
    pub current: bool,
}

impl From<PluginRow> for InstalledPlugin {
    fn from(row: PluginRow) -> Self {
        let PluginRow { name, digest, size, version, description, installed, current } = row;
        Self { name, digest, size, version, description, installed, current }
    }
}

/// Stores a version under a name and makes it current. Integrations keep their digests.
pub(crate) fn enter(
    session: Session<'_>,
    name: &str,
    digest: &str,
    size: usize,
    facts: &PluginFacts,
    now: Timestamp,
) -> Result<InstalledPlugin, ConfigError> {
    check_name("plugin", name).map_err(ConfigError::Name)?;
    // Earlier versions are kept only where an integration runs them or can be rolled back to them.
    let row = session.put_current_plugin(&PluginRow {
        name: name.to_owned(),
        digest: digest.to_owned(),
        size: size as u64,
        version: facts.version.clone(),
        description: facts.description.clone(),
        installed: now,
        current: true,
    })?;
    Ok(row.into())
}

/// All installed versions by name, the current one first.
pub(crate) fn list(session: Session<'_>) -> Result<Vec<InstalledPlugin>, ConfigError> {
    Ok(session.plugins()?.into_iter().map(InstalledPlugin::from).collect())
}

/// The current version of a name, or the version whose digest has this prefix.
pub(crate) fn find(session: Session<'_>, name_or_digest: &str) -> Result<InstalledPlugin, ConfigError> {
    let prefix = name_or_digest.to_ascii_lowercase();
    let is_hex = prefix.bytes().all(|byte| byte.is_ascii_hexdigit());
    // A complete digest is never taken for a name.
    let is_digest = is_hex && prefix.len() == WHOLE_DIGEST;
    if !is_digest && let Some(plugin) = session.current_plugin(name_or_digest)? {
        return Ok(plugin.into());
    }
    let all = list(session)?;
    if is_hex && prefix.len() >= SHORTEST_PREFIX {
        let mut hits: Vec<&InstalledPlugin> =
            all.iter().filter(|plugin| plugin.digest.starts_with(&prefix)).collect();
        hits.dedup_by(|a, b| a.digest == b.digest);
        match hits.as_slice() {
            [] => {}
            [hit] => return Ok((*hit).clone()),
            many => {
                let digests: Vec<&str> = many.iter().map(|plugin| plugin.digest.as_str()).collect();
                return Err(ConfigError::Name(format!(
                    "'{name_or_digest}' begins several digests ({}); write more of it",
                    digests.join(", ")
                )));
            }
        }
    }
    let names = all.iter().filter(|plugin| plugin.current).map(|plugin| plugin.name.as_str());
    let known = known(name_or_digest, names);
    let remedies = if all.is_empty() { vec![Remedy::InstallPlugin { file: None }] } else { Vec::new() };
    Err(ConfigError::Unknown { what: "plugin", name: name_or_digest.to_owned(), known, remedies })
}

/// Removes a plugin by name (all its versions) or by digest. The component file stays: other tenants may use
/// it.
pub(crate) fn remove(session: Session<'_>, name_or_digest: &str) -> Result<InstalledPlugin, ConfigError> {
    let plugin = find(session, name_or_digest)?;
    let only = (plugin.name != name_or_digest).then_some(plugin.digest.as_str());
    let users = session.integrations_of(&plugin.name, only)?;
    if !users.is_empty() {
        return Err(ConfigError::InUse {
            what: "plugin",
            name: name_or_digest.to_owned(),
            users: users.join(", "),
            remedies: users
                .into_iter()
                .map(|integration| Remedy::RemoveIntegration { integration })
                .collect(),
        });
    }
    // No integration runs it; those that ran it before can no longer be rolled back to it.
    session.remove_plugin(&plugin.name, only)?;
    Ok(plugin)
}

impl Configuration {
    /// Installs a component under a name. Installing equal bytes again is no error; other bytes become the
    /// current version, and integrations keep theirs.
    ///
    /// # Errors
    /// Where the name is invalid, or the file cannot be written.
    pub async fn install_plugin(
        &self,
        name: &str,
        bytes: &[u8],
        facts: &PluginFacts,
    ) -> Result<InstalledPlugin, ConfigError> {
        check_name("plugin", name).map_err(ConfigError::Name)?;
        let _held = self.home().hold_components();
        let digest = store_component(self.home(), bytes)?;
        self.write(|session| enter(session, name, &digest, bytes.len(), facts, SystemClock.now())).await
    }

    /// The installed plugins, by name, the current version of each first.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn plugins(&self) -> Result<Vec<InstalledPlugin>, ConfigError> {
        self.read(list).await
    }

    /// The current version of a name, or the version whose digest has this prefix (6 characters or more).
    ///
    /// # Errors
    /// [`ConfigError::Unknown`] with the names that exist.
    pub async fn plugin(&self, name_or_digest: &str) -> Result<InstalledPlugin, ConfigError> {
        self.read(|session| find(session, name_or_digest)).await
    }

    /// Removes a plugin by name, with all its versions, or by digest.
    ///
    /// # Errors
    /// [`ConfigError::InUse`] where integrations run it.
    pub async fn remove_plugin(&self, name_or_digest: &str) -> Result<InstalledPlugin, ConfigError> {
        self.write(|session| remove(session, name_or_digest)).await
    }
}
