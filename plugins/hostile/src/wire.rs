//! Attacks over HTTP, and with placeholders of secrets.

use crate::bindings::entente::integration::data::Error;
use crate::bindings::entente::integration::secrets;
use crate::fetch::{Fetched, fetch};
use crate::{error, setting};
use std::sync::Mutex;
use wasip2::http::outgoing_handler;
use wasip2::http::types::{Fields, Method, OutgoingBody, OutgoingRequest, Scheme};

/// Does what the name says.
pub(crate) fn run(name: &str) -> Result<(), Error> {
    match name {
        "use-after-drop" => use_after_drop(),
        "many-headers" => many_headers(),
        "pieces" => pieces(),
        "oracle" => oracle(),
        "method" => told(fetch(Method::Other(setting("text")), &setting("url"), &[], &[])),
        "other-request" => told(fetch(
            Method::Get,
            &setting("url"),
            &[(setting("text").as_str(), secrets::use_("key")?.as_str())],
            &[],
        )),
        "denied-flood" => denied_flood(),
        "long-body" => told(fetch(Method::Post, &setting("url"), &[], &vec![b'x'; count()])),
        "header" => told(fetch(Method::Get, &setting("url"), &[(setting("text").as_str(), "own")], &[])),
        "two-lengths" => told(fetch(
            Method::Post,
            &setting("url"),
            &[("content-length", "3"), ("content-length", "700")],
            b"hello",
        )),
        "smuggled-header" => told(fetch(Method::Get, &setting("url"), &[("x-a", "1\r\nx-b: 2")], &[])),
        "trailers" => trailers(),
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

/// The setting `count`.
fn count() -> usize {
    setting("count").parse().unwrap_or_default()
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
    let headers: Vec<(&str, &str)> =
        headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    told(fetch(Method::Get, &setting("url"), &headers, &[]))
}

/// Sends headers that are watched after the body, where nobody may look.
fn trailers() -> Result<(), Error> {
    let wrong = |what: &str| error("unavailable", what);
    let url = setting("url");
    let rest = url.strip_prefix("http://").unwrap_or_default();
    let request = OutgoingRequest::new(Fields::new());
    request.set_method(&Method::Post).map_err(|()| wrong("method"))?;
    request.set_scheme(Some(&Scheme::Http)).map_err(|()| wrong("scheme"))?;
    let authority = rest.split('/').next().unwrap_or_default();
    request.set_authority(Some(authority)).map_err(|()| wrong("authority"))?;
    request.set_path_with_query(Some("/path")).map_err(|()| wrong("path"))?;
    let body = request.body().map_err(|()| wrong("body"))?;
    let future = outgoing_handler::handle(request, None).map_err(|code| wrong(&format!("{code:?}")))?;
    let trailers = Fields::new();
    for (name, value) in [("authorization", "Basic b3duOmFjY291bnQ="), ("x-trailing", "own")] {
        trailers.append(name, value.as_bytes()).map_err(|error| wrong(&format!("{error:?}")))?;
    }
    OutgoingBody::finish(body, Some(trailers)).map_err(|code| wrong(&format!("{code:?}")))?;
    future.subscribe().block();
    let answer = future.get().and_then(Result::ok).ok_or_else(|| wrong("no answer"))?;
    let status = answer.map_err(|code| wrong(&format!("{code:?}")))?.status();
    Err(error("told", status.to_string()))
}

/// Asks for an answer in pieces of four bytes, and tells what they are together.
fn pieces() -> Result<(), Error> {
    let bearer = format!("Bearer {}", secrets::use_("key")?);
    let mut whole = String::new();
    for piece in 0..12 {
        let range = format!("bytes={}-{}", piece * 4, piece * 4 + 3);
        let name = setting("text");
        let headers =
            [("authorization", bearer.as_str()), (name.as_str(), range.as_str()), ("if-range", "x")];
        match fetch(Method::Get, &setting("url"), &headers, &[]) {
            Ok(answer) => whole.push_str(&String::from_utf8_lossy(&answer.body)),
            Err(reason) => return Err(error("unavailable", format!("{whole} {reason}"))),
        }
    }
    Err(error("told", whole))
}

/// Has a thousand guesses given back, and tells which of them came masked.
fn oracle() -> Result<(), Error> {
    let count: usize = setting("count").parse().unwrap_or(1000);
    let guesses: String = (0..count).map(|guess| format!("{:06} ", 470_000 + guess)).collect();
    match fetch(Method::Post, &setting("url"), &[], guesses.as_bytes()) {
        Ok(answer) => {
            let body = String::from_utf8_lossy(&answer.body).into_owned();
            let missing = guesses.split(' ').filter(|guess| !body.contains(guess)).collect::<Vec<_>>();
            Err(error("told", format!("{} of {} bytes: {missing:?}", answer.status, body.len())))
        }
        Err(reason) => Err(error("unavailable", reason)),
    }
}

/// Calls once what it may call, and then 1,990 times what it may not, which could push that call out of the books.
fn denied_flood() -> Result<(), Error> {
    let first = fetch(Method::Get, &setting("url"), &[], &[])
        .map_or_else(|reason| reason, |answer| answer.status.to_string());
    let mut denied = 0;
    for n in 0..1990 {
        let other = format!("{}/{}", setting("elsewhere"), "x".repeat(n % 20));
        denied += usize::from(fetch(Method::Get, &other, &[], &[]).is_err());
    }
    Err(error("told", format!("{first}, and {denied} denied")))
}

/// Sends what it was given to its own account with the same remote system.
fn own_account() -> Result<(), Error> {
    let headers = [
        ("authorization", "Basic b3duOmFjY291bnQ="),
        ("cookie", "session=own"),
        ("x-api-key", "own"),
        ("x-auth-token", "own"),
    ];
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
