//! Crash recovery: a run is killed at each request; nothing is lost or duplicated, and the next run resumes.

use crate::world::{Home, World, agree, agree_after};
use hello_crm::{Action, DropWhen, Rule, SystemClock};
use serde_json::json;
use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// People in the CRM. The hub's sample files overlap with them.
const PEOPLE: usize = 300;

/// A delay that never ends by itself during a test.
const LONG: u64 = 3_600_000;

/// A home with records in the hub, for a first sync.
fn world() -> World {
    static TEMPLATE: OnceLock<Home> = OnceLock::new();
    let home = TEMPLATE.get_or_init(|| {
        let home = Home::with_plugin();
        for (object, file) in [("company", "companies.csv"), ("contact", "contacts.csv")] {
            home.run(&["record", "import", object, &crate::world::sample(file)]);
        }
        home
    });
    World::with(home.copy(), hello_crm::seed::sample(PEOPLE), Arc::new(SystemClock))
}

fn start(world: &World) -> Child {
    world
        .command(&["sync", "HelloWorld"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Waits until the child has come this far (`true`) or has ended.
fn comes_to(child: &mut Child, there: impl Fn() -> bool) -> bool {
    let begun = Instant::now();
    loop {
        if there() {
            return true;
        }
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        assert!(begun.elapsed() < Duration::from_secs(300), "the child neither goes on nor ends");
        std::thread::yield_now();
    }
}

/// After the kill: everything opens, the sync completes, and the result equals that of an undisturbed run.
#[track_caller]
fn recovers(world: &World, expected: &Ending, what: &str) {
    world.crm.reset();
    world.run(&["doctor", "--offline"]).well();
    let output = world.sync(&[]);
    assert!([0, 3].contains(&output.code), "{what}: {output}");
    let output = world.sync(&[]);
    assert!([0, 3].contains(&output.code), "{what}: {output}");
    assert_eq!(&Ending::of(world), expected, "{what}");
    agree_after(world, what);
    world.is_quiet();
    assert_eq!(&Ending::of(world), expected, "{what}");
}

/// The number of records at the end.
#[derive(Debug, PartialEq)]
struct Ending {
    hub: Vec<usize>,
    crm: Vec<usize>,
}

impl Ending {
    fn of(world: &World) -> Self {
        let (hub, crm) = world.everything();
        Self { hub: hub.iter().map(Vec::len).collect(), crm: crm.iter().map(Vec::len).collect() }
    }
}

/// An undisturbed run: its result, and the number of its requests.
fn undisturbed() -> (Ending, u64) {
    let world = world();
    let output = world.sync(&[]);
    assert!([0, 3].contains(&output.code), "{output}");
    let requests = world.crm.requests().len() as u64;
    agree(&world);
    world.is_quiet();
    (Ending::of(&world), requests)
}

#[test]
fn a_run_that_is_killed_at_a_request_goes_on_in_the_next() {
    let (expected, requests) = undisturbed();
    assert!(requests >= 8, "{requests} requests are too few to be disturbed");
    let mut killed = 0;
    for request in 0..requests {
        for lost in [false, true] {
            let world = world();
            world.crm.reset();
            if lost {
                // This request is executed but its response is lost, and the process dies at the next one.
                world.crm.add_fault(Rule::new(Action::Drop { drop: DropWhen::After }).after(request));
            }
            world.crm.add_fault(
                Rule::new(Action::Delay { delay_ms: LONG }).after(request + u64::from(lost)).times(None),
            );
            let mut child = start(&world);
            let stopped =
                comes_to(&mut child, || world.crm.faults().last().is_some_and(|rule| rule.struck > 0));
            child.kill().unwrap();
            child.wait().unwrap();
            killed += usize::from(stopped);
            recovers(&world, &expected, &format!("killed at request {request}, the one before lost: {lost}"));
        }
    }
    assert!(killed as u64 >= requests, "only {killed} runs were killed");
}

#[test]
fn a_run_that_is_killed_between_requests_goes_on_in_the_next() {
    let (expected, _) = undisturbed();
    let lines = {
        let world = world();
        let output = world.run(&["sync", "HelloWorld", "-vvv"]);
        output.stderr.lines().count()
    };
    assert!(lines > 20, "{lines} lines of log");
    let mut killed = 0;
    for at in (1..lines).step_by((lines / 24).max(1)) {
        let world = world();
        let mut child = world
            .command(&["sync", "HelloWorld", "-vvv"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
        let reached = log.by_ref().take(at).count() == at;
        child.kill().unwrap();
        child.wait().unwrap();
        killed += usize::from(reached);
        recovers(&world, &expected, &format!("killed at line {at} of the log"));
    }
    assert!(killed >= 10, "only {killed} runs were killed");
}

/// A preloaded library that writes down each flush of a file: its size then, and its path.
const FLUSHES: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static void note(int fd) {
    char link[64], path[4096], line[4200];
    struct stat stat;
    const char *log = getenv("FLUSH_LOG");
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (!log || length < 0 || fstat(fd, &stat) != 0) return;
    path[length] = 0;
    int size = snprintf(line, sizeof line, "%lld %s\n", (long long) stat.st_size, path);
    int out = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (write(out, line, size) != size) abort();
    close(out);
}

int fdatasync(int fd) {
    int (*real)(int) = dlsym(RTLD_NEXT, "fdatasync");
    int done = real(fd);
    if (done == 0) note(fd);
    return done;
}

int fsync(int fd) {
    int (*real)(int) = dlsym(RTLD_NEXT, "fsync");
    int done = real(fd);
    if (done == 0) note(fd);
    return done;
}
"#;

/// Takes away what a loss of power would take from the write-ahead logs: everything after the last flush.
fn lose_power(world: &World, flushed: &str) -> usize {
    let mut lost = 0;
    for (path, bytes) in world.files() {
        if !path.to_string_lossy().ends_with("-wal") {
            continue;
        }
        let path = world.path().join(path);
        let of = |line: &str| {
            let (size, name) = line.split_once(' ')?;
            (std::path::Path::new(name) == path.canonicalize().unwrap()).then(|| size.parse::<u64>().unwrap())
        };
        let kept = flushed.lines().filter_map(of).max().unwrap_or(0);
        lost += bytes.len() - kept as usize;
        std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(kept).unwrap();
    }
    lost
}

/// Power is lost while a create has no answer. Without an identifier nothing but the mark *sent* tells that the
/// record on the other side is the one that was sent.
#[test]
#[cfg(target_os = "linux")]
fn s29_power_lost_between_sent_and_the_answer_leaves_one_record() {
    let world = World::new();
    world.import("Last name,City,Changed\nAlone,Umeå,2020-02-01T00:00:00Z\n").well();
    let (source, library) = (world.file("flushes.c", FLUSHES), world.path().join("flushes.so"));
    let mut compile = std::process::Command::new("cc");
    compile.args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&source).arg("-ldl");
    assert!(compile.status().unwrap().success());
    world.crm.reset();
    // The record is made and the answer is lost; the next attempt waits, and the power goes.
    world.crm.add_fault(Rule::new(Action::Drop { drop: DropWhen::After }).path("/batch"));
    world.crm.add_fault(Rule::new(Action::Delay { delay_ms: LONG }).path("/batch").after(1).times(None));
    let log = world.path().join("flushes.log");
    let mut child = world
        .command(&["sync", "HelloWorld"])
        .env("LD_PRELOAD", &library)
        .env("FLUSH_LOG", &log)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let sent = comes_to(&mut child, || world.crm.faults().last().is_some_and(|rule| rule.struck > 0));
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(sent, "it never wrote");
    assert_eq!(world.crm.count(hello_crm::Object::Person), 1);
    let flushed = std::fs::read_to_string(&log).unwrap_or_default();
    let lost = lose_power(&world, &flushed);
    world.crm.reset();
    world.run(&["doctor", "--offline"]).well();
    let output = world.sync(&[]);
    assert!([0, 3].contains(&output.code), "{output}");
    let made = (world.records("contact").len(), world.crm.count(hello_crm::Object::Person));
    assert_eq!(made, (1, 1), "{lost} bytes were lost; flushed:\n{flushed}\n{output}");
    agree(&world);
    world.is_quiet();
}

#[test]
fn a_second_run_beside_one_that_is_under_way_is_refused() {
    let world = world();
    world.crm.add_fault(Rule::new(Action::Delay { delay_ms: LONG }).path("/batch").times(None));
    let mut child = start(&world);
    assert!(comes_to(&mut child, || world.crm.faults()[0].struck > 0), "it never wrote");
    let second = world.sync(&[]);
    child.kill().unwrap();
    child.wait().unwrap();
    let second = second.fails(1, &["another run holds 'HelloWorld' (process "]);
    let error = second.error().unwrap();
    assert_eq!((&error["code"], &error["remedies"][0]["step"]), (&json!("busy"), &json!("wait")), "{second}");
    assert_eq!(error["remedies"][0]["command"], "entente sync HelloWorld --json --wait", "{second}");
    world.crm.reset();
    // The lease of a dead process is taken over.
    let output = world.sync(&[]);
    assert!([0, 3].contains(&output.code), "{output}");
    agree(&world);
}
