//! Addresses as operators grant them and plugins ask for them. Pure: text in, decision out.

pub(crate) mod grant;
pub(crate) mod public;
