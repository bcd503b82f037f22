//! Runs a program to its end, line by line, with a limit in time if it may hang.

use super::environment;
use std::io::{self, BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

/// How long output may still come after the program has ended: a grandchild may hold the pipe for ever.
const AFTERMATH: Duration = Duration::from_secs(2);
/// How often a silent program is looked at.
const TICK: Duration = Duration::from_millis(50);

/// A program that has ended.
#[derive(Debug)]
pub(super) struct Finished {
    pub(super) status: ExitStatus,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

/// Why a program has not ended by itself.
#[derive(Debug)]
pub(super) enum RunError {
    /// It could not be started or followed.
    Io(io::Error),
    /// It took longer than it may, and was stopped. What it had said on standard error is kept.
    Slow { stderr: String },
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stream {
    Out,
    Err,
}

/// Runs the command. `on_line` sees each line of both outputs as it comes. With a limit the program gets a
/// process group of its own, so that its children end with it; without one it stays in this group and Ctrl-C
/// reaches it.
pub(super) fn run(
    mut command: Command,
    limit: Option<Duration>,
    on_line: &mut dyn FnMut(&str),
) -> Result<Finished, RunError> {
    tracing::debug!(?command, ?limit, "run");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    if limit.is_some() {
        own_group(&mut command);
    }
    let mut child = command.spawn().map_err(RunError::Io)?;
    let started = Instant::now();
    let (sender, lines) = channel();
    if let Some(stdout) = child.stdout.take() {
        follow(stdout, Stream::Out, sender.clone());
    }
    if let Some(stderr) = child.stderr.take() {
        follow(stderr, Stream::Err, sender.clone());
    }
    drop(sender);
    let mut heard = Heard::default();
    let status = loop {
        let open = heard.listen(&lines, on_line);
        // Reaped only here, so that the group's number cannot have been given to another program when it is
        // stopped.
        if limit.is_some_and(|limit| started.elapsed() >= limit) {
            stop(&mut child, limit.is_some());
            return Err(RunError::Slow { stderr: heard.stderr });
        }
        match child.try_wait().map_err(RunError::Io)? {
            Some(status) => break status,
            None if !open => thread::sleep(TICK),
            None => {}
        }
    };
    let ended = Instant::now();
    while ended.elapsed() < AFTERMATH && heard.listen(&lines, on_line) {}
    Ok(Finished { status, stdout: heard.stdout, stderr: heard.stderr })
}

#[derive(Default)]
struct Heard {
    stdout: String,
    stderr: String,
}

impl Heard {
    /// Takes one line, or waits a tick. False when no more can come.
    fn listen(&mut self, lines: &Receiver<(Stream, String)>, on_line: &mut dyn FnMut(&str)) -> bool {
        match lines.recv_timeout(TICK) {
            Ok((stream, line)) => {
                on_line(line.trim_end());
                match stream {
                    Stream::Out => self.stdout.push_str(&line),
                    Stream::Err => self.stderr.push_str(&line),
                }
                true
            }
            Err(RecvTimeoutError::Timeout) => true,
            Err(RecvTimeoutError::Disconnected) => false,
        }
    }
}

fn follow(pipe: impl Read + Send + 'static, stream: Stream, sender: Sender<(Stream, String)>) {
    thread::spawn(move || {
        let mut pipe = BufReader::new(pipe);
        let mut line = Vec::new();
        while pipe.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
            if sender.send((stream, String::from_utf8_lossy(&line).into_owned())).is_err() {
                return;
            }
            line.clear();
        }
    });
}

#[cfg(unix)]
fn own_group(command: &mut Command) {
    use std::os::unix::process::CommandExt;
    command.process_group(0);
}

#[cfg(not(unix))]
fn own_group(_command: &mut Command) {}

fn stop(child: &mut Child, group: bool) {
    if group && cfg!(unix) {
        // The shell's own `kill`: a small system may not have the program, and calling the system directly is
        // unsafe code.
        let mut shell = Command::new("sh");
        environment::clean(&mut shell);
        let _ = shell
            .args(["-c", "kill -s KILL -- \"-$1\"", "sh", &child.id().to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
    }
    let _ = child.kill();
    let _ = child.wait();
}

#[cfg(all(test, unix))]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn sh(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn both_outputs_and_the_status_come_back() {
        let mut lines = Vec::new();
        let finished = run(sh("echo one; echo two >&2; printf three; exit 7"), None, &mut |line| {
            lines.push(line.to_owned())
        })
        .unwrap();
        assert_eq!(finished.status.code(), Some(7));
        assert_eq!(finished.stdout, "one\nthree");
        assert_eq!(finished.stderr, "two\n");
        lines.sort();
        assert_eq!(lines, ["one", "three", "two"]);
    }

    #[test]
    fn a_program_that_hangs_is_stopped_with_its_children() {
        let folder = tempfile::tempdir().unwrap();
        let pid = folder.path().join("pid");
        let started = Instant::now();
        let script = format!("sleep 60 & echo $! > '{}'; echo waiting >&2; wait", pid.display());
        let error = run(sh(&script), Some(Duration::from_millis(400)), &mut |_| {}).unwrap_err();
        assert!(started.elapsed() < Duration::from_secs(10));
        assert!(matches!(error, RunError::Slow { stderr } if stderr == "waiting\n"));
        let pid = std::fs::read_to_string(pid).unwrap().trim().to_owned();
        // A killed process may stay as a zombie until somebody reaps it; it must not run.
        for _ in 0..40 {
            match std::fs::read_to_string(format!("/proc/{pid}/stat")) {
                Ok(stat) if !stat.contains(") Z ") => thread::sleep(TICK),
                _ => return,
            }
        }
        panic!("the child {pid} still runs");
    }

    #[test]
    fn a_grandchild_that_keeps_the_pipe_does_not_keep_us() {
        let started = Instant::now();
        let finished = run(sh("sleep 8 & echo done"), None, &mut |_| {}).unwrap();
        assert!(finished.status.success());
        assert_eq!(finished.stdout, "done\n");
        assert!(started.elapsed() < Duration::from_secs(6));
    }

    #[test]
    fn a_program_that_is_not_there_is_an_error() {
        assert!(matches!(run(Command::new("no-such-program-here"), None, &mut |_| {}), Err(RunError::Io(_))));
    }
}
