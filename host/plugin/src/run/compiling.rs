//! Compiling a plugin that is in no cache: in turns with other tenants, and not again what failed lately.

use super::runtime::{LoadError, Plugin, Runtime, blocking};
use crate::compile::compiler::{self, CompileError, Compiler};
use crate::compile::disk_cache::load_fresh;
use crate::component::inspect::Inspection;
use crate::fair::account::TenantAccount;
use crate::fair::compiling::Turn;
use crate::limits::Limits;
use std::sync::Arc;
use std::time::Instant;
use wasmtime::component::Component;

/// Compiles and links a plugin, in the turn of its tenant.
pub(super) async fn compile(
    runtime: &Arc<Runtime>,
    account: &TenantAccount,
    inspection: Inspection,
    bytes: Vec<u8>,
    limits: &Limits,
) -> Result<Plugin, LoadError> {
    let known = || runtime.failures.get(&inspection.digest, limits, Instant::now()).map_or(Ok(()), Err);
    known()?;
    let _place = account.compiling.enter(account.limits()).map_err(CompileError::Limit)?;
    let mut turn = account.compiling.turn().await;
    // Meanwhile the same plugin may have been compiled, or have failed.
    known()?;
    let (same, digest) = (Arc::clone(runtime), inspection.digest.clone());
    let component = match blocking(move || Ok(same.find(&digest))).await? {
        Some(component) => component,
        None => {
            let made = made(runtime, &mut turn, &inspection.digest, bytes, limits).await;
            made.inspect_err(|error| {
                if let LoadError::Compile(error) = error {
                    runtime.failures.note(&inspection.digest, limits, error, Instant::now());
                }
            })?
        }
    };
    drop(turn);
    let runtime = Arc::clone(runtime);
    blocking(move || runtime.link(&component, inspection)).await
}

/// Tests whether compilation works, with the smallest component.
pub(super) async fn try_compiler(runtime: &Arc<Runtime>, account: &TenantAccount) -> Result<(), LoadError> {
    let mut turn = account.compiling.turn().await;
    let artifact = artifact(runtime, &mut turn, compiler::SMALLEST.to_vec(), &runtime.limits).await?;
    let runtime = Arc::clone(runtime);
    blocking(move || match load_fresh(&runtime.engine, &artifact) {
        Ok(_) => Ok(()),
        Err(error) => Err(runtime.not_loaded(&error, &runtime.limits).into()),
    })
    .await
}

/// Compiled code, kept in both caches.
async fn made(
    runtime: &Arc<Runtime>,
    turn: &mut Turn<'_>,
    digest: &str,
    bytes: Vec<u8>,
    limits: &Limits,
) -> Result<Component, LoadError> {
    let artifact = artifact(runtime, turn, bytes, limits).await?;
    let (runtime, digest, limits) = (Arc::clone(runtime), digest.to_owned(), limits.clone());
    blocking(move || {
        let component = runtime
            .disk_cache
            .insert(&runtime.engine, &digest, &artifact)
            .map_err(|error| runtime.not_loaded(&error, &limits))?;
        let kept = runtime.memory_cache.get_or_find(&digest, || Some(component.clone()));
        Ok(kept.unwrap_or(component))
    })
    .await
}

/// Compiles. A process that others wait for longer than its time slice is ended, and another one has all the time
/// that the limits allow when its turn comes.
async fn artifact(
    runtime: &Arc<Runtime>,
    turn: &mut Turn<'_>,
    bytes: Vec<u8>,
    limits: &Limits,
) -> Result<Vec<u8>, LoadError> {
    match &runtime.compiler {
        Compiler::Child(program) => {
            let start = || compiler::in_child(program, &runtime.engine, runtime.allocation, limits, &bytes);
            tokio::select! {
                biased;
                compiled = start() => return Ok(compiled?),
                () = turn.is_over() => {}
            }
            turn.wait_for_long().await;
            Ok(start().await?)
        }
        Compiler::InThisProcess => {
            let engine = runtime.engine.clone();
            blocking(move || Ok(compiler::in_process(&engine, &bytes)?)).await
        }
    }
}
