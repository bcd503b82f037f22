//! State: a small key-value store of the integration, kept between calls and separate from every other
//! integration.
//!
//! Cursors do not belong here: the cursor and the bookmark of a page move together with its data, this does
//! not.

use crate::{Error, host};

/// What is kept under a key.
pub fn get(key: &str) -> Option<Vec<u8>> {
    host::state_get(key)
}

/// Keeps bytes under a key, from when this call ends well. Error `too-large` over the quota.
pub fn set(key: &str, value: &[u8]) -> Result<(), Error> {
    host::state_set(key, value)
}

/// Forgets a key.
pub fn delete(key: &str) {
    host::state_delete(key);
}

/// The keys that begin with a prefix, sorted. An empty prefix gives all.
pub fn keys(prefix: &str) -> Vec<String> {
    host::state_keys(prefix)
}
