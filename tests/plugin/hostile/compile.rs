//! Components that are hard to compile, and compilers that fail: both affect that plugin only.

use super::{compiler, short};
use crate::support::hostile_component;
use entente_plugin::{
    CacheMacKey, CompileError, Compiler, Limits, LoadError, LoadedPlugin, PluginRuntime, TenantAccount,
};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use wasm_encoder::{
    CodeSection, Component, ComponentExportKind, ComponentExportSection, ComponentInstanceSection, Function,
    FunctionSection, Module, ModuleSection, TypeSection, ValType,
};

/// A module with this many functions of this many steps. Each step depends on the ones before, so that none
/// can be optimised away.
/// have made.
fn module(functions: u32, steps: u32) -> Module {
    const LOCALS: u32 = 32;
    let (mut types, mut declared, mut code) =
        (TypeSection::new(), FunctionSection::new(), CodeSection::new());
    types.ty().function([ValType::I64; LOCALS as usize], [ValType::I64]);
    for _ in 0..functions {
        declared.function(0);
        let mut body = Function::new([]);
        for step in 0..steps {
            let mut body = body.instructions();
            body.local_get(step % LOCALS).local_get((step * 7 + 3) % LOCALS);
            if step % 2 == 0 { body.i64_add() } else { body.i64_rotl() }.local_set((step * 5 + 1) % LOCALS);
        }
        body.instructions().local_get(0).end();
        code.function(&body);
    }
    let mut module = Module::new();
    module.section(&types).section(&declared).section(&code);
    module
}

/// A component around the module that looks like a plugin, with one more export.
fn plugin(module: &Module, more: Option<&str>) -> Vec<u8> {
    let mut instances = ComponentInstanceSection::new();
    instances.export_items(std::iter::empty::<(&str, ComponentExportKind, u32)>());
    let mut exports = ComponentExportSection::new();
    for name in ["mapping-manual", "sync-report", "order-execution"] {
        exports.export(
            format!("entente:integration/{name}@0.1.0-draft.2").as_str(),
            ComponentExportKind::Instance,
            0,
            None,
        );
    }
    if let Some(more) = more {
        exports.export(more, ComponentExportKind::Instance, 0, None);
    }
    let mut component = Component::new();
    component.section(&ModuleSection(module)).section(&instances).section(&exports);
    component.finish()
}

fn runtime(folder: &Path, limits: Limits, compiler: Compiler) -> PluginRuntime {
    PluginRuntime::new(&folder.join("compiled"), CacheMacKey::new([7; 32]), limits, compiler).unwrap()
}

/// The error for the plugin. Loading another plugin then succeeds.
async fn refused(limits: Limits, compiler: Compiler, plugin: Vec<u8>) -> CompileError {
    let folder = tempfile::tempdir().unwrap();
    let error = match runtime(folder.path(), limits, compiler).load(plugin).await {
        Err(LoadError::Compile(error)) => error,
        Err(error) => panic!("not when it is compiled: {error}"),
        Ok(_) => panic!("it was compiled"),
    };
    assert_eq!(files(folder.path()), Vec::<PathBuf>::new(), "nothing is kept");
    runtime(folder.path(), Limits::default(), super::compiler())
        .load(hostile_component())
        .await
        .expect("the next plugin is compiled");
    error
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder.join("compiled")).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

#[tokio::test]
async fn one_that_takes_too_long_is_given_up() {
    let begun = Instant::now();
    let error = refused(
        Limits { compile_time: 1000, ..Limits::default() },
        compiler(),
        plugin(&module(400, 10_000), None),
    )
    .await;
    insta::assert_snapshot!(short(&error), @"the plugin was not compiled: limit compile-time of 1 s reached");
    assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn one_that_takes_too_much_memory_is_given_up() {
    let limits = Limits { compile_memory: 96 << 20, ..Limits::default() };
    let error = refused(limits, compiler(), plugin(&module(1, 500_000), None)).await;
    insta::assert_snapshot!(short(&error), @"the plugin was not compiled: limit compile-memory of 96 MiB reached");
}

#[tokio::test]
async fn one_whose_code_is_too_large_is_given_up() {
    let limits = Limits { compiled_bytes: 100_000, ..Limits::default() };
    let error = refused(limits, compiler(), hostile_component()).await;
    insta::assert_snapshot!(short(&error), @"the plugin was not compiled: limit compiled-bytes of 97.7 KiB reached");
}

#[tokio::test]
async fn one_that_only_looks_like_a_plugin_is_told_with_what_is_wrong() {
    // A function body without its end.
    let (mut types, mut declared, mut code) =
        (TypeSection::new(), FunctionSection::new(), CodeSection::new());
    types.ty().function([], [ValType::I64]);
    declared.function(0);
    let mut body = Function::new([]);
    body.instructions().i32_const(1).end();
    code.function(&body);
    let mut module = Module::new();
    module.section(&types).section(&declared).section(&code);
    let error = refused(Limits::default(), compiler(), plugin(&module, None)).await;
    insta::assert_snapshot!(error, @"the plugin cannot be compiled: failed to compile: wasm[0]::function[0]: WebAssembly translation error: Invalid input WebAssembly code at offset 36: type mismatch: expected i64, found i32; build it again, with a tool chain for WebAssembly components (WASI 0.2)");

    let error =
        refused(Limits::default(), compiler(), plugin(&Module::new(), Some("\u{1b}[31mred\nline\u{202e}")))
            .await;
    insta::assert_snapshot!(error, @r#"the plugin cannot be compiled: failed to parse WebAssembly module: export name `\u{1b}[31mred\nline\u{202e}` is not a valid extern name\n`\u{1b}[31mred\nline\u{202e}` is not in kebab case (at offset 0xb8); build it again, with a tool chain for WebAssembly components (WASI 0.2)"#);
}

#[tokio::test]
async fn a_compiler_that_fails_is_told_from_a_plugin_that_is_wrong() {
    let script =
        |name: &str| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/plugin/compilers").join(name);
    let told = async |program: PathBuf, limits: Limits| {
        let shown = program.display().to_string();
        short(&refused(limits, Compiler::Child(program), hostile_component()).await)
            .replace(&shown, "PROGRAM")
    };
    let limits = Limits::default;
    insta::assert_snapshot!(told(script("crashes"), limits()).await, @"the plugin was not compiled: the compiler was ended by signal 11 and said: reading far outside; other plugins are not affected. Report it, with the plugin");
    insta::assert_snapshot!(told(script("is-killed"), limits()).await, @"the plugin was not compiled: the compiler was killed, perhaps because the machine is short of memory; other plugins are not affected. Report it, with the plugin");
    insta::assert_snapshot!(told(script("lies"), limits()).await, @"plugins cannot be compiled: PROGRAM is no compiler for this version of the host (its output is not a compiled component); if the program was updated, start it anew");
    insta::assert_snapshot!(told(script("hangs"), Limits { compile_time: 100, ..limits() }).await, @"the plugin was not compiled: limit compile-time of 100 ms reached");
    insta::assert_snapshot!(told(script("floods"), Limits { compiled_bytes: 1 << 20, ..limits() }).await, @"the plugin was not compiled: limit compiled-bytes of 1 MiB reached");
    insta::assert_snapshot!(told("/nowhere/compiler".into(), limits()).await, @"plugins cannot be compiled: PROGRAM cannot be started: No such file or directory (os error 2); if the program was moved or updated, start it anew");
    // The program that runs these tests is not a compiler.
    let other = told(script("is-something-else"), limits()).await;
    insta::assert_snapshot!(other, @"the plugin was not compiled: the compiler ended with exit code 2 and said: is-something-else: unknown command compile-plugin; other plugins are not affected. Report it, with the plugin");
}

#[tokio::test]
async fn a_compiler_sees_nothing_of_this_process() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/plugin/compilers/tells");
    let error = refused(Limits::default(), Compiler::Child(script), hostile_component()).await;
    let CompileError::Invalid(told) = &error else { panic!("{error}") };
    let mut names: Vec<&str> =
        told.split("\\n").filter_map(|line| line.split_once('=')).map(|(name, _)| name).collect();
    names.sort_unstable();
    // Variables that shells set by themselves.
    names.retain(|name| !["PWD", "OLDPWD", "SHLVL", "_"].contains(name));
    assert_eq!(names, ["MALLOC_ARENA_MAX", "MIMALLOC_ARENA_RESERVE", "RAYON_NUM_THREADS"], "{told}");
    assert!(format!("{told}\\n").contains("PWD=/\\n"), "{told}");
}

/// X3: tenants whose plugins are made to be hard to compile, and one whose plugin is not.
#[tokio::test]
async fn x3_bombs_of_some_tenants_do_not_hold_up_the_plugin_of_another_one() {
    let hangs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/plugin/compilers/hangs");
    let folders = [(); 3].map(|()| tempfile::tempdir().unwrap());
    let runtimes = folders.each_ref().map(|folder| {
        let account = Arc::new(TenantAccount::new("bombs", &Limits::default()));
        runtime(folder.path(), Limits::default(), Compiler::Child(hangs.clone())).on_account(account)
    });
    let mut bombs = tokio::task::JoinSet::new();
    for runtime in &runtimes {
        for number in 1..=6 {
            let runtime = runtime.clone();
            bombs.spawn(async move { runtime.load(plugin(&module(number, 1), None)).await.map(drop) });
        }
        tokio::task::yield_now().await;
        // Those of one tenant have one lane; those of two have both, and lose one to who waits.
        let folder = tempfile::tempdir().unwrap();
        let healthy = self::runtime(folder.path(), Limits::default(), compiler());
        let loaded = healthy.load(hostile_component());
        let loaded = tokio::time::timeout(Duration::from_secs(90), loaded).await;
        loaded.expect("it does not wait for them").unwrap();
        assert!(bombs.try_join_next().is_none(), "they are not done");
    }
    bombs.shutdown().await;
}

#[tokio::test]
async fn x3_what_failed_is_not_tried_again_for_a_while() {
    let crashes = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/plugin/compilers/crashes");
    let folder = tempfile::tempdir().unwrap();
    let runtime = runtime(folder.path(), Limits::default(), Compiler::Child(crashes));
    let failure = async |limits: &Limits| match runtime.load_within(hostile_component(), limits).await {
        Err(LoadError::Compile(error)) => error,
        other => panic!("{:?}", other.err()),
    };
    let (same, more) = (Limits::default(), Limits { compile_time: 61_000, ..Limits::default() });
    assert!(matches!(failure(&same).await, CompileError::Crashed { .. }));
    let known = failure(&same).await;
    assert!(matches!(known, CompileError::Known { .. }), "{known}");
    insta::assert_snapshot!(known, @"the plugin was not compiled: the compiler was ended by signal 11 and said: reading far outside; other plugins are not affected. Report it, with the plugin (as before; it is tried again in 10 min, or with other limits)");
    assert!(matches!(failure(&more).await, CompileError::Crashed { .. }), "other limits");
    assert!(matches!(failure(&more).await, CompileError::Known { .. }));
}

/// X12: whoever takes the compiler over has nothing to go on with.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn x12_a_compiler_opens_no_file_makes_no_socket_and_starts_no_process() {
    let folder = tempfile::tempdir().unwrap();
    let runtime = |compiler| runtime(folder.path(), Limits::default(), compiler);
    let sandbox = runtime(compiler()).compiler_sandbox().await.unwrap().unwrap();
    insta::assert_snapshot!(sandbox, @"without files, network, processes (Landlock and seccomp)");
    assert!(runtime(Compiler::InThisProcess).compiler_sandbox().await.unwrap().is_none());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/plugin/compilers/lies");
    let error = runtime(Compiler::Child(script)).compiler_sandbox().await.unwrap_err();
    assert!(matches!(error, LoadError::Compile(CompileError::Foreign { .. })), "{error}");
}

/// The compiler process with this memory limit, which no other test uses.
#[cfg(target_os = "linux")]
fn compiling(memory: u64) -> Option<PathBuf> {
    let processes = std::fs::read_dir("/proc").unwrap().filter_map(|entry| Some(entry.ok()?.path()));
    let is_it = |process: &PathBuf| {
        let arguments = std::fs::read(process.join("cmdline")).unwrap_or_default();
        arguments.split(|byte| *byte == 0).any(|argument| argument == memory.to_string().as_bytes())
    };
    processes.filter(|process| process.join("cmdline").is_file()).find(is_it)
}

#[cfg(target_os = "linux")]
async fn until<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "nothing was seen");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_process_is_confined_and_ends_with_who_asked() {
    const MEMORY: u64 = (700 << 20) + 12_345;
    let folder = tempfile::tempdir().unwrap();
    let limits = Limits { compile_memory: MEMORY, ..Limits::default() };
    let runtime = runtime(folder.path(), limits, compiler());
    let loading = runtime.load(plugin(&module(400, 10_000), None));
    let confined = until(|| {
        let process = compiling(MEMORY)?;
        let limits = std::fs::read_to_string(process.join("limits")).ok()?;
        // The last resource limit that it sets.
        let (_, addresses) = limits.split_once("Max address space")?;
        addresses.trim_start().starts_with(|c: char| c.is_ascii_digit()).then_some(())?;
        let status = std::fs::read_to_string(process.join("status")).ok()?;
        // The filters of system calls come last.
        status.contains("Seccomp_filters:\t2").then_some((limits, status))
    });
    let (limits, status) = tokio::select! {
        confined = confined => confined,
        loaded = loading => panic!("it was compiled too soon: {:?}", loaded.err()),
    };
    let limit = |name: &str| {
        let line = limits
            .lines()
            .find(|line| line.starts_with(name))
            .unwrap_or_else(|| panic!("no {name} in {limits}"));
        line[name.len()..].split_whitespace().take(2).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(limit("Max cpu time"), ["60", "61"]);
    assert_eq!(limit("Max data size"), [MEMORY.to_string(), MEMORY.to_string()]);
    for (name, most) in [("Max file size", "0"), ("Max core file size", "0"), ("Max open files", "16")] {
        assert_eq!(limit(name), [most, most], "{name}");
    }
    assert!(status.contains("Seccomp:\t2") && status.contains("NoNewPrivs:\t1"), "{status}");
    // `select` has dropped the load.
    until(|| compiling(MEMORY).is_none().then_some(())).await;
}

/// A cache hit: a missing compiler is not noticed.
async fn from_cache(folder: &Path) -> Result<LoadedPlugin, LoadError> {
    runtime(folder, Limits::default(), Compiler::Child("/nowhere/compiler".into()))
        .load(hostile_component())
        .await
}

#[tokio::test]
async fn what_was_compiled_apart_is_kept_and_what_was_changed_is_compiled_again() {
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(
        from_cache(folder.path()).await.map(drop),
        Err(LoadError::Compile(CompileError::Missing { .. }))
    ));
    let compiled = async || {
        runtime(folder.path(), Limits::default(), compiler()).load(hostile_component()).await.unwrap()
    };
    compiled().await;
    from_cache(folder.path()).await.expect("it is kept");

    let [file] = &files(folder.path())[..] else { panic!("one file") };
    let whole = std::fs::read(file).unwrap();
    let mut changed = whole.clone();
    let middle = changed.len() / 2;
    changed[middle] ^= 1;
    std::fs::write(file, &changed).unwrap();
    assert!(
        matches!(
            from_cache(folder.path()).await.map(drop),
            Err(LoadError::Compile(CompileError::Missing { .. }))
        ),
        "it is not run"
    );
    compiled().await;
    assert!(std::fs::read(file).unwrap() == whole, "the compiler makes the same again");
    from_cache(folder.path()).await.expect("it is whole again");
}

#[tokio::test]
async fn whether_there_is_a_compiler_can_be_tried() {
    let folder = tempfile::tempdir().unwrap();
    runtime(folder.path(), Limits::default(), compiler()).try_compiler().await.unwrap();
    assert!(
        runtime(folder.path(), Limits::default(), Compiler::Child("/nowhere".into()))
            .try_compiler()
            .await
            .is_err()
    );
    assert_eq!(files(folder.path()), Vec::<PathBuf>::new());
}
