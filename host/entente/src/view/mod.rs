//! What is shown of a tenant: to people as sentences, to programs as data. Nothing here decides anything, and
//! nothing reads a sentence back.

pub mod reason;
