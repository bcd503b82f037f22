//! The implementation of the imports that plugins call, in the host's own types.

use super::guest::Guest;
use crate::egress::SecretError;
use crate::limits::LimitReached;
use crate::wire::Imports;
use entente_core::Value;
use std::collections::BTreeMap;
use tracing::Level;

impl Imports for Guest {
    fn log(&self, level: Level, message: &str, fields: &[(String, String)]) {
        self.log.line(level, message, fields);
    }

    fn settings(&self) -> &BTreeMap<String, Value> {
        &self.settings
    }

    fn placeholder(
        &mut self,
        secret: &str,
        user: Option<&str>,
    ) -> Result<Result<String, SecretError>, LimitReached> {
        self.egress.placeholder(secret, user)
    }

    fn hmac_sha256(&self, secret: &str, data: &[u8]) -> Result<Vec<u8>, SecretError> {
        self.egress.noted(self.egress.channel().vault.hmac(secret, data))
    }

    fn matches(&mut self, secret: &str, candidate: &str) -> Result<Result<bool, SecretError>, LimitReached> {
        self.matches += 1;
        if self.matches > self.limits.secret_matches {
            // A trap rather than an error: a plugin that compares so often is guessing.
            return Err(self.limits.secret_matches(Some(self.matches)));
        }
        Ok(self.egress.noted(self.egress.channel().vault.matches(secret, candidate)))
    }

    fn state_get(&self, key: &str) -> Option<Vec<u8>> {
        self.state.get(key).cloned()
    }

    fn state_set(&mut self, key: String, value: Vec<u8>) -> Result<(), LimitReached> {
        let set = self.state.set(key, value);
        if let Err(limit) = &set {
            self.egress.reached(limit.clone());
        }
        set
    }

    fn state_delete(&mut self, key: String) -> Result<(), LimitReached> {
        self.state.delete(key)
    }

    fn state_keys(&self, prefix: &str) -> Vec<String> {
        self.state.keys(prefix)
    }
}
