//! The door: the one place where text leaves the program for people or programs. Nothing else in this crate writes
//! to standard output or standard error, which a test of this file sees to.
//!
//! What strangers said has a type ([`Foreign`]) whose display stays on its line; here every line, whoever made it,
//! loses what acts on a terminal, but for the line breaks and the colours that the program itself writes.

use entente_core::{Foreign, acts_on_a_terminal};
use std::borrow::Cow;
use std::io::{self, IsTerminal, Write};
use std::process::{Command, Stdio};

/// A text of several lines as a terminal may have it: all that acts on one is escaped, but line breaks.
pub(super) fn safe(text: &str) -> Cow<'_, str> {
    if !text.contains(|c: char| c != '\n' && acts_on_a_terminal(c)) {
        return Cow::Borrowed(text);
    }
    let lines: Vec<String> = text.split('\n').map(|line| Foreign::new(line).to_string()).collect();
    Cow::Owned(lines.join("\n"))
}

/// A JSON document as a terminal may have it: what acts on one stands in JSON's own escapes. To a program it is the
/// same document.
pub(super) fn safe_json(text: &str) -> Cow<'_, str> {
    if !text.contains(|c: char| c != '\n' && acts_on_a_terminal(c)) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len());
    let mut units = [0; 2];
    for c in text.chars() {
        if c == '\n' || !acts_on_a_terminal(c) {
            safe.push(c);
            continue;
        }
        for unit in c.encode_utf16(&mut units) {
            safe.push_str(&format!("\\u{unit:04x}"));
        }
    }
    Cow::Owned(safe)
}

/// Prints a text for people, as a line or several.
pub(super) fn print_line(text: &str) {
    print_text(&format!("{}\n", safe(text)));
}

/// Prints a text for people, through a pager where it is longer than their terminal is high: `$PAGER`, else `less`, with `cat` none.
/// Where the pager cannot be started, as it is.
pub(super) fn print_paged(text: &str) {
    let rows =
        terminal_size::terminal_size_of(io::stdout()).map_or(usize::MAX, |(_, height)| usize::from(height.0));
    let text = format!("{}\n", safe(text));
    if !shows_results() || text.lines().count() < rows || !page(&text) {
        print_text(&text);
    }
}

/// Has a pager show a text. False where there is none.
fn page(text: &str) -> bool {
    let pager = std::env::var("PAGER").unwrap_or_else(|_| "less".to_owned());
    let mut words = pager.split_whitespace();
    let Some(program) = words.next().filter(|program| *program != "cat") else { return false };
    let mut command = Command::new(program);
    command.args(words).stdin(Stdio::piped());
    if std::env::var_os("LESS").is_none() {
        // It leaves what it has shown on the screen, and ends where all of it fits.
        command.env("LESS", "FRX");
    }
    let Ok(mut child) = command.spawn() else { return false };
    if let Some(mut input) = child.stdin.take() {
        // Whoever leaves it early has read enough.
        let _ = input.write_all(text.as_bytes());
    }
    let _ = child.wait();
    true
}

/// Prints a part of a JSON document.
pub(super) fn print_json(text: &str) {
    print_text(&safe_json(text));
}

/// Tells people something beside the results, on standard error. Where nobody can be told, nothing is lost.
pub(super) fn tell(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{}", safe(text));
}

/// The same for programs: a JSON document.
pub(super) fn tell_json(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{}", safe_json(text));
}

/// Asks a person at a terminal; the answer is typed on the same line.
///
/// # Errors
/// Where standard error cannot be written.
pub(super) fn ask(question: &str) -> io::Result<()> {
    let mut stderr = io::stderr().lock();
    write!(stderr, "{}", safe(question))?;
    stderr.flush()
}

/// Where the lines of the log go. Their fields are made safe one by one ([`log_fields`](super::remedy::log_fields)), since the colours
/// between them are ours.
pub(super) fn log_writer() -> io::Stderr {
    io::stderr()
}

/// Whether people look at the results.
pub(super) fn shows_results() -> bool {
    io::stdout().is_terminal()
}

/// Whether people look at what is told beside them.
pub(super) fn shows_progress() -> bool {
    io::stderr().is_terminal()
}

/// Writes to standard output. A reader that has gone away (`| head`) ends the program quietly.
fn print_text(text: &str) {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => std::process::exit(0),
        Err(error) => {
            tell(&format!("error: the output cannot be written: {error}"));
            std::process::exit(1);
        }
    }
}

/// What a stream of data consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Data {
    /// Text of several lines.
    Text,
    /// CSV: a line break within a cell is one of a stranger.
    Csv,
    /// Lines of JSON.
    Json,
}

/// A stream of data to standard output. A pipe or a file gets it byte for byte, a terminal as [`safe`] text.
pub(super) struct DataOutput<W: Write = io::Stdout> {
    to: W,
    /// What it is made safe as; `None`: byte for byte.
    safe: Option<Data>,
    /// The beginning of a line that has not ended.
    line: Vec<u8>,
    /// CSV: within a quoted cell.
    quoted: bool,
}

/// CSV as a terminal may have it: a line break within a cell is escaped too, so that each line is a row.
fn safe_csv(text: &str, quoted: &mut bool) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        *quoted ^= c == '"';
        match c {
            '\n' if *quoted => shown.push_str("\\n"),
            c => shown.push(c),
        }
    }
    safe(&shown).into_owned()
}

/// Opens standard output for data.
pub(super) fn data_output(data: Data) -> DataOutput {
    DataOutput { safe: shows_results().then_some(data), to: io::stdout(), line: Vec::new(), quoted: false }
}

/// Data in pieces as a terminal may have it.
#[cfg(feature = "fuzzing")]
pub(super) fn streamed(data: Data, pieces: &[&[u8]]) -> Vec<u8> {
    let mut shown = Vec::new();
    let mut output = DataOutput { to: &mut shown, safe: Some(data), line: Vec::new(), quoted: false };
    for piece in pieces {
        // A `Vec` takes all of it.
        let _ = output.write_all(piece);
    }
    drop(output);
    shown
}

impl<W: Write> DataOutput<W> {
    fn give(&mut self, data: Data) -> io::Result<()> {
        let text = String::from_utf8_lossy(&self.line);
        let shown = match data {
            Data::Json => safe_json(&text),
            Data::Text => safe(&text),
            Data::Csv => Cow::Owned(safe_csv(&text, &mut self.quoted)),
        };
        self.to.write_all(shown.as_bytes())?;
        self.line.clear();
        Ok(())
    }
}

impl<W: Write> Write for DataOutput<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(data) = self.safe else { return self.to.write(bytes) };
        // Whole lines, so that no character is cut.
        let end = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        if end > 0 {
            self.line.extend_from_slice(&bytes[..end]);
            self.give(data)?;
        }
        self.line.extend_from_slice(&bytes[end..]);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if let Some(data) = self.safe.filter(|_| std::str::from_utf8(&self.line).is_ok()) {
            self.give(data)?;
        }
        self.to.flush()
    }
}

impl<W: Write> Drop for DataOutput<W> {
    fn drop(&mut self) {
        if let Some(data) = self.safe {
            let _ = self.give(data);
        }
        let _ = self.to.flush();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn x4_lines_and_json_act_on_no_terminal() {
        assert_eq!(
            safe("a\u{1b}[2K\rb\n\u{202e}c\u{200b}\u{9b}"),
            "a\\u{1b}[2K\\rb\n\\u{202e}c\\u{200b}\\u{9b}"
        );
        assert!(matches!(safe("plain\n┌─┐ äöü"), Cow::Borrowed(_)));
        let json = serde_json::to_string("a\u{1b}\u{9b}\u{202e}\u{e0041}ä").unwrap();
        let safe = safe_json(&json);
        assert!(!safe.contains(acts_on_a_terminal), "{safe}");
        assert_eq!(serde_json::from_str::<String>(&safe).unwrap(), "a\u{1b}\u{9b}\u{202e}\u{e0041}ä");
    }

    #[test]
    fn x4_data_is_safe_at_a_terminal_and_itself_in_a_file() {
        let text = "äa\u{1b}[2K\r\nb\u{202e}\nend";
        for size in [1, 2, 3, 100] {
            let mut shown = Vec::new();
            let mut output =
                DataOutput { to: &mut shown, safe: Some(Data::Text), line: Vec::new(), quoted: false };
            for part in text.as_bytes().chunks(size) {
                output.write_all(part).unwrap();
                output.flush().unwrap();
            }
            drop(output);
            assert_eq!(String::from_utf8(shown).unwrap(), "äa\\u{1b}[2K\\r\nb\\u{202e}\nend", "{size}");
        }
        let mut file = Vec::new();
        DataOutput { to: &mut file, safe: None, line: Vec::new(), quoted: false }
            .write_all(text.as_bytes())
            .unwrap();
        assert_eq!(file, text.as_bytes());
    }

    #[test]
    fn x4_a_cell_of_several_lines_is_one_line_at_a_terminal() {
        let text = "a,\"b\nFORGED \"\"x\"\"\n\",c\nd,e\n";
        for size in [1, 3, 100] {
            let mut shown = Vec::new();
            let mut output =
                DataOutput { to: &mut shown, safe: Some(Data::Csv), line: Vec::new(), quoted: false };
            for part in text.as_bytes().chunks(size) {
                output.write_all(part).unwrap();
            }
            drop(output);
            assert_eq!(String::from_utf8(shown).unwrap(), "a,\"b\\nFORGED \"\"x\"\"\\n\",c\nd,e\n", "{size}");
        }
    }

    /// The type of what strangers said keeps a forgotten place from compiling; this keeps it from going past the door.
    #[test]
    fn x4_nothing_goes_past_the_door() {
        let source = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut folders = vec![source];
        let mut past = Vec::new();
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                if path.file_name().is_some_and(|name| name == "door.rs" || name == "tests.rs") {
                    continue;
                }
                let text = std::fs::read_to_string(&path).unwrap();
                let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
                for way in [
                    "println!",
                    "print!(",
                    "io::stdout",
                    "io::stderr",
                    ".as_data()",
                    "error.print()",
                    "Stdio::inherit",
                    ".complete()",
                ] {
                    // What a shell is answered passes no door; that module looks at each name itself.
                    let is_answer = way == ".complete()" && path.ends_with("completion.rs");
                    if text.contains(way) && !is_answer {
                        past.push(format!("{}: {way}", path.display()));
                    }
                }
            }
        }
        assert!(past.is_empty(), "{past:#?}");
    }
}
