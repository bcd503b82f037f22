//! Compilation of components to native code: the compiler child process, and the caches of artifacts.

pub(crate) mod child;
pub(crate) mod compiler;
pub(crate) mod disk_cache;
pub(crate) mod failures;
pub(crate) mod memory_cache;
pub(crate) mod sandbox;
pub(crate) mod settings;
