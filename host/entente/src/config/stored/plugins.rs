//! Installed plugins: the component files by digest, and the names they go by.

use crate::config::configuration::Configuration;
use crate::config::error::{ConfigError, io};
use crate::config::home::folder::Home;
use crate::config::names::{check_name, known};
use entente_core::Timestamp;
use entente_sync::{Clock, SystemClock};
use rusqlite::{Connection, OpenFlags, OptionalExtension, Row, params};
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

/// The fewest characters of a digest that stand for it.
const SHORTEST_PREFIX: usize = 6;

/// The characters of a whole digest.
const WHOLE_DIGEST: usize = 64;

/// What is known about a component besides its bytes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PluginFacts {
    /// The version of the WIT package that it was built for, where that can be told.
    pub version: Option<String>,
    /// What it says about itself.
    pub description: String,
}

/// A component under a name.
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
    /// What it says about itself.
    pub description: String,
    /// When it was installed.
    pub installed: Timestamp,
    /// Whether a new integration with this name gets it: the one installed last.
    pub current: bool,
}

/// The digest that a component is known by: SHA-256 in hex.
pub fn digest_of(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

const COLUMNS: &str = "name, digest, size, version, description, installed, current";

fn read(row: &Row<'_>) -> rusqlite::Result<InstalledPlugin> {
    Ok(InstalledPlugin {
        name: row.get(0)?,
        digest: row.get(1)?,
        size: row.get::<_, i64>(2)?.unsigned_abs(),
        version: row.get(3)?,
        description: row.get(4)?,
        installed: Timestamp::from_micros(row.get(5)?),
        current: row.get(6)?,
    })
}

/// Puts a component into the home folder. It is written aside and moved into place; the same bytes are
/// written once.
pub(crate) fn store_component(home: &Home, bytes: &[u8]) -> Result<String, ConfigError> {
    let digest = digest_of(bytes);
    let path = home.component(&digest);
    if std::fs::read(&path).is_ok_and(|there| digest_of(&there) == digest) {
        return Ok(digest);
    }
    let mut file =
        tempfile::NamedTempFile::new_in(home.plugins()).map_err(|error| io(&path, "written", &error))?;
    file.write_all(bytes)
        .and_then(|()| file.as_file().sync_all())
        .map_err(|error| io(&path, "written", &error))?;
    file.persist(&path).map_err(|error| io(&path, "written", &error.error))?;
    Ok(digest)
}

/// Enters a component under a name and makes it current. Integrations keep the digest that they have.
pub(crate) fn enter(
    connection: &Connection,
    name: &str,
    digest: &str,
    size: usize,
    facts: &PluginFacts,
    now: Timestamp,
) -> Result<InstalledPlugin, ConfigError> {
    check_name("plugin", name).map_err(ConfigError::Name)?;
    connection.execute("UPDATE plugin SET current = 0 WHERE name = ?1 AND digest <> ?2", [name, digest])?;
    connection.execute(
        "INSERT INTO plugin (name, digest, size, version, description, installed, current) VALUES (?1, ?2, ?3, ?4, ?5, ?6, 1)
         ON CONFLICT (name, digest) DO UPDATE SET current = 1, version = coalesce(?4, version),
             description = CASE WHEN ?5 = '' THEN description ELSE ?5 END",
        params![name, digest, i64::try_from(size).unwrap_or(i64::MAX), facts.version, facts.description, now.micros()],
    )?;
    // The versions before it are of use only to integrations that were set up with them, or may go back to
    // them.
    connection.execute(
        "DELETE FROM plugin WHERE name = ?1 AND current = 0
         AND NOT EXISTS (SELECT 1 FROM integration AS run WHERE run.plugin = plugin.name AND run.digest = plugin.digest)
         AND NOT EXISTS (SELECT 1 FROM integration_previous AS ran WHERE ran.plugin = plugin.name AND ran.digest = plugin.digest)",
        [name],
    )?;
    Ok(connection.query_row(
        &format!("SELECT {COLUMNS} FROM plugin WHERE name = ?1 AND digest = ?2"),
        [name, digest],
        read,
    )?)
}

/// All of them, by name, the current version first.
pub(crate) fn list(connection: &Connection) -> Result<Vec<InstalledPlugin>, ConfigError> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM plugin ORDER BY name, current DESC, installed DESC"
    ))?;
    let rows = statement.query_map([], read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The digests that the database in a file names, whatever version it has. It is only read.
pub(crate) fn digests_in(database: &Path) -> Result<BTreeSet<String>, ConfigError> {
    let connection = Connection::open_with_flags(
        database,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    connection.busy_timeout(Duration::from_secs(30))?;
    let mut statement =
        connection.prepare("SELECT digest FROM plugin UNION SELECT digest FROM integration")?;
    Ok(statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?)
}

/// The current version of a name, or the component whose digest begins like this.
pub(crate) fn find(connection: &Connection, name_or_digest: &str) -> Result<InstalledPlugin, ConfigError> {
    let prefix = name_or_digest.to_ascii_lowercase();
    let is_hex = prefix.bytes().all(|byte| byte.is_ascii_hexdigit());
    // A whole digest is that and nothing else, whatever names there are.
    let is_digest = is_hex && prefix.len() == WHOLE_DIGEST;
    let by_name = connection
        .query_row(
            &format!("SELECT {COLUMNS} FROM plugin WHERE name = ?1 AND current = 1"),
            [name_or_digest],
            read,
        )
        .optional()?;
    if let Some(plugin) = by_name.filter(|_| !is_digest) {
        return Ok(plugin);
    }
    let all = list(connection)?;
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
    let mut said = known(name_or_digest, names);
    if all.is_empty() {
        said.push_str("; install one with `entente plugin install`");
    }
    Err(ConfigError::Unknown { what: "plugin", name: name_or_digest.to_owned(), known: said })
}

/// Forgets a plugin, by name (all its versions) or digest. The file stays: other tenants may use it.
pub(crate) fn remove(connection: &Connection, name_or_digest: &str) -> Result<InstalledPlugin, ConfigError> {
    let plugin = find(connection, name_or_digest)?;
    let only = if plugin.name == name_or_digest { None } else { Some(&plugin.digest) };
    let mut statement = connection.prepare(
        "SELECT name FROM integration WHERE plugin = ?1 AND digest = coalesce(?2, digest) ORDER BY name",
    )?;
    let users: Vec<String> =
        statement.query_map(params![plugin.name, only], |row| row.get(0))?.collect::<Result<_, _>>()?;
    if !users.is_empty() {
        return Err(ConfigError::InUse {
            what: "plugin",
            name: name_or_digest.to_owned(),
            users: users.join(", "),
            hint: "take these integrations out of the file and run `entente apply FILE --prune` first"
                .to_owned(),
        });
    }
    // Nobody runs it, but some may have run it before: they cannot go back to it any more.
    connection.execute(
        "DELETE FROM integration_previous WHERE plugin = ?1 AND digest = coalesce(?2, digest)",
        params![plugin.name, only],
    )?;
    connection.execute(
        "DELETE FROM plugin WHERE name = ?1 AND digest = coalesce(?2, digest)",
        params![plugin.name, only],
    )?;
    Ok(plugin)
}

impl Configuration {
    /// Installs a component under a name. The same bytes again are no error; other bytes become the current
    /// version, and integrations keep the one that they have.
    ///
    /// # Errors
    /// Where the name cannot be one, or the file cannot be written.
    pub async fn install_plugin(
        &self,
        name: &str,
        bytes: &[u8],
        facts: &PluginFacts,
    ) -> Result<InstalledPlugin, ConfigError> {
        check_name("plugin", name).map_err(ConfigError::Name)?;
        let _held = self.home().hold_components();
        let digest = store_component(self.home(), bytes)?;
        self.write(|connection| enter(connection, name, &digest, bytes.len(), facts, SystemClock.now())).await
    }

    /// The installed plugins, by name, the current version of each first.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn plugins(&self) -> Result<Vec<InstalledPlugin>, ConfigError> {
        self.read(list).await
    }

    /// The current version of a name, or the plugin whose digest begins like this (6 characters or more).
    ///
    /// # Errors
    /// [`ConfigError::Unknown`] with what there is.
    pub async fn plugin(&self, name_or_digest: &str) -> Result<InstalledPlugin, ConfigError> {
        self.read(|connection| find(connection, name_or_digest)).await
    }

    /// Forgets a plugin by name, with all its versions, or by digest.
    ///
    /// # Errors
    /// [`ConfigError::InUse`] where integrations run it.
    pub async fn remove_plugin(&self, name_or_digest: &str) -> Result<InstalledPlugin, ConfigError> {
        self.write(|connection| remove(connection, name_or_digest)).await
    }
}
