//! Memory that the host holds for a plugin: every function that keeps something has a flood, which ends at a limit
//! with a name while a neighbour goes on, and leaves nothing behind.

use super::beside::{ATTACKS, is_alone, until};
use super::{SECRET, compiler, config, loaded, report, with_secret};
use crate::support::handmade::Handmade;
use crate::support::server::Server;
use entente_core::Value;
use entente_plugin::{
    CacheMacKey, Limits, LoadedPlugin, PluginConfig, PluginExchange, PluginRuntime, Secret, SecretGrant,
    TenantAccount, TenantUse,
};
use entente_sync::{Exchange, ExchangeError, codes};
use std::collections::BTreeMap;
use std::process::Command;
use std::sync::Arc;
use wit_component::StringEncoding;
use wit_parser::Resolve;

/// Each side counts its handles, and which of them is reached first depends on how many there are of other things.
const HANDLES: &str = "limit resources of|limit handles of";

/// Whether the operator reads what is expected.
fn reads(error: &ExchangeError, expected: &str) -> bool {
    expected.split('|').any(|one| error.reason.contains(one))
}

/// A flood: the attack of `plugins/hostile`, how many things it keeps in one call, and what the operator reads.
const FLOODS: &[(&str, u32, &str)] = &[
    ("hold-bodies", 100, "limit memory-bytes of"),
    ("hold-response-bodies", 100, "limit memory-bytes of"),
    ("hold-methods", 100, "limit memory-bytes of"),
    ("hold-paths", 100, "limit memory-bytes of"),
    ("hold-authorities", 100, "limit memory-bytes of"),
    ("hold-fields", 100, "limit memory-bytes of"),
    ("hold-lists", 100, "limit memory-bytes of"),
    ("hold-sets", 100, "limit memory-bytes of"),
    ("hold-clones", 100, "limit memory-bytes of"),
    ("hold-headers", 100, "limit memory-bytes of"),
    ("hold-outgoing-responses", 100, "limit memory-bytes of"),
    // The host sends no trailers, and keeps none.
    ("hold-trailers", 1000, HANDLES),
    // A new instance after so many may begin before the tasks of the one before have ended.
    ("hold-requests", 2000, "limit memory-bytes of|limit tenant-memory-bytes of"),
    ("hold-answers", 1000, "limit memory-bytes of"),
    ("hold-trailers-of-answers", 1000, "limit memory-bytes of"),
    ("hold-options", 1000, HANDLES),
    ("hold-users", 300, "limit memory-bytes of"),
    ("hold-long-user", 1, "limit http-header-bytes of"),
    ("hold-long-method", 1, "limit http-url-bytes of"),
    ("hold-long-path", 1, "limit http-url-bytes of"),
    ("hold-long-authority", 1, "limit http-url-bytes of"),
    ("hold-data", 1, "limit hostcall-bytes of"),
    ("hold-pollables", 1000, HANDLES),
    ("hold-polls", 1, "limit hostcall-bytes of"),
    ("hold-output", 1000, HANDLES),
    ("hold-input", 1000, HANDLES),
    ("hold-random", 1, "limit random-bytes of"),
    ("hold-insecure", 1, "limit random-bytes of"),
    ("hold-networks", 1000, HANDLES),
    // A lookup or a socket is refused before there is one.
    ("hold-lookups", 1, "permanent-resolver-failure"),
    ("hold-sockets", 1, "access-denied"),
    ("hold-datagrams", 1, "access-denied"),
    ("state-quota", 1, "limit state-bytes of"),
];

/// The functions of the host that keep something, with their flood.
const KEEPS: &[(&str, &str, &str)] = &[
    ("wasi:io/poll", "poll", "hold-polls"),
    ("wasi:io/streams", "output-stream.write", "hold-bodies"),
    ("wasi:io/streams", "output-stream.blocking-write-and-flush", "hold-bodies"),
    ("wasi:io/streams", "output-stream.write-zeroes", "hold-bodies"),
    ("wasi:io/streams", "output-stream.blocking-write-zeroes-and-flush", "hold-bodies"),
    ("wasi:io/streams", "output-stream.splice", "hold-bodies"),
    ("wasi:io/streams", "output-stream.blocking-splice", "hold-bodies"),
    ("wasi:io/streams", "output-stream.subscribe", "hold-pollables"),
    ("wasi:io/streams", "input-stream.subscribe", "hold-pollables"),
    ("wasi:clocks/monotonic-clock", "subscribe-instant", "hold-pollables"),
    ("wasi:clocks/monotonic-clock", "subscribe-duration", "hold-pollables"),
    ("wasi:random/random", "get-random-bytes", "hold-random"),
    ("wasi:random/insecure", "get-insecure-random-bytes", "hold-insecure"),
    ("wasi:cli/stdin", "get-stdin", "hold-input"),
    ("wasi:cli/stdout", "get-stdout", "hold-output"),
    ("wasi:cli/stderr", "get-stderr", "hold-output"),
    ("wasi:sockets/instance-network", "instance-network", "hold-networks"),
    ("wasi:sockets/ip-name-lookup", "resolve-addresses", "hold-lookups"),
    ("wasi:sockets/tcp-create-socket", "create-tcp-socket", "hold-sockets"),
    ("wasi:sockets/udp-create-socket", "create-udp-socket", "hold-datagrams"),
    ("wasi:http/types", "fields.new", "hold-fields"),
    ("wasi:http/types", "fields.from-list", "hold-lists"),
    ("wasi:http/types", "fields.set", "hold-sets"),
    ("wasi:http/types", "fields.append", "hold-fields"),
    ("wasi:http/types", "fields.clone", "hold-clones"),
    ("wasi:http/types", "outgoing-request.new", "hold-paths"),
    ("wasi:http/types", "outgoing-request.body", "hold-bodies"),
    ("wasi:http/types", "outgoing-request.set-method", "hold-methods"),
    ("wasi:http/types", "outgoing-request.set-path-with-query", "hold-paths"),
    ("wasi:http/types", "outgoing-request.set-scheme", "hold-paths"),
    ("wasi:http/types", "outgoing-request.set-authority", "hold-authorities"),
    ("wasi:http/types", "outgoing-request.headers", "hold-headers"),
    ("wasi:http/types", "request-options.new", "hold-options"),
    ("wasi:http/types", "incoming-response.headers", "hold-headers"),
    ("wasi:http/types", "incoming-response.consume", "hold-trailers-of-answers"),
    ("wasi:http/types", "incoming-body.stream", "hold-answers"),
    ("wasi:http/types", "incoming-body.finish", "hold-trailers-of-answers"),
    ("wasi:http/types", "future-trailers.subscribe", "hold-pollables"),
    ("wasi:http/types", "future-incoming-response.subscribe", "hold-pollables"),
    ("wasi:http/types", "future-incoming-response.get", "hold-answers"),
    ("wasi:http/types", "outgoing-response.new", "hold-outgoing-responses"),
    ("wasi:http/types", "outgoing-response.headers", "hold-headers"),
    ("wasi:http/types", "outgoing-response.body", "hold-response-bodies"),
    ("wasi:http/types", "outgoing-body.write", "hold-bodies"),
    ("wasi:http/types", "outgoing-body.finish", "hold-trailers"),
    ("wasi:http/outgoing-handler", "handle", "hold-requests"),
    ("entente:integration/secrets", "use", "hold-users"),
    ("entente:integration/secrets", "basic", "hold-users"),
    ("entente:integration/secrets", "hmac-sha256", "hold-data"),
    ("entente:integration/state", "set", "state-quota"),
    // It keeps a mark for a key that is there, and there are no more of them than that.
    ("entente:integration/state", "delete", "state-quota"),
];

/// Those that keep nothing: they look at something, give something back, or need a handle that nobody has.
const KEEPS_NOTHING: &[(&str, &str)] = &[
    ("wasi:io/error", "error.to-debug-string"),
    ("wasi:io/poll", "pollable.ready pollable.block"),
    (
        "wasi:io/streams",
        "input-stream.read input-stream.blocking-read input-stream.skip input-stream.blocking-skip output-stream.check-write output-stream.flush \
         output-stream.blocking-flush",
    ),
    ("wasi:clocks/monotonic-clock", "now resolution"),
    ("wasi:clocks/wall-clock", "now resolution"),
    ("wasi:random/random", "get-random-u64"),
    ("wasi:random/insecure", "get-insecure-random-u64"),
    ("wasi:random/insecure-seed", "insecure-seed"),
    ("wasi:cli/environment", "get-environment get-arguments initial-cwd"),
    ("wasi:cli/exit", "exit exit-with-code"),
    ("wasi:cli/terminal-stdin", "get-terminal-stdin"),
    ("wasi:cli/terminal-stdout", "get-terminal-stdout"),
    ("wasi:cli/terminal-stderr", "get-terminal-stderr"),
    ("wasi:filesystem/preopens", "get-directories"),
    // There is no file and no socket, so that none of their functions is reached.
    ("wasi:filesystem/types", "*"),
    (
        "wasi:sockets/ip-name-lookup",
        "resolve-address-stream.resolve-next-address resolve-address-stream.subscribe",
    ),
    ("wasi:sockets/tcp", "*"),
    ("wasi:sockets/udp", "*"),
    (
        "wasi:http/types",
        "http-error-code fields.get fields.has fields.delete fields.entries incoming-request.method incoming-request.path-with-query \
         incoming-request.scheme incoming-request.authority incoming-request.headers incoming-request.consume outgoing-request.method \
         outgoing-request.path-with-query outgoing-request.scheme outgoing-request.authority request-options.connect-timeout \
         request-options.set-connect-timeout request-options.first-byte-timeout request-options.set-first-byte-timeout \
         request-options.between-bytes-timeout request-options.set-between-bytes-timeout response-outparam.set incoming-response.status \
         future-trailers.get outgoing-response.status-code outgoing-response.set-status-code",
    ),
    // Lines are written out, up to their limits; what is not a line yet is no longer than one.
    ("entente:integration/log", "log"),
    ("entente:integration/settings", "get all"),
    ("entente:integration/secrets", "matches"),
    ("entente:integration/state", "get keys"),
];

/// The folder of the interface files that a crate of wasmtime links its functions by.
fn wit_of(package: &str) -> std::path::PathBuf {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        // Those of other systems were not fetched for a build.
        .args([
            "metadata",
            "--offline",
            "--locked",
            "--format-version",
            "1",
            "--filter-platform",
            "host-tuple",
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let known: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = known["packages"].as_array().unwrap();
    let found = packages.iter().find(|one| one["name"] == package).unwrap();
    let manifest = found["manifest_path"].as_str().unwrap();
    std::path::Path::new(manifest).parent().unwrap().join("wit")
}

/// Every function that the host links, by its interface.
fn linked() -> BTreeMap<String, Vec<String>> {
    // What plugins export, and what they may import and need not.
    const OTHERS: &[&str] = &["wasi:cli/run", "wasi:http/incoming-handler"];
    const OURS: &[&str] = &["log", "settings", "secrets", "state"];
    let mut all = BTreeMap::new();
    let ours = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit/0.1.0-draft.2");
    for folder in [wit_of("wasmtime-wasi-http"), ours] {
        let mut resolve = Resolve::default();
        resolve.push_dir(&folder).unwrap();
        for (_, package) in &resolve.packages {
            for (name, id) in &package.interfaces {
                let is_ours = package.name.namespace == "entente";
                let full = format!("{}:{}/{name}", package.name.namespace, package.name.name);
                let functions = &resolve.interfaces[*id].functions;
                if functions.is_empty()
                    || OTHERS.contains(&full.as_str())
                    || (is_ours && !OURS.contains(&name.as_str()))
                {
                    continue;
                }
                let short = |name: &String| match name.strip_prefix("[constructor]") {
                    Some(resource) => format!("{resource}.new"),
                    None => name.replace("[method]", "").replace("[static]", ""),
                };
                all.insert(full, functions.keys().map(short).collect());
            }
        }
    }
    all
}

#[test]
fn x1_every_function_of_the_host_that_keeps_something_has_a_flood() {
    let mut unknown = Vec::new();
    let linked = linked();
    let nothing = |interface: &str, function: &str| {
        let of = KEEPS_NOTHING.iter().filter(|(name, _)| *name == interface);
        of.flat_map(|(_, names)| names.split_whitespace()).any(|name| name == "*" || name == function)
    };
    let keeps = |interface: &str, function: &str| {
        KEEPS.iter().any(|(name, known, _)| (*name, *known) == (interface, function))
    };
    for (interface, functions) in &linked {
        for function in functions {
            if keeps(interface, function) == nothing(interface, function) {
                unknown.push(format!("{interface} {function}"));
            }
        }
    }
    assert!(unknown.is_empty(), "what do they keep, and which flood shows its end? {unknown:#?}");
    for (interface, function, flood) in KEEPS {
        assert!(
            linked.get(*interface).is_some_and(|known| known.iter().any(|known| known == function)),
            "{interface} {function} is linked no more"
        );
        assert!(FLOODS.iter().any(|(name, ..)| name == flood), "{flood} is no flood");
    }
    assert!(linked.values().map(Vec::len).sum::<usize>() > 150, "functions are found");
}

/// A server whose answers come in chunks of one byte, with many headers.
async fn in_tiny_chunks() -> Server {
    let headers: String = (0..60).map(|n| format!("x-{n}: {}\r\n", "v".repeat(500))).collect();
    let body = "1\r\nx\r\n".repeat(40_000);
    let whole = format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n{headers}\r\n{body}0\r\n\r\n");
    Server::start(move |_| whole.clone().into_bytes()).await
}

/// A plugin that floods, on an account of its own.
fn flooding(
    plugin: &LoadedPlugin,
    (attack, count): (&str, u32),
    [answering, silent]: [&Server; 2],
    limits: Limits,
) -> (PluginExchange, Arc<TenantAccount>) {
    let account = Arc::new(TenantAccount::new("hostile", &limits));
    let mut config = with_secret(&[("attack", attack)], answering, &[&answering.url]);
    config.settings.insert("elsewhere".to_owned(), Value::text(format!("{}/path", silent.url)));
    config.settings.insert("count".to_owned(), Value::text(count.to_string()));
    config.http.push(silent.url.parse().unwrap());
    config.secrets.insert("signing".to_owned(), Secret::new(SECRET));
    let hosts = vec![];
    config.secret_grants.push(SecretGrant { name: "signing".to_owned(), hosts, header: None, query: None });
    config.account = Arc::clone(&account);
    config.limits = limits;
    (plugin.exchange(config), account)
}

/// Calls until the flood has an end. What it should have been, where it is another one.
async fn flooded(exchange: &PluginExchange, expected: &str) -> Result<String, String> {
    for _ in 0..100 {
        match report(exchange).await {
            Ok(_) => {}
            Err(error) if reads(&error, expected) => return Ok(error.to_string()),
            Err(error) => return Err(format!("{error}, and not {expected}")),
        }
    }
    Err("it has no end in a hundred calls".to_owned())
}

#[tokio::test]
async fn x1_what_the_host_holds_for_a_plugin_ends_at_a_limit_with_a_name() {
    let plugin = loaded().await;
    let servers = [&in_tiny_chunks().await, &Server::silent().await];
    let neighbour = plugin.exchange(config(&[]));
    let mut wrong = Vec::new();
    for (attack, count, expected) in FLOODS {
        let limits = Limits { memory_bytes: 24 << 20, ..Limits::default() };
        let (exchange, account) = flooding(&plugin, (attack, *count), servers, limits);
        wrong.extend(flooded(&exchange, expected).await.err().map(|error| format!("{attack}: {error}")));
        report(&neighbour).await.unwrap();
        // What was held ends with the instance, and the next one works.
        assert_eq!(exchange.describe().await.unwrap().objects.len(), 1, "{attack}");
        drop(exchange);
        until(attack, || account.used() == TenantUse::default()).await;
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn x1_what_the_host_holds_is_on_the_account_of_the_tenant_too() {
    let plugin = loaded().await;
    let servers = [&in_tiny_chunks().await, &Server::silent().await];
    for attack in ["hold-bodies", "hold-paths", "hold-fields", "hold-users", "hold-requests"] {
        let limits = Limits { tenant_memory_bytes: 24 << 20, ..Limits::default() };
        let (exchange, account) = flooding(&plugin, (attack, 2000), servers, limits);
        let ended = flooded(&exchange, "limit tenant-memory-bytes of 24 MiB reached").await;
        ended.unwrap_or_else(|error| panic!("{attack}: {error}"));
        drop(exchange);
        until(attack, || account.used() == TenantUse::default()).await;
    }
}

#[tokio::test]
async fn x1_an_instance_between_two_calls_holds_what_it_has_kept_and_no_more() {
    let plugin = loaded().await;
    let servers = [&in_tiny_chunks().await, &Server::silent().await];
    let (exchange, account) = flooding(&plugin, ("hold-paths", 0), servers, Limits::default());
    report(&exchange).await.unwrap();
    let calm = account.used();
    assert!(calm.held > 1 << 20 && calm.held < 4 << 20, "as if all handles were there: {calm:?}");
    assert!(calm.memory - calm.held > 1 << 20, "its own memory: {calm:?}");
    let (exchange, account) = flooding(&plugin, ("hold-paths", 10), servers, Limits::default());
    for calls in 1..4 {
        report(&exchange).await.unwrap();
        let kept = account.used().held - calm.held;
        assert!((calls * 10 * 240_000..calls * 10 * 260_000).contains(&kept), "{kept} after {calls} calls");
    }
}

#[tokio::test]
async fn x17_a_text_in_latin_1_counts_as_it_is_held() {
    let folder = tempfile::tempdir().unwrap();
    let runtime = PluginRuntime::new(
        &folder.path().join("compiled"),
        CacheMacKey::new([7; 32]),
        Limits::default(),
        compiler(),
    )
    .unwrap();
    let mut all = String::new();
    for (encoding, bytes) in [
        (StringEncoding::UTF8, 7 << 20),
        (StringEncoding::CompactUTF16, 7 << 20),
        (StringEncoding::CompactUTF16, 2 << 20),
    ] {
        // A letter that is one byte there and two here; as UTF-8 they would be no text.
        let letter = if encoding == StringEncoding::UTF8 { "0x78" } else { "0xe9" };
        let reports = format!(
            "(drop (memory.grow (i32.const 130))) (memory.fill (i32.const 524288) (i32.const {letter}) (i32.const {bytes}))
             (call $import (i32.const 2) (i32.const 524288) (i32.const {bytes}) (i32.const 0) (i32.const 0)) i32.const 1024"
        );
        let guest = Handmade { report: &reports, log: true, encoding, ..Handmade::default() };
        let plugin = runtime.load(guest.component()).await.unwrap();
        let exchange = plugin.exchange(PluginConfig::default());
        let said = report(&exchange).await.map_or_else(|error| error.reason, |_| "taken".to_owned());
        all.push_str(&format!("{encoding:?} {} MiB: {said}\n", bytes >> 20));
    }
    insta::assert_snapshot!(all, @r"
    UTF8 7 MiB: taken
    CompactUTF16 7 MiB: the plugin was stopped in report: limit hostcall-bytes of 8 MiB reached
    CompactUTF16 2 MiB: taken
    ");
}

/// As with `ulimit -v 3000000`: where the host could not hold what a plugin makes it hold, this process would abort.
#[cfg(unix)]
#[tokio::test]
async fn x1_every_hostile_plugin_at_its_worst_where_addresses_are_few() {
    use rustix::process::{Resource, Rlimit, setrlimit};
    if !is_alone("held::x1_every_hostile_plugin_at_its_worst_where_addresses_are_few") {
        return;
    }
    let most = Some(3_000_000 << 10);
    setrlimit(Resource::As, Rlimit { current: most, maximum: most }).unwrap();
    let plugin = loaded().await;
    let servers = [&in_tiny_chunks().await, &Server::silent().await];
    let neighbour = plugin.exchange(config(&[]));
    let limits = Limits { cpu_time: 2_000, call_time: 10_000, ..Limits::default() };
    for (attack, count, expected) in FLOODS {
        let (exchange, account) = flooding(&plugin, (attack, *count), servers, limits.clone());
        // With more memory than is read ahead, answers that nobody reads hold up the others until the call ends.
        let ended =
            flooded(&exchange, &format!("{expected}|limit call-time of|limit http-per-minute of")).await;
        match ended {
            Ok(ended) => println!("{attack}: {ended}"),
            // No more than so many placeholders are remembered.
            Err(_) if *attack == "hold-users" => println!("{attack}: {:?}", account.used()),
            Err(error) => panic!("{attack}: {error}"),
        }
        report(&neighbour).await.unwrap();
        drop(exchange);
        until(attack, || account.used() == TenantUse::default()).await;
    }
    for attack in ATTACKS {
        let (exchange, account) = flooding(&plugin, (attack, 100), servers, limits.clone());
        match report(&exchange).await {
            Ok(page) => println!("{attack}: {} batches", page.batches.len()),
            Err(error) => {
                println!("{attack}: {error}");
                assert!(error.code != codes::LIMIT || error.reason.contains("limit "), "{attack}: {error}");
            }
        }
        report(&neighbour).await.unwrap();
        drop(exchange);
        until(attack, || account.used() == TenantUse::default()).await;
    }
}
