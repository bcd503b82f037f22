//! Which account an integration speaks to, where that has changed: the operator says whether it only moved, or is another
//! one.

use super::{Tenant, TenantError};
use entente_sync::{Lease, LedgerError, Side};
use serde::Serialize;

/// What the operator says of another account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rebind {
    /// It is the account that the records are linked with: the links stay.
    SameSystem,
    /// It is another account: the links are forgotten, and the next run matches records as a first one does.
    ForgetLinks,
}

/// An integration that was bound anew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rebound {
    /// Its name.
    pub integration: String,
    /// The account that its records were linked with, for people; `None`: not known.
    pub before: Option<String>,
    /// The account that the links are with now; `None`: the next run learns it.
    pub now: Option<String>,
    /// Its syncs.
    pub syncs: Vec<String>,
    /// Links that were forgotten. Their history stays.
    pub forgotten: u64,
}

impl Tenant {
    /// Binds an integration to the account that it speaks to now. Excludes runs of its syncs: one that is under way writes
    /// nothing more after its links are forgotten.
    ///
    /// # Errors
    /// Where there is no such integration, another run holds the lease of one of its syncs, or the remote system cannot be
    /// asked for its account (`SameSystem`).
    pub async fn rebind(&self, name: &str, how: Rebind) -> Result<Rebound, TenantError> {
        self.configuration().integration(name).await?;
        let mut syncs = self.configuration().syncs().await?;
        syncs.retain(|sync| sync.exchanges.iter().any(|exchange| exchange == name));
        let mut before = None;
        for sync in &syncs {
            for side in Side::BOTH.into_iter().filter(|side| sync.exchanges[*side] == name) {
                let known = self.ledger.known_schema(&sync.name, side).await?;
                let told = known.map(|known| known.account_text()).filter(|text| !text.is_empty());
                before = before.or(told);
            }
        }
        let (mut now, mut forgotten) = (None, 0);
        match how {
            Rebind::ForgetLinks => {
                forgotten = self.configuration().forget_links(name, self.clock.now()).await?
            }
            Rebind::SameSystem => {
                let described = self.describe(name, self.exchange(name).await?.as_ref()).await?;
                for sync in &syncs {
                    for side in Side::BOTH.into_iter().filter(|side| sync.exchanges[*side] == name) {
                        let work = async |lease: &Lease| -> Result<(), LedgerError> {
                            let Some(mut known) = self.ledger.known_schema(&sync.name, side).await? else {
                                return Ok(());
                            };
                            known.account.clone_from(&described.account);
                            known.address.clone_from(&described.address);
                            let mut unit = self.ledger.begin(lease).await?;
                            unit.save_schema(&sync.name, side, &known).await?;
                            unit.commit().await
                        };
                        self.leased(&sync.relation, false, work).await?;
                    }
                }
                now = Some(described.account_text()).filter(|text| !text.is_empty());
            }
        }
        let syncs = syncs.into_iter().map(|sync| sync.name).collect();
        Ok(Rebound { integration: name.to_owned(), before, now, syncs, forgotten })
    }
}
