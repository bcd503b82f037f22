//! `entente judge`: JSON lines in, a verdict with its reason out for each.

use super::door::{Data, data_output};
use super::output::Done;
use entente_core::{Mode, judge_line};
use std::io::{BufRead, Write};

/// Says which side of a field wins, and why
///
/// Reads JSON lines from standard input and answers a line for each:
///
///   {"mode":"hard"|"best"|"fuzzy"|"span","left":{"value":V,"possible":T,"certain":T},"right":{…}}
///
/// V is any JSON value, T an ISO 8601 instant with offset, or null. Without a mode it is that of --mode. In mode
/// span, which syncs use, a side may also have "after":T: its value came to be after that moment and not later
/// than "possible", which may be called "by". The answer is
/// {"winner":"left"|"right"|"equal"|"unresolved", "reason":"…"}; a line that cannot be read is answered with
/// {"error":"…","line":N}, and the rest goes on.
#[derive(Debug, clap::Args)]
pub(super) struct JudgeArgs {
    /// The mode of lines that name none: hard, best, fuzzy or span
    #[arg(long, default_value = "span", value_parser = mode)]
    pub(super) mode: Mode,
}

fn mode(word: &str) -> Result<Mode, String> {
    Mode::from_word(word).ok_or_else(|| "known are hard, best, fuzzy, span".to_owned())
}

/// Answers every line of the input.
///
/// # Errors
/// Where the input cannot be read or the output not be written.
pub(super) fn answer_lines(
    usual: Mode,
    mut input: impl BufRead,
    mut output: impl Write,
) -> anyhow::Result<Done> {
    let (mut line, mut answer) = (Vec::new(), Vec::new());
    let mut number = 0;
    let mut done = Done::Well;
    while input.read_until(b'\n', &mut line)? > 0 {
        number += 1;
        if !judge_line(line.trim_ascii_end(), usual, number, &mut answer) {
            done = Done::WithProblems;
        }
        answer.push(b'\n');
        output.write_all(&answer)?;
        line.clear();
        answer.clear();
    }
    output.flush()?;
    Ok(done)
}

/// Runs the command.
pub(super) fn run(args: &JudgeArgs) -> anyhow::Result<Done> {
    let stdin = std::io::stdin().lock();
    let stdout = std::io::BufWriter::with_capacity(1 << 16, data_output(Data::Json));
    answer_lines(args.mode, std::io::BufReader::with_capacity(1 << 16, stdin), stdout)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(input: &str) -> (Vec<String>, Done) {
        let mut output = Vec::new();
        let done = answer_lines(Mode::Span, input.as_bytes(), &mut output).unwrap();
        (String::from_utf8(output).unwrap().lines().map(str::to_owned).collect(), done)
    }

    #[test]
    fn a_line_for_each() {
        let (answers, done) = lines(concat!(
            r#"{"mode":"hard","left":{"value":1,"certain":"2020-01-01T00:00:00Z"},"right":{"value":2,"certain":"2020-01-01T00:00:00+01:00","possible":null}}"#,
            "\n",
            r#"{"mode":"fuzzy","left":{"value":{"a":1,"b":"x"}},"right":{"value":{"b":"\u0078","a":1}}}"#,
            "\n",
            "\n",
            r#"{"mode":"soft","left":{"value":1},"right":{"value":2}}"#,
            "\n",
            r#"{"mode":"best","left":{"value":1,"possible":"2020-01-01"},"right":{"value":2}}"#,
            "\n",
            r#"{"mode":"best","left":{"value":0},"right":{"value":false}}"#,
            "\n",
            r#"{"left":{"value":1,"after":"2020-02-01T00:00:00Z","by":"2020-03-01T00:00:00Z"},"right":{"value":2,"certain":"2020-01-31T00:00:00Z"}}"#,
            "\n",
            r#"{"mode":"span","left":{"value":1,"by":"2020-03-01T00:00:00Z"},"right":{"value":2,"certain":"2020-01-31T00:00:00Z"}}"#,
            "\n",
            r#"{"left":{"value":1,"after":"2020-03-01T00:00:00Z","by":"2020-03-01T00:00:00Z"},"right":{"value":2}}"#,
        ));
        assert_eq!(done, Done::WithProblems);
        assert_eq!(answers[0], r#"{"winner":"left","reason":"its certain change time is later"}"#);
        assert!(answers[1].contains("equal"));
        assert!(answers[2].contains(r#""line":3"#), "{}", answers[2]);
        assert!(answers[3].contains("known are hard, best, fuzzy"));
        assert!(answers[4].contains("left.possible"));
        assert!(answers[5].contains("unresolved"));
        assert_eq!(answers[6], r#"{"winner":"left","reason":"it came to be after the other side's value"}"#);
        assert!(answers[7].contains("unresolved"), "{}", answers[7]);
        assert!(answers[8].contains("left.after"), "{}", answers[8]);
        assert_eq!(answers.len(), 9);
    }

    #[test]
    fn bytes_that_are_no_text_are_one_bad_line() {
        let mut output = Vec::new();
        answer_lines(
            Mode::Span,
            &b"\xff\xfe\n{\"mode\":\"hard\",\"left\":{\"value\":1},\"right\":{\"value\":1}}\n"[..],
            &mut output,
        )
        .unwrap();
        let text = String::from_utf8(output).unwrap();
        assert!(text.starts_with(r#"{"error":"#) && text.lines().count() == 2, "{text}");
    }
}
