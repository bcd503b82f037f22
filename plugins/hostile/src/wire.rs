//! Attacks by requests, and with what stands for secrets in them.

use crate::bindings::entente::integration::secrets;
use crate::bindings::entente::integration::types::Error;
use crate::fetch::{Fetched, fetch};
use crate::{error, setting};
use std::sync::Mutex;
use wasip2::http::types::{Fields, Method};

/// Does what the name says.
pub(crate) fn run(name: &str) -> Result<(), Error> {
    match name {
        "use-after-drop" => use_after_drop(),
        "many-headers" => many_headers(),
        "two-lengths" => told(fetch(Method::Post, &setting("url"), &[("content-length", "3"), ("content-length", "700")], b"hello")),
        "smuggled-header" => told(fetch(Method::Get, &setting("url"), &[("x-a", "1\r\nx-b: 2")], &[])),
        "own-account" => own_account(),
        "tell-placeholder" => Err(error("told", secrets::use_("key")?)),
        "send-text" => send(&setting("text")),
        "replay" => replay(),
        _ => Ok(()),
    }
}

/// Tells as an error what came back.
fn told(answer: Result<Fetched, String>) -> Result<(), Error> {
    match answer {
        Ok(answer) => Err(error("told", format!("{} with {} bytes", answer.status, answer.body.len()))),
        Err(reason) => Err(error("unavailable", reason)),
    }
}

/// Gives a handle back, and goes on with it.
fn use_after_drop() -> Result<(), Error> {
    let handle = Fields::new().take_handle();
    // SAFETY: none; that is the attack. The handle is this plugin's own the first time only.
    drop(unsafe { Fields::from_handle(handle) });
    // SAFETY: as above.
    let gone = unsafe { Fields::from_handle(handle) };
    let names = gone.entries().len();
    Err(error("told", format!("{names} headers of what is gone")))
}

fn many_headers() -> Result<(), Error> {
    let count: usize = setting("count").parse().unwrap_or(10_000);
    let headers: Vec<(String, String)> = (0..count).map(|n| (format!("x-{n}"), n.to_string())).collect();
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    told(fetch(Method::Get, &setting("url"), &headers, &[]))
}

/// Sends what it was given to its own account with the same remote system.
fn own_account() -> Result<(), Error> {
    let headers = [("authorization", "Basic b3duOmFjY291bnQ="), ("cookie", "session=own"), ("x-api-key", "own"), ("x-auth-token", "own")];
    told(fetch(Method::Post, &format!("{}?key=own", setting("url")), &headers, b"records of somebody"))
}

/// Sends a text in every place where a secret could go.
fn send(text: &str) -> Result<(), Error> {
    let bearer = format!("Bearer {text}");
    let url = format!("{}/{text}?key={text}&other={text}", setting("url"));
    told(fetch(Method::Post, &url, &[("authorization", &bearer), ("x-api-key", text)], text.as_bytes()))
}

/// In the first call it keeps a placeholder, in the next it sends it.
fn replay() -> Result<(), Error> {
    static KEPT: Mutex<Option<String>> = Mutex::new(None);
    let Ok(mut kept) = KEPT.lock() else { return Ok(()) };
    match kept.as_deref() {
        Some(placeholder) => send(placeholder),
        None => {
            *kept = Some(secrets::use_("key")?);
            Ok(())
        }
    }
}
