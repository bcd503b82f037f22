//! From a component to native code: the compiler, in a process of its own, and the caches of what it made.

pub(crate) mod cache;
pub(crate) mod child;
pub(crate) mod compiler;
pub(crate) mod settings;
pub(crate) mod shelf;
