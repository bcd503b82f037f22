//! hello-crm.
