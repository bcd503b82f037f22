//! What a file is: the component's imports and exports, its manifest, its size. Nothing of it is run here.

pub(crate) mod inspect;
pub(crate) mod interface;
pub(crate) mod manifest;
