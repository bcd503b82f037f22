//! Validating results of plugins: what is common to all versions. Results are untrusted input; texts and names
//! are checked and counted while they are lifted.

use super::{Refused, Speaker};
use crate::limits::{LimitReached, Limits};
use crate::text::clean;

/// Validates one result while lifting it.
pub(crate) struct Lift<'a> {
    pub(super) limits: &'a Limits,
    /// For warnings about parts that are dropped.
    speaker: Speaker<'a>,
    bytes: u64,
}

impl<'a> Lift<'a> {
    /// Of an integration without secrets.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(crate) fn new(limits: &'a Limits, integration: &'a str) -> Self {
        Self::of(limits, Speaker { integration, scrubber: None })
    }

    pub(crate) fn of(limits: &'a Limits, speaker: Speaker<'a>) -> Self {
        Self { limits, speaker, bytes: 0 }
    }

    /// A text that operators read. Secrets are masked before it is cut, since a part of one would not be found.
    fn said(&self, text: &str, most: u64) -> String {
        match self.speaker.scrubber {
            Some(scrubber) => clean(&scrubber.text(text.to_owned()), most),
            None => clean(text, most),
        }
    }

    /// The code of a failure.
    pub(super) fn code(&self, text: &str) -> String {
        self.said(text, 100)
    }

    /// Counts the texts of the result.
    pub(super) fn count(&mut self, bytes: usize) -> Result<(), LimitReached> {
        self.bytes += bytes as u64;
        if self.bytes > self.limits.page_bytes {
            Err(self.limits.page_bytes(Some(self.bytes)))
        } else {
            Ok(())
        }
    }

    /// An opaque token: a cursor, bookmark, ticket or version.
    pub(super) fn token(&mut self, text: String) -> Result<String, LimitReached> {
        if text.len() as u64 > self.limits.token_bytes {
            return Err(self.limits.token_bytes(Some(text.len() as u64)));
        }
        self.count(text.len())?;
        Ok(text)
    }

    pub(super) fn tokens(&mut self, text: Option<String>) -> Result<Option<String>, LimitReached> {
        text.map(|text| self.token(text)).transpose()
    }

    /// The id of a record.
    pub(super) fn id(&mut self, id: &str) -> Result<Result<(), String>, LimitReached> {
        self.count(id.len())?;
        Ok(if id.is_empty() {
            Err("it has no id".to_owned())
        } else if id.contains(char::is_control) {
            Err("its id has a control character".to_owned())
        } else if id.len() as u64 > self.limits.id_bytes {
            Err(format!(
                "its id has {} bytes; {} are allowed (limit id-bytes)",
                id.len(),
                self.limits.id_bytes
            ))
        } else {
            Ok(())
        })
    }

    /// The name of an object or a field; names are shown everywhere and appear in settings.
    pub(super) fn name(&self, name: String, what: &str) -> Result<String, Refused> {
        if name.is_empty() || name.len() as u64 > self.limits.id_bytes || clean(&name, u64::MAX) != name {
            return Err(Refused::Invalid(format!(
                "{what} has the name '{}'; a name is not empty, short and without control characters",
                clean(&name, 200)
            )));
        }
        Ok(name)
    }

    pub(super) fn reason(&self, text: &str) -> String {
        self.said(text, self.limits.reason_bytes)
    }

    pub(super) fn warn(&self, what: &str) {
        tracing::warn!(integration = self.speaker.integration, "the plugin's answer: {what}");
    }
}
