//! Entry points for the fuzz targets.

use super::Checked;
use super::apply::export;
use super::stored::custom::Custom;
use super::stored::integrations::Integration;
use entente_sync::SyncDefinition;

/// A checked file, exported as it would be once stored.
pub fn export(checked: &Checked, integrations: &[Integration]) -> String {
    let custom = Custom { objects: checked.objects.clone(), fields: checked.fields.clone() };
    let syncs: Vec<SyncDefinition> = checked.syncs.iter().map(|sync| sync.definition().clone()).collect();
    export::export(&custom, integrations, &[], &syncs)
}
