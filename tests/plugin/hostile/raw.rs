//! Handwritten components: attacks below what a compiler would emit, at the boundaries of calls and before
//! the first one.

use super::{compiler, config, report, short, small};
use crate::support::handmade::{ANSWER, Handmade, LOOP, words};
use entente_core::Timestamp;
use entente_plugin::{CacheMacKey, Limits, LoadError, LoadedPlugin, PluginRuntime};
use entente_sync::{Exchange, ExchangeError, Order, codes};
use std::fmt::Write as _;
use wasm_encoder::{
    Component, InstanceSection, MemorySection, MemoryType, Module, ModuleArg, ModuleSection, RefType,
    TableSection, TableType,
};

/// Loads it with these limits.
async fn load(bytes: Vec<u8>, limits: Limits) -> Result<LoadedPlugin, LoadError> {
    let folder = tempfile::tempdir().unwrap();
    PluginRuntime::new(&folder.path().join("compiled"), CacheMacKey::new([7; 32]), limits, compiler())
        .unwrap()
        .load(bytes)
        .await
}

/// The error of installing it.
async fn refused(bytes: Vec<u8>, limits: Limits) -> String {
    match load(bytes, limits).await {
        Ok(_) => panic!("it was loaded"),
        Err(error) => short(&error),
    }
}

async fn loaded(guest: &Handmade<'_>) -> LoadedPlugin {
    load(guest.component(), Limits::default()).await.unwrap()
}

/// The error of a report. The next call behaves well, and succeeds.
async fn fails(guest: Handmade<'_>, limits: Limits) -> ExchangeError {
    let exchange = loaded(&guest).await.exchange(small(&[], limits));
    let error = report(&exchange).await.expect_err("the attack ends in an error");
    assert!(exchange.describe().await.expect("the next call works").objects.is_empty());
    error
}

/// The error of a report, where the attack is in what every call begins with: the next call ends in the same way.
async fn fails_in_every_call(guest: Handmade<'_>, limits: Limits) -> ExchangeError {
    let exchange = loaded(&guest).await.exchange(small(&[], limits));
    let error = report(&exchange).await.expect_err("the attack ends in an error");
    let next = exchange.describe().await.expect_err("so does the next call");
    assert_eq!(next.code, error.code, "{next:?}");
    error
}

fn quick() -> Limits {
    Limits { cpu_time: 50, ..Limits::default() }
}

#[tokio::test]
async fn one_written_by_hand_is_a_plugin_like_others() {
    let exchange = loaded(&Handmade::default()).await.exchange(config(&[]));
    assert!(report(&exchange).await.unwrap().batches.is_empty());
    assert!(exchange.manual().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_loop_in_any_export_is_ended() {
    let guest = Handmade {
        describe: LOOP,
        manual: LOOP,
        report: LOOP,
        execute: LOOP,
        collect: LOOP,
        ..Handmade::default()
    };
    let exchange = loaded(&guest).await.exchange(small(&[], quick()));
    let order = Order {
        object: "thing".to_owned(),
        fields: vec![],
        changes: vec![],
        first_time: false,
        options: vec![],
        sync: "shop".to_owned(),
        run: 1,
        at: Timestamp::from_micros(0),
    };
    let errors = [
        exchange.describe().await.unwrap_err(),
        exchange.manual().await.unwrap_err(),
        report(&exchange).await.unwrap_err(),
        exchange.execute(&order).await.unwrap_err(),
        exchange.collect("ticket", &order).await.unwrap_err(),
    ];
    let mut all = String::new();
    for error in errors {
        assert_eq!(error.code, codes::LIMIT, "{error}");
        writeln!(all, "{}", short(&error.reason)).unwrap();
    }
    insta::assert_snapshot!(all, @r"
    the plugin was stopped in describe: limit cpu-time of 50 ms reached
    the plugin was stopped in manual: limit cpu-time of 50 ms reached
    the plugin was stopped in report: limit cpu-time of 50 ms reached
    the plugin was stopped in execute: limit cpu-time of 50 ms reached
    the plugin was stopped in collect: limit cpu-time of 50 ms reached
    ");
}

#[tokio::test]
async fn what_the_host_calls_on_the_way_is_watched_too() {
    let mut all = String::new();
    // `realloc` provides the memory for a call's arguments, and is the plugin's own function.
    for realloc in [LOOP, "unreachable", "i32.const -16", "i32.const 3"] {
        let guest = Handmade { realloc, ..Handmade::default() };
        let error = fails_in_every_call(guest, quick()).await;
        writeln!(all, "{}: {}", error.code, short(&error.reason)).unwrap();
    }
    insta::assert_snapshot!(all, @r"
    limit: the plugin was stopped in report: limit cpu-time of 50 ms reached
    trap: the plugin crashed in report: it panicked or aborted; its log lines may say more
    trap: the plugin crashed in report: realloc return: beyond end of memory; its log lines may say more
    trap: the plugin crashed in report: realloc return: result not aligned; its log lines may say more
    ");
}

#[tokio::test]
async fn what_goes_wrong_before_the_first_call_is_told_when_it_is_installed() {
    let mut all = String::new();
    for start in [LOOP, "unreachable", "call $start"] {
        let more = format!("(func $start {start}) (start $start)");
        let guest = Handmade { more: &more, ..Handmade::default() };
        writeln!(all, "{}", refused(guest.component(), quick()).await).unwrap();
    }
    insta::assert_snapshot!(all, @r"
    the plugin cannot be started: limit cpu-time of 50 ms reached
    the plugin cannot be started: wasm trap: wasm `unreachable` instruction executed
    the plugin cannot be started: wasm trap: call stack exhausted
    ");
}

#[tokio::test]
async fn an_answer_that_is_no_answer_crashes_the_call_only() {
    // Success, then batches, conversions, next, after, finished, extra.
    let page = |finished: [u32; 2]| words(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, finished[0], finished[1], 0, 0]);
    // An error with a valid code, whose reason begins at this address and has this length.
    let error = |reason: [u32; 2]| words(&[1, 2048, 2, reason[0], reason[1], 0, 0, 0, 0]);
    let mut all = String::new();
    let answers = [
        ("no such case", words(&[7])),
        ("text that is no UTF-8", error([2056, 4])),
        ("a text outside of the memory", error([0x7fff_0000, 100])),
        ("a text whose end overflows", error([0xffff_fff0, 0x7fff_ffff])),
        ("more elements than addresses", page([0, 0xffff_ffff])),
        ("a list that begins between two words", page([2049, 1])),
        ("one text of 64 KiB ten thousand times", page([8192, 10_000])),
    ];
    for (what, answer) in answers {
        // 320 KB in the plugin, which would be 655 MB in the host.
        let many: String = words(&[330_000, 65_536, 0, 0, 0, 0, 0, 0]).repeat(10_000);
        let more = format!(
            r#"(data (i32.const {ANSWER}) "{answer}") (data (i32.const 2048) "no") (data (i32.const 2056) "\ff\fe\ed\fa") (data (i32.const 8192) "{many}")"#
        );
        // The other functions return a result that is all zero.
        let guest = Handmade {
            more: &more,
            report: "i32.const 1024",
            describe: "i32.const 4096",
            ..Handmade::default()
        };
        let error = fails(guest, Limits::default()).await;
        writeln!(all, "{what}: {}: {}", error.code, short(&error.reason)).unwrap();
    }
    insta::assert_snapshot!(all, @r"
    no such case: trap: the plugin crashed in report: invalid expected discriminant; its log lines may say more
    text that is no UTF-8: trap: the plugin crashed in report: invalid utf-8 sequence of 1 bytes from index 0; its log lines may say more
    a text outside of the memory: trap: the plugin crashed in report: string pointer/length out of bounds of memory; its log lines may say more
    a text whose end overflows: trap: the plugin crashed in report: string pointer/length out of bounds of memory; its log lines may say more
    more elements than addresses: trap: the plugin crashed in report: list pointer/length out of bounds of memory; its log lines may say more
    a list that begins between two words: trap: the plugin crashed in report: list pointer is not aligned; its log lines may say more
    one text of 64 KiB ten thousand times: limit: the plugin was stopped in report: limit hostcall-bytes of 8 MiB reached
    ");
}

#[tokio::test]
async fn a_pointer_from_the_start_of_a_call_is_good_for_that_call_only() {
    // A plugin must not call out while the host allocates in it: the log is an import, and `realloc` calls
    // it.
    let error = fails_in_every_call(
        Handmade { realloc: "call $log i32.const 0", log: true, ..Handmade::default() },
        Limits::default(),
    )
    .await;
    insta::assert_snapshot!(error.reason, @"the plugin crashed in report: wasm trap: cannot leave component instance, in «log»; its log lines may say more");
}

#[tokio::test]
async fn recursion_without_memory_ends_at_the_stack_of_the_machine() {
    let guest = Handmade {
        more: "(func $deep (param i64) local.get 0 call $deep)",
        report: "i64.const 1 call $deep i32.const 1024",
        ..Handmade::default()
    };
    let error = fails(guest, Limits::default()).await;
    assert_eq!(error.code, codes::TRAP);
    insta::assert_snapshot!(error.reason, @"the plugin crashed in report: stack overflow (endless recursion?), in «deep»; its log lines may say more");
}

#[tokio::test]
async fn a_table_has_an_end() {
    let grows = "(loop $again (table.grow $t (ref.null func) (i32.const 1000)) (i32.const 0) i32.ge_s br_if $again) i32.const 1024";
    let guest = Handmade { more: "(table $t 1 funcref)", report: grows, ..Handmade::default() };
    insta::assert_snapshot!(short(&fails(guest, Limits::default()).await.reason), @"the plugin was stopped in report: limit table-elements of 50000 reached (asked for: 50001)");
}

/// A component with this module beside the plugin, instantiated this many times.
fn with_instances(module: &Module, count: u32) -> Vec<u8> {
    let mut bytes = Handmade::default().component();
    // The handwritten plugin is the only other module of the component.
    let (modules, mut instances) = (ModuleSection(module), InstanceSection::new());
    for _ in 0..count {
        instances.instantiate(1, std::iter::empty::<(&str, ModuleArg)>());
    }
    let mut more = Component::new();
    more.section(&modules).section(&instances);
    bytes.extend_from_slice(&more.finish()[8..]);
    bytes
}

fn with_memory(pages: u64) -> Module {
    let mut memories = MemorySection::new();
    memories.memory(MemoryType {
        minimum: pages,
        maximum: None,
        memory64: false,
        shared: false,
        page_size_log2: None,
    });
    let mut module = Module::new();
    module.section(&memories);
    module
}

fn with_tables(count: u32, elements: u64) -> Module {
    let mut tables = TableSection::new();
    for _ in 0..count {
        tables.table(TableType {
            element_type: RefType::FUNCREF,
            table64: false,
            minimum: elements,
            maximum: None,
            shared: false,
        });
    }
    let mut module = Module::new();
    module.section(&tables);
    module
}

#[tokio::test]
async fn what_it_has_from_the_beginning_is_counted_before_it_starts() {
    let mut all = String::new();
    let bombs = [
        ("40 instances", with_instances(&Module::new(), 40)),
        ("1,000 instances", with_instances(&Module::new(), 1000)),
        ("20 memories", with_instances(&with_memory(0), 20)),
        ("40 memories", with_instances(&with_memory(0), 40)),
        ("a memory of 256 MiB", with_instances(&with_memory(4096), 1)),
        ("a memory of 4 GiB", with_instances(&with_memory(65_536), 1)),
        ("5 memories of 50 MiB", with_instances(&with_memory(800), 5)),
        ("20 tables", with_instances(&with_tables(1, 0), 20)),
        ("80 tables", with_instances(&with_tables(4, 0), 20)),
        ("20 tables of one module", with_instances(&with_tables(20, 0), 1)),
        ("80 tables of one module", with_instances(&with_tables(80, 0), 1)),
        ("a table of 80,000 elements", with_instances(&with_tables(1, 80_000), 1)),
        ("a table of 10,000,000 elements", with_instances(&with_tables(1, 10_000_000), 1)),
    ];
    for (what, bytes) in bombs {
        writeln!(all, "{what}: {}", refused(bytes, Limits::default()).await).unwrap();
    }
    insta::assert_snapshot!(all, @r"
    40 instances: the plugin cannot be started: limit instances of 32 reached
    1,000 instances: the plugin cannot be compiled: failed to parse WebAssembly module: instances count exceeds limit of 1000 (at offset 0x3363); build it again, with a tool chain for WebAssembly components (WASI 0.2)
    20 memories: the plugin cannot be started: limit memories of 8 reached
    40 memories: the plugin was not compiled: limit memories of 8 reached
    a memory of 256 MiB: the plugin cannot be started: limit memory-bytes of 128 MiB reached (asked for: 258.5 MiB)
    a memory of 4 GiB: the plugin was not compiled: limit memory-bytes of 128 MiB reached
    5 memories of 50 MiB: the plugin cannot be started: limit memory-bytes of 128 MiB reached (asked for: 152.5 MiB)
    20 tables: the plugin cannot be started: limit tables of 16 reached
    80 tables: the plugin was not compiled: limit tables of 16 reached
    20 tables of one module: the plugin cannot be started: limit tables of 16 reached
    80 tables of one module: the plugin was not compiled: limit tables of 16 reached
    a table of 80,000 elements: the plugin cannot be started: limit table-elements of 50000 reached (asked for: 80000)
    a table of 10,000,000 elements: the plugin was not compiled: limit table-elements of 50000 reached
    ");
}

#[tokio::test]
async fn components_within_components_have_an_end() {
    let mut bytes = Component::new().finish();
    for _ in 0..100 {
        let mut outer = Component::new();
        outer.section(&wasm_encoder::RawSection {
            id: wasm_encoder::ComponentSectionId::Component.into(),
            data: &bytes,
        });
        bytes = outer.finish();
    }
    insta::assert_snapshot!(refused(bytes, Limits::default()).await, @"limit nesting of 16 reached (asked for: 17)");
}

#[tokio::test]
async fn an_export_of_another_shape_is_told_when_it_is_installed() {
    let guest = Handmade {
        wit: &|text| {
            text.replace("report: func(request: request) -> result<page, error>;", "report: func() -> u32;")
        },
        report_params: "",
        ..Handmade::default()
    };
    insta::assert_snapshot!(refused(guest.component(), Limits::default()).await, @"the plugin does not fit this host, although it is written for the same version of the interface: failed to convert function to given type: type mismatch with parameters: expected 1-tuple, found 0-tuple; build it again with the current interface files");
}
