//! Exporting a tenant as one file, for backup or to move it.

use super::archive::{self, ArchiveError, Archived};
use super::{Tenant, TenantError};
use entente_sqlite::{Store, StoreError};
use std::collections::BTreeSet;
use std::path::Path;

impl Tenant {
    /// Exports the tenant as of one moment, also during runs: a copy of its database, its components, and its
    /// configuration as text. Secrets stay encrypted; their key is not in the file.
    ///
    /// # Errors
    /// Where the file exists or cannot be written, or a component is missing.
    pub async fn export(&self, output: &Path) -> Result<Archived, TenantError> {
        let wrong = |error: ArchiveError| TenantError::Archive { path: output.to_owned(), error };
        let io = |why| wrong(ArchiveError::Io { doing: "written", why });
        // In the tenant's folder, so that remains of an interrupted export are removed with it.
        let work = tempfile::Builder::new()
            .prefix(".export-")
            .tempdir_in(self.configuration.folder())
            .map_err(io)?;
        let (from, copy) =
            (self.configuration.home().database(self.name()), work.path().join(archive::DATABASE));
        // Keeps the components from being garbage-collected meanwhile.
        let held = self.configuration.home().hold_components();
        blocking({
            let copy = copy.clone();
            move || Store::copy(&from, &copy)
        })
        .await??;

        // Everything else is read from the copy, so that it is consistent.
        let store = Store::open(&copy)?;
        let copied = self.configuration.clone().over(store);
        let integrations: Vec<String> =
            copied.integrations().await?.into_iter().map(|integration| integration.name).collect();
        let mut keys = BTreeSet::new();
        let mut secrets = 0;
        for integration in &integrations {
            for secret in copied.secrets(integration).await? {
                secrets += 1;
                keys.insert(secret.key);
            }
        }
        let text = copied.export().await?;
        // Closed, so that the WAL is checkpointed into the one file.
        drop(copied);
        let digests = Store::digests_in(&copy)?;

        let mut list =
            Archived::new(self.name(), integrations, secrets, keys.into_iter().collect(), self.clock.now());
        let configuration = work.path().join(archive::CONFIGURATION);
        let components = digests
            .iter()
            .map(|digest| (archive::component_path(digest), self.configuration.home().component(digest)));
        let files: Vec<_> = std::iter::once((archive::CONFIGURATION.to_owned(), configuration.clone()))
            .chain(components)
            .chain([(archive::DATABASE.to_owned(), copy)])
            .collect();
        let target = output.to_owned();
        let written = blocking(move || {
            let _held = held;
            archive::write_text(&configuration, &text)?;
            for (path, file) in &files {
                if !file.is_file() {
                    let missing = format!(
                        "the component {} of a plugin is missing; install the plugin again",
                        file.display()
                    );
                    return Err(ArchiveError::Source(missing));
                }
                let content = archive::content(path.clone(), file)?;
                if path.starts_with("plugins/") && *path != archive::component_path(&content.sha256) {
                    let changed = format!(
                        "the component {} has been changed; remove it and install the plugin again",
                        file.display()
                    );
                    return Err(ArchiveError::Source(changed));
                }
                list.contents.push(content);
            }
            let sources: Vec<_> = files.into_iter().map(|(_, file)| file).collect();
            archive::write(&target, &list, &sources)?;
            Ok(list)
        });
        written.await?.map_err(wrong)
    }
}

/// Runs blocking work on Tokio's blocking pool.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, TenantError> {
    let ended = |error: tokio::task::JoinError| StoreError::Corrupt {
        what: "work in the background".to_owned(),
        why: error.to_string(),
    };
    Ok(tokio::task::spawn_blocking(work).await.map_err(ended)?)
}
