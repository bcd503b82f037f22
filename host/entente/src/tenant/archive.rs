//! The export archive of a tenant: a tar file with its database, its configuration as text and its
//! components, preceded by a list of contents. Only listed files are unpacked, and paths from the archive are
//! never written to.

use crate::config::is_digest;
use entente_core::{Foreign, Timestamp};
use entente_plugin::{Limits, open_file};
use entente_sync::Remedy;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

/// The path of the list of contents.
const LIST: &str = "entente-tenant.json";
/// The path of the database.
pub(super) const DATABASE: &str = "entente.db";
/// The path of the configuration, which is for people to read.
pub(super) const CONFIGURATION: &str = "entente.toml";
/// The format version, raised when older programs can no longer read it.
const FORMAT: u32 = 1;

/// The size limit of the list of contents.
const MOST_LIST: u64 = 1 << 20;
/// The limit of files.
const MOST_FILES: usize = 1000;
/// The size limit of the configuration text.
const MOST_TEXT: u64 = 64 << 20;

/// The list of contents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Archived {
    /// The format version.
    pub format: u32,
    /// The tenant's name.
    pub tenant: String,
    /// The time of the export.
    pub made: Timestamp,
    /// The version of the exporting program.
    pub program: String,
    /// Its integrations.
    pub integrations: Vec<String>,
    /// The number of secrets in the database, encrypted.
    pub secrets: u64,
    /// The fingerprints of the keys that encrypt them. The keys are not in the archive.
    pub keys: Vec<String>,
    /// A note on the secrets, for people who read the list.
    pub note: String,
    /// The files.
    pub contents: Vec<Content>,
}

/// A file in an archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Content {
    /// Its path in the archive.
    pub path: String,
    /// Its size.
    pub bytes: u64,
    /// Its SHA-256, in hex.
    pub sha256: String,
}

/// Why an archive is refused.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// It cannot be read or written.
    #[error("it cannot be {doing}: {why}")]
    Io {
        /// What was tried.
        doing: &'static str,
        /// What the system said.
        why: io::Error,
    },
    /// It is not an export of a tenant.
    #[error("it is no export of a tenant: {}", Foreign::new(.0))]
    NotOne(String),
    /// It was written by a newer version.
    #[error("it was made by entente {}, which is newer; use that version", Foreign::new(Foreign::new(.0).cut(40)).named())]
    Newer(String),
    /// It contains a file that no export has.
    #[error("it holds {}, which no export does; it was not made by entente, and nothing of it was taken", Foreign::new(.0))]
    Odd(String),
    /// It differs from its list of contents.
    #[error("it is not what was exported: {}; take another copy of the file", Foreign::new(.0))]
    Damaged(String),
    /// Its database is not a tenant's.
    #[error("its database cannot be taken: {}; it was not made by entente, and nothing of it was taken", Foreign::new(.0))]
    Database(String),
    /// A file to be exported is damaged.
    #[error("it cannot be exported: {0}")]
    Source(String),
    /// Its secrets cannot be decrypted.
    #[error("{0}")]
    Key(String),
}

impl ArchiveError {
    /// Remedies for the error.
    pub fn remedies(&self) -> Vec<Remedy> {
        match self {
            ArchiveError::NotOne(_) => vec![Remedy::ExportTenant { tenant: None }],
            ArchiveError::Key(_) => vec![Remedy::LeaveSecretsOut],
            _ => Vec::new(),
        }
    }
}

fn reading(why: io::Error) -> ArchiveError {
    ArchiveError::Io { doing: "read", why }
}

fn writing(why: io::Error) -> ArchiveError {
    ArchiveError::Io { doing: "written", why }
}

/// The path of a component in an archive.
pub(super) fn component_path(digest: &str) -> String {
    format!("plugins/{digest}.wasm")
}

/// The digest in a component's path.
fn component_of(path: &str) -> Option<&str> {
    path.strip_prefix("plugins/")?.strip_suffix(".wasm").filter(|digest| is_digest(digest))
}

/// The unpacked files; components by digest.
#[derive(Debug)]
pub(super) struct Unpacked {
    pub(super) list: Archived,
    pub(super) components: BTreeMap<String, PathBuf>,
}

/// Copies and counts bytes, and returns their digest.
fn copy(from: &mut impl Read, to: &mut impl Write) -> Result<(u64, String), ArchiveError> {
    let mut buffer = vec![0; 256 << 10];
    let (mut bytes, mut hash) = (0, Sha256::new());
    loop {
        let read = match from.read(&mut buffer) {
            Ok(0) => return Ok((bytes, hex::encode(hash.finalize()))),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(reading(error)),
        };
        let Some(piece) = buffer.get(..read) else { continue };
        hash.update(piece);
        to.write_all(piece).map_err(writing)?;
        bytes += read as u64;
    }
}

/// The entry in the list of contents for a file.
pub(super) fn content(path: String, file: &Path) -> Result<Content, ArchiveError> {
    let (bytes, sha256) = copy(&mut File::open(file).map_err(reading)?, &mut io::sink())?;
    Ok(Content { path, bytes, sha256 })
}

/// Writes an archive of these files, in the order of its list. It gets its name by a rename when complete.
pub(super) fn write(output: &Path, list: &Archived, files: &[PathBuf]) -> Result<(), ArchiveError> {
    if output.exists() {
        return Err(writing(io::Error::new(
            io::ErrorKind::AlreadyExists,
            "there is a file of this name; name another",
        )));
    }
    let parent = output.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Accessible to this user only, as every temporary file.
    let mut file = tempfile::NamedTempFile::new_in(parent).map_err(writing)?;
    let mut archive = tar::Builder::new(BufWriter::new(file.as_file_mut()));
    let mut append = |path: &str, bytes: u64, from: &mut dyn Read| {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Regular);
        header.set_mode(0o600);
        header.set_size(bytes);
        header.set_mtime(u64::try_from(list.made.micros() / 1_000_000).unwrap_or_default());
        archive.append_data(&mut header, path, from).map_err(writing)
    };
    let text = serde_json::to_vec_pretty(list).map_err(|error| writing(error.into()))?;
    append(LIST, text.len() as u64, &mut &text[..])?;
    for (content, path) in list.contents.iter().zip(files) {
        append(&content.path, content.bytes, &mut BufReader::new(File::open(path).map_err(reading)?))?;
    }
    archive.into_inner().and_then(|mut inner| inner.flush()).map_err(writing)?;
    file.as_file().sync_all().map_err(writing)?;
    file.persist_noclobber(output).map_err(|error| writing(error.error))?;
    Ok(())
}

/// Unpacks an archive into a folder under our own names, and verifies everything against its list.
pub(super) fn unpack(archive: &Path, folder: &Path) -> Result<Unpacked, ArchiveError> {
    let file = open_file(archive).map_err(reading)?;
    let size = file.metadata().map_err(reading)?.len();
    let mut archive = tar::Archive::new(BufReader::with_capacity(256 << 10, file));
    // Raw entries: an export uses no tar extensions, which give an entry another name or size than its header
    // says.
    let mut entries = archive.entries().map_err(reading)?.raw(true);
    let list = match entries.next() {
        Some(Ok(mut entry)) => list(&mut entry, size)?,
        Some(Err(error)) => return Err(ArchiveError::NotOne(error.to_string())),
        None => return Err(ArchiveError::NotOne("it is empty".to_owned())),
    };
    let mut expected: BTreeMap<&str, &Content> =
        list.contents.iter().map(|content| (content.path.as_str(), content)).collect();
    let mut components = BTreeMap::new();
    for entry in entries {
        let mut entry = entry.map_err(|error| ArchiveError::Damaged(error.to_string()))?;
        let path = plain_path(&entry)?;
        let Some(content) = expected.remove(path.as_str()) else {
            return Err(ArchiveError::Odd(format!("'{path}', which its list of contents does not name")));
        };
        if entry.size() != content.bytes {
            return Err(ArchiveError::Damaged(format!(
                "{path} has {} bytes and should have {}",
                entry.size(),
                content.bytes
            )));
        }
        // The list was validated, so there are no other paths.
        let target = match component_of(&path) {
            Some(digest) => {
                let target = folder.join(format!("{digest}.wasm"));
                components.insert(digest.to_owned(), target.clone());
                Some(target)
            }
            None if path == DATABASE => Some(folder.join(DATABASE)),
            // For people only; the configuration that counts is in the database.
            None => None,
        };
        let (bytes, sha256) = match target {
            Some(target) => copy(&mut entry, &mut File::create_new(target).map_err(writing)?)?,
            None => copy(&mut entry, &mut io::sink())?,
        };
        if bytes != content.bytes {
            return Err(ArchiveError::Damaged(format!("{path} is cut off after {bytes} bytes")));
        }
        if sha256 != content.sha256 {
            return Err(ArchiveError::Damaged(format!("{path} has another digest than its list says")));
        }
    }
    if let Some(path) = expected.keys().next() {
        return Err(ArchiveError::Damaged(format!("{path} is missing")));
    }
    Ok(Unpacked { list, components })
}

/// The path of a regular file, as UTF-8.
fn plain_path(entry: &tar::Entry<'_, impl Read>) -> Result<String, ArchiveError> {
    let path = entry.path_bytes();
    let path = String::from_utf8_lossy(&path)
        .chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .take(200)
        .collect::<String>();
    match entry.header().entry_type() {
        tar::EntryType::Regular => Ok(path),
        tar::EntryType::Symlink | tar::EntryType::Link => Err(ArchiveError::Odd(format!("'{path}', a link"))),
        tar::EntryType::Directory => Err(ArchiveError::Odd(format!("'{path}', a folder"))),
        _ => Err(ArchiveError::Odd(format!("'{path}', which is no plain file"))),
    }
}

/// The list of contents, which must be the first entry, and may name only what an export has.
fn list(entry: &mut tar::Entry<'_, impl Read>, size: u64) -> Result<Archived, ArchiveError> {
    let path = plain_path(entry).map_err(|error| ArchiveError::NotOne(error.to_string()))?;
    if path != LIST {
        return Err(ArchiveError::NotOne(format!("it begins with '{path}' and not with {LIST}")));
    }
    if entry.size() > MOST_LIST {
        return Err(ArchiveError::NotOne(format!("its {LIST} is longer than {MOST_LIST} bytes")));
    }
    let mut text = Vec::new();
    entry.take(MOST_LIST).read_to_end(&mut text).map_err(reading)?;
    // The format version first: a newer format may differ in everything else.
    #[derive(Deserialize)]
    struct Form {
        format: u32,
        program: String,
    }
    let wrong =
        |error: serde_json::Error| ArchiveError::NotOne(format!("its {LIST} cannot be read: {error}"));
    let form: Form = serde_json::from_slice(&text).map_err(wrong)?;
    if form.format > FORMAT {
        return Err(ArchiveError::Newer(form.program));
    }
    let list: Archived = serde_json::from_slice(&text).map_err(wrong)?;
    if list.contents.len() > MOST_FILES {
        return Err(ArchiveError::Odd(format!("{} files, more than {MOST_FILES}", list.contents.len())));
    }
    let mut paths = BTreeMap::new();
    for content in &list.contents {
        let most = match content.path.as_str() {
            DATABASE => u64::MAX,
            CONFIGURATION => MOST_TEXT,
            path => match component_of(path) {
                Some(digest) if digest == content.sha256 => most_component(),
                Some(_) => {
                    return Err(ArchiveError::Odd(format!(
                        "the component '{path}' under the digest of another"
                    )));
                }
                None => {
                    return Err(ArchiveError::Odd(format!(
                        "the path '{}'",
                        path.escape_default().take(200).collect::<String>()
                    )));
                }
            },
        };
        if content.bytes > most {
            return Err(ArchiveError::Odd(format!(
                "'{}' of {} bytes, more than {most}",
                content.path, content.bytes
            )));
        }
        if paths.insert(content.path.as_str(), ()).is_some() {
            return Err(ArchiveError::Odd(format!("'{}' twice", content.path)));
        }
    }
    if !paths.contains_key(DATABASE) {
        return Err(ArchiveError::Odd(format!("no {DATABASE}")));
    }
    let total = list.contents.iter().fold(0_u64, |total, content| total.saturating_add(content.bytes));
    if total > size {
        return Err(ArchiveError::Damaged(format!(
            "its files should have {total} bytes, and it has only {size} itself"
        )));
    }
    Ok(list)
}

/// The size limit of a component at the highest setting of any tenant.
fn most_component() -> u64 {
    Limits::default()
        .table()
        .iter()
        .find(|limit| limit.name == "component-bytes")
        .map_or(0, |limit| limit.most)
}

impl Archived {
    /// Builds the list of contents.
    pub(super) fn new(
        tenant: &str,
        integrations: Vec<String>,
        secrets: u64,
        keys: Vec<String>,
        made: Timestamp,
    ) -> Self {
        let note = match keys.as_slice() {
            [] => "there are no secrets in the database".to_owned(),
            keys => format!(
                "the secrets in the database are sealed with the key {} of the home folder (secret.key or ENTENTE_KEY), which is not in this archive: without it they cannot be opened, and must be set again",
                keys.join(", ")
            ),
        };
        Self {
            format: FORMAT,
            tenant: tenant.to_owned(),
            made,
            program: env!("CARGO_PKG_VERSION").to_owned(),
            integrations,
            secrets,
            keys,
            note,
            contents: Vec::new(),
        }
    }
}

/// Writes a temporary text file.
pub(super) fn write_text(path: &Path, text: &str) -> Result<(), ArchiveError> {
    fs::write(path, text).map_err(writing)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    /// An archive of arbitrary entries.
    fn archive(folder: &Path, entries: &[(tar::EntryType, &str, &[u8])]) -> PathBuf {
        let path = folder.join("archive.tar");
        let mut archive = tar::Builder::new(File::create(&path).unwrap());
        for (kind, name, content) in entries {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(*kind);
            header.set_size(content.len() as u64);
            // As bytes, since the tar crate refuses to write such paths.
            header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
            header.set_cksum();
            archive.append(&header, *content).unwrap();
        }
        archive.finish().unwrap();
        path
    }

    fn listed(contents: &[(&str, &[u8])]) -> Vec<u8> {
        let mut list =
            Archived::new("acme", vec!["HelloWorld".to_owned()], 0, vec![], Timestamp::from_micros(0));
        for (path, bytes) in contents {
            let sha256 = hex::encode(Sha256::digest(bytes));
            list.contents.push(Content { path: (*path).to_owned(), bytes: bytes.len() as u64, sha256 });
        }
        serde_json::to_vec(&list).unwrap()
    }

    fn refused(entries: &[(tar::EntryType, &str, &[u8])]) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = archive(folder.path(), entries);
        let target = folder.path().join("target");
        fs::create_dir(&target).unwrap();
        unpack(&path, &target).unwrap_err().to_string()
    }

    const FILE: tar::EntryType = tar::EntryType::Regular;

    #[test]
    fn what_was_written_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let wasm = folder.path().join("wasm");
        fs::write(&wasm, b"a component").unwrap();
        let digest = hex::encode(Sha256::digest(b"a component"));
        let database = folder.path().join("db");
        fs::write(&database, vec![7; 1_000_000]).unwrap();
        let mut list = Archived::new(
            "acme",
            vec![],
            1,
            vec!["abc".to_owned()],
            Timestamp::from_micros(1_700_000_000_000_000),
        );
        list.contents.push(content(component_path(&digest), &wasm).unwrap());
        list.contents.push(content(DATABASE.to_owned(), &database).unwrap());
        let output = folder.path().join("acme.tar");
        write(&output, &list, &[wasm.clone(), database]).unwrap();
        let target = folder.path().join("target");
        fs::create_dir(&target).unwrap();
        let unpacked = unpack(&output, &target).unwrap();
        assert_eq!(unpacked.list, list);
        assert_eq!(fs::read(&unpacked.components[&digest]).unwrap(), b"a component");
        assert_eq!(fs::read(target.join(DATABASE)).unwrap(), vec![7; 1_000_000]);
        insta::assert_snapshot!(write(&output, &list, &[wasm]).unwrap_err(), @"it cannot be written: there is a file of this name; name another");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(&output).unwrap().permissions().mode() & 0o777, 0o600);
        }

        // An archive that is truncated anywhere, or has a byte changed, is refused.
        let whole = fs::read(&output).unwrap();
        for end in (0..whole.len() - 1024).step_by(50_021) {
            fs::write(folder.path().join("cut"), &whole[..end]).unwrap();
            let target = tempfile::tempdir().unwrap();
            assert!(unpack(&folder.path().join("cut"), target.path()).is_err(), "cut at {end}");
        }
        for at in (0..whole.len() - 1024).step_by(70_001) {
            let mut changed = whole.clone();
            changed[at] ^= 1;
            fs::write(folder.path().join("changed"), &changed).unwrap();
            let target = tempfile::tempdir().unwrap();
            assert!(unpack(&folder.path().join("changed"), target.path()).is_err(), "changed at {at}");
        }
    }

    #[test]
    fn odd_archives_are_refused() {
        let list = listed(&[(DATABASE, b"db")]);
        let first = (FILE, LIST, &list[..]);
        insta::assert_snapshot!(refused(&[]), @"it is no export of a tenant: it is empty");
        insta::assert_snapshot!(refused(&[(FILE, DATABASE, b"db")]), @"it is no export of a tenant: it begins with 'entente.db' and not with entente-tenant.json");
        insta::assert_snapshot!(refused(&[first]), @"it is not what was exported: entente.db is missing; take another copy of the file");
        insta::assert_snapshot!(refused(&[first, (FILE, "../../etc/passwd", b"x")]), @"it holds '../../etc/passwd', which its list of contents does not name, which no export does; it was not made by entente, and nothing of it was taken");
        insta::assert_snapshot!(refused(&[first, (tar::EntryType::Symlink, DATABASE, b"")]), @"it holds 'entente.db', a link, which no export does; it was not made by entente, and nothing of it was taken");
        insta::assert_snapshot!(refused(&[first, (tar::EntryType::GNUSparse, DATABASE, b"db")]), @"it holds 'entente.db', which is no plain file, which no export does; it was not made by entente, and nothing of it was taken");
        insta::assert_snapshot!(refused(&[first, (tar::EntryType::GNULongName, "././@LongLink", b"entente.db\0")]), @"it holds '././@LongLink', which is no plain file, which no export does; it was not made by entente, and nothing of it was taken");
        insta::assert_snapshot!(refused(&[first, (FILE, DATABASE, b"bd")]), @"it is not what was exported: entente.db has another digest than its list says; take another copy of the file");
        insta::assert_snapshot!(refused(&[first, (FILE, DATABASE, b"d")]), @"it is not what was exported: entente.db has 1 bytes and should have 2; take another copy of the file");
        insta::assert_snapshot!(refused(&[first, (FILE, DATABASE, b"db"), (FILE, DATABASE, b"db")]), @"it holds 'entente.db', which its list of contents does not name, which no export does; it was not made by entente, and nothing of it was taken");
    }

    #[test]
    fn odd_lists_are_refused() {
        let of = |list: Vec<u8>| refused(&[(FILE, LIST, &list)]);
        for path in ["/etc/passwd", "plugins/../x.wasm", "plugins/x.wasm", "entente.db-wal", "secret.key", ""]
        {
            let said = of(listed(&[(DATABASE, b"db"), (path, b"x")]));
            assert!(said.contains("it holds the path '"), "{said}");
        }
        let other = component_path(&"0".repeat(64));
        insta::assert_snapshot!(of(listed(&[(DATABASE, b"db"), (&other, b"x")])), @"it holds the component 'plugins/0000000000000000000000000000000000000000000000000000000000000000.wasm' under the digest of another, which no export does; it was not made by entente, and nothing of it was taken");
        insta::assert_snapshot!(of(listed(&[(DATABASE, b"db"), (DATABASE, b"db")])), @"it holds 'entente.db' twice, which no export does; it was not made by entente, and nothing of it was taken");
        insta::assert_snapshot!(of(listed(&[])), @"it holds no entente.db, which no export does; it was not made by entente, and nothing of it was taken");
        let text = |change: fn(&mut serde_json::Value)| {
            let mut list: serde_json::Value = serde_json::from_slice(&listed(&[(DATABASE, b"db")])).unwrap();
            change(&mut list);
            of(serde_json::to_vec(&list).unwrap())
        };
        let claims = text(|list| list["contents"][0]["bytes"] = (1_u64 << 50).into());
        assert!(
            claims.starts_with(
                "it is not what was exported: its files should have 1125899906842624 bytes, and it has only "
            ),
            "{claims}"
        );
        insta::assert_snapshot!(text(|list| { list["format"] = 2.into(); list["program"] = "9.0.0".into() }), @"it was made by entente 9.0.0, which is newer; use that version");
        assert!(text(|list| list["more"] = 1.into()).contains("cannot be read: unknown field `more`"));
        assert!(
            text(|list| list["contents"] = vec![list["contents"][0].clone(); 1001].into())
                .contains("1001 files, more than 1000")
        );
        assert!(of(b"{".to_vec()).contains("cannot be read"));
        assert!(of(vec![b' '; 2 << 20]).contains("longer than 1048576 bytes"));
    }
}
