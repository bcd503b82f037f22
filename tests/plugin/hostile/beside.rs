//! Isolation between tenants: attacks of hostile tenants do not affect a healthy one, and all resources that
//! they took are released.

use super::{compiler, config, granted, loaded, report, request, with_secret};
use crate::support::guests::{hostile_component, made_up_path};
use crate::support::server::{Server, answer};
use entente::{ApplyOptions, File, FileInputs, Grants, PluginFiles, Tenant};
use entente_core::Value;
use entente_plugin::{
    Limits, LoadedPlugin, PluginConfig, PluginRuntime, RuntimeUse, TenantAccount, TenantUse,
};
use entente_sync::{
    CancellationToken, Exchange, Remedy, ReportRequest, RunOptions, Silent, SystemClock, codes,
};
use rusqlite::Connection;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Every attack of `plugins/hostile` that needs no parameters.
pub(super) const ATTACKS: &[&str] = &[
    "loop",
    "memory",
    "trap",
    "recursion",
    "http-flood",
    "http",
    "huge-error",
    "log-flood",
    "log-control",
    "handles",
    "sleep",
    "print",
    "state-quota",
    "guess-secret",
    "leave-marks",
    "huge-page",
    "huge-row",
    "huge-values",
    "huge-cursor",
    "bad-rows",
    "same-cursor",
    "empty-pages",
];

const RECORDS: &str = "4000";

/// A tenant with its hub, its ledger and a remote system of some thousand people.
async fn healthy(folder: &Path) -> Tenant {
    let tenant = Tenant::open(folder, None, compiler()).unwrap();
    tenant.install_plugin("made-up", &std::fs::read(made_up_path()).unwrap()).await.unwrap();
    let settings = [("records", RECORDS), ("ids", "random"), ("changed", "0"), ("edition", "0")];
    let settings = settings.map(|(name, value)| (name.to_owned(), Value::text(value))).into();
    let draft = tenant
        .configuration()
        .draft_integration("made-up", "made-up", settings, Grants::default(), BTreeMap::new())
        .await
        .unwrap();
    tenant.add_integration(&draft, true).await.unwrap();
    tenant
}

/// Runs its sync; returns the duration, and the records and pairs created.
async fn synced(tenant: &Tenant) -> (Duration, [Vec<String>; 2]) {
    let begun = Instant::now();
    let (_, end) =
        tenant.sync("made-up", RunOptions::default(), &Silent, &CancellationToken::new()).await.unwrap();
    let took = begun.elapsed();
    assert!(end.error.is_none() && end.run.problems() == 0, "{end:?}");
    let database = Connection::open(tenant.configuration().home().database("default")).unwrap();
    let rows = |query: &str| {
        let mut statement = database.prepare(query).unwrap();
        let rows = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
        rows.collect::<Result<Vec<_>, _>>().unwrap()
    };
    let records = rows("SELECT data FROM hub_record ORDER BY id");
    let pairs = rows(
        "SELECT left_id || ' ' || right_id || ' ' || status || ' ' || coalesce(reason, '') FROM pair ORDER BY id",
    );
    (took, [records, pairs])
}

/// A tenant that attacks in an endless loop.
async fn attacks_for_ever(plugin: LoadedPlugin, config: PluginConfig, attacks: Arc<AtomicU64>) {
    let exchange = plugin.exchange(config);
    let mut next = None;
    loop {
        let answered = exchange.report(&ReportRequest { cursor: next.take(), ..request() }).await;
        next = answered.ok().and_then(|page| page.next);
        attacks.fetch_add(1, Ordering::Relaxed);
        tokio::task::yield_now().await;
    }
}

/// Waits for a condition, for half a minute at most.
pub(super) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(30), "{what}");
        tokio::task::yield_now().await;
    }
}

#[expect(clippy::print_stdout, reason = "times depend on the machine: they are shown, not asserted")]
async fn healthy_beside_hostile() {
    let folders = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let alone = healthy(folders[0].path()).await;
    let (alone_took, alone_made) = synced(&alone).await;
    let beside = healthy(folders[1].path()).await;
    let runtime: &PluginRuntime = &beside.plugins().await.unwrap();
    let hostile = runtime.load(hostile_component()).await.unwrap();
    let server = Server::start(|_| answer("200 OK", &[], &vec![b'x'; 10_000])).await;

    let tenants = ATTACKS.iter().map(|attack| {
        let account = Arc::new(TenantAccount::new(attack, &Limits::default()));
        let config =
            PluginConfig { account: Arc::clone(&account), ..granted(&[("attack", attack)], &server) };
        let attacks = Arc::new(AtomicU64::new(0));
        (
            *attack,
            account,
            Arc::clone(&attacks),
            tokio::spawn(attacks_for_ever(hostile.clone(), config, attacks)),
        )
    });
    let tenants: Vec<_> = tenants.collect();
    // Attacks that wait for ever, or compute for seconds, are still in their first round.
    until("some attacks were made", || {
        tenants.iter().filter(|(_, _, attacks, _)| attacks.load(Ordering::Relaxed) > 0).count() > 10
    })
    .await;
    let (beside_took, beside_made) = synced(&beside).await;
    for (attack, _, attacks, _) in &tenants {
        println!("{attack}: {}", attacks.load(Ordering::Relaxed));
    }
    println!(
        "alone {alone_took:?}, beside {beside_took:?}: {:.2} ×",
        beside_took.as_secs_f64() / alone_took.as_secs_f64()
    );
    assert_eq!(beside_made[0].len(), RECORDS.parse::<usize>().unwrap());
    assert!(alone_made == beside_made, "the same records and the same pairs");

    for (_, _, _, running) in &tenants {
        running.abort();
    }
    for (attack, account, _, running) in tenants {
        assert!(running.await.unwrap_err().is_cancelled(), "{attack} went on");
        until(attack, || account.used() == TenantUse::default()).await;
    }
    assert_eq!(beside.account().await.unwrap().used(), TenantUse::default());
    until("all places are free", || runtime.used() == RuntimeUse::default()).await;
}

/// Whether this process runs this test alone (`module::name`): it needs a process of its own, since other tests run
/// plugins as well.
pub(super) fn is_alone(test: &str) -> bool {
    const ALONE: &str = "ENTENTE_TEST_ALONE";
    if std::env::var_os(ALONE).is_some() {
        return true;
    }
    #[expect(clippy::print_stdout, reason = "what the other process has shown")]
    let show = |said: &str| println!("{said}");
    let name = format!("hostile::{test}");
    let output = Command::new(std::env::current_exe().unwrap())
        .args([&name, "--exact", "--nocapture"])
        .env(ALONE, "1")
        .output()
        .unwrap();
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
    show(&said);
    false
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_tenants_beside_a_healthy_one_change_nothing_and_give_everything_back() {
    if is_alone("beside::hostile_tenants_beside_a_healthy_one_change_nothing_and_give_everything_back") {
        healthy_beside_hostile().await;
    }
}

#[tokio::test]
async fn places_that_others_hold_between_two_calls_are_there_for_who_has_none() {
    if !is_alone("beside::places_that_others_hold_between_two_calls_are_there_for_who_has_none") {
        return;
    }
    let plugin = loaded().await;
    let tenant = |name: String| Arc::new(TenantAccount::new(&name, &Limits::default()));
    let exchange = |account: &Arc<TenantAccount>| {
        plugin.exchange(PluginConfig { account: Arc::clone(account), ..config(&[]) })
    };
    let held = |accounts: &[Arc<TenantAccount>]| {
        accounts.iter().map(|account| account.used().instances).sum::<usize>()
    };
    // Each holds as many slots as a tenant may, all by warm instances.
    let greedy: Vec<_> = (0..4).map(|number| tenant(format!("greedy-{number}"))).collect();
    let exchanges: Vec<_> = greedy.iter().flat_map(|account| [(); 16].map(|()| exchange(account))).collect();
    for exchange in &exchanges {
        report(exchange).await.unwrap();
    }
    assert_eq!(held(&greedy), 64);
    let modest: Vec<_> = (0..70).map(|number| tenant(format!("modest-{number}"))).collect();
    let begun = Instant::now();
    let calls = modest.iter().map(|account| async {
        let exchange = exchange(account);
        report(&exchange).await.map(|_| exchange)
    });
    let answered = futures::future::join_all(calls).await;
    assert_eq!(
        answered
            .iter()
            .filter_map(|answer| answer.as_ref().err())
            .map(ToString::to_string)
            .collect::<Vec<_>>(),
        [""; 0]
    );
    assert!(begun.elapsed() < Duration::from_secs(30), "nobody has waited for a place as long as one may");
    // Evicted exchanges start a new instance.
    for exchange in &exchanges {
        report(exchange).await.unwrap();
    }
    drop((exchanges, answered));
    assert_eq!(held(&greedy) + held(&modest), 0);
}

#[tokio::test]
async fn a_place_between_two_calls_is_not_taken_by_who_holds_more() {
    if !is_alone("beside::a_place_between_two_calls_is_not_taken_by_who_holds_more") {
        return;
    }
    let plugin = loaded().await;
    let tenant = |name: &str| Arc::new(TenantAccount::new(name, &Limits::default()));
    let exchange = |account: &Arc<TenantAccount>, attack: &str| {
        plugin.exchange(PluginConfig { account: Arc::clone(account), ..config(&[("attack", attack)]) })
    };
    let modest = tenant("modest");
    let idle = exchange(&modest, "none");
    report(&idle).await.unwrap();
    // All other slots are taken by calls that sleep.
    let greedy = ["a", "b", "c", "d"].map(tenant);
    let mut sleepers = tokio::task::JoinSet::new();
    for account in greedy.iter().flat_map(|account| [account; 16]).take(63) {
        let exchange = exchange(account, "sleep");
        sleepers.spawn(async move { report(&exchange).await.map(drop) });
    }
    until("all places are taken", || {
        greedy.iter().map(|account| account.used().instances).sum::<usize>() == 63
    })
    .await;
    let one_more = exchange(&greedy[3], "none");
    let mut call = std::pin::pin!(report(&one_more));
    for _ in 0..100 {
        assert!(futures::poll!(&mut call).is_pending(), "there is no place for it");
        tokio::task::yield_now().await;
    }
    assert_eq!(modest.used().instances, 1, "it holds fewer");
    report(&idle).await.unwrap();
    sleepers.shutdown().await;
    call.await.unwrap();
}

/// X2: what waits for a clock or a slow server holds its slot for as long as a call may take.
#[tokio::test]
async fn x2_tenants_that_only_wait_leave_slots_and_the_longest_waits_end_where_there_are_none() {
    if !is_alone(
        "beside::x2_tenants_that_only_wait_leave_slots_and_the_longest_waits_end_where_there_are_none",
    ) {
        return;
    }
    let plugin = loaded().await;
    let tenant = |name: String| Arc::new(TenantAccount::new(&name, &Limits::default()));
    let exchange = |account: &Arc<TenantAccount>, attack: &str| {
        plugin.exchange(PluginConfig { account: Arc::clone(account), ..config(&[("attack", attack)]) })
    };
    let mut waits = tokio::task::JoinSet::new();
    let sleep = |account: &Arc<TenantAccount>| {
        let exchange = exchange(account, "sleep");
        async move { report(&exchange).await.map(drop) }
    };
    let held = |accounts: &[Arc<TenantAccount>]| {
        accounts.iter().map(|account| account.used().instances).sum::<usize>()
    };
    let greedy: Vec<_> = (0..16).map(|number| tenant(format!("greedy-{number}"))).collect();
    for account in greedy.iter().flat_map(|account| [account; 4]) {
        waits.spawn(sleep(account));
    }
    until("all slots that they may have are taken", || held(&greedy) == 64).await;
    // Sixteen more are kept for tenants that hold none, and each of those finds one at once.
    let late: Vec<_> = (0..16).map(|number| tenant(format!("late-{number}"))).collect();
    let begun = Instant::now();
    for account in &late {
        report(&exchange(account, "none")).await.unwrap();
    }
    assert!(begun.elapsed() < Duration::from_secs(10), "none waited: {:?}", begun.elapsed());
    for account in &late {
        waits.spawn(sleep(account));
    }
    until("those are taken too", || held(&late) == 16).await;
    assert!(waits.try_join_next().is_none(), "nobody was ended");
    // Where there is none, the longest wait of who holds most is ended.
    let healthy = tenant("healthy".to_owned());
    report(&exchange(&healthy, "none")).await.unwrap();
    let ended = waits.try_join_next().expect("one was ended").unwrap().unwrap_err();
    let reason = ended.reason.replace(|c: char| c.is_ascii_digit(), "N");
    insta::assert_snapshot!(reason, @"the call was ended after it had waited N s: all instance slots were in use, another tenant waited for one, and this one held the most (N)");
    assert_eq!((ended.code.as_str(), ended.remedies), (codes::UNAVAILABLE, vec![Remedy::RunFewer]));
    // And so it goes on, up to a fair share: while its own one is in use too.
    waits.spawn(sleep(&healthy));
    until("its place is taken", || healthy.used().instances == 1).await;
    let second = exchange(&healthy, "none");
    report(&second).await.unwrap();
    assert_eq!(healthy.used().instances, 2);
    waits.shutdown().await;
    until("all is given back", || held(&greedy) + held(&late) == 0).await;
}

#[tokio::test]
async fn hostile_memory_ends_at_the_account_of_its_tenant() {
    let account =
        Arc::new(TenantAccount::new("acme", &Limits { tenant_memory_bytes: 64 << 20, ..Limits::default() }));
    let exchange = loaded()
        .await
        .exchange(PluginConfig { account: Arc::clone(&account), ..config(&[("attack", "memory")]) });
    let error = report(&exchange).await.unwrap_err();
    assert_eq!((error.code.as_str(), account.used()), (codes::LIMIT, TenantUse::default()));
    let (before, after) = error.reason.split_once(" (asked for: ").unwrap();
    insta::assert_snapshot!(before, @"the plugin was stopped in report: limit tenant-memory-bytes of 64 MiB reached");
    insta::assert_snapshot!(after.split_once("); ").unwrap().1, @"it is shared by everything that the tenant runs at the same time");
    let raise = &error.remedies[1];
    assert!(matches!(raise, Remedy::RaiseLimit { value, .. } if value == "128MiB"), "{raise:?}");
}

#[tokio::test]
async fn a_tenant_with_one_place_takes_turns_with_itself() {
    let account = Arc::new(TenantAccount::new("acme", &Limits { tenant_instances: 1, ..Limits::default() }));
    let plugin = loaded().await;
    let exchanges =
        [(); 3].map(|()| plugin.exchange(PluginConfig { account: Arc::clone(&account), ..config(&[]) }));
    let [a, b, c] = &exchanges;
    // A warm instance keeps its slot only while no other exchange needs it.
    let (a, b, c) = tokio::join!(report(a), report(b), report(c));
    assert!(a.is_ok() && b.is_ok() && c.is_ok());
    assert_eq!(account.used().instances, 1);
    drop(exchanges);
    assert_eq!(account.used(), TenantUse::default());
}

#[tokio::test]
async fn hostile_pages_without_end_and_without_rows_are_ended() {
    let mut config = config(&[("attack", "empty-pages")]);
    config.limits.pages_without_progress = 10;
    let exchange = loaded().await.exchange(config);
    let mut next = request();
    let error = loop {
        match exchange.report(&next).await {
            Ok(page) => next = ReportRequest { cursor: page.next, iteration: next.iteration + 1, ..next },
            Err(error) => break error,
        }
    };
    assert_eq!((next.iteration, error.code.as_str()), (10, codes::LIMIT));
    insta::assert_snapshot!(error.reason, @"the plugin was stopped in report: limit pages-without-progress of 10 reached");
    assert!(matches!(&error.remedies[0], Remedy::RaiseLimit { value, .. } if value == "20"), "{error:?}");
}

#[tokio::test]
async fn hostile_calls_beyond_those_of_a_minute_are_told_to_wait() {
    let server = Server::start(|_| answer("200 OK", &[], b"hello")).await;
    let mut config = granted(&[("attack", "http")], &server);
    config.limits.http_per_minute = 10;
    config.limits.call_time = 2_000;
    let plugin = loaded().await;
    let first = report(&plugin.exchange(config.clone())).await.unwrap_err();
    assert_eq!(first.reason, "200 with 5 bytes: hello");
    // Another run of the same integration draws from the same call budget.
    let error = report(&plugin.exchange(config)).await.unwrap_err();
    assert_eq!(error.code, codes::RATE_LIMITED);
    assert!(
        error.after.is_some_and(|after| after > Duration::from_secs(1) && after < Duration::from_secs(7)),
        "{error:?}"
    );
    insta::assert_snapshot!(error.reason, @"ErrorCode::ConnectionLimitReached; limit http-per-minute of 10 reached");
    assert!(matches!(&error.remedies[0], Remedy::RaiseLimit { value, .. } if value == "20"), "{error:?}");
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn hostile_calls_are_written_down_without_what_is_nobodys_business() {
    let folder = tempfile::tempdir().unwrap();
    let file = Arc::new(PluginFiles::new(folder.path(), Arc::new(SystemClock)));
    let account = Arc::new(TenantAccount::new("acme", &Limits::default()));
    let server = Server::start(|_| answer("200 OK", &[], super::SECRET.as_bytes())).await;
    let plugin = loaded().await;
    let attack = async |config: PluginConfig| {
        let (account, audit) = (Arc::clone(&account), file.clone());
        report(&plugin.exchange(PluginConfig { account, audit, ..config })).await.unwrap_err();
    };
    attack(with_secret(&[("attack", "use-secret")], &server, &[&server.url])).await;
    attack(with_secret(&[("attack", "use-secret"), ("how", "query")], &server, &[&server.url])).await;
    attack(with_secret(&[("attack", "use-secret")], &server, &["https://api.example.com"])).await;
    let with_names = format!("{}/people/ann@example.com/17?email=ann@example.com", server.url);
    attack(config(&[("attack", "http"), ("url", &with_names)])).await;
    let mut few = granted(&[("attack", "http-flood")], &server);
    few.limits.http_requests = 1;
    attack(few).await;
    assert_eq!(server.requests().len(), 3);

    let digest = plugin.inspection().digest.clone();
    let read = |name: &str| std::fs::read_to_string(folder.path().join("books/shop").join(name)).unwrap();
    let (sent, denied) = (read("sent.jsonl"), read("denied.jsonl"));
    let written = format!("{sent}{denied}");
    for secret in [super::SECRET, "Zm9v-tell", "entente-secret", "ann@", "authorization", "email"] {
        assert!(!written.contains(secret), "{secret} in {written}");
    }
    let shown = written.lines().map(|line| {
        let mut line: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(line["at"].is_string() && line["ms"].is_number(), "{line}");
        assert_eq!(line["plugin"], digest.as_str());
        let line = line.as_object_mut().unwrap();
        for changing in ["at", "ms", "plugin"] {
            line.remove(changing);
        }
        serde_json::to_string(line).unwrap().replace(&server.url, "http://SERVER")
    });
    insta::assert_snapshot!(shown.collect::<Vec<_>>().join("\n"), @r#"
    {"bytes_in":30,"bytes_out":0,"integration":"shop","method":"GET","path":"/path","status":200,"to":"http://SERVER"}
    {"bytes_in":30,"bytes_out":0,"integration":"shop","method":"GET","path":"/path","status":200,"to":"http://SERVER"}
    {"bytes_in":30,"bytes_out":0,"integration":"shop","method":"GET","path":"/path","status":200,"to":"http://SERVER"}
    {"bytes_in":0,"bytes_out":0,"denied":"secret","error":"http-request-denied","integration":"shop","method":"GET","path":"/path","to":"http://SERVER"}
    {"bytes_in":0,"bytes_out":0,"denied":"grant","error":"http-request-denied","integration":"shop","method":"GET","path":"/people/*/*","to":"http://SERVER"}
    {"bytes_in":0,"bytes_out":0,"denied":"http-requests","error":"connection-limit-reached","integration":"shop","method":"GET","path":"/path","to":"http://SERVER"}
    "#);
}

#[tokio::test]
async fn x8_hostile_calls_push_nothing_out_of_the_books() {
    let folder = tempfile::tempdir().unwrap();
    let limits = Limits { book_bytes: 16 << 10, ..Limits::default() };
    let file = Arc::new(PluginFiles::new(folder.path(), Arc::new(SystemClock)).within(&limits));
    let server = Server::start(|_| answer("200 OK", &[], b"hello")).await;
    let plugin = loaded().await;
    // Two integrations of one tenant: what one is denied is not in the book of the other.
    for (integration, attack) in [("quiet", "http"), ("shop", "denied-flood"), ("shop", "denied-flood")] {
        let settings = [("attack", attack), ("elsewhere", "https://evil.example.com")];
        let mut config = PluginConfig { audit: file.clone(), ..granted(&settings, &server) };
        config.integration = integration.to_owned();
        let error = report(&plugin.exchange(config)).await.unwrap_err();
        if integration == "shop" {
            assert_eq!(error.reason.split(';').next().unwrap(), "200, and 1990 denied");
        }
    }
    drop((plugin, file));
    let lines = |name: &str| {
        let text = std::fs::read_to_string(folder.path().join("books").join(name)).unwrap_or_default();
        let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
        lines.collect::<Vec<serde_json::Value>>()
    };
    assert_eq!((lines("quiet/sent.jsonl").len(), lines("shop/sent.jsonl").len()), (1, 2));
    let denied: Vec<_> = ["denied.days.jsonl", "denied.1.jsonl", "denied.jsonl"]
        .iter()
        .flat_map(|name| lines(&format!("shop/{name}")))
        .collect();
    let count: u64 = denied.iter().map(|line| line["count"].as_u64().unwrap_or(1)).sum();
    assert_eq!(count, 2 * 1990, "each is counted");
    assert!(denied.len() < 400, "and few are written: {}", denied.len());
    assert!(lines("quiet/denied.jsonl").is_empty());
}

/// Where there are fewer than three processors the program has one permit for all tenants anyway: what `workers` does there is shown
/// by `a_tenant_computes_with_as_many_permits_as_it_has_workers`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_with_one_worker_computes_in_one_plugin_at_a_time() {
    let limits = Limits { workers: 1, cpu_time: 300, ..Limits::default() };
    let account = Arc::new(TenantAccount::new("acme", &limits));
    let plugin = loaded().await;
    let mut loops = tokio::task::JoinSet::new();
    for _ in 0..2 {
        let mut config = PluginConfig { account: Arc::clone(&account), ..config(&[("attack", "loop")]) };
        config.limits = limits.clone();
        let exchange = plugin.exchange(config);
        loops.spawn(async move { report(&exchange).await.map(drop) });
    }
    let (mut ended, mut most) = (0, 0);
    while ended < 2 {
        most = most.max(account.used().computing);
        if let Some(end) = loops.try_join_next() {
            assert_eq!(end.unwrap().unwrap_err().code, codes::LIMIT);
            ended += 1;
        }
        tokio::task::yield_now().await;
    }
    assert_eq!((most, account.used()), (1, TenantUse::default()));
}

/// The hub has the plugin's object.
const CONFIGURATION: &str = r#"
[object.thing.field.name]
kind = "text"
identifier = true

[integration.evil]
plugin = "hostile"
settings = { attack = "denied-flood", url = "http://127.0.0.1:1", elsewhere = "https://evil.example.com" }

[sync.evil]

[[sync.evil.object]]
left = "thing"
right = "thing"
identifiers = ["name"]

[sync.evil.object.fields]
name = true
"#;

/// Who embeds the library holds a tenant open over many runs: what was counted in memory is in the books at the end of each.
#[tokio::test]
async fn x8_what_was_denied_in_a_run_is_written_at_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let tenant = Tenant::open(folder.path(), None, compiler()).unwrap();
    tenant.install_plugin("hostile", &hostile_component()).await.unwrap();
    let file = File::parse(CONFIGURATION).unwrap();
    tenant.apply(&file, FileInputs::NONE, ApplyOptions::default()).await.unwrap();
    for run in 1..=3 {
        let ended = tenant.sync("evil", RunOptions::default(), &Silent, &CancellationToken::new()).await;
        let error = ended.unwrap().1.error.expect("the plugin says what came of it");
        assert!(error.to_string().contains("and 1990 denied"), "{error}");
        let books = tenant.configuration().home().tenant_folder("default").join("books/evil");
        let text = std::fs::read_to_string(books.join("denied.jsonl")).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        let count: u64 = lines.map(|line| line["count"].as_u64().unwrap_or(1)).sum();
        assert_eq!(count, 1991 * run, "all of them, and the tenant is still open");
    }
}
