//! Errors of a call: a code that the host acts on, and a reason for people.

use std::fmt;
use std::time::Duration;

/// The code that the host acts on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Code {
    /// The credential was refused. The host refreshes it once, then fails the run and asks the operator.
    Unauthorized,
    /// The credential does not allow it.
    Forbidden,
    /// A setting, a secret or a grant is missing or wrong.
    Misconfigured,
    /// Too many calls. The host pauses, then asks again.
    RateLimited,
    /// The remote system cannot be reached or says that it is down. The host pauses, then asks
    /// again.
    Unavailable,
    /// The cursor or the bookmark is no longer good. The host lists again, one object or all of them.
    CursorExpired,
    /// The plugin does not do this. The host remembers it.
    Unsupported,
    /// The remote system answered what the plugin does not understand. The page fails.
    InvalidAnswer,
    /// Another word: the page fails and is tried again in the next run.
    Other(String),
}

impl Code {
    /// The word that the host sees.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Unauthorized => "unauthorized",
            Self::Forbidden => "forbidden",
            Self::Misconfigured => "misconfigured",
            Self::RateLimited => "rate-limited",
            Self::Unavailable => "unavailable",
            Self::CursorExpired => "cursor-expired",
            Self::Unsupported => "unsupported",
            Self::InvalidAnswer => "invalid-answer",
            Self::Other(word) => word,
        }
    }
}

impl From<&str> for Code {
    fn from(word: &str) -> Self {
        let known = [
            Self::Unauthorized,
            Self::Forbidden,
            Self::Misconfigured,
            Self::RateLimited,
            Self::Unavailable,
            Self::CursorExpired,
            Self::Unsupported,
            Self::InvalidAnswer,
        ];
        known.into_iter().find(|code| code.as_str() == word).unwrap_or_else(|| Self::Other(word.to_owned()))
    }
}

/// A failed call: the word that the host decides by, what a person reads, and how long to wait.
///
/// The reason says what happened and what to do. It never holds a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    code: Code,
    reason: String,
    after: Option<u32>,
    object: Option<String>,
    /// The request that it is about never reached the remote system.
    unsent: bool,
}

impl Error {
    /// An error with a code of one's own choice.
    pub fn new(code: Code, reason: impl Into<String>) -> Self {
        Self { code, reason: reason.into(), after: None, object: None, unsent: false }
    }

    /// The credential was refused.
    pub fn unauthorized(reason: impl Into<String>) -> Self {
        Self::new(Code::Unauthorized, reason)
    }

    /// The credential does not allow it.
    pub fn forbidden(reason: impl Into<String>) -> Self {
        Self::new(Code::Forbidden, reason)
    }

    /// A setting, a secret or a grant is missing or wrong.
    pub fn misconfigured(reason: impl Into<String>) -> Self {
        Self::new(Code::Misconfigured, reason)
    }

    /// Too many calls; `after` is what the remote system asked to wait. `None`: the host decides.
    pub fn rate_limited(after: impl Into<Option<Duration>>) -> Self {
        Self::new(Code::RateLimited, "the remote system takes no more calls for now").after(after)
    }

    /// The remote system cannot be reached or says that it is down.
    pub fn unavailable(reason: impl Into<String>) -> Self {
        Self::new(Code::Unavailable, reason)
    }

    /// The cursor or the bookmark is no longer good.
    pub fn cursor_expired(reason: impl Into<String>) -> Self {
        Self::new(Code::CursorExpired, reason)
    }

    /// The plugin does not do this.
    pub fn unsupported(reason: impl Into<String>) -> Self {
        Self::new(Code::Unsupported, reason)
    }

    /// The remote system answered what the plugin does not understand.
    pub fn invalid_answer(reason: impl Into<String>) -> Self {
        Self::new(Code::InvalidAnswer, reason)
    }

    /// Another failure, named by a word of one's own.
    pub fn other(word: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::new(Code::Other(word.into()), reason)
    }

    /// Says how long to wait. Parts of a second count as a whole one, so that nobody comes back too early.
    #[must_use]
    pub fn after(mut self, wait: impl Into<Option<Duration>>) -> Self {
        self.after = wait.into().map(whole_seconds);
        self
    }

    /// Says which object it is about: with `cursor-expired` the host then lists only that one again.
    #[must_use]
    pub fn object(mut self, object: impl Into<String>) -> Self {
        self.object = Some(object.into());
        self
    }

    /// Says that the request never left.
    pub(crate) fn unsent(mut self) -> Self {
        self.unsent = true;
        self
    }

    pub(crate) fn is_unsent(&self) -> bool {
        self.unsent
    }

    pub(crate) fn about(&self) -> Option<&str> {
        self.object.as_deref()
    }

    /// Whether it is about the remote system or the credential rather than one record, so that the next change would
    /// end in the same way.
    pub(crate) fn is_about_the_system(&self) -> bool {
        matches!(self.code, Code::Unauthorized | Code::Misconfigured | Code::RateLimited | Code::Unavailable)
    }

    /// Puts what was being done before the reason: "reading the page: …".
    #[must_use]
    pub fn context(mut self, doing: impl fmt::Display) -> Self {
        self.reason = format!("{doing}: {}", self.reason);
        self
    }

    /// The word that the host decides by.
    pub fn code(&self) -> &Code {
        &self.code
    }

    /// What a person reads.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// Seconds to wait, where the remote system said so.
    pub fn wait(&self) -> Option<u32> {
        self.after
    }
}

/// Seconds, rounded up.
pub(crate) fn whole_seconds(wait: Duration) -> u32 {
    let seconds = wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0));
    u32::try_from(seconds).unwrap_or(u32::MAX)
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.as_str(), self.reason)
    }
}

impl std::error::Error for Error {}

/// What cannot be read was answered by somebody: a failed parse is an invalid answer. Elsewhere say it
/// yourself.
impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        Self::invalid_answer(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_come_back_from_their_words() {
        for word in ["unauthorized", "rate-limited", "cursor-expired", "invalid-answer", "my-own"] {
            assert_eq!(Code::from(word).as_str(), word);
        }
        assert_eq!(Code::from("my-own"), Code::Other("my-own".to_owned()));
    }

    #[test]
    fn waits_are_rounded_up() {
        assert_eq!(Error::rate_limited(Duration::from_millis(1_001)).wait(), Some(2));
        assert_eq!(Error::rate_limited(Duration::from_secs(u64::MAX)).wait(), Some(u32::MAX));
        assert_eq!(Error::rate_limited(None).wait(), None);
    }
}
