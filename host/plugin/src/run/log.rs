//! The log of a plugin, with quotas: lines of the import `log`, and its standard output and error.

use crate::egress::Channel;
use crate::egress::audit::LogLine;
use crate::limits::Limits;
use crate::text::clean;
use bytes::Bytes;
use entente_core::Foreign;
use std::sync::{Arc, Mutex, PoisonError};
use tracing::Level;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

/// The log of one running plugin: counts, truncates, and forwards to `tracing`.
#[derive(Clone)]
pub(crate) struct Log {
    channel: Arc<Channel>,
    limits: Limits,
    used: Arc<Mutex<Used>>,
}

#[derive(Default)]
struct Used {
    lines: u64,
    bytes: u64,
    dropped: u64,
    /// Output since the last line break.
    partial: Vec<u8>,
}

impl Log {
    pub(crate) fn new(channel: Arc<Channel>, limits: Limits) -> Self {
        Self { channel, limits, used: Arc::default() }
    }

    /// Resets for the next call.
    pub(crate) fn begin(&self) {
        *self.used() = Used::default();
    }

    /// Ends a call: logs unterminated output, and how much was dropped.
    pub(crate) fn end(&self) {
        let partial = std::mem::take(&mut self.used().partial);
        if !partial.is_empty() {
            self.printed_line(&partial);
        }
        let dropped = std::mem::take(&mut self.used().dropped);
        if dropped > 0 {
            tracing::warn!(
                target: "entente::plugin",
                integration = self.channel.integration,
                dropped,
                "more log lines than log-lines ({}) and log-bytes ({}) of one call allow; the rest was dropped",
                self.limits.log_lines,
                self.limits.log_bytes,
            );
        }
    }

    fn used(&self) -> std::sync::MutexGuard<'_, Used> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn line(&self, level: Level, message: &str, fields: &[(String, String)]) {
        // Secrets are masked before the text is cut, since a part of one would not be found.
        let masked = |text: &str| match &self.channel.scrubber {
            Some(scrubber) => scrubber.text(text.to_owned()),
            None => text.to_owned(),
        };
        let mut text = clean(&masked(message), self.limits.log_line_bytes);
        for (name, value) in fields.iter().take(32) {
            let left = self.limits.log_line_bytes.saturating_sub(text.len() as u64);
            if left < 8 {
                break;
            }
            text.push_str(&clean(&masked(&format!(" {name}={value}")), left - 1));
        }
        text = masked(&text);
        {
            let mut used = self.used();
            let bytes = used.bytes + text.len() as u64;
            if used.lines >= self.limits.log_lines || bytes > self.limits.log_bytes {
                used.dropped += 1;
                return;
            }
            used.lines += 1;
            used.bytes = bytes;
        }
        let (integration, quoted) = (self.channel.integration.as_str(), Foreign::new(&text).quoted());
        if level <= Level::INFO {
            let level = level.as_str().to_ascii_lowercase();
            self.channel.audit.audit.log(&LogLine { integration, level: &level, text: &text });
        }
        // The level is part of a line's static metadata, so each level needs a macro call of its own.
        match level {
            Level::TRACE => {
                tracing::trace!(target: "entente::plugin", integration, "the plugin logged {quoted}")
            }
            Level::DEBUG => {
                tracing::debug!(target: "entente::plugin", integration, "the plugin logged {quoted}")
            }
            Level::INFO => {
                tracing::info!(target: "entente::plugin", integration, "the plugin logged {quoted}")
            }
            Level::WARN => {
                tracing::warn!(target: "entente::plugin", integration, "the plugin logged {quoted}")
            }
            Level::ERROR => {
                tracing::error!(target: "entente::plugin", integration, "the plugin logged {quoted}")
            }
        }
    }

    fn printed(&self, bytes: &[u8]) {
        // A secret at the end of what is kept is whole, so that it is found.
        let beyond = self.channel.scrubber.as_ref().map_or(0, |scrubber| scrubber.longest() as u64);
        let most = self.limits.log_line_bytes.saturating_add(beyond);
        let lines: Vec<Vec<u8>> = {
            let mut used = self.used();
            let mut lines = Vec::new();
            for byte in bytes {
                let full = used.partial.len() as u64 >= most;
                match byte {
                    b'\n' => lines.push(std::mem::take(&mut used.partial)),
                    _ if full => {}
                    byte => used.partial.push(*byte),
                }
            }
            lines
        };
        for line in lines.iter().filter(|line| !line.is_empty()) {
            self.printed_line(line);
        }
    }

    fn printed_line(&self, line: &[u8]) {
        // Panics, and exceptions of Python and JavaScript, come this way.
        self.line(Level::WARN, &format!("printed: {}", String::from_utf8_lossy(line)), &[]);
    }
}

/// Standard output and error of a plugin: never blocks, and never a terminal.
pub(crate) struct Printed(pub(crate) Log);

impl IsTerminal for Printed {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Printed {
    fn async_stream(&self) -> Box<dyn tokio::io::AsyncWrite + Send + Sync> {
        // Only used by WASI 0.3, which is not linked.
        Box::new(tokio::io::sink())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(PrintedStream(self.0.clone()))
    }
}

struct PrintedStream(Log);

#[wasmtime_wasi::async_trait]
impl Pollable for PrintedStream {
    async fn ready(&mut self) {}
}

#[wasmtime_wasi::async_trait]
impl OutputStream for PrintedStream {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.0.printed(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(4096)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::egress::tests::knowing;

    #[tokio::test]
    async fn x7_a_secret_in_a_log_line_is_masked_before_the_line_is_cut() {
        const FOUND: &str = "correcthorsebattery";
        let (channel, recorder) = knowing(FOUND);
        let log = Log::new(channel, Limits::default());
        log.line(Level::WARN, &format!("{}{FOUND}", "x".repeat(1010)), &[]);
        log.line(Level::WARN, "short", &[("found".to_owned(), FOUND.to_owned())]);
        log.printed(format!("{}{}\n", "x".repeat(1006), FOUND.to_uppercase()).as_bytes());
        let lines = recorder.0.lock().unwrap().clone();
        assert_eq!(lines.len(), 3);
        assert!(!lines[2].contains("CORREC"), "{lines:?}");
        assert!(lines[1].starts_with("short found=***"), "{lines:?}");
        assert!(lines.iter().all(|line| !line.contains(&FOUND[..6])), "{lines:?}");
    }
}
