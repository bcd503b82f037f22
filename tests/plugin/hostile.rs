//! Every attack of `plugins/hostile` against the real runtime, and the resulting error for the operator.

mod beside;
mod compile;
mod held;
mod raw;
mod wire;

use crate::support::hostile_component;
use crate::support::server::{Server, answer};
use entente_core::{Timestamp, Value};
use entente_plugin::{
    CacheMacKey, Compiler, HttpGrant, Limits, LoadedPlugin, PluginConfig, PluginExchange, PluginRuntime,
    Secret, SecretGrant, TenantAccount,
};
use entente_sync::Remedy;
use entente_sync::{
    Action, Exchange, ExchangeError, Finished, Order, OrderedChange, Outcome, Page, Query, RemoteSaid,
    ReportRequest, Wanted, Window, codes,
};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

const SECRET: &str = "Zm9v-tell-nobody-1234567890/+=";

/// The compiler of the program: a child process.
fn compiler() -> Compiler {
    Compiler::Child(env!("CARGO_BIN_EXE_entente").into())
}

async fn loaded() -> LoadedPlugin {
    // One cache folder for all tests of this program, so that the plugin is compiled once.
    static CACHE: std::sync::LazyLock<tempfile::TempDir> =
        std::sync::LazyLock::new(|| tempfile::tempdir().unwrap());
    let runtime = PluginRuntime::new(
        &CACHE.path().join("compiled"),
        CacheMacKey::new([7; 32]),
        Limits::default(),
        compiler(),
    )
    .unwrap();
    runtime.load(hostile_component()).await.unwrap()
}

fn config(settings: &[(&str, &str)]) -> PluginConfig {
    PluginConfig {
        integration: "shop".to_owned(),
        settings: settings.iter().map(|(name, value)| ((*name).to_owned(), Value::text(*value))).collect(),
        ..PluginConfig::default()
    }
}

async fn exchange(config: PluginConfig) -> PluginExchange {
    loaded().await.exchange(config)
}

fn request() -> ReportRequest {
    ReportRequest {
        cursor: None,
        iteration: 0,
        objects: vec![Wanted {
            object: "thing".to_owned(),
            fields: vec!["name".to_owned(), "score".to_owned()],
            ids: vec![],
            window: Window { since: None, until: Timestamp::from_micros(1) },
            bookmark: None,
            full: false,
        }],
        first_time: false,
        limit: 1000,
        options: vec![],
        sync: "shop".to_owned(),
    }
}

fn order(changes: Vec<OrderedChange>) -> Order {
    Order {
        object: "thing".to_owned(),
        fields: vec!["name".to_owned(), "score".to_owned()],
        changes,
        first_time: false,
        options: vec![],
        sync: "shop".to_owned(),
        run: 1,
        at: Timestamp::from_micros(0),
    }
}

fn bookmark(page: &Page) -> Option<&str> {
    page.finished.first().and_then(|finished| finished.bookmark.as_deref())
}

async fn report(exchange: &PluginExchange) -> Result<Page, ExchangeError> {
    exchange.report(&request()).await.map_err(in_one)
}

/// What the plugin said and what the host found, in one text: the tests look for either.
fn in_one(error: ExchangeError) -> ExchangeError {
    let reason = RemoteSaid::of(&error).text.as_data().to_owned();
    ExchangeError { reason, said: None, ..error }
}

/// The error of a report under attack. The next call must succeed on a fresh instance: `describe` does not
/// attack.
async fn fails(config: PluginConfig) -> ExchangeError {
    let exchange = exchange(config).await;
    let error = report(&exchange).await.expect_err("the attack ends in an error");
    assert_eq!(exchange.describe().await.expect("the next call works").objects.len(), 1);
    error
}

/// Without the remedy for a limit, which is the same for all and tested separately.
fn short(text: &impl ToString) -> String {
    let text = text.to_string();
    let remedy = "; if the plugin has good reason to need more";
    match (text.find(remedy), text.find("report it to its author")) {
        (Some(from), Some(to)) if from < to => {
            format!("{}{}", &text[..from], &text[to + "report it to its author".len()..])
        }
        _ => text,
    }
}

fn small(settings: &[(&str, &str)], limits: Limits) -> PluginConfig {
    PluginConfig { limits, ..config(settings) }
}

#[tokio::test]
async fn without_an_attack_it_is_a_plugin_like_others() {
    let exchange = exchange(config(&[])).await;
    assert_eq!(exchange.name(), "shop");
    let page = report(&exchange).await.unwrap();
    assert_eq!(page.batches[0].rows[0].values, [Some(Value::text("one")), Some(Value::Float(1.0))]);
    let finished = Finished { object: "thing".to_owned(), bookmark: None, complete: true };
    assert_eq!(page.finished, [finished]);
    assert!(exchange.can_find());
    let query = Query {
        object: "thing".to_owned(),
        fields: vec!["name".to_owned()],
        keys: vec![vec![Some(Value::text("one"))]],
        all: true,
    };
    assert_eq!(exchange.find(&query).await.unwrap(), [["1"]]);
    assert!(exchange.manual().await.unwrap().is_empty());
    assert_eq!(exchange.collect("t", &order(vec![])).await.unwrap_err().code, codes::UNSUPPORTED);
}

#[tokio::test]
async fn an_order_is_answered_and_base_is_kept_back_where_nobody_wants_it() {
    let exchange = exchange(config(&[])).await;
    let change = OrderedChange {
        id: "c1".to_owned(),
        action: Action::Update("1".to_owned()),
        values: vec![Some(Value::text("new")), None],
        base: vec![Some(Value::text("old")), None],
        times: vec![],
        version: None,
        source: None,
    };
    let executed = exchange.execute(&order(vec![change])).await.unwrap();
    let Outcome::Created(written) = &executed.answers[0].outcome else { panic!("{executed:?}") };
    assert_eq!((executed.answers[0].change.as_str(), written.id.as_str()), ("c1", "new-c1"));
    assert!(written.values.is_empty(), "the plugin tells back what came as base");
}

#[tokio::test]
async fn a_loop_is_ended_by_the_clock() {
    let limits = Limits { cpu_time: 300, ..Limits::default() };
    let begun = Instant::now();
    let error = fails(small(&[("attack", "loop")], limits)).await;
    assert_eq!(error.code, codes::LIMIT);
    assert_eq!(error.reason, "the plugin was stopped in report: limit cpu-time of 300 ms reached");
    let raise =
        Remedy::RaiseLimit { tenant: "default".into(), limit: "cpu-time".into(), value: "600ms".into() };
    assert_eq!(error.remedies, [raise, Remedy::ReportToAuthor]);
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_loop_lets_others_run() {
    // On this test's only thread, a loop that never yields would block the other plugin until it is stopped.
    let looping =
        exchange(small(&[("attack", "loop")], Limits { cpu_time: 3_000, ..Limits::default() })).await;
    let honest = exchange(config(&[])).await;
    tokio::select! {
        biased;
        ended = report(&looping) => panic!("the loop ended before the honest plugin: {ended:?}"),
        page = report(&honest) => assert!(page.is_ok()),
    }
}

#[tokio::test]
async fn a_call_that_was_given_up_leaves_the_next_one_whole() {
    let exchange = exchange(small(&[("attack", "loop")], Limits::default())).await;
    assert!(tokio::time::timeout(Duration::from_millis(50), report(&exchange)).await.is_err());
    assert!(exchange.describe().await.is_ok());
}

#[tokio::test]
async fn sleeping_is_ended_too() {
    let error = fails(small(&[("attack", "sleep")], Limits { call_time: 200, ..Limits::default() })).await;
    assert_eq!(error.code, codes::LIMIT);
    assert!(
        error.reason.starts_with("the plugin was stopped in report: limit call-time of 200 ms reached"),
        "{error}"
    );
}

#[tokio::test]
async fn memory_has_an_end() {
    let error = fails(config(&[("attack", "memory")])).await;
    assert_eq!(error.code, codes::LIMIT);
    assert!(
        error.reason.starts_with(
            "the plugin was stopped in report: limit memory-bytes of 128 MiB reached (asked for: 1"
        ),
        "{error}"
    );
    assert!(
        error
            .remedies
            .iter()
            .any(|remedy| matches!(remedy, Remedy::RaiseLimit { limit, .. } if limit == "memory-bytes")),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_panic_is_a_crash_with_a_name() {
    let error = fails(config(&[("attack", "trap")])).await;
    assert_eq!(error.code, codes::TRAP);
    assert!(
        error
            .reason
            .starts_with("the plugin crashed in report: it panicked or aborted, in «hostile::attack::run»"),
        "{error}"
    );
    assert!(
        error.reason.ends_with("its log lines may say more") && error.remedies == [Remedy::ReportToAuthor],
        "{error}"
    );
}

#[tokio::test]
async fn every_export_may_crash() {
    let query = Query {
        object: "thing".to_owned(),
        fields: vec!["name".to_owned()],
        keys: vec![vec![Some(Value::text("one"))]],
        all: true,
    };
    let order = order(vec![]);
    for crashing in ["describe", "manual", "report", "execute", "collect", "find"] {
        let exchange = exchange(config(&[("attack", "trap"), ("where", crashing)])).await;
        // Twice, so that the call after each crash is seen, and that it crashes again.
        for _ in 0..2 {
            let ends = [
                ("describe", exchange.describe().await.err()),
                ("manual", exchange.manual().await.err()),
                ("report", exchange.report(&request()).await.err()),
                ("execute", exchange.execute(&order).await.err()),
                ("collect", exchange.collect("ticket", &order).await.err()),
                ("find", exchange.find(&query).await.err()),
            ];
            for (called, error) in ends {
                let ended = error.map(|error| (error.code.clone(), in_one(error).reason));
                match ended {
                    Some((code, reason)) if called == crashing => {
                        assert_eq!(code, codes::TRAP, "{called}: {reason}");
                        assert!(reason.contains(&format!("crashed in {called}")), "{called}: {reason}");
                    }
                    // What it says where it is well.
                    Some((code, _)) if called == "collect" => assert_eq!(code, codes::UNSUPPORTED),
                    other => {
                        assert!(other.is_none() && called != crashing, "{crashing}, {called}: {other:?}")
                    }
                }
            }
        }
    }
}

#[tokio::test]
async fn a_plugin_is_told_nothing_of_the_system_that_it_runs_on() {
    assert!(std::env::vars_os().next().is_some() && std::env::args_os().next().is_some());
    let error = fails(config(&[("attack", "system")])).await;
    assert_eq!(error.reason, "environment [], arguments [], folder None, folders []");
}

#[tokio::test]
async fn recursion_ends_at_its_stack() {
    let error = fails(config(&[("attack", "recursion")])).await;
    assert_eq!(error.code, codes::TRAP);
    // Rust keeps large locals on a shadow stack in linear memory, which is exhausted before the machine
    // stack.
    let expected = "the plugin crashed in report: out-of-bounds memory access (a stack overflow, or an invalid pointer), in \
                    «hostile::attack::recursion»";
    assert!(error.reason.starts_with(expected), "{error}");
}

#[tokio::test]
async fn handles_have_an_end() {
    let error = fails(config(&[("attack", "handles")])).await;
    assert_eq!(error.code, codes::LIMIT);
    assert!(
        error.reason.starts_with("the plugin was stopped in report: limit resources of 4096 reached"),
        "{error}"
    );
    let error = fails(small(&[("attack", "handles")], Limits { handles: 100, ..Limits::default() })).await;
    assert_eq!(error.code, codes::LIMIT, "{error}");
    assert!(error.reason.contains("limit handles of 100 reached"), "{error}");
}

#[tokio::test]
async fn a_page_has_an_end() {
    let error = fails(config(&[("attack", "huge-page")])).await;
    assert_eq!(error.code, codes::LIMIT);
    assert!(error.reason.contains("limit page-rows of 1000 reached (asked for: 20000)"), "{error}");
    let error = fails(config(&[("attack", "huge-row")])).await;
    assert!(error.reason.contains("limit page-bytes of 4 MiB reached (asked for: 6.0 MiB)"), "{error}");
    let error = fails(config(&[("attack", "huge-values")])).await;
    assert!(error.reason.contains("limit hostcall-bytes of 8 MiB reached"), "{error}");
    let error = fails(config(&[("attack", "huge-cursor")])).await;
    assert!(error.reason.contains("limit token-bytes of 64 KiB reached (asked for: 1 MiB)"), "{error}");
}

#[tokio::test]
async fn bad_rows_are_failed_records() {
    let page = report(&exchange(config(&[("attack", "bad-rows")])).await).await.unwrap();
    let batch = &page.batches[0];
    assert_eq!(batch.rows.iter().map(|row| row.id.as_str()).collect::<Vec<_>>(), ["good"]);
    let bad: Vec<_> = batch.bad.iter().map(|bad| (bad.id.as_deref(), bad.reason.as_str())).collect();
    assert_eq!(
        bad,
        [
            (Some("short"), "it has 1 values for 2 fields"),
            (None, "it has no id"),
            (Some("nan"), "field score: a number must be finite"),
        ]
    );
}

#[tokio::test]
async fn a_reason_is_cut_and_stays_on_its_line() {
    let error = fails(config(&[("attack", "huge-error")])).await;
    assert_eq!(error.code, codes::UNAVAILABLE, "the plugin's own code");
    assert!(error.reason.starts_with("\\u{1b}[31mred\\u{202e}\\nxxx"), "{}", &error.reason[..40]);
    assert!(error.reason.len() <= 2048 + 3, "{}", error.reason.len());
    assert!(error.remedies.is_empty(), "a plugin says what to do in its own words only: {error:?}");
}

#[tokio::test]
async fn a_host_that_is_not_granted_is_denied_with_its_remedy() {
    let server = Server::start(|_| answer("200 OK", &[], b"hello")).await;
    let error = fails(config(&[("attack", "http"), ("url", &format!("{}/path?q=1", server.url))])).await;
    assert_eq!(error.code, codes::MISCONFIGURED);
    assert_eq!(
        error.reason,
        format!(
            "ErrorCode::HttpRequestDenied; the plugin was not allowed to call {url}/path",
            url = server.url
        )
    );
    let host = server.url.clone();
    assert_eq!(error.remedies, [Remedy::GrantHost { integration: "shop".into(), host }]);
    assert!(server.requests().is_empty(), "nothing has left the host");
}

fn granted(settings: &[(&str, &str)], server: &Server) -> PluginConfig {
    let mut config = config(settings);
    config.settings.insert("url".to_owned(), Value::text(format!("{}/path", server.url)));
    config.http = vec![server.url.parse().unwrap()];
    config
}

#[tokio::test]
async fn a_granted_host_is_reached_with_what_the_host_adds_and_leaves_out() {
    let server = Server::start(|_| answer("201 Created", &[("x-more", "1")], b"hello")).await;
    let error = fails(granted(&[("attack", "http")], &server)).await;
    assert_eq!((error.code.as_str(), error.reason.as_str()), ("told", "201 with 5 bytes: hello"));
    let [request] = &server.requests()[..] else { panic!() };
    assert!(request.starts_with("GET /path HTTP/1.1\r\n"), "{request}");
    assert!(request.to_lowercase().contains("user-agent: entente/"), "{request}");
}

#[tokio::test]
async fn a_granted_name_is_resolved() {
    let server = Server::start(|_| answer("200 OK", &[], b"hello")).await;
    let local = server.url.replace("127.0.0.1", "localhost");
    let mut config = config(&[("attack", "http"), ("url", &local)]);
    config.http = vec![local.parse().unwrap()];
    assert_eq!(fails(config).await.reason, "200 with 5 bytes: hello");
}

#[tokio::test]
async fn what_goes_wrong_on_the_way_has_its_own_code() {
    // A server without TLS asked with TLS, a port where nobody listens, a response that is not HTTP.
    let server = Server::start(|_| b"what?\r\n\r\n".to_vec()).await;
    let plain = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let tls = format!("https://{}", plain.local_addr().unwrap());
    tokio::spawn(async move {
        use tokio::io::AsyncWriteExt;
        let (mut stream, _) = plain.accept().await.unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        // Kept open until the client closes, so that it reads the response.
        let _ = tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut Vec::new()).await;
    });
    let nobody = {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    for (url, expected) in [
        (&tls, "ErrorCode::TlsProtocolError"),
        (&nobody, "ErrorCode::ConnectionRefused"),
        (&server.url, "ErrorCode::HttpProtocolError"),
    ] {
        let mut config = config(&[("attack", "http"), ("url", url)]);
        config.http = vec![url.parse().unwrap()];
        let error = fails(config).await;
        assert_eq!((error.code.as_str(), error.reason.as_str()), (codes::UNAVAILABLE, expected), "{url}");
    }
}

#[tokio::test]
async fn a_redirect_is_told_and_not_followed() {
    let server = Server::start(|_| {
        answer("302 Found", &[("location", "http://169.254.169.254/latest/meta-data")], b"")
    })
    .await;
    let error = fails(granted(&[("attack", "http")], &server)).await;
    assert_eq!(error.reason, "302 with 0 bytes: ");
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn an_answer_has_an_end() {
    let server = Server::start(|_| answer("200 OK", &[], &vec![b'x'; 300_000])).await;
    let mut config = granted(&[("attack", "http")], &server);
    config.limits.http_response_bytes = 100_000;
    let error = fails(config).await;
    assert!(error.reason.contains("limit http-response-bytes of 97.7 KiB reached"), "{error}");

    let many = (0..80).map(|n| format!("x-{n}: {n}\r\n")).collect::<String>();
    let server =
        Server::start(move |_| format!("HTTP/1.1 200 OK\r\n{many}content-length: 0\r\n\r\n").into_bytes())
            .await;
    let mut config = granted(&[("attack", "http")], &server);
    config.limits.http_headers = 50;
    let error = fails(config).await;
    assert!(error.reason.contains("limit http-headers of 50 reached (asked for: 81)"), "{error}");
}

#[tokio::test]
async fn an_answer_that_never_comes_is_given_up() {
    let server = Server::silent().await;
    let mut config = granted(&[("attack", "http")], &server);
    config.limits.http_connect_time = 100;
    config.limits.http_idle_time = 100;
    let error = fails(config).await;
    assert!(
        error.reason.starts_with("ErrorCode::ConnectionReadTimeout; limit http-idle-time of 100 ms reached"),
        "{error}"
    );
    assert_eq!(error.code, codes::UNAVAILABLE, "that is the remote's fault, and may pass");
}

#[tokio::test]
async fn many_requests_at_once_wait_for_each_other_and_have_an_end() {
    let server = Server::start(|_| answer("200 OK", &[], &vec![b'x'; 10_000])).await;
    let error = fails(granted(&[("attack", "http-flood")], &server)).await;
    assert_eq!(error.reason, "200 answers", "answers that nobody reads hold up nobody");
    let mut config = granted(&[("attack", "http-flood")], &server);
    config.limits.http_requests = 20;
    let error = fails(config).await;
    assert!(error.reason.contains("limit http-requests of 20 reached (asked for: 21)"), "{error}");
}

fn with_secret(settings: &[(&str, &str)], server: &Server, hosts: &[&str]) -> PluginConfig {
    let mut config = granted(settings, server);
    config.secrets = [("key".to_owned(), Secret::new(SECRET))].into();
    config.secret_grants = vec![SecretGrant {
        name: "key".to_owned(),
        hosts: hosts.iter().map(|host| host.parse().unwrap()).collect::<Vec<HttpGrant>>(),
        header: None,
        query: Some("key".to_owned()),
    }];
    config
}

#[tokio::test]
async fn a_secret_reaches_its_server_and_never_the_plugin() {
    // The server echoes the request, unchanged and in encodings that servers use.
    use base64::Engine as _;
    let echo = |request: &str| {
        let encoded = base64::engine::general_purpose::STANDARD.encode(format!("user:{SECRET}"));
        let json = serde_json::to_string(&format!("{request} and {encoded}")).unwrap();
        answer("200 OK", &[("x-echo", SECRET)], json.as_bytes())
    };
    let server = Server::start(echo).await;
    let mut config = with_secret(&[("attack", "echo-secret")], &server, &[&server.url]);
    config.settings.insert("reversed".to_owned(), Value::text(SECRET.chars().rev().collect::<String>()));
    let error = fails(config).await;
    let [request] = &server.requests()[..] else { panic!() };
    assert!(request.contains(&format!("authorization: Bearer {SECRET}\r\n")), "{request}");
    assert!(
        !request.contains("mine") && !request.contains("a=b"),
        "the plugin brings no credential of its own: {request}"
    );
    let (_, body) = request.split_once("\r\n\r\n").unwrap();
    assert!(
        body.starts_with("entente-secret-") && body.len() == 47,
        "in the body the placeholder stays: {body}"
    );
    assert!(error.reason.starts_with("found 0; "), "{error}");
    assert!(error.reason.contains(&format!("x-echo: {}", "*".repeat(SECRET.len()))), "{error}");
    assert!(!error.reason.contains(SECRET), "{error}");
}

#[tokio::test]
async fn a_secret_goes_out_in_the_ways_that_are_granted() {
    use base64::Engine as _;
    let basic = base64::engine::general_purpose::STANDARD.encode(format!("me:{SECRET}"));
    let table = [
        ("bearer", format!("authorization: Bearer {SECRET}\r\n")),
        ("plain", format!("x-api-key: {SECRET}\r\n")),
        ("basic", format!("authorization: Basic {basic}\r\n")),
        ("query", "GET /path?a=1&key=Zm9v-tell-nobody-1234567890%2F%2B%3D HTTP/1.1\r\n".to_owned()),
    ];
    for (how, expected) in table {
        let server = Server::start(|_| answer("204 No Content", &[], b"")).await;
        let error =
            fails(with_secret(&[("attack", "use-secret"), ("how", how)], &server, &[&server.url])).await;
        assert_eq!(error.reason, "204", "{how}");
        assert!(server.requests()[0].contains(&expected), "{how}: {}", server.requests()[0]);
    }
    let server = Server::start(|_| answer("204 No Content", &[], b"")).await;
    fails(with_secret(&[("attack", "use-secret"), ("how", "middle")], &server, &[&server.url])).await;
    assert!(!server.requests()[0].contains(SECRET), "not within another text: {}", server.requests()[0]);
}

#[tokio::test]
async fn a_secret_goes_to_no_other_host() {
    let server = Server::start(|_| answer("200 OK", &[], b"")).await;
    let error = fails(with_secret(&[("attack", "use-secret")], &server, &["https://api.example.com"])).await;
    assert_eq!(error.code, codes::MISCONFIGURED);
    let expected = format!(
        "ErrorCode::HttpRequestDenied; the plugin tried to send the secret «key» to {url}, which it is not bound to",
        url = server.url
    );
    assert_eq!(error.reason, expected);
    let (integration, secret, host) = ("shop".into(), "key".into(), Some(server.url.clone()));
    assert_eq!(error.remedies, [Remedy::GrantSecret { integration, secret, host }]);
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn a_secret_that_is_missing_says_how_to_set_it() {
    let server = Server::start(|_| answer("200 OK", &[], b"")).await;
    let error = fails(granted(&[("attack", "use-secret")], &server)).await;
    assert_eq!(error.code, codes::MISCONFIGURED);
    // The plugin says it, and the host found it.
    assert_eq!(error.told(), "there is no secret «key»; there is no secret «key»");
    let (integration, secret) = ("shop".into(), "key".into());
    assert_eq!(error.remedies, [Remedy::SetSecret { integration, secret }]);
}

#[tokio::test]
async fn memory_that_another_one_has_left_is_empty() {
    let loaded = loaded().await;
    let [acme, other] = ["acme", "other"].map(|name| Arc::new(TenantAccount::new(name, &Limits::default())));
    let of = |tenant: &Arc<TenantAccount>, attack| PluginConfig {
        account: Arc::clone(tenant),
        ..config(&[("attack", attack)])
    };
    let marks = async |attack| {
        let error = report(&loaded.exchange(of(&other, attack))).await.expect_err("it tells what it found");
        let (marks, _) = error.reason.split_once(" marks").expect("a number of marks");
        marks.parse::<u64>().expect("a number")
    };
    // Control: it finds its own marks.
    assert!(marks("leave-and-find-marks").await > 100_000);
    // The pool reuses a slot for the same plugin, so each instance follows one that has left marks.
    for _ in 0..20 {
        report(&loaded.exchange(of(&acme, "leave-marks"))).await.unwrap();
        assert_eq!(marks("find-marks").await, 0, "another tenant finds nothing of it");
    }
}

#[tokio::test]
async fn a_secret_cannot_be_guessed() {
    let server = Server::start(|_| answer("200 OK", &[], b"")).await;
    let error = fails(with_secret(&[("attack", "guess-secret")], &server, &[&server.url])).await;
    assert_eq!(error.code, codes::LIMIT);
    assert!(error.reason.contains("limit secret-matches of 100 reached (asked for: 101)"), "{error}");
}

#[tokio::test]
async fn what_is_kept_goes_with_the_page_and_only_with_a_good_one() {
    let mut keeping = config(&[("attack", "state-kept")]);
    keeping.state = BTreeMap::from([("seen".to_owned(), b"before".to_vec())]);
    let exchange = exchange(keeping).await;
    let page = report(&exchange).await.unwrap();
    assert_eq!(bookmark(&page), Some("before"));
    assert_eq!(page.state, [("seen".to_owned(), Some(b"page 0".to_vec()))].into());
    assert_eq!(bookmark(&report(&exchange).await.unwrap()), Some("page 0"), "the next call sees it");

    for attack in ["state-then-fail", "state-then-trap"] {
        let mut failing = config(&[("attack", attack), ("where", "describe")]);
        failing.state = BTreeMap::from([("seen".to_owned(), b"before".to_vec())]);
        let exchange = loaded().await.exchange(failing);
        assert!(exchange.describe().await.is_err());
        let page = report(&exchange).await.unwrap();
        assert_eq!((bookmark(&page), page.state.len()), (Some("before"), 0), "{attack}");
    }
}

#[tokio::test]
async fn what_is_kept_has_an_end() {
    let error = fails(config(&[("attack", "state-quota")])).await;
    assert_eq!(error.code, "too-large");
    assert!(error.reason.contains("limit state-bytes of 256 KiB reached"), "{error}");
}

/// Captures what `tracing` logs on this thread.
#[derive(Clone, Default)]
struct Lines(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);

impl std::io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Lines {
    fn listen(&self) -> tracing::subscriber::DefaultGuard {
        let lines = self.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .without_time()
            .with_writer(move || lines.clone())
            .finish();
        tracing::subscriber::set_default(subscriber)
    }

    fn all(&self) -> Vec<String> {
        let bytes = self.0.lock().unwrap();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        text.lines().filter(|line| line.contains("entente::plugin: ")).map(str::to_owned).collect()
    }
}

#[tokio::test]
async fn log_lines_are_counted_cut_and_escaped() {
    let lines = Lines::default();
    let _listening = lines.listen();
    report(&exchange(config(&[("attack", "log-flood")])).await).await.unwrap();
    let all = lines.all();
    // 256 KiB in lines of 1 KiB, and the line that counts the dropped ones.
    assert!((200..=260).contains(&all.len()), "{}", all.len());
    assert!(all.iter().all(|line| line.len() < 1_200));
    assert!(all.last().unwrap().contains("the rest was dropped"), "{:?}", all.last());

    let lines = Lines::default();
    let _listening = lines.listen();
    report(&exchange(config(&[("attack", "log-control")])).await).await.unwrap();
    let all = lines.all();
    assert_eq!(all.len(), 1, "{all:?}");
    assert!(all[0].contains("first\\nsecond \\u{1b}[31mred key=va\\rlue"), "{}", all[0]);
    assert!(all[0].contains("WARN") && all[0].contains("integration=\"shop\""), "{}", all[0]);

    let lines = Lines::default();
    let _listening = lines.listen();
    report(&exchange(config(&[("attack", "print")])).await).await.unwrap();
    assert_eq!(lines.all().iter().filter(|line| line.contains("printed: stderr line")).count(), 300);

    // Short ones: 300 that it logs, and 300 that it prints.
    let lines = Lines::default();
    let _listening = lines.listen();
    report(&exchange(config(&[("attack", "log-lines")])).await).await.unwrap();
    let all = lines.all();
    assert_eq!(all.len(), 501, "{all:?}");
    assert!(all[499].contains("printed: stderr line"), "{}", all[499]);
    assert!(all[500].contains("dropped=100") && all[500].contains("log-lines (500)"), "{}", all[500]);
}

#[tokio::test]
async fn the_same_cursor_twice_is_left_to_the_engine() {
    let page = report(&exchange(config(&[("attack", "same-cursor")])).await).await.unwrap();
    assert_eq!(page.next.as_deref(), Some("again"));
}

#[tokio::test]
async fn a_lookup_answers_every_key() {
    let exchange = exchange(config(&[("attack", "short-find")])).await;
    let query = Query {
        object: "thing".to_owned(),
        fields: vec!["name".to_owned()],
        keys: vec![vec![None], vec![None]],
        all: true,
    };
    let error = exchange.find(&query).await.unwrap_err();
    assert_eq!(error.code, codes::INVALID_ANSWER);
    assert!(error.reason.contains("it answered 0 of 2 keys"), "{error}");
}
