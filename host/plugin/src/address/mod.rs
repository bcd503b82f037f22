//! Addresses in grants and manifests, and their normalisation. Pure: text in, decision out.

pub(crate) mod grant;
pub(crate) mod public;
mod remark;
