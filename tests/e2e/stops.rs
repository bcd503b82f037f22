//! Stops: a signal ends a run that waits at once, and one whose remote does not answer after the grace period.

use crate::world::World;
use hello_crm::{Action, RateLimit, Rule};
use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// A delay that never ends by itself during a test.
const LONG: u64 = 3_600_000;

/// No test takes so long that passes.
const PATIENCE: Duration = Duration::from_secs(300);

/// A sync under way, killed where a test fails.
struct Running(Child);

impl Running {
    fn start(world: &World, options: &[&str]) -> Self {
        let mut command = world.command(&["sync", "HelloWorld"]);
        command.args(options).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Self(command.spawn().unwrap())
    }

    /// Waits until the sync has come so far.
    #[track_caller]
    fn comes_to(&mut self, there: impl Fn() -> bool) {
        let begun = Instant::now();
        while !there() {
            assert!(self.0.try_wait().unwrap().is_none(), "it has ended");
            assert!(begun.elapsed() < PATIENCE, "it does not get there");
            std::thread::yield_now();
        }
    }

    fn signal(&self, name: &str) {
        let pid = self.0.id().to_string();
        let sent = std::process::Command::new("kill").args([name, &pid]).status().unwrap();
        assert!(sent.success());
    }

    /// Waits for its end.
    fn ends(&mut self) -> ExitStatus {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                return status;
            }
            assert!(begun.elapsed() < PATIENCE, "it does not end");
            std::thread::yield_now();
        }
    }

    /// The file that marks it as alive. It is there before the run takes its lease.
    fn mark(&self, world: &World) -> PathBuf {
        let folder = world.path().join("tenants").join("default");
        folder.join(format!("process-{}.lock", self.0.id()))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The status of the newest run.
fn newest(world: &World) -> String {
    let runs = world.run(&["run", "list", "--json"]).well().json();
    runs["rows"][0]["status"].as_str().expect("a status").to_owned()
}

/// Two people, and what makes every request of this path wait or fail.
fn world(action: Action, path: &str) -> World {
    let world = World::new();
    world.import("Last name,E-mail\nA,a@example.org\nB,b@example.org\n").well();
    world.crm.reset();
    world.crm.add_fault(Rule::new(action).path(path).times(None));
    world
}

fn struck(world: &World) -> bool {
    world.crm.faults().iter().any(|rule| rule.struck > 0)
}

#[test]
fn a_stop_ends_the_wait_for_another_run_while_that_goes_on() {
    let world = world(Action::Delay { delay_ms: LONG }, "/");
    let mut first = Running::start(&world, &[]);
    first.comes_to(|| struck(&world));
    let mut second = Running::start(&world, &["--wait"]);
    let mark = second.mark(&world);
    second.comes_to(|| mark.exists());
    second.signal("-INT");
    assert_eq!(second.ends().code(), Some(1));
    assert!(first.0.try_wait().unwrap().is_none(), "the first one goes on");
}

#[test]
fn a_stop_ends_the_wait_that_a_remote_asks_for() {
    let held = Action::RateLimited { rate_limit: RateLimit { retry_after: 50 } };
    let world = world(held, "/");
    let mut sync = Running::start(&world, &[]);
    sync.comes_to(|| struck(&world));
    let begun = Instant::now();
    sync.signal("-TERM");
    assert_eq!(sync.ends().code(), Some(1));
    assert!(begun.elapsed() < Duration::from_secs(25), "it waited as long as the remote had asked for");
    assert_eq!(newest(&world), "interrupted");
}

#[test]
fn a_remote_that_does_not_answer_is_given_up_and_the_next_run_goes_on() {
    let world = world(Action::Delay { delay_ms: LONG }, "/batch");
    let mut sync = Running::start(&world, &[]);
    sync.comes_to(|| struck(&world));
    sync.signal("-INT");
    assert_eq!(sync.ends().code(), Some(1));
    assert_eq!(newest(&world), "interrupted");
    world.crm.reset();
    world.sync(&[]).well();
    assert_eq!(world.crm.count(hello_crm::Object::Person), 2);
    world.is_quiet();
}

#[test]
fn a_second_signal_ends_at_once() {
    let world = world(Action::Delay { delay_ms: LONG }, "/");
    let mut sync = Running::start(&world, &[]);
    sync.comes_to(|| struck(&world));
    sync.signal("-INT");
    // The first one is taken up at some time.
    let begun = Instant::now();
    let status = loop {
        sync.signal("-INT");
        if let Some(status) = sync.0.try_wait().unwrap() {
            break status;
        }
        assert!(begun.elapsed() < PATIENCE, "it does not end");
        std::thread::yield_now();
    };
    assert_eq!(status.code(), Some(130));
}

/// What a run has done cannot be printed, since nobody reads it; a signal still ends the program.
#[test]
fn a_signal_after_the_run_ends_at_once() {
    let world = World::new();
    world.import("Last name,E-mail\nA,a@example.org\n").well();
    let (_reader, mut writer) = std::io::pipe().unwrap();
    // As much as a pipe holds.
    writer.write_all(&[b' '; 64 << 10]).unwrap();
    let mut command = world.command(&["sync", "HelloWorld"]);
    command.stdin(Stdio::null()).stdout(writer).stderr(Stdio::null());
    let mut sync = Running(command.spawn().unwrap());
    sync.comes_to(|| {
        let runs = world.run(&["run", "list", "--json"]).well().json();
        runs["rows"][0]["sync"] == "HelloWorld" && runs["rows"][0]["status"] == "done"
    });
    let begun = Instant::now();
    let status = loop {
        // One that came before the run had let go would have been the first of two.
        sync.signal("-TERM");
        if let Some(status) = sync.0.try_wait().unwrap() {
            break status;
        }
        assert!(begun.elapsed() < PATIENCE, "it does not end");
        std::thread::yield_now();
    };
    assert_eq!(status.code(), Some(143));
}
