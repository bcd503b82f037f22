//! `entente.toml` as text: its form, the values and the words in it. What it means is for
//! [`check`](super::check).

pub(super) mod form;
pub(super) mod value;
pub(super) mod words;
