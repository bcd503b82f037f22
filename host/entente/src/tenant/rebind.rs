//! Which account an integration speaks to, where that has changed: the operator says whether it only moved, or is another
//! one.

use super::{Tenant, TenantError};
use crate::config::StoredSync;
use entente_sync::{Account, Description, Lease, LedgerError, Side};
use serde::Serialize;

/// What the operator says of another account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rebind {
    /// It is the account that the records are linked with: the links stay.
    SameSystem {
        /// The account that the plugin tells now, as [`Account`] is shown: it has the same records. Without it, another one
        /// than the records are linked with is refused.
        account: Option<String>,
    },
    /// It is another account: the links are forgotten, and the next run matches records as a first one does.
    ForgetLinks {
        /// Also where records have no identifiers, and are made a second time.
        unasked: bool,
    },
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
    /// Of these, those whose records have no identifiers on one side or on both: each of them is made a second time.
    pub without_identifiers: u64,
}

impl Tenant {
    /// Binds an integration to the account that it speaks to now. Excludes runs of its syncs: one that is under way writes
    /// nothing more after its links are forgotten.
    ///
    /// # Errors
    /// Where there is no such integration, another run holds the lease of one of its syncs, or the remote system cannot be
    /// asked for its account (`SameSystem`); [`TenantError::AnotherAccount`] and [`TenantError::NotThatAccount`], where what
    /// the plugin tells is not what was meant; [`TenantError::WouldDouble`].
    pub async fn rebind(&self, name: &str, how: Rebind) -> Result<Rebound, TenantError> {
        self.configuration().integration(name).await?;
        let mut syncs = self.configuration().syncs().await?;
        syncs.retain(|sync| sync.exchanges.iter().any(|exchange| exchange == name));
        let known = self.known_of(name, &syncs).await?;
        let told = known.iter().map(Description::account_text).filter(|text| !text.is_empty());
        let before = told.into_iter().next();
        let mut rebound = Rebound {
            integration: name.to_owned(),
            before,
            now: None,
            syncs: syncs.iter().map(|sync| sync.name.clone()).collect(),
            forgotten: 0,
            without_identifiers: 0,
        };
        match how {
            Rebind::ForgetLinks { unasked } => {
                let forgotten = self.configuration().forget_links(name, unasked, self.clock.now()).await?;
                (rebound.forgotten, rebound.without_identifiers) = (forgotten.links, forgotten.without);
                if !forgotten.done {
                    let (links, without) = (forgotten.links, forgotten.without);
                    return Err(TenantError::WouldDouble { integration: name.to_owned(), links, without });
                }
            }
            Rebind::SameSystem { account } => {
                let described = self.describe(name, self.exchange(name).await?.as_ref()).await?;
                let kept = known.iter().filter_map(|known| known.account.as_ref());
                check_account(name, kept, described.account.as_ref(), account.as_deref())?;
                self.bind(name, &syncs, &described).await?;
                rebound.now = Some(described.account_text()).filter(|text| !text.is_empty());
            }
        }
        Ok(rebound)
    }

    /// What the syncs of an integration have known of it.
    async fn known_of(&self, name: &str, syncs: &[StoredSync]) -> Result<Vec<Description>, TenantError> {
        let mut all = Vec::new();
        for sync in syncs {
            for side in Side::BOTH.into_iter().filter(|side| sync.exchanges[*side] == name) {
                all.extend(self.ledger.known_schema(&sync.name, side).await?);
            }
        }
        Ok(all)
    }

    /// Keeps the account that an integration tells with its links.
    async fn bind(
        &self,
        name: &str,
        syncs: &[StoredSync],
        described: &Description,
    ) -> Result<(), TenantError> {
        for sync in syncs {
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
        Ok(())
    }
}

/// Checks that links may stay with the account that a plugin tells: it is the one that was kept with them, or the operator
/// has named it.
fn check_account<'k>(
    integration: &str,
    mut kept: impl Iterator<Item = &'k Account>,
    told: Option<&Account>,
    named: Option<&str>,
) -> Result<(), TenantError> {
    let now = told.map(ToString::to_string);
    if let Some(named) = named {
        return match now {
            Some(now) if now == named => Ok(()),
            now => Err(TenantError::NotThatAccount {
                integration: integration.to_owned(),
                named: named.to_owned(),
                now: now.unwrap_or_else(|| "none".to_owned()),
            }),
        };
    }
    match (told.and_then(|told| kept.find(|kept| !told.is(kept))), now) {
        (Some(kept), Some(now)) => Err(TenantError::AnotherAccount {
            integration: integration.to_owned(),
            before: kept.to_string(),
            now,
        }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_stay_with_another_account_only_where_it_is_named() {
        let account = |id: &str, label: &str| Account {
            system: "crm".to_owned(),
            id: id.to_owned(),
            label: label.to_owned(),
        };
        let (a, b, renamed) = (account("a", "Acme"), account("b", "Acme"), account("a", "Sons"));
        let name_of_b = "'Acme' (b of crm)";
        let check = |kept: &[&Account], told, named| {
            let checked = check_account("Shop", kept.iter().copied(), told, named);
            checked.err().map(|error| error.to_string())
        };
        assert_eq!(check(&[&a], Some(&renamed), None), None);
        assert_eq!(check(&[], Some(&b), None), None, "nothing was kept");
        assert_eq!(check(&[&a], None, None), None, "nothing is told: the address stands in for it");
        assert_eq!(check(&[&a], Some(&b), Some(name_of_b)), None);
        insta::assert_snapshot!(check(&[&a], Some(&b), None).unwrap(), @"Shop tells another account than the one that its records are linked with: it was 'Acme' (a of crm), and is 'Acme' (b of crm); nothing was changed");
        assert!(check(&[&b, &a], Some(&b), None).is_some(), "one sync was left behind");
        insta::assert_snapshot!(check(&[&a], Some(&a), Some(name_of_b)).unwrap(), @"Shop does not tell the account 'Acme' (b of crm); it tells 'Acme' (a of crm); nothing was changed");
        insta::assert_snapshot!(check(&[&a], None, Some(name_of_b)).unwrap(), @"Shop does not tell the account 'Acme' (b of crm); it tells none; nothing was changed");
    }
}
