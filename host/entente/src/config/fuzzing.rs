//! Ways in for the fuzz targets.

use super::Checked;
use super::apply::export;
use super::stored::custom::Custom;
use super::stored::integrations::Integration;
use entente_sync::SyncDefinition;

/// A file that was checked, as it would be exported once it is stored.
pub fn export(checked: &Checked, integrations: &[Integration]) -> String {
    let custom = Custom { objects: checked.objects.clone(), fields: checked.fields.clone() };
    let syncs: Vec<SyncDefinition> = checked.syncs.iter().map(|sync| sync.definition().clone()).collect();
    export::export(&custom, integrations, &[], &syncs)
}
