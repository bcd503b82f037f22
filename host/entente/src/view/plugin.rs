//! Plugins: those that are installed, and what a file is and asks for.

use crate::config::InstalledPlugin;
use crate::tenant::{Tenant, TenantError};
use entente_plugin::{AskInWords, Inspection, Manifest};
use entente_sync::Message;
use serde::Serialize;
use std::fmt;

/// Something that a plugin asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AskView {
    /// What kind of thing it is: `host`, `secret`, `setting` or `state`.
    pub ask: &'static str,
    /// Its name; of a host the address, as the manifest has it. State has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// `sends requests to https://api.example.com`
    pub words: String,
    /// What for, in the author's words.
    pub reason: String,
}

/// What a file is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InspectionView {
    /// What can be told without running it, and its manifest as the author has written it.
    #[serde(flatten)]
    pub inspection: Inspection,
    /// Why it cannot be used as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<Message>,
}

/// A component that was built from source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BuiltPluginView {
    /// The file.
    pub component: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// The name of the package.
    pub package: String,
    /// The version of the package.
    pub version: String,
    /// The compiler, and where it comes from.
    pub compiler: String,
    /// What it asks for, as the author has written it.
    pub manifest: Manifest,
}

impl AskView {
    /// Everything that a manifest asks for.
    pub fn all(manifest: &Manifest) -> Vec<Self> {
        manifest.asks().into_iter().map(Self::from).collect()
    }
}

/// As [`AskInWords`].
impl fmt::Display for AskView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { ask, name, words, reason } = self.clone();
        AskInWords { ask, name, words, reason }.fmt(f)
    }
}

impl From<AskInWords> for AskView {
    fn from(ask: AskInWords) -> Self {
        let AskInWords { ask, name, words, reason } = ask;
        Self { ask, name, words, reason }
    }
}

impl From<Inspection> for InspectionView {
    fn from(inspection: Inspection) -> Self {
        let refused = inspection.check_asks().err();
        let refused = refused.map(|error| Message::new(error.to_string(), error.remedies()));
        Self { inspection, refused }
    }
}

impl Tenant {
    /// The installed plugins, by name, the current version of each first. They are few, and are not paged.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn list_plugins(&self) -> Result<Vec<InstalledPlugin>, TenantError> {
        Ok(self.configuration().plugins().await?)
    }
}
