//! From a component to native code: the compiler, in a process of its own, and the caches of what it made.

pub(crate) mod child;
pub(crate) mod compiler;
pub(crate) mod disk_cache;
pub(crate) mod memory_cache;
pub(crate) mod settings;
