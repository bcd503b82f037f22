//! Attacks over HTTP, and with placeholders of secrets.

use super::beside::until;
use super::{SECRET, config, exchange, fails, granted, loaded, report, short, with_secret};
use crate::support::server::{Server, answer};
use entente_core::Value;
use entente_plugin::{HttpGrant, Limits, PluginConfig, Secret, TenantAccount};
use entente_sync::{Exchange, Remedy, codes};
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

#[tokio::test]
async fn a_handle_that_was_given_back_is_gone() {
    let error = fails(config(&[("attack", "use-after-drop")])).await;
    assert_eq!(error.code, codes::TRAP);
    insta::assert_snapshot!(error.reason, @"the plugin crashed in report: unknown handle index 1, in «wasip2::proxy::wasi::http::types::Fields::entries» < «hostile::wire::run»; its log lines may say more");
}

#[tokio::test]
async fn a_grant_is_for_a_host_and_not_for_what_looks_like_it() {
    let mut all = String::new();
    let urls = [
        "https://api.example.com@169.254.169.254/",
        "https://169.254.169.254/latest/meta-data",
        "https://[::ffff:169.254.169.254]/",
        "https://2852039166/",
        "https://me:pw@api.example.com/",
        "https://api.example.com./",
        "https://api.example.com.evil.example/",
        "https://\u{430}pi.example.com/",
        "https://api\u{ff0e}example\u{ff0e}com:444/",
        "https://api.example.com:8443/",
        "http://api.example.com/",
        "https://API.EXAMPLE.ORG/",
        "file:///etc/passwd",
        "https:///path",
        "https://api.example.com\\@evil.example/",
        "https://api.example.com#@evil.example/",
        "https://evil.example/\u{1b}[31m",
    ];
    for url in urls {
        let mut config = config(&[("attack", "http"), ("url", url)]);
        config.http = vec!["https://api.example.com".parse().unwrap()];
        let error = fails(config).await;
        writeln!(all, "{}\n  {error}", url.escape_debug()).unwrap();
        for remedy in &error.remedies {
            let Remedy::GrantHost { host, .. } = remedy else { panic!("{remedy:?}") };
            writeln!(all, "  grant: {host}").unwrap();
        }
    }
    insta::assert_snapshot!(all, @r#"
    https://api.example.com@169.254.169.254/
      misconfigured: ErrorCode::HttpRequestDenied; the plugin tried to call an address that is never allowed: user and password do not belong into an address; use a secret
    https://169.254.169.254/latest/meta-data
      misconfigured: ErrorCode::HttpRequestDenied; the plugin was not allowed to call https://169.254.169.254/latest/meta-data
      grant: https://169.254.169.254:443
    https://[::ffff:169.254.169.254]/
      misconfigured: ErrorCode::HttpRequestDenied; the plugin was not allowed to call https://[::ffff:a9fe:a9fe]/
      grant: https://169.254.169.254:443
    https://2852039166/
      misconfigured: ErrorCode::HttpRequestDenied; the plugin was not allowed to call https://169.254.169.254/
      grant: https://169.254.169.254:443
    https://me:pw@api.example.com/
      misconfigured: ErrorCode::HttpRequestDenied; the plugin tried to call an address that is never allowed: user and password do not belong into an address; use a secret
    https://api.example.com./
      misconfigured: ErrorCode::HttpRequestDenied; the plugin tried to call an address that is never allowed: its host ends with a dot
    https://api.example.com.evil.example/
      misconfigured: ErrorCode::HttpRequestDenied; the plugin was not allowed to call https://api.example.com.evil.example/
      grant: https://api.example.com.evil.example
    https://аpi.example.com/
      unavailable: authority
    https://api．example．com:444/
      unavailable: authority
    https://api.example.com:8443/
      misconfigured: ErrorCode::HttpRequestDenied; the plugin was not allowed to call https://api.example.com:8443/
      grant: https://api.example.com:8443
    http://api.example.com/
      misconfigured: ErrorCode::HttpRequestDenied; the plugin was not allowed to call http://api.example.com/
      grant: http://api.example.com
    https://API.EXAMPLE.ORG/
      misconfigured: ErrorCode::HttpRequestDenied; the plugin was not allowed to call https://api.example.org/
      grant: https://api.example.org
    file:///etc/passwd
      unavailable: authority
    https:///path
      unavailable: authority
    https://api.example.com\\@evil.example/
      unavailable: authority
    https://api.example.com#@evil.example/
      unavailable: authority
    https://evil.example/\u{1b}[31m
      unavailable: path
    "#);
}

#[tokio::test]
async fn a_name_that_leads_into_this_machine_is_not_followed() {
    let server = Server::start(|_| answer("200 OK", &[], b"hello")).await;
    let port = server.url.rsplit_once(':').unwrap().1;
    // The name is granted, but not the address that it resolves to.
    let mut config = config(&[("attack", "http"), ("url", &format!("http://localhost.localdomain:{port}/"))]);
    config.http = vec![format!("http://localhost.localdomain:{port}").parse::<HttpGrant>().unwrap()];
    let error = fails(config).await;
    assert!(!error.reason.contains("hello"), "{error}");
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn headers_have_an_end_in_both_directions() {
    let server = Server::start(|_| answer("200 OK", &[], b"")).await;
    let mut all = String::new();
    for count in ["200", "10000"] {
        let error = fails(granted(&[("attack", "many-headers"), ("count", count)], &server)).await;
        writeln!(all, "{}", short(&error)).unwrap();
    }
    assert!(server.requests().is_empty());
    let flood = (0..10_000).map(|n| format!("x-{n}: {n}\r\n")).collect::<String>();
    let long = format!("x-long: {}\r\n", "y".repeat(200_000));
    for headers in [flood, long] {
        let server = Server::start(move |_| {
            format!("HTTP/1.1 200 OK\r\n{headers}content-length: 0\r\n\r\n").into_bytes()
        })
        .await;
        writeln!(all, "{}", short(&fails(granted(&[("attack", "http")], &server)).await)).unwrap();
    }
    insta::assert_snapshot!(all, @r"
    unavailable: ErrorCode::HttpRequestHeaderSectionSize(None); limit http-headers of 128 reached (asked for: 201)
    limit: the plugin was stopped in report: limit http-header-bytes of 64 KiB reached
    unavailable: ErrorCode::HttpResponseHeaderSectionSize(None); limit http-headers of 128 reached
    unavailable: ErrorCode::HttpResponseHeaderSectionSize(None); limit http-header-bytes of 64 KiB reached (asked for: 195.3 KiB)
    ");
}

#[tokio::test]
async fn a9_as_many_headers_arrive_as_the_limit_allows() {
    for (limit, count, expected) in [
        (128, 127, "told: 200"),
        (128, 128, "limit http-headers of 128 reached (asked for: 129)"),
        (128, 400, "limit http-headers of 128 reached"),
        (1000, 999, "told: 200"),
        (1000, 1001, "limit http-headers of 1000 reached"),
    ] {
        let server = Server::start(move |_| {
            let headers: String = (0..count).map(|n| format!("x-{n}: {n}\r\n")).collect();
            format!("HTTP/1.1 200 OK\r\n{headers}content-length: 0\r\n\r\n").into_bytes()
        })
        .await;
        let mut config = granted(&[("attack", "http")], &server);
        config.limits.http_headers = limit;
        let error = fails(config).await.to_string();
        assert!(error.contains(expected), "{limit} {count}: {error}");
    }
}

#[tokio::test]
async fn x14_a_header_that_the_manifest_does_not_list_is_not_sent() {
    let names = ["x-shopify-access-token", "x-goog-api-key", "x-apikey", "access-token"];
    for name in names {
        let server = Server::start(|_| answer("200 OK", &[], b"hello")).await;
        let error = fails(granted(&[("attack", "header"), ("text", name)], &server)).await;
        assert_eq!(error.code, codes::MISCONFIGURED, "{error}");
        assert_eq!(error.remedies, [Remedy::ReportToAuthor]);
        let told = format!(
            "the plugin tried to send the header {name} to {}/path, which its manifest does not list",
            server.url
        );
        assert!(error.reason.contains(&told), "{error}");
        assert!(server.requests().is_empty());
    }
    for name in ["accept", "Content-Type", "x-auth-token"] {
        let server = Server::start(|_| answer("200 OK", &[], b"hello")).await;
        let error = fails(granted(&[("attack", "header"), ("text", name)], &server)).await;
        assert!(error.to_string().contains("told: 200"), "{name}: {error}");
        assert_eq!(server.requests().len(), 1);
    }
}

#[tokio::test]
async fn x17_a_header_that_makes_another_request_is_never_sent() {
    let names = [
        "x-http-method-override",
        "X-HTTP-Method",
        "x-original-url",
        "x_original_url",
        "x-rewrite-url",
        "true-client-ip",
        "cf-connecting-ip",
        "forwarded-for",
        "remote-user",
        "x-webauth-user",
        "fly-client-ip",
        "x-original-method",
    ];
    // Neither with a value of its own, nor with a placeholder, which any header may have.
    for (name, attack) in names.into_iter().flat_map(|name| [(name, "header"), (name, "other-request")]) {
        let server = Server::start(|_| answer("200 OK", &[], b"hello")).await;
        let config = with_secret(&[("attack", attack), ("text", name)], &server, &[&server.url]);
        let error = fails(config).await;
        assert_eq!(
            (error.code.as_str(), &*error.remedies),
            (codes::MISCONFIGURED, &[Remedy::ReportToAuthor][..])
        );
        let told = format!(
            "the plugin tried to send the header {} to {}/path, which no plugin may send: it makes another request of the one that \
             is allowed",
            name.to_lowercase(),
            server.url
        );
        assert!(error.reason.contains(&told), "{error}");
        assert!(server.requests().is_empty(), "{name}");
    }
}

#[tokio::test]
async fn x17_methods_that_are_no_requests_are_refused_in_any_case() {
    for method in ["TRACE", "trace", "Trace", "CONNECT", "connect", "track", "TRACK"] {
        let server = Server::start(|_| answer("200 OK", &[], b"hello")).await;
        let error = fails(granted(&[("attack", "method"), ("text", method)], &server)).await;
        assert!(error.reason.contains("HttpRequestMethodInvalid"), "{method}: {error}");
        assert!(server.requests().is_empty(), "{method}");
    }
    let server = Server::start(|_| answer("200 OK", &[], b"hello")).await;
    let error = fails(granted(&[("attack", "method"), ("text", "PROPFIND")], &server)).await;
    assert_eq!(error.reason, "200 with 5 bytes");
}

/// A server that gives back the credential of a request, as much of it as is asked for by a header of this name.
async fn in_pieces(header: &'static str) -> Server {
    Server::start(move |request| {
        let line = |name: &str| {
            let mut lines = request.lines();
            lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).unwrap_or_default().to_owned()
        };
        let whole = line("authorization");
        match line(header).strip_prefix("bytes=").and_then(|range| range.split_once('-')) {
            Some((from, to)) => {
                let (from, to): (usize, usize) = (from.parse().unwrap(), to.parse().unwrap());
                let piece = whole.as_bytes().get(from..whole.len().min(to + 1)).unwrap_or_default();
                answer("206 Partial Content", &[], piece)
            }
            None => answer("200 OK", &[], whole.as_bytes()),
        }
    })
    .await
}

#[tokio::test]
async fn x6_a_secret_does_not_come_in_pieces() {
    for name in ["range", "request-range", "x-ms-range"] {
        let server = in_pieces(name).await;
        let error =
            fails(with_secret(&[("attack", "pieces"), ("text", name)], &server, &[&server.url])).await;
        let masked = format!("Bearer {}", "*".repeat(SECRET.len()));
        assert_eq!(error.reason, masked.repeat(12), "the whole answer, masked, however it was asked for");
        for request in server.requests() {
            assert!(!request.contains("range"), "{request}");
        }
        // Where no secret goes, pieces are nobody's business.
        let mut elsewhere =
            with_secret(&[("attack", "header"), ("text", name)], &server, &["https://api.example.com"]);
        elsewhere.settings.insert("url".to_owned(), Value::text(&server.url));
        assert_eq!(fails(elsewhere).await.reason, "200 with 0 bytes");
        assert!(server.requests().last().unwrap().contains(&format!("{name}: own")));
    }
}

#[tokio::test]
async fn x6_what_asks_for_another_form_of_an_answer_is_left_out() {
    for name in ["if-range", "a-im", "accept-charset", "want-digest"] {
        let server = Server::start(|_| answer("200 OK", &[], b"hello")).await;
        let error =
            fails(with_secret(&[("attack", "header"), ("text", name)], &server, &[&server.url])).await;
        assert_eq!(error.reason, "200 with 5 bytes");
        assert!(!server.requests()[0].contains(name), "{}", server.requests()[0]);
    }
}

#[tokio::test]
async fn x6_a_piece_that_nobody_asked_for_is_an_error() {
    for (status, headers) in [
        ("206 Partial Content", &[][..]),
        ("226 IM Used", &[]),
        ("200 OK", &[("content-type", "multipart/byteranges; boundary=x")]),
    ] {
        let server = Server::start(move |_| answer(status, headers, &SECRET.as_bytes()[..6])).await;
        let error = fails(with_secret(&[("attack", "http")], &server, &[&server.url])).await;
        let told = format!(
            "ErrorCode::HttpResponseIncomplete; {}/path gave only a piece of its answer, which is not taken where a secret is sent: \
             a secret in it could not be found",
            server.url
        );
        assert_eq!((error.reason.as_str(), &*error.remedies), (told.as_str(), &[Remedy::ReportToAuthor][..]));
        // A host without a secret may answer as it likes.
        let error = fails(granted(&[("attack", "http")], &server)).await;
        assert!(error.reason.contains("with 6 bytes"), "{error}");
    }
}

#[tokio::test]
async fn x6_a_secret_in_the_name_of_a_header_does_not_come_back() {
    let server = Server::start(|_| {
        let name = format!("x-{}", SECRET.trim_end_matches("/+="));
        answer("200 OK", &[(name.as_str(), "1"), ("x-plain", "1")], b"")
    })
    .await;
    let mut config = with_secret(&[("attack", "echo-secret"), ("reversed", "none")], &server, &[&server.url]);
    config.secrets = [("key".to_owned(), Secret::new(SECRET.trim_end_matches("/+=")))].into();
    let error = fails(config).await;
    assert!(error.reason.contains("x-plain: 1"), "{error}");
    assert!(!error.reason.to_lowercase().contains("zm9v-tell"), "{error}");
}

/// An integration with a secret of six digits, and a server that gives back what it gets.
async fn with_pin(hosts: &[&str], count: &str) -> (Server, PluginConfig) {
    let server =
        Server::start(|request| answer("200 OK", &[], request.split_once("\r\n\r\n").unwrap().1.as_bytes()))
            .await;
    let hosts: Vec<&str> =
        hosts.iter().map(|host| if host.is_empty() { &*server.url } else { *host }).collect();
    let mut config = with_secret(&[("attack", "oracle"), ("count", count)], &server, &hosts);
    config.secrets = [("key".to_owned(), Secret::new("470815"))].into();
    (server.clone(), config)
}

#[tokio::test]
async fn x7_a_secret_that_a_host_must_not_have_is_not_looked_for_in_its_answers() {
    // Granted to another host, granted nowhere, and not granted at all: a guess that is right comes back as any other.
    for hosts in [&["https://api.example.com"][..], &[]] {
        let (_server, config) = with_pin(hosts, "1000").await;
        assert_eq!(fails(config).await.reason, "200 of 7000 bytes: []", "{hosts:?}");
    }
    let (_server, mut config) = with_pin(&[], "1000").await;
    config.secret_grants.clear();
    assert_eq!(fails(config).await.reason, "200 of 7000 bytes: []");
    // What operators read is searched for all of them.
    let (_server, mut config) = with_pin(&[], "1000").await;
    config.settings.insert("attack".to_owned(), Value::text("http"));
    config.settings.insert("url".to_owned(), Value::text("https://470815.example.com"));
    assert!(!fails(config).await.to_string().contains("470815"));
}

#[tokio::test]
async fn x7_an_answer_full_of_a_secret_is_ended() {
    let server =
        Server::start(|_| answer("200 OK", &[("x-one", SECRET)], SECRET.repeat(20).as_bytes())).await;
    let mut config = with_secret(&[("attack", "http")], &server, &[&server.url]);
    let error = fails(config.clone()).await;
    assert_eq!((error.code.as_str(), error.reason.contains(SECRET)), (codes::UNAVAILABLE, false));
    assert!(error.reason.contains("limit secret-hits of 20 reached (asked for: 21)"), "{error}");
    config.limits.secret_hits = 21;
    let error = fails(config).await;
    assert!(error.reason.starts_with("200 with"), "{error}");
}

/// A server that reads a request and then runs `behave`.
async fn server<F: Future<Output = ()> + Send + 'static>(
    behave: impl Fn(TcpStream) -> F + Send + Sync + 'static,
) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let behave = Arc::new(behave);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let behave = Arc::clone(&behave);
            tokio::spawn(async move {
                let _ = stream.read(&mut [0; 4096]).await;
                behave(stream).await;
            });
        }
    });
    url
}

#[tokio::test]
async fn an_answer_that_drips_or_never_ends_is_given_up() {
    let mut all = String::new();
    let drips = server(|mut stream| async move {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n").await;
        while stream.write_all(b"x").await.is_ok() {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    })
    .await;
    let endless = server(|mut stream| async move {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").await;
        let chunk = [b"8000\r\n".as_slice(), &[b'x'; 0x8000], b"\r\n"].concat();
        while stream.write_all(&chunk).await.is_ok() {}
    })
    .await;
    for url in [drips, endless] {
        let mut config = config(&[("attack", "http"), ("url", &url)]);
        config.http = vec![url.parse().unwrap()];
        config.limits.http_total_time = 400;
        config.limits.http_idle_time = 5_000;
        config.limits.http_response_bytes = 3 << 20;
        // How many bytes had arrived depends on how the system fragmented them.
        let reason = fails(config).await.reason;
        let (_, from_limit) = reason.split_once("; ").unwrap_or_else(|| panic!("{reason}"));
        writeln!(all, "{}", short(&from_limit).split(" (asked for").next().unwrap()).unwrap();
    }
    insta::assert_snapshot!(all, @r"
    limit http-total-time of 400 ms reached
    limit http-response-bytes of 3 MiB reached
    ");
}

#[tokio::test]
async fn the_length_of_a_message_is_said_once() {
    let mut all = String::new();
    for head in [
        "content-length: 3\r\ncontent-length: 5",
        "content-length: 3\r\ncontent-length: 3",
        "content-length: -3",
        "content-length: 3\r\ntransfer-encoding: chunked",
    ] {
        let server = Server::start(move |_| {
            format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n3\r\nabc\r\n0\r\n\r\n").into_bytes()
        })
        .await;
        writeln!(all, "{}\n  {}", head.escape_debug(), fails(granted(&[("attack", "http")], &server)).await)
            .unwrap();
    }
    insta::assert_snapshot!(all, @r#"
    content-length: 3\r\ncontent-length: 5
      unavailable: ErrorCode::HttpProtocolError
    content-length: 3\r\ncontent-length: 3
      told: 200 with 3 bytes: 3\r\n
    content-length: -3
      unavailable: ErrorCode::HttpProtocolError
    content-length: 3\r\ntransfer-encoding: chunked
      told: 200 with 3 bytes: abc
    "#);

    // The plugin's own content length is not sent: the host counts.
    let server = Server::start(|_| answer("200 OK", &[], b"")).await;
    let error = fails(granted(&[("attack", "two-lengths")], &server)).await;
    for request in server.requests() {
        assert_eq!(request.to_lowercase().matches("content-length: 5\r\n").count(), 1, "{request}");
        assert_eq!(request.to_lowercase().matches("content-length").count(), 1, "{request}");
    }
    insta::assert_snapshot!(error.reason, @"header content-length: HeaderError::InvalidSyntax");

    let server = Server::start(|_| answer("200 OK", &[], b"")).await;
    insta::assert_snapshot!(fails(granted(&[("attack", "smuggled-header")], &server)).await.reason, @"header x-a: HeaderError::InvalidSyntax");
    assert!(server.requests().iter().all(|request| !request.contains("x-b")));
}

#[tokio::test]
async fn at_a_host_with_a_secret_the_author_has_no_account_of_his_own() {
    let server = Server::start(|_| answer("200 OK", &[], b"")).await;
    let error = fails(with_secret(&[("attack", "own-account")], &server, &[&server.url])).await;
    let [request] = &server.requests()[..] else { panic!("{error}") };
    let (head, _) = request.split_once("\r\n\r\n").unwrap();
    for left_out in ["b3duOmFjY291bnQ=", "session=own", "x-api-key", "x-auth-token"] {
        assert!(!head.contains(left_out), "{left_out}: {head}");
    }
    insta::assert_snapshot!(error.reason, @"200 with 0 bytes");
}

#[tokio::test]
async fn what_comes_after_the_body_stays_behind() {
    let server = Server::start(|_| answer("200 OK", &[], b"")).await;
    let error = fails(with_secret(&[("attack", "trailers")], &server, &[&server.url])).await;
    let [request] = &server.requests()[..] else { panic!("{error}") };
    assert!(!request.contains("b3duOmFjY291bnQ=") && !request.contains("x-trailing"), "{request}");
    insta::assert_snapshot!(error.reason, @"200");
}

/// The server got the text unchanged in every place: it is no placeholder, or an expired one.
fn is_text_only(requests: &[String], text: &str) {
    let [request] = requests else { panic!("{requests:?}") };
    assert!(!request.contains(SECRET) && !request.contains("Zm9v"), "{request}");
    // Towards a host with a bound secret, credential headers are removed; URL and body are unchanged.
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    assert_eq!(body, text);
    assert!(head.starts_with(&format!("POST /path/{text}?key={text}&other={text} HTTP/1.1")), "{head}");
}

#[tokio::test]
async fn a_placeholder_is_worth_nothing_to_another_integration() {
    let ours = Server::start(|_| answer("200 OK", &[], b"")).await;
    let placeholder = fails(with_secret(&[("attack", "tell-placeholder")], &ours, &[&ours.url])).await.reason;
    assert!(placeholder.starts_with("entente-secret-"), "{placeholder}");

    // Another integration has a secret of the same name, granted for the same host; the placeholder is
    // another instance's.
    let mut theirs = with_secret(&[("attack", "send-text"), ("text", &placeholder)], &ours, &[&ours.url]);
    theirs.integration = "other".to_owned();
    fails(theirs).await;
    is_text_only(&ours.requests(), &placeholder);
}

#[tokio::test]
async fn a_placeholder_is_worth_nothing_in_the_next_call() {
    let server = Server::start(|_| answer("200 OK", &[], b"")).await;
    let exchange = exchange(with_secret(&[("attack", "replay")], &server, &[&server.url])).await;
    report(&exchange).await.expect("the first call only keeps it");
    let error = report(&exchange).await.expect_err("the second tells what came of it");
    assert_eq!(error.reason, "200 with 0 bytes");
    let requests = server.requests();
    let (_, body) = requests[0].split_once("\r\n\r\n").unwrap();
    assert!(body.starts_with("entente-secret-"), "{body}");
    is_text_only(&requests, body);
}

#[tokio::test]
async fn a_placeholder_cannot_be_guessed() {
    let server = Server::start(|_| answer("200 OK", &[], b"")).await;
    let guess = format!("entente-secret-{}", "0".repeat(32));
    fails(with_secret(&[("attack", "send-text"), ("text", &guess)], &server, &[&server.url])).await;
    is_text_only(&server.requests(), &guess);
}

#[tokio::test]
async fn a_placeholder_as_a_name_is_a_name() {
    let server = Server::start(|_| answer("200 OK", &[], b"")).await;
    let page =
        report(&exchange(with_secret(&[("attack", "placeholder-row")], &server, &[&server.url])).await)
            .await
            .unwrap();
    let Some(Value::Text(name)) = &page.batches[0].rows[0].values[0] else { panic!("{page:?}") };
    assert!(name.starts_with("entente-secret-"), "{name}");
    // Passed to another plugin that sends it, it is still only text.
    let error = fails(with_secret(&[("attack", "send-text"), ("text", name)], &server, &[&server.url])).await;
    assert_eq!(error.reason, "200 with 0 bytes");
    is_text_only(&server.requests(), name);
}

#[tokio::test]
async fn a_call_that_was_given_up_while_it_waited_gives_back_what_it_had() {
    static FIRST: AtomicBool = AtomicBool::new(true);
    let (asked, mut was_asked) = tokio::sync::mpsc::unbounded_channel();
    let url = server(move |mut stream| {
        let asked = asked.clone();
        async move {
            if FIRST.swap(false, Ordering::Relaxed) {
                let _ = asked.send(());
                // Until the client closes.
                let _ = stream.read(&mut [0; 1]).await;
            } else {
                let _ = stream
                    .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
                    .await;
            }
        }
    })
    .await;
    let mut config = config(&[("attack", "http"), ("url", &url)]);
    config.http = vec![url.parse().unwrap()];
    config.limits.http_parallel = 1;
    let exchange = loaded().await.exchange(config);
    tokio::select! {
        ended = report(&exchange) => panic!("nobody answered: {ended:?}"),
        _ = was_asked.recv() => {}
    }
    // The only concurrency permit is free again.
    assert_eq!(report(&exchange).await.unwrap_err().reason, "200 with 0 bytes: ");
    assert!(exchange.describe().await.is_ok());
}

#[tokio::test]
async fn a_body_has_an_end_and_nothing_of_a_longer_one_leaves() {
    let server = Server::start(|_| answer("200 OK", &[], b"")).await;
    let post = async |count: &str| {
        let mut config = granted(&[("attack", "long-body"), ("count", count)], &server);
        config.limits.http_request_bytes = 8 << 10;
        fails(config).await
    };
    assert_eq!(post("8192").await.reason, "200 with 0 bytes");
    let error = post("8193").await;
    assert!(error.reason.contains("limit http-request-bytes of 8 KiB reached"), "{error}");
    let [request] = &server.requests()[..] else { panic!("{error}") };
    assert_eq!(request.split_once("\r\n\r\n").unwrap().1.len(), 8192);
}

/// A server that holds each request until it may answer, and counts those that it holds.
struct Holding {
    url: String,
    held: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
    answers: Arc<Semaphore>,
}

impl Holding {
    async fn start() -> Self {
        let (held, most) = <(Arc<AtomicUsize>, Arc<AtomicUsize>)>::default();
        let answers = Arc::new(Semaphore::new(0));
        let shared = (Arc::clone(&held), Arc::clone(&most), Arc::clone(&answers));
        let url = server(move |mut stream| {
            let (held, most, answers) = shared.clone();
            async move {
                most.fetch_max(held.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
                answers.acquire().await.unwrap().forget();
                // Before the answer, after which the next may come.
                held.fetch_sub(1, Ordering::Relaxed);
                let _ = stream
                    .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
                    .await;
            }
        })
        .await;
        Self { url, held, most, answers }
    }

    fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }
}

/// Integrations of one tenant that send as many requests as they may: `most` are sent at the same time, and none besides.
async fn at_the_same_time(http_parallel: u64, tenant_http_parallel: u64, integrations: u64, most: usize) {
    let server = Holding::start().await;
    let limits = Limits { tenant_http_parallel, ..Limits::default() };
    let account = Arc::new(TenantAccount::new("acme", &limits));
    let mut runs = tokio::task::JoinSet::new();
    for number in 0..integrations {
        let mut config = config(&[("attack", "http-flood"), ("url", &server.url)]);
        config.integration = format!("shop{number}");
        config.http = vec![server.url.parse().unwrap()];
        config.account = Arc::clone(&account);
        (config.limits.http_parallel, config.limits.http_per_minute) = (http_parallel, 1_000_000);
        let exchange = loaded().await.exchange(config);
        runs.spawn(async move { report(&exchange).await.map(drop) });
    }
    until("as many are sent as may be", || server.held() >= most).await;
    for _ in 0..2000 {
        assert_eq!((server.held(), account.used().http), (most, most), "no more are sent");
        tokio::task::yield_now().await;
    }
    server.answers.add_permits(1000);
    while let Some(ended) = runs.join_next().await {
        assert_eq!(ended.unwrap().unwrap_err().reason, "200 answers");
    }
    assert_eq!(server.most.load(Ordering::Relaxed), most);
}

#[tokio::test]
async fn requests_of_an_integration_at_the_same_time_have_an_end() {
    at_the_same_time(3, 16, 1, 3).await;
}

#[tokio::test]
async fn requests_of_a_tenant_at_the_same_time_have_an_end() {
    at_the_same_time(4, 5, 2, 5).await;
}
