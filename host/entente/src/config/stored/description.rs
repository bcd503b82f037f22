//! What plugins told of their objects when they were last asked: enough to change the configuration while a remote system is away.

use crate::config::Integration;
use crate::config::configuration::Configuration;
use crate::config::error::ConfigError;
use entente_core::Timestamp;
use entente_sqlite::DescriptionRow;
use entente_sync::{Description, ProposedMapping};

/// What a plugin told of its objects, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// When it told it.
    pub at: Timestamp,
    /// Its objects.
    pub description: Description,
    /// The mappings that it proposes.
    pub manual: Vec<ProposedMapping>,
}

/// The settings as they are kept beside what was told with them.
fn settings_of(integration: &Integration) -> String {
    serde_json::to_string(&integration.settings).unwrap_or_default()
}

impl Configuration {
    /// What the plugin of an integration told last, with the component and the settings that it has here; `None` where it was
    /// not asked with them.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn told(&self, integration: &Integration) -> Result<Option<Told>, ConfigError> {
        let row = self.read(|session| Ok(session.description(&integration.name)?)).await?;
        let of_this = |row: &DescriptionRow| {
            row.digest == integration.digest && row.settings == settings_of(integration)
        };
        // What cannot be read any more is asked for again.
        Ok(row.filter(of_this).and_then(|row| {
            Some(Told {
                at: row.told,
                description: serde_json::from_str(&row.description).ok()?,
                manual: serde_json::from_str(&row.manual).ok()?,
            })
        }))
    }

    /// Keeps what the plugin of an integration told.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn keep_told(&self, integration: &Integration, told: &Told) -> Result<(), ConfigError> {
        let json = |text: Result<String, serde_json::Error>| text.unwrap_or_default();
        let row = DescriptionRow {
            digest: integration.digest.clone(),
            settings: settings_of(integration),
            told: told.at,
            description: json(serde_json::to_string(&told.description)),
            manual: json(serde_json::to_string(&told.manual)),
        };
        self.write(|session| Ok(session.put_description(&integration.name, &row)?)).await
    }
}
