//! Static analysis of a component: imports, exports, manifest, size. Nothing of it is compiled or run here.

pub(crate) mod inspect;
pub(crate) mod interface;
pub(crate) mod manifest;
