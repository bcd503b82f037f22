//! Lifting and lowering between the types of the interface and those of the host. Results of plugins are
//! untrusted input: everything is validated and counted here, so that no code behind it has to.

mod describe;
mod order;
mod report;
mod value;
#[cfg(test)]
mod vectors;

pub(crate) use describe::{description, manual};
pub(crate) use order::{collection, execution, lower_order};
pub(crate) use report::{found, lower_query, lower_request, page};
pub(crate) use value::lower_value;

pub(crate) use crate::wire::lift::Lift;
