//! Validating results of plugins: what is common to all versions. Results are untrusted input; texts and names
//! are checked and counted while they are lifted.

use super::{Refused, Speaker};
use crate::limits::{LimitReached, Limits};
use crate::text::clean;
use entente_core::Foreign;

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
        Self::of(limits, Speaker { integration, channel: None })
    }

    pub(crate) fn of(limits: &'a Limits, speaker: Speaker<'a>) -> Self {
        Self { limits, speaker, bytes: 0 }
    }

    /// A text that operators read. Secrets are masked before it is cut, since a part of one would not be found.
    pub(super) fn said(&self, text: &str, most: u64) -> String {
        match self.speaker.channel.and_then(|channel| channel.scrubber.as_ref()) {
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
                "{what} has the name {}; a name is not empty, short and without control characters",
                Foreign::new(self.said(&name, 200)).quoted()
            )));
        }
        Ok(name)
    }

    pub(super) fn reason(&self, text: &str) -> String {
        self.said(text, self.limits.reason_bytes)
    }

    /// Tells the operator what of the result is left out.
    pub(super) fn warn(&self, what: &str) {
        let text = format!("the plugin's answer: {what}");
        match self.speaker.channel {
            Some(channel) => channel.warn(text),
            None => tracing::warn!(integration = self.speaker.integration, "{text}"),
        }
    }

    /// What a plugin has named, for a sentence.
    pub(super) fn named(&self, name: &str) -> String {
        Foreign::new(self.said(name, 200)).named()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::egress::Notice;
    use crate::egress::tests::{knowing, told};

    const FOUND: &str = "correcthorsebattery";

    #[test]
    fn x7_what_is_told_at_the_terminal_has_no_secret_in_it() {
        let (channel, _) = knowing(FOUND);
        let limits = Limits::default();
        let lift = Lift::of(&limits, Speaker { integration: "shop", channel: Some(&channel) });
        let (url, grant) = (format!("https://{FOUND}.example.com/"), format!("https://{FOUND}.example.com"));
        // Names of headers and hosts have no upper case, whatever a secret has.
        let hex = hex::encode(FOUND);
        let lines = told(|| {
            channel.tell(&Notice::Denied { url: url.clone(), grant: grant.clone() });
            channel.tell(&Notice::Address { url, why: "it is".to_owned(), grant });
            channel.tell(&Notice::Header { name: hex.to_uppercase(), url: "https://a.example".to_owned() });
            lift.warn(&format!("an answer to {} was left out", lift.named(&format!("{FOUND} {FOUND}"))));
            lift.warn(&format!("{} is no name", lift.named(&format!("{}{FOUND}", "x".repeat(190)))));
        });
        assert_eq!(lines.len(), 5, "{lines:?}");
        for line in &lines {
            let line = line.to_lowercase();
            assert!(!line.contains(&FOUND[..6]) && !line.contains(&hex[..12]), "{line}");
        }
    }

    #[test]
    fn x4_of_each_kind_twenty_are_told_at_the_terminal_and_that_there_are_more() {
        let (channel, _) = knowing(FOUND);
        let denied = |n: usize| Notice::Address {
            url: format!("https://host-{n}.example"),
            why: "it is this machine".to_owned(),
            grant: "https://127.0.0.1".to_owned(),
        };
        let lines = told(|| {
            for n in 0..1000 {
                channel.tell(&denied(n % 500));
                channel.warn(format!("the plugin's answer: a conversion was left out: {}", n % 500));
            }
        });
        let are = |what: &str| lines.iter().filter(|line| line.contains(what)).count();
        assert_eq!((are("host-"), are("a conversion was left out")), (20, 20));
        assert_eq!((are("are counted in its books"), are("more that is left out of its answers")), (1, 1));
        assert_eq!(lines.len(), 42);
    }
}
