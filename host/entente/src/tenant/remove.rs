//! Removing a tenant without a trace.

use super::TenantError;
use super::presence::{is_open, under_way};
use crate::config::{DEFAULT_TENANT, Home};
use serde::Serialize;
use std::fs;

/// The result of removing a tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Removed {
    /// Its name.
    pub tenant: String,
    /// The digests of the components that were removed with it, since no other tenant uses them.
    pub components: Vec<String>,
    /// Why components were kept, if they were: the database of another tenant could not be read.
    pub components_left: Option<String>,
}

/// That a program has the tenant open.
fn open(tenant: &str) -> TenantError {
    let why = "is open in another program; end that, or let it go of the tenant, first".to_owned();
    TenantError::Busy { tenant: tenant.to_owned(), why }
}

/// Removes a tenant with all its data: database, logs, locks, and the components that no other tenant uses,
/// with their compiled code. `default` is empty afterwards, since it always exists.
pub(crate) fn remove(home: &Home, tenant: &str) -> Result<Removed, TenantError> {
    if !home.has_tenant(tenant) {
        return Err(home.unknown_tenant(tenant).into());
    }
    let _held = home.hold_tenants();
    home.sweep_tenants();
    let folder = home.tenant_folder(tenant);
    if folder.is_dir() {
        let busy = |runs: u64| {
            let runs = if runs == 1 { "a run".to_owned() } else { format!("{runs} runs") };
            let why = format!("has {runs} under way; wait for the end, or stop it with Ctrl-C where it runs");
            TenantError::Busy { tenant: tenant.to_owned(), why }
        };
        match under_way(&folder) {
            0 if is_open(&folder) => return Err(open(tenant)),
            0 => {}
            runs => return Err(busy(runs)),
        }
        // Once renamed away it cannot be opened any more; but somebody may have opened it just before.
        let aside = home.put_aside(tenant, is_open)?.ok_or_else(|| open(tenant))?;
        fs::remove_dir_all(&aside).map_err(|why| TenantError::Io { path: aside, doing: "removed", why })?;
    } else if tenant != DEFAULT_TENANT {
        return Err(home.unknown_tenant(tenant).into());
    }
    let (components, components_left) = match home.sweep_components() {
        Ok(gone) => (gone.into_iter().collect(), None),
        Err(error) => (Vec::new(), Some(error.to_string())),
    };
    Ok(Removed { tenant: tenant.to_owned(), components, components_left })
}
