//! Content-addressed cache of compiled code on disk, authenticated with HMAC-SHA-256. Loading an artifact
//! runs native code, so only artifacts that this host wrote are loaded.

use super::settings::settings_hash;
use crate::files::{Owner, changed_by_others};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use wasmtime::component::Component;
use wasmtime::{Engine, Precompiled};
use zeroize::Zeroizing;

const MAGIC: &[u8] = b"entente compiled plugin 2\n";
const MAC_LENGTH: usize = 32;

/// The MAC key of the code cache: an artifact without a valid MAC is never run.
#[derive(Clone)]
pub struct CacheMacKey(Zeroizing<[u8; 32]>);

impl CacheMacKey {
    /// A key of 32 random bytes, which must be kept where other users cannot read them.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The name is authenticated too, so that the code of one plugin cannot replace another's.
    fn mac(&self, name: &str, artifact: &[u8]) -> wasmtime::Result<Hmac<Sha256>> {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.0.as_slice()).map_err(wasmtime::Error::new)?;
        mac.update(MAGIC);
        mac.update(&(name.len() as u64).to_le_bytes());
        mac.update(name.as_bytes());
        mac.update(artifact);
        Ok(mac)
    }
}

impl std::fmt::Debug for CacheMacKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CacheMacKey").finish_non_exhaustive()
    }
}

/// The cache folder.
#[derive(Debug, Clone)]
pub(crate) struct DiskCache {
    folder: PathBuf,
    key: CacheMacKey,
}

/// Why a folder is not used for compiled code.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// The folder is a symbolic link.
    #[error("the cache folder {} is a symbolic link; name a folder itself, since whoever can change the link could run code here", folder.display())]
    Link {
        /// The folder.
        folder: PathBuf,
    },
    /// Other users can write to it.
    #[error("the cache folder {} {why}", folder.display())]
    Exposed {
        /// The folder.
        folder: PathBuf,
        /// In which way, and what to do.
        why: String,
    },
    /// The folder cannot be created or read.
    #[error("the cache folder {} cannot be used: {error}", folder.display())]
    Unusable {
        /// The folder.
        folder: PathBuf,
        /// Why.
        error: io::Error,
    },
}

impl DiskCache {
    /// Opens the folder; creates it, accessible to this user only, where it is missing.
    pub(crate) fn open(folder: &Path, key: CacheMacKey) -> Result<Self, CacheError> {
        let unusable = |error| CacheError::Unusable { folder: folder.to_owned(), error };
        if let Some(parent) = folder.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            fs::create_dir_all(parent).map_err(unusable)?;
        }
        match private_folder().create(folder) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(unusable(error)),
        }
        let metadata = fs::symlink_metadata(folder).map_err(unusable)?;
        if metadata.file_type().is_symlink() {
            return Err(CacheError::Link { folder: folder.to_owned() });
        }
        if !metadata.is_dir() {
            return Err(unusable(io::Error::from(io::ErrorKind::NotADirectory)));
        }
        // The owner of a file of our own is our user id, without an unsafe system call.
        let probe = tempfile::tempfile_in(folder).and_then(|file| file.metadata()).map_err(unusable)?;
        if let Some(why) = changed_by_others(folder, &metadata, Owner::of(&probe)) {
            return Err(CacheError::Exposed { folder: folder.to_owned(), why });
        }
        Ok(Self { folder: folder.to_owned(), key })
    }

    /// Looks up a component. A damaged entry counts as a miss.
    ///
    /// Blocks while it reads.
    pub(crate) fn get(&self, engine: &Engine, digest: &str) -> Option<Component> {
        match self.load(engine, &name(engine, digest)) {
            Ok(found) => found,
            Err(error) => {
                tracing::warn!(%error, "compiled code in the cache is damaged and is made anew");
                None
            }
        }
    }

    /// Loads a freshly compiled artifact, and stores it.
    ///
    /// Blocks while it writes.
    ///
    /// # Errors
    /// Where it was compiled by another version or with other settings.
    pub(crate) fn insert(
        &self,
        engine: &Engine,
        digest: &str,
        artifact: &[u8],
    ) -> wasmtime::Result<Component> {
        let component = load_fresh(engine, artifact)?;
        // A cache that cannot be written costs time only.
        if let Err(error) = self.store(&name(engine, digest), artifact) {
            tracing::warn!(%error, "compiled code could not be kept; the plugin is compiled again next time");
        }
        Ok(component)
    }

    fn load(&self, engine: &Engine, name: &str) -> wasmtime::Result<Option<Component>> {
        let file = self.folder.join(name);
        match fs::symlink_metadata(&file) {
            Ok(metadata) if metadata.is_file() => {}
            Ok(_) => return Err(wasmtime::Error::msg("it is no file but leads elsewhere")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        }
        let bytes = fs::read(&file)?;
        let (mark, artifact) = bytes
            .strip_prefix(MAGIC)
            .and_then(|rest| rest.split_at_checked(MAC_LENGTH))
            .ok_or_else(|| wasmtime::Error::msg("it is no file of the cache"))?;
        self.key
            .mac(name, artifact)?
            .verify_slice(mark)
            .map_err(|_| wasmtime::Error::msg("it is not what this host has compiled"))?;
        // Read, not memory-mapped: the bytes that were authenticated are the bytes that run.
        deserialize(engine, artifact).map(Some)
    }

    fn store(&self, name: &str, artifact: &[u8]) -> wasmtime::Result<()> {
        let mut temporary = tempfile::NamedTempFile::new_in(&self.folder)?;
        temporary.write_all(MAGIC)?;
        temporary.write_all(&self.key.mac(name, artifact)?.finalize().into_bytes())?;
        temporary.write_all(artifact)?;
        temporary.as_file().sync_all()?;
        temporary.persist(self.folder.join(name))?;
        Ok(())
    }
}

#[cfg(unix)]
fn private_folder() -> fs::DirBuilder {
    use std::os::unix::fs::DirBuilderExt;
    let mut builder = fs::DirBuilder::new();
    builder.mode(0o700);
    builder
}

#[cfg(not(unix))]
fn private_folder() -> fs::DirBuilder {
    fs::DirBuilder::new()
}

/// The cache key: component digest and hash of the engine settings, so that a change of either is a miss.
fn name(engine: &Engine, digest: &str) -> String {
    format!("{digest}-{:016x}.bin", settings_hash(engine))
}

/// Loads a freshly compiled artifact, which needs no MAC.
pub(crate) fn load_fresh(engine: &Engine, artifact: &[u8]) -> wasmtime::Result<Component> {
    if !matches!(Engine::detect_precompiled(artifact), Some(Precompiled::Component)) {
        return Err(wasmtime::Error::msg("its output is not a compiled component"));
    }
    deserialize(engine, artifact)
}

/// The only place where untrusted bytes become native code.
#[expect(
    unsafe_code,
    reason = "wasmtime cannot check compiled code; the callers pass only what they compiled or what bears the mark of what was"
)]
fn deserialize(engine: &Engine, artifact: &[u8]) -> wasmtime::Result<Component> {
    // SAFETY: the bytes come from `precompile_component` of an engine with the same settings: either from
    // this process or its compiler child just now, or from a file whose MAC only a holder of the key can
    // make, and which covers plugin and settings.
    unsafe { Component::deserialize(engine, artifact) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compile::settings::{Allocation, compile_only};
    use wasmtime::{Config, ModuleVersionStrategy};

    const EMPTY: &[u8] = b"\0asm\x0d\0\x01\0";

    fn files(folder: &Path) -> Vec<PathBuf> {
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
    }

    fn key() -> CacheMacKey {
        CacheMacKey::new([7; 32])
    }

    /// What a load does: from the cache, otherwise compiled and stored.
    fn component(cache: &DiskCache, engine: &Engine, digest: &str) {
        if cache.get(engine, digest).is_none() {
            cache.insert(engine, digest, &engine.precompile_component(EMPTY).unwrap()).unwrap();
        }
    }

    #[test]
    fn what_was_compiled_is_found_again_and_damage_is_noticed() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("cache");
        let cache = DiskCache::open(&folder, key()).unwrap();
        let engine = compile_only(Allocation::Pooled).unwrap();
        component(&cache, &engine, "digest");
        let [file] = &files(&folder)[..] else { panic!("one file: {:?}", files(&folder)) };
        let name = file.file_name().unwrap().to_str().unwrap();
        assert!(cache.load(&engine, name).unwrap().is_some());

        let good = fs::read(file).unwrap();
        for at in [0, MAGIC.len(), MAGIC.len() + MAC_LENGTH, good.len() - 1] {
            let mut bad = good.clone();
            bad[at] ^= 1;
            fs::write(file, &bad).unwrap();
            assert!(cache.load(&engine, name).is_err(), "byte {at} was changed");
        }
        fs::write(file, &good[..good.len() / 2]).unwrap();
        assert!(cache.load(&engine, name).is_err());
        component(&cache, &engine, "digest");
        assert_eq!(fs::read(file).unwrap(), good, "made anew");
        assert_eq!(files(&folder).len(), 1, "no temporary file is left");
    }

    #[test]
    fn what_another_host_or_another_plugin_has_is_not_run() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("cache");
        let cache = DiskCache::open(&folder, key()).unwrap();
        let engine = compile_only(Allocation::Pooled).unwrap();
        component(&cache, &engine, "digest");
        let [file] = &files(&folder)[..] else { panic!("one file: {:?}", files(&folder)) };
        let name = file.file_name().unwrap().to_str().unwrap().to_owned();

        let stranger = DiskCache::open(&folder, CacheMacKey::new([8; 32])).unwrap();
        assert!(stranger.load(&engine, &name).is_err(), "the mark of another host");

        let other = name.replace("digest", "other-digest");
        fs::copy(file, folder.join(&other)).unwrap();
        assert!(cache.load(&engine, &other).is_err(), "the code of another plugin");

        #[cfg(unix)]
        {
            let elsewhere = home.path().join("elsewhere");
            fs::rename(file, &elsewhere).unwrap();
            std::os::unix::fs::symlink(&elsewhere, file).unwrap();
            assert!(cache.load(&engine, &name).is_err(), "a link");
            component(&cache, &engine, "digest");
            assert!(fs::symlink_metadata(file).unwrap().is_file(), "made anew in its place");
            assert!(cache.load(&engine, &name).unwrap().is_some());
        }
    }

    #[test]
    fn what_another_version_has_compiled_is_made_anew() {
        let home = tempfile::tempdir().unwrap();
        let cache = DiskCache::open(&home.path().join("cache"), key()).unwrap();
        let ours = compile_only(Allocation::Pooled).unwrap();
        let another_version = {
            let mut config = Config::new();
            config.module_version(ModuleVersionStrategy::Custom("47".to_owned())).unwrap();
            Engine::new(&config).unwrap()
        };
        let other_settings = compile_only(Allocation::OnDemand).unwrap();
        let ours_name = name(&ours, "digest");
        for theirs in [another_version, other_settings] {
            let artifact = theirs.precompile_component(EMPTY).unwrap();
            cache.insert(&theirs, "digest", &artifact).unwrap();
            assert!(cache.get(&theirs, "digest").is_some());
            assert!(cache.load(&ours, &ours_name).unwrap().is_none(), "it has a name of its own");

            // Even under a valid MAC and name, wasmtime recognises its own artifacts.
            cache.store(&ours_name, &artifact).unwrap();
            assert!(cache.load(&ours, &ours_name).is_err());
            assert!(
                cache.insert(&ours, "digest", &artifact).is_err(),
                "nor is it taken from whoever compiles"
            );
            component(&cache, &ours, "digest");
            assert!(cache.load(&ours, &ours_name).unwrap().is_some(), "made anew in its place");
            fs::remove_file(home.path().join("cache").join(&ours_name)).unwrap();
        }
        assert!(cache.insert(&ours, "digest", b"hello").is_err());
        assert!(
            cache.insert(&ours, "digest", &ours.precompile_module(b"\0asm\x01\0\0\0").unwrap()).is_err(),
            "a module"
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_folder_that_others_can_change_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("cache");
        DiskCache::open(&folder, key()).unwrap();
        assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);

        let link = home.path().join("link");
        std::os::unix::fs::symlink(&folder, &link).unwrap();
        assert!(matches!(DiskCache::open(&link, key()), Err(CacheError::Link { .. })));

        fs::set_permissions(&folder, fs::Permissions::from_mode(0o770)).unwrap();
        assert!(matches!(DiskCache::open(&folder, key()), Err(CacheError::Exposed { .. })));
        fs::write(home.path().join("file"), "").unwrap();
        assert!(matches!(
            DiskCache::open(&home.path().join("file"), key()),
            Err(CacheError::Unusable { .. })
        ));
    }
}
