//! Attacks on the memory of the host: things that it keeps for a plugin, made without end and never given back, over
//! as many calls as it takes. The setting `count` says how many in one call.

use crate::bindings::entente::integration::data::Error;
use crate::bindings::entente::integration::secrets;
use crate::fetch::start;
use crate::{error, setting};
use std::fmt::Debug;
use std::hint::black_box;
use wasip2::http::types::{
    Fields, IncomingResponse, Method, OutgoingBody, OutgoingRequest, OutgoingResponse, RequestOptions,
};
use wasip2::io::poll::poll;
use wasip2::io::streams::OutputStream;
use wasip2::sockets::network::IpAddressFamily;

/// Does what the name says.
pub(crate) fn run(name: &str) -> Result<(), Error> {
    match name {
        "hold-bodies" => hold(|| body(request(Fields::new()))),
        "hold-response-bodies" => hold(|| {
            let response = OutgoingResponse::new(Fields::new());
            let body = response.body().map_err(wrong)?;
            Ok((filled(&body)?, body, response))
        }),
        "hold-methods" => hold(|| with(|request| request.set_method(&Method::Other("M".repeat(60_000))))),
        "hold-paths" => hold(|| with(|request| request.set_path_with_query(Some(&long_path(60_000))))),
        "hold-authorities" => hold(|| with(|request| request.set_authority(Some(&"a".repeat(60_000))))),
        "hold-fields" => hold(fields),
        "hold-lists" => hold(|| Fields::from_list(&entries()).map_err(wrong)),
        "hold-sets" => hold(|| {
            let fields = Fields::new();
            fields.set("x-nothing", &vec![vec![b'v'; 1000]; 60]).map_err(wrong)?;
            Ok(fields)
        }),
        "hold-clones" => {
            let fields = fields()?;
            hold(|| {
                let copy = fields.clone();
                copy.append("x-own", b"1").map_err(wrong)?;
                Ok(copy)
            })
        }
        "hold-headers" => {
            let request = request(fields()?);
            hold(|| Ok(request.headers()))
        }
        "hold-trailers" => hold(|| {
            let request = request(Fields::new());
            let body = request.body().map_err(wrong)?;
            OutgoingBody::finish(body, Some(fields()?)).map_err(wrong)?;
            Ok(request)
        }),
        "hold-outgoing-responses" => hold(|| Ok(OutgoingResponse::new(fields()?))),
        "hold-options" => hold(|| Ok(RequestOptions::new())),
        "hold-requests" => hold(|| start(Method::Post, &setting("elsewhere"), &[], &[]).map_err(wrong)),
        "hold-answers" => hold(answer),
        "hold-trailers-of-answers" => {
            hold(|| Ok(wasip2::http::types::IncomingBody::finish(answer()?.consume().map_err(wrong)?)))
        }
        _ => texts(name),
    }
}

/// Texts, and what is of no use here.
fn texts(name: &str) -> Result<(), Error> {
    match name {
        "hold-users" => hold(|| secrets::basic(&"u".repeat(60_000), "key")),
        "hold-long-user" => hold(|| secrets::basic(&"u".repeat(7 << 20), "key")),
        "hold-long-method" => {
            hold(|| with(|request| request.set_method(&Method::Other("M".repeat(7 << 20)))))
        }
        "hold-long-path" => hold(|| with(|request| request.set_path_with_query(Some(&long_path(7 << 20))))),
        "hold-long-authority" => hold(|| with(|request| request.set_authority(Some(&"a".repeat(7 << 20))))),
        "hold-data" => hold(|| secrets::hmac_sha256("signing", &vec![1; 9 << 20])),
        "hold-pollables" => hold(|| Ok(wasip2::clocks::monotonic_clock::subscribe_duration(u64::MAX / 2))),
        "hold-polls" => {
            let one = wasip2::clocks::monotonic_clock::subscribe_duration(0);
            hold(|| Ok(poll(&vec![&one; 900_000])))
        }
        "hold-output" => hold(|| Ok((wasip2::cli::stdout::get_stdout(), wasip2::cli::stderr::get_stderr()))),
        "hold-input" => hold(|| Ok(wasip2::cli::stdin::get_stdin())),
        "hold-random" => hold(|| Ok(wasip2::random::random::get_random_bytes(1 << 40))),
        "hold-insecure" => hold(|| Ok(wasip2::random::insecure::get_insecure_random_bytes(1 << 40))),
        "hold-networks" => hold(|| Ok(wasip2::sockets::instance_network::instance_network())),
        "hold-lookups" => {
            let network = wasip2::sockets::instance_network::instance_network();
            hold(|| {
                wasip2::sockets::ip_name_lookup::resolve_addresses(&network, "example.com").map_err(wrong)
            })
        }
        "hold-sockets" => hold(|| {
            wasip2::sockets::tcp_create_socket::create_tcp_socket(IpAddressFamily::Ipv4).map_err(wrong)
        }),
        "hold-datagrams" => hold(|| {
            wasip2::sockets::udp_create_socket::create_udp_socket(IpAddressFamily::Ipv6).map_err(wrong)
        }),
        _ => Ok(()),
    }
}

fn wrong(what: impl Debug) -> Error {
    error("told", format!("{what:?}"))
}

/// Makes things and keeps them for ever.
fn hold<T>(mut make: impl FnMut() -> Result<T, Error>) -> Result<(), Error> {
    let count: usize = setting("count").parse().unwrap_or(100);
    for _ in 0..count {
        std::mem::forget(black_box(make()?));
    }
    Ok(())
}

fn long_path(length: usize) -> String {
    // In one piece, so that the plugin has no more of it than the host would.
    let mut path = String::with_capacity(length + 1);
    path.push('/');
    path.extend(std::iter::repeat_n('p', length));
    path
}

fn entries() -> Vec<(String, Vec<u8>)> {
    (0..60).map(|n| (format!("x-{n}"), vec![b'v'; 1000])).collect()
}

/// As many headers as a message may have.
fn fields() -> Result<Fields, Error> {
    let fields = Fields::new();
    for (name, value) in entries() {
        fields.append(&name, &value).map_err(wrong)?;
    }
    Ok(fields)
}

fn request(fields: Fields) -> OutgoingRequest {
    OutgoingRequest::new(fields)
}

/// A request with one part that is as long as it may be.
fn with(set: impl FnOnce(&OutgoingRequest) -> Result<(), ()>) -> Result<OutgoingRequest, Error> {
    let request = request(Fields::new());
    set(&request).map_err(wrong)?;
    Ok(request)
}

/// A request with as much of a body as the host takes before it is sent.
fn body(request: OutgoingRequest) -> Result<(OutputStream, OutgoingBody, OutgoingRequest), Error> {
    let body = request.body().map_err(wrong)?;
    Ok((filled(&body)?, body, request))
}

fn filled(body: &OutgoingBody) -> Result<OutputStream, Error> {
    let stream = body.write().map_err(wrong)?;
    loop {
        match stream.check_write().map_err(wrong)? {
            0 => return Ok(stream),
            most => stream.write(&vec![1; usize::try_from(most).unwrap_or_default()]).map_err(wrong)?,
        }
    }
}

/// A response that is not read.
fn answer() -> Result<IncomingResponse, Error> {
    let future = start(Method::Get, &setting("url"), &[], &[]).map_err(wrong)?;
    future.subscribe().block();
    let answer = future.get().ok_or_else(|| wrong("no answer"))?;
    let response = answer.map_err(wrong)?.map_err(wrong)?;
    std::mem::forget(future);
    Ok(response)
}
