//! Erasure of one person from everything that a tenant keeps, and the restoring of a deleted record.

use super::{RecordName, Tenant, TenantError};
use crate::config::HUB;
use entente_sqlite::{EraseError, Erasure, HubError, Mentions, PairPlace, erase, pair_places};
use entente_sync::{Lease, LedgerError, Remedy, SyncDefinition};
use serde::Serialize;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::Path;

/// The receipt of an erasure: numbers and names of records, no value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ErasureView {
    /// The record.
    pub record: RecordName,
    /// Links with records of other systems, with what each side had last.
    pub pairs: u64,
    /// Changes in the history of runs, which stay as numbers.
    pub changes: u64,
    /// Conflicts.
    pub conflicts: u64,
    /// Messages of runs, and reasons, in which a mention was masked.
    pub messages: u64,
    /// Lines of the books of integrations in which a mention was masked.
    pub log_lines: u64,
    /// Integrations whose plugins keep a mention in their own state, which only they can read, and syncs whose reports stand
    /// at a token that holds one.
    pub kept_by_plugins: Vec<String>,
    /// Other records of the hub with one of its identifiers: perhaps the same person.
    pub alike: Vec<RecordName>,
}

/// Why a record was not erased; nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum NotErased {
    /// The record is none of the hub.
    #[error("{0} is no record of the hub; name the one of the hub, such as contact:12")]
    NotOfTheHub(RecordName),
    /// Its counterparts are still there: the next run would read them again.
    #[error(
        "{record} has counterparts that are still there and would be read again: {}; delete them first, there, or here where the policy of the sync carries that on; then sync, then erase",
        listed(counterparts)
    )]
    Counterparts {
        /// The record.
        record: RecordName,
        /// The counterparts.
        counterparts: Vec<RecordName>,
        /// Whether the record itself is still there, so that deleting it here may delete them.
        stands: bool,
        /// The syncs that it is in.
        syncs: Vec<String>,
    },
    /// An order for it was sent, and what became of it is not known.
    #[error("an order for {0} is under way; the next run finds out what became of it")]
    UnderWay(RecordName),
}

/// The relations of these pairs, each once.
fn relations_of(places: &[PairPlace]) -> Vec<String> {
    let relations: BTreeSet<&String> = places.iter().map(|of| &of.relation).collect();
    relations.into_iter().cloned().collect()
}

fn listed(records: &[RecordName]) -> String {
    records.iter().map(RecordName::to_string).collect::<Vec<_>>().join(", ")
}

impl From<NotErased> for TenantError {
    fn from(error: NotErased) -> Self {
        TenantError::NotErased(Box::new(error))
    }
}

impl NotErased {
    /// What the operator can do about it.
    pub fn remedies(&self) -> Vec<Remedy> {
        let delete = |record: &RecordName| Remedy::DeleteFirst { record: record.to_data() };
        match self {
            NotErased::NotOfTheHub(_) => Vec::new(),
            NotErased::Counterparts { record, counterparts, stands, syncs } => {
                let here = stands.then(|| delete(record));
                let then = syncs.iter().map(|sync| Remedy::Sync { sync: Some(sync.clone()) });
                here.into_iter().chain(counterparts.iter().map(delete)).chain(then).collect()
            }
            NotErased::UnderWay(_) => vec![Remedy::Sync { sync: None }],
        }
    }
}

impl Tenant {
    /// Takes one record of the hub out of everything that is kept: its values, its links, the history of runs, conflicts,
    /// messages and log lines. Its id, with the time of its deletion, stays, and so do numbers. Its counterparts have to be
    /// deleted before. What plugins keep for themselves is told and left.
    ///
    /// # Errors
    /// [`TenantError::NotErased`]; [`LedgerError::Busy`] while a run is under way, unless `wait`; where there is no such record, or
    /// the database or a file fails: then it can be done again.
    pub async fn erase_record(&self, record: &RecordName, wait: bool) -> Result<ErasureView, TenantError> {
        if record.exchange != HUB {
            return Err(NotErased::NotOfTheHub(record.clone()).into());
        }
        let (object, id) = (&record.object, &record.id);
        let relations = relations_of(&pair_places(&self.store, HUB, object, id).await?);
        let integrations = self.configuration.integrations().await?;
        let exchanges: Vec<String> = integrations.into_iter().map(|integration| integration.name).collect();
        let folder = self.configuration.folder();
        // What is only counted until now is in the files then.
        self.books.flush();
        let done = self
            .leased_all(&relations, wait, async |_| {
                let (exchange, at) = (HUB, self.clock.now());
                let what = Erasure { exchange, object, id, exchanges: &exchanges, at };
                Ok(erase(&self.store, &self.hub, what, |mentions| mask_files(&folder, mentions)).await)
            })
            .await?;
        let erased = match done {
            Ok(erased) => erased,
            Err(EraseError::Hub(error)) => return Err(error.into()),
            Err(EraseError::Beside(why)) => {
                return Err(TenantError::Io { path: folder, doing: "masked", why });
            }
            Err(EraseError::UnderWay) => return Err(NotErased::UnderWay(record.clone()).into()),
            Err(EraseError::Counterparts(standing)) => {
                let counterparts = standing
                    .into_iter()
                    .map(|(exchange, of)| RecordName { exchange, object: of.object, id: of.id })
                    .collect();
                let stands = self.hub.get(object, id).await.is_ok();
                let definitions = self.definitions(None).await?.into_iter();
                let of = |sync: &SyncDefinition| relations.contains(&sync.relation);
                let syncs = definitions.filter(of).map(|sync| sync.name).collect();
                let record = record.clone();
                return Err(NotErased::Counterparts { record, counterparts, stands, syncs }.into());
            }
        };
        let named = |id: String| RecordName { exchange: HUB.to_owned(), object: object.clone(), id };
        Ok(ErasureView {
            record: record.clone(),
            pairs: erased.pairs,
            changes: erased.changes,
            conflicts: erased.conflicts,
            messages: erased.messages,
            log_lines: erased.beside,
            kept_by_plugins: erased.kept_by_plugins,
            alike: erased.alike.into_iter().map(named).collect(),
        })
    }

    /// Restores a deleted record of the hub, with what it held. Counterparts that are still there are compared with it by the
    /// next run; where one was deleted, the next run may make one again.
    ///
    /// # Errors
    /// Where the hub has no such record, it was not deleted, or what it held is not kept; [`LedgerError::Busy`] while a run is
    /// under way, unless `wait`.
    pub async fn restore_record(
        &self,
        record: &RecordName,
        wait: bool,
    ) -> Result<entente_sqlite::RecordView, TenantError> {
        if record.exchange != HUB {
            return Err(NotErased::NotOfTheHub(record.clone()).into());
        }
        let (object, id) = (&record.object, &record.id);
        let places = pair_places(&self.store, HUB, object, id).await?;
        let restored = self
            .leased_all(&relations_of(&places), wait, async |leases| {
                let restored = match self.hub.restore(object, id).await {
                    Ok(restored) => restored,
                    Err(error) => return Ok(Err(error)),
                };
                for (relation, lease) in leases {
                    for of in places.iter().filter(|of| of.relation == *relation) {
                        self.ledger.record_restored(lease, of.pair, of.side).await?;
                    }
                }
                Ok(Ok::<_, HubError>(restored))
            })
            .await?;
        Ok(restored?)
    }

    /// Runs an operation under the leases of several relations.
    async fn leased_all<T>(
        &self,
        relations: &[String],
        wait: bool,
        work: impl AsyncFnOnce(&[(String, Lease)]) -> Result<T, LedgerError>,
    ) -> Result<T, TenantError> {
        let mut leases = Vec::with_capacity(relations.len());
        let mut taken = Ok(());
        for relation in relations {
            match self.take_lease(relation, wait).await {
                Ok(lease) => leases.push((relation.clone(), lease)),
                Err(error) => {
                    taken = Err(error);
                    break;
                }
            }
        }
        let done = match taken {
            Ok(()) => {
                let kept: Vec<_> = leases
                    .iter()
                    .map(|(_, held)| self.ledger.keep(&held.lease, super::operator::LEASE))
                    .collect();
                let of: Vec<(String, Lease)> =
                    leases.iter().map(|(relation, held)| (relation.clone(), held.lease.clone())).collect();
                let done = work(&of).await.map_err(TenantError::from);
                drop(kept);
                done
            }
            Err(error) => Err(error),
        };
        for (_, held) in leases {
            self.ledger.release(&held.lease).await?;
        }
        done
    }
}

/// Masks mentions in the books of a tenant: every file of lines below its folder. Returns how many lines had any.
fn mask_files(folder: &Path, mentions: &Mentions) -> io::Result<u64> {
    let mut masked = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let (path, kind) = (entry.path(), entry.file_type()?);
        if kind.is_dir() {
            masked += mask_files(&path, mentions)?;
        } else if kind.is_file() && path.extension().is_some_and(|extension| extension == "jsonl") {
            masked += mask_lines(&path, folder, mentions)?;
        }
    }
    Ok(masked)
}

/// Masks mentions in one file. It is written anew only where there is one; lines that another process adds meanwhile are taken
/// over.
fn mask_lines(path: &Path, folder: &Path, mentions: &Mentions) -> io::Result<u64> {
    let old = File::open(path)?;
    // As a book is put aside by one process at a time.
    old.lock()?;
    let mut new = tempfile::NamedTempFile::new_in(folder)?;
    let mut reader = BufReader::new(&old);
    let (mut masked, mut read, mut line) = (0, 0, Vec::new());
    loop {
        line.clear();
        let length = reader.read_until(b'\n', &mut line)?;
        if length == 0 {
            break;
        }
        read += length as u64;
        let text = String::from_utf8_lossy(&line);
        match mentions.mask_json(text.trim_end_matches('\n')) {
            Some(text) => {
                masked += 1;
                writeln!(new, "{text}")?;
            }
            None => new.write_all(&line)?,
        }
    }
    if masked > 0 {
        new.as_file().sync_all()?;
        let mut new = new.persist(path).map_err(|error| error.error)?;
        let mut late = &old;
        late.seek(SeekFrom::Start(read))?;
        let mut rest = Vec::new();
        late.read_to_end(&mut rest)?;
        new.seek(SeekFrom::End(0))?;
        new.write_all(&rest)?;
    }
    old.unlock()?;
    Ok(masked)
}
