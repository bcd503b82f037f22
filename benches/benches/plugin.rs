//! Benchmarks: calls of plugins, and starting them.

use anyhow::Result;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use entente_core::Value;
use entente_plugin::{CacheMacKey, Compiler, Limits, PluginConfig, PluginRuntime};
use entente_sync::Exchange;
use speed::{Guest, PageCall};
use std::time::Duration;

fn pages(criterion: &mut Criterion) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let call = PageCall::new(Guest::Component, &speed::made_up()?, folder.path())?;
    let mut group = criterion.benchmark_group("page of 1,000 rows");
    group.throughput(Throughput::Elements(1_000)).sample_size(30).measurement_time(Duration::from_secs(2));
    group.bench_function("out of the plugin", |bencher| bencher.iter(|| call.report()));
    group.bench_function("into the plugin", |bencher| bencher.iter(|| call.execute()));
    let mut copy = Vec::with_capacity(1 << 20);
    group.bench_function("native copy of the values", |bencher| bencher.iter(|| call.copy(&mut copy)));
    group.finish();
    Ok(())
}

fn start(criterion: &mut Criterion) -> Result<()> {
    let runtime = speed::runtime()?;
    let component = speed::hello_world()?;
    let cache = tempfile::tempdir()?;
    let config = || PluginConfig {
        integration: "speed".to_owned(),
        settings: [("url".to_owned(), Value::text("https://crm.example.com"))].into(),
        ..PluginConfig::default()
    };
    let load = || {
        runtime.block_on(
            PluginRuntime::new(
                cache.path(),
                CacheMacKey::new([7; 32]),
                Limits::default(),
                Compiler::InThisProcess,
            )?
            .load_file(&component),
        )
    };
    let plugin = load()?;
    let running = plugin.exchange(config());
    let mut group = criterion.benchmark_group("start");
    group.sample_size(30).measurement_time(Duration::from_secs(2));
    group.bench_function("instantiate and call", |bencher| {
        bencher.iter(|| runtime.block_on(plugin.exchange(config()).manual()))
    });
    group.bench_function("call of what runs", |bencher| bencher.iter(|| runtime.block_on(running.manual())));
    group.bench_function("first call from a cold cache on disk", |bencher| {
        bencher.iter(|| load().map(|plugin| runtime.block_on(plugin.exchange(config()).manual())));
    });
    group.finish();
    Ok(())
}

fn all(criterion: &mut Criterion) {
    for bench in [pages, start] {
        if let Err(error) = bench(criterion) {
            eprintln!("error: {error:#}");
        }
    }
}

criterion_group!(benches, all);
criterion_main!(benches);
