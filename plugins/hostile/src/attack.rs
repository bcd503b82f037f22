//! Attacks, one function each.

use crate::bindings::entente::integration::data::Error;
use crate::bindings::entente::integration::{log, secrets, state};
use crate::fetch::{fetch, start};
use crate::{error, setting};
use std::hint::black_box;
use std::sync::Mutex;
use wasip2::http::types::{Fields, Method};

/// Runs the attack of this name. Attacks on the result (`bad-rows`, `huge-page`) are in the export itself.
pub(crate) fn run(name: &str) -> Result<(), Error> {
    match name {
        "loop" => endless(),
        "memory" => memory(),
        "trap" => panic!("a deliberate panic"),
        "recursion" => {
            black_box(recursion(0));
            Ok(())
        }
        "http" => http(),
        "http-flood" => http_flood(),
        "system" => Err(error("told", system())),
        "huge-error" => {
            Err(error("unavailable", "\u{1b}[31mred\u{202e}\n".to_owned() + &"x".repeat(1 << 20)))
        }
        "forged-error" => Err(error(&setting("said"), setting("said"))),
        "log-flood" => {
            for n in 0..20_000 {
                log::log(log::Level::Info, &format!("line {n} {}", "y".repeat(5_000)), &[]);
            }
            Ok(())
        }
        "log-lines" => {
            for n in 0..300 {
                log::log(log::Level::Info, &format!("line {n}"), &[]);
            }
            print_lines(300);
            Ok(())
        }
        "log-control" => {
            log::log(
                log::Level::Warn,
                "first\nsecond \u{1b}[31mred",
                &[("key".to_owned(), "va\rlue".to_owned())],
            );
            Ok(())
        }
        "echo-secret" => echo_secret(),
        "use-secret" => use_secret(),
        "hunt" => crate::hunt::hunt(),
        "leave-marks" => {
            leave_marks();
            Ok(())
        }
        "find-marks" => found_marks(),
        "leave-and-find-marks" => {
            leave_marks();
            found_marks()
        }
        "handles" => {
            let mut kept = Vec::new();
            loop {
                kept.push(Fields::new());
                black_box(&kept);
            }
        }
        "sleep" => {
            wasip2::clocks::monotonic_clock::subscribe_duration(u64::MAX / 2).block();
            Ok(())
        }
        "print" => {
            print_lines(300);
            Ok(())
        }
        "state-quota" => {
            for n in 0..100_000 {
                state::set(&format!("key {n}"), &[0; 1024])?;
            }
            Ok(())
        }
        "state-then-fail" => {
            state::set("seen", b"never")?;
            Err(error("unavailable", "failed after writing state"))
        }
        "state-then-trap" => {
            state::set("seen", b"never")?;
            panic!("after writing state");
        }
        "guess-secret" => {
            for n in 0..100_000 {
                secrets::matches("key", &n.to_string())?;
            }
            Ok(())
        }
        "hmac" => {
            let mac = secrets::hmac_sha256("key", b"data")?;
            Err(error("told", mac.iter().map(|byte| format!("{byte:02x}")).collect::<String>()))
        }
        _ if name.starts_with("hold-") => crate::hold::run(name),
        _ => crate::wire::run(name),
    }
}

/// All that a program is told by the system that it runs on.
pub(crate) fn system() -> String {
    use wasip2::cli::environment::{get_arguments, get_environment, initial_cwd};
    let folders = wasip2::filesystem::preopens::get_directories();
    let folders: Vec<String> = folders.into_iter().map(|(_, path)| path).collect();
    format!(
        "environment {:?}, arguments {:?}, folder {:?}, folders {folders:?}",
        get_environment(),
        get_arguments(),
        initial_cwd()
    )
}

fn print_lines(count: usize) {
    let out = wasip2::cli::stderr::get_stderr();
    for chunk in "stderr line\n".repeat(count).as_bytes().chunks(4096) {
        if out.blocking_write_and_flush(chunk).is_err() {
            break;
        }
    }
}

fn endless() -> Result<(), Error> {
    let mut n = 0u64;
    loop {
        n = black_box(n.wrapping_add(1));
    }
}

fn memory() -> Result<(), Error> {
    let mut kept = Vec::new();
    loop {
        kept.push(vec![1u8; 1 << 20]);
        black_box(&kept);
    }
}

#[allow(unconditional_recursion, reason = "that is the attack")]
fn recursion(depth: u64) -> u64 {
    let local = black_box([depth; 64]);
    recursion(depth + 1).wrapping_add(local[1])
}

/// Tells as an error what came back.
fn http() -> Result<(), Error> {
    match fetch(Method::Get, &setting("url"), &[], &[]) {
        Ok(answer) => {
            let body = String::from_utf8_lossy(&answer.body).into_owned();
            Err(error(
                "told",
                format!(
                    "{} with {} bytes: {}",
                    answer.status,
                    answer.body.len(),
                    &body[..body.len().min(500)]
                ),
            ))
        }
        Err(reason) => Err(error("unavailable", reason)),
    }
}

/// Starts many requests and reads none.
fn http_flood() -> Result<(), Error> {
    let mut kept = Vec::new();
    for _ in 0..200 {
        match start(Method::Get, &setting("url"), &[], &[]) {
            Ok(future) => kept.push(future),
            Err(reason) => return Err(error("unavailable", reason)),
        }
    }
    for future in &kept {
        future.subscribe().block();
    }
    Err(error("told", format!("{} answers", kept.len())))
}

/// Backwards, so that asking for it does not hold it.
const MARK_REVERSED: &[u8] = b"krats-eb-ot-saw-taht-koob-eht";

/// How far up the memory is marked: beyond what a pool would keep resident.
const MARKED: usize = 3 << 20;

/// What lies in the data of the module, written over.
static DATA: Mutex<[u8; 64]> = Mutex::new([1; 64]);

/// Writes a text all over its memory and leaves it there.
fn leave_marks() {
    let mark: Vec<u8> = MARK_REVERSED.iter().rev().copied().collect();
    if let Ok(mut data) = DATA.lock() {
        data[..mark.len()].copy_from_slice(&mark);
    }
    let filled: Vec<u8> = mark.iter().copied().cycle().take(MARKED).collect();
    std::mem::forget(black_box(filled));
}

/// Takes as much memory as was marked, without writing to it, and looks for marks of somebody else in all of
/// it.
fn found_marks() -> Result<(), Error> {
    black_box(Vec::<u8>::with_capacity(MARKED));
    Err(error("told", format!("{} marks", occurrences(MARK_REVERSED))))
}

/// Sends the placeholder in a header and in the body, and looks for the secret in everything that it can see:
/// the answer and its whole memory. It knows the secret backwards (the setting `reversed`), so as not to hold
/// it by asking for it.
fn echo_secret() -> Result<(), Error> {
    let placeholder = secrets::use_("key")?;
    let bearer = format!("Bearer {placeholder}");
    let headers = [("authorization", bearer.as_str()), ("x-api-key", "mine"), ("cookie", "a=b")];
    let answer = fetch(Method::Post, &setting("url"), &headers, placeholder.as_bytes())
        .map_err(|reason| error("unavailable", reason))?;
    let reversed = setting("reversed").into_bytes();
    let found = occurrences(&reversed);
    let headers = answer
        .headers
        .iter()
        .map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value)))
        .collect::<Vec<_>>()
        .join("; ");
    let body = String::from_utf8_lossy(&answer.body).replace(&placeholder, "PLACEHOLDER");
    Err(error("told", format!("found {found}; {headers}; {body}")))
}

/// Uses the secret as a well-meaning plugin does.
fn use_secret() -> Result<(), Error> {
    let (name, value) = match setting("how").as_str() {
        "basic" => ("authorization", secrets::basic("me", "key")?),
        "plain" => ("x-api-key", secrets::use_("key")?),
        "query" => ("x-nothing", String::new()),
        "middle" => ("authorization", format!("Bearer x{}", secrets::use_("key")?)),
        _ => ("authorization", format!("Bearer {}", secrets::use_("key")?)),
    };
    let mut url = setting("url");
    if setting("how") == "query" {
        url = format!("{url}?a=1&key={}", secrets::use_("key")?);
    }
    match fetch(Method::Get, &url, &[(name, &value)], &[]) {
        Ok(answer) => Err(error("told", answer.status.to_string())),
        Err(reason) => Err(error("unavailable", reason)),
    }
}

/// How large the linear memory of this instance is.
#[cfg(target_arch = "wasm32")]
fn memory_bytes() -> usize {
    core::arch::wasm32::memory_size(0) << 16
}

/// Natively the plugin is compiled for clippy only: there is no memory that it may read as a whole.
#[cfg(not(target_arch = "wasm32"))]
fn memory_bytes() -> usize {
    0
}

/// How often the bytes stand, read backwards, anywhere in the memory of this instance.
pub(crate) fn occurrences(reversed: &[u8]) -> usize {
    if reversed.is_empty() {
        return 0;
    }
    let length = memory_bytes();
    let mut found = 0;
    let mut at = reversed.len();
    while at <= length {
        let mut matched = 0;
        while matched < reversed.len() {
            // SAFETY: below the size of the memory; a plugin may read all that it has.
            let byte = unsafe { core::ptr::read_volatile((at - 1 - matched) as *const u8) };
            if byte != reversed[matched] {
                break;
            }
            matched += 1;
        }
        found += usize::from(matched == reversed.len());
        at += 1;
    }
    found
}
