//! Parsing `entente.toml`: its form, values and words. [`check`](super::check) validates it.

pub(super) mod form;
pub(super) mod value;
pub(super) mod words;
