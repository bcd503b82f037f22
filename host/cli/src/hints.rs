//! Commands in messages that are to be copied. They are written where nobody knows of `--tenant`; what is
//! shown names the tenant, or the command would be run for another one.

use super::Cli;
use clap::CommandFactory;
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io::{self, Write};
use std::sync::{LazyLock, OnceLock};
use tracing::Metadata;
use tracing_subscriber::fmt::MakeWriter;

/// The tenant that was named with `--tenant`.
static NAMED: OnceLock<String> = OnceLock::new();

/// The commands that are about one tenant.
static ABOUT_A_TENANT: LazyLock<BTreeSet<String>> = LazyLock::new(|| {
    let all = Cli::command();
    let names = all.get_subcommands().map(|command| command.get_name().to_owned());
    names.filter(|name| !matches!(name.as_str(), "tenant" | "judge" | "completion" | "help")).collect()
});

/// From now on, commands in messages name this tenant.
pub(super) fn name_tenant(tenant: &str) {
    let _ = NAMED.set(tenant.to_owned());
}

/// The message as it is to be shown.
pub(super) fn runnable(text: &str) -> Cow<'_, str> {
    NAMED.get().map_or(Cow::Borrowed(text), |tenant| naming(text, tenant))
}

fn naming<'a>(text: &'a str, tenant: &str) -> Cow<'a, str> {
    const PROGRAM: &str = "entente ";
    let mut named = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(PROGRAM) {
        let (before, after) = rest.split_at(at + PROGRAM.len());
        named.push_str(before);
        rest = after;
        // As commands stand in messages: at the beginning of a line, behind a colon, in parentheses or
        // quotes.
        let begins = before[..at].chars().last().is_none_or(|c| matches!(c, '\n' | '`' | '\'' | '('))
            || before[..at].ends_with(": ");
        let word: String = rest.chars().take_while(char::is_ascii_lowercase).collect();
        if begins && ABOUT_A_TENANT.contains(&word) {
            named.push_str("--tenant ");
            named.push_str(tenant);
            named.push(' ');
        }
    }
    if named.is_empty() {
        return Cow::Borrowed(text);
    }
    named.push_str(rest);
    Cow::Owned(named)
}

/// What is shown of data: in a table stands what others have written, and that stays as it is.
pub(super) fn runnable_lines(text: &str) -> String {
    let lines = text.split('\n').map(|line| {
        if line.starts_with(['│', '┌', '└', '╞', '├']) {
            Cow::Borrowed(line)
        } else {
            runnable(line)
        }
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Standard error for the log, each line of which is written at once.
pub(super) struct LogWriter {
    /// What plugins write stays as it is.
    ours: bool,
}

/// Makes writers for the lines of a log.
pub(super) struct LogWriters;

impl MakeWriter<'_> for LogWriters {
    type Writer = LogWriter;

    fn make_writer(&self) -> LogWriter {
        LogWriter { ours: true }
    }

    fn make_writer_for(&self, line: &Metadata<'_>) -> LogWriter {
        LogWriter { ours: line.target() != "entente::plugin" }
    }
}

impl Write for LogWriter {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        match std::str::from_utf8(line) {
            Ok(text) if self.ours => io::stderr().lock().write_all(runnable(text).as_bytes())?,
            _ => io::stderr().lock().write_all(line)?,
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_to_copy_names_the_tenant_and_other_words_stay() {
        let table = [
            (
                "allow it with: entente integration grant shop --all",
                "allow it with: entente --tenant acme integration grant shop --all",
            ),
            (
                "entente sync\nand `entente status`",
                "entente --tenant acme sync\nand `entente --tenant acme status`",
            ),
            (
                "look (entente run list), or: entente retry x",
                "look (entente --tenant acme run list), or: entente --tenant acme retry x",
            ),
            (
                "allow more: entente tenant set acme --limit x=2",
                "allow more: entente tenant set acme --limit x=2",
            ),
            ("her words: entente cordiale", "her words: entente cordiale"),
            ("nobody named an entente sync", "nobody named an entente sync"),
            ("no command", "no command"),
        ];
        for (text, expected) in table {
            assert_eq!(naming(text, "acme"), expected);
        }
    }
}
