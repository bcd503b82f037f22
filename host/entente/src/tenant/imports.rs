//! Undo of imports, which are runs of no sync.

use super::{RerunError, Tenant, TenantError};
use crate::view::UndoneImportView;
use entente_sqlite::UndoImportError;
use entente_sync::{Run, RunId, RunKind};

impl Tenant {
    /// Puts back what an import has changed, with leave to delete as many records as it is agreed to; where nothing is said, tells
    /// what that would be and writes nothing. Of changed and of left records the first `listed` are told.
    ///
    /// # Errors
    /// [`RerunError`] where the run is no import or more records would be deleted, or the database fails; then nothing was changed.
    pub async fn undo_import(
        &self,
        run: RunId,
        agreed: Option<u64>,
        listed: usize,
    ) -> Result<UndoneImportView, TenantError> {
        let import = self.find_run(run).await?;
        if import.options.imports().is_none() {
            return Err(not_an_import(&import).into());
        }
        match self.hub.undo_import(run, agreed, listed).await {
            Ok(undone) => Ok(UndoneImportView::of(undone, run)),
            Err(UndoImportError::Deletes { deletes }) => Err(RerunError::WouldDelete { run, deletes }.into()),
            Err(UndoImportError::Hub(error)) => Err(error.into()),
        }
    }
}

/// Why there is no import to undo.
fn not_an_import(run: &Run) -> RerunError {
    match run.options.kind {
        RunKind::Undo { run: undoes, .. } if run.relation.is_empty() => {
            RerunError::UndidImport { run: run.id, undoes }
        }
        _ => RerunError::NotImport(run.id),
    }
}
