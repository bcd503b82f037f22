//! Benchmark: verdicts of the judge.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use std::time::Duration;

fn judge(criterion: &mut Criterion) {
    let all = speed::contents_of_judging();
    let mut group = criterion.benchmark_group("judge");
    group.throughput(Throughput::Elements(all.len() as u64)).measurement_time(Duration::from_secs(2));
    group.bench_function("verdicts", |bencher| bencher.iter(|| speed::verdicts(&all)));
    group.finish();
}

criterion_group!(benches, judge);
criterion_main!(benches);
