//! `entente quickstart`: a sample CRM, some hundred records, and a first sync, from nothing.

use super::door::print_line;
use super::import_text::import_text;
use super::output::{Done, Output, Usage};
use super::{Context, key_variable, plugin, record_import, remedy, report, sync};
use crate::toolchain::{BuildOptions, clean};
use anyhow::Context as _;
use entente::view::{ChangeQuery, ImportView, NoticeView, PageRequest};
use entente::{NewIntegration, RecordName, SecretText, Tenant};
use entente_core::Value;
use entente_plugin::Compiler;
use entente_sqlite::ImportOptions;
use entente_sync::{Deed, Randomness, RunId, SystemRandomness};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The window that is synced: the sample has records inside and outside.
const WINDOW: [&str; 2] = ["2020-01-01 00:00:00", "2021-01-01 00:00:00"];

/// Marks a folder that this command has made and may empty.
const MARK: &str = ".entente-quickstart";

/// The file with the number of the process of hello-crm.
const PROCESS: &str = "hello-crm.pid";

/// How long hello-crm may take to listen.
const PATIENCE: Duration = Duration::from_secs(20);

/// Options of `entente quickstart`.
#[derive(Debug, clap::Args)]
pub(super) struct QuickstartArgs {
    /// The folder for everything that is made; made anew each time
    #[arg(long, default_value = "quickstart")]
    dir: PathBuf,
    /// Stop the sample CRM that an earlier quick start left running
    #[arg(long)]
    stop: bool,
    /// Where the sources of entente are [default: found from this folder upwards]
    #[arg(long)]
    source: Option<PathBuf>,
}

/// Runs the command.
pub(super) async fn run(args: QuickstartArgs, context: &Context) -> anyhow::Result<Done> {
    if args.stop {
        let stopped = stop(&args.dir)?;
        context.output.say(if stopped {
            "the sample CRM has been stopped"
        } else {
            "no sample CRM is running"
        });
        return Ok(Done::Well);
    }
    let source = find_source(args.source.as_deref())?;
    let (program, home) = (program(), args.dir.join("home"));
    let entente = format!("{program} --home {}", quoted(&home));

    step(
        "1. Build the plugin HelloWorld as a WebAssembly component",
        &format!("{program} plugin build plugins/helloworld"),
    );
    let built = plugin::build(&source.join("plugins/helloworld"), &BuildOptions::default(), context.output)?;
    print_line(&format!("{} ({} bytes), with {}", shown(&built.component), built.bytes, built.compiler));

    prepare(&args.dir)?;
    let key = format!("{:032x}", SystemRandomness.bits());
    step(
        "2. Start hello-crm, a small CRM with some hundred people and organisations",
        "hello-crm --listen 127.0.0.1:0 --seed 300 …",
    );
    let url = start_crm(&args.dir, &key)?;
    print_line(&format!("it listens at {url}, with a key of its own"));

    step(
        "3. Make a home, and import contacts and companies into the hub",
        &format!(
            "{entente} record import company host/samples/companies.csv --key none\n$ {entente} record import contact host/samples/contacts.csv --key none"
        ),
    );
    let tenant = Tenant::open(&home, key_variable(), Compiler::this_program()?)?;
    import_samples(&tenant, &source, context).await?;

    step(
        "4. Install the plugin and add an integration: it may reach this one address, and use its key there without seeing it",
        &format!("{entente} integration add HelloWorld --set url={url} --http {url} --secret api-key"),
    );
    add_integration(&tenant, &built.component, &url, key).await?;

    let command = format!(
        "{entente} sync HelloWorld --start-datetime=\"{}\" --end-datetime=\"{}\"",
        WINDOW[0], WINDOW[1]
    );
    step("5. Bring both into agreement, for what changed in 2020", &command);
    // It goes on by itself, whatever it prints.
    let output = Output { paged: false, ..context.output };
    let (run, first) = sync_window(&tenant, output).await?;
    step("6. The same again: there is nothing to do", &command);
    let (_, second) = sync_window(&tenant, output).await?;
    if second > 0 {
        anyhow::bail!("the second run wrote {second} records; it should have written none");
    }
    print_line(&format!("\nThe first run wrote {first} records, the second none.\n\nTry next:"));
    let contact = sample_contact(&tenant, run).await?;
    tell_next(&program, &entente, (run, &contact), &args.dir);
    Ok(Done::Well)
}

/// Imports the samples into the hub. The same person twice in one file stays two records here, so that the sync has
/// something to notice.
async fn import_samples(tenant: &Tenant, source: &Path, context: &Context) -> anyhow::Result<()> {
    for (object, file) in
        [("company", "host/samples/companies.csv"), ("contact", "host/samples/contacts.csv")]
    {
        let mut options = ImportOptions::new(object);
        options.key = entente_sqlite::ImportKey::None;
        let report = record_import::import(tenant, &source.join(file), &options, context).await?;
        print_line(&import_text(&ImportView::of(report), Path::new(file), None, &options));
    }
    Ok(())
}

/// Installs the plugin and adds the integration with its key.
async fn add_integration(tenant: &Tenant, component: &Path, url: &str, key: String) -> anyhow::Result<()> {
    let bytes = fs::read(component).with_context(|| format!("{} cannot be read", component.display()))?;
    tenant.install_plugin("helloworld", &bytes).await?;
    let new = NewIntegration {
        name: "HelloWorld".to_owned(),
        settings: BTreeMap::from([("url".to_owned(), Value::text(url))]),
        secrets: BTreeMap::from([("api-key".to_owned(), SecretText::new(key))]),
        hosts: vec![url.to_owned()],
        ..NewIntegration::default()
    };
    let (added, notices) = tenant.integrate(new).await?;
    for mapping in added.sync.iter().flat_map(|sync| &sync.mappings) {
        print_line(&format!(
            "{} ↔ {}, {} fields",
            mapping.objects.left,
            mapping.objects.right,
            mapping.fields.len()
        ));
    }
    for NoticeView { message, .. } in NoticeView::all("HelloWorld", &notices) {
        print_line(&format!("note: {}", message.text));
    }
    Ok(())
}

/// What to try next.
fn tell_next(program: &str, entente: &str, (run, contact): (RunId, &str), dir: &Path) {
    for (command, what) in [
        (format!("{entente} run show {run}"), "what was written, and why"),
        (format!("{entente} record show {contact}"), "where each value comes from"),
        (format!("{entente} record set {contact} phone=\"+49 30 5550100\""), "edit it in the hub"),
        (format!("{entente} sync HelloWorld --dry-run"), "the plan for everything, whatever its date"),
        (format!("{entente} sync HelloWorld"), "do it"),
        (format!("{entente} sync HelloWorld --json"), "again: nothing to do, as JSON"),
        (format!("{entente} record list contact --search müller"), "look around"),
        (format!("{entente} doctor"), "is everything well?"),
        (
            format!("{program} quickstart --stop --dir {}", quoted(dir)),
            "stop hello-crm, which keeps running until then",
        ),
    ] {
        print_line(&format!("  {command}\n      {what}"));
    }
}

fn step(what: &str, command: &str) {
    print_line(&format!("\n{what}\n$ {command}"));
}

/// Runs the sync; its number, and how many records it wrote.
async fn sync_window(tenant: &Tenant, output: Output) -> anyhow::Result<(RunId, u64)> {
    let args = sync::SyncArgs::window("HelloWorld", WINDOW[0], WINDOW[1]);
    let end = sync::run_once(tenant, &args.name, args.options()?, output).await?;
    let left = report::show(tenant, &end, &ChangeQuery::default(), None, output).await?;
    let (run, written) = (end.run.id, end.run.writes());
    report::done(end, left, false)?;
    Ok((run, written))
}

/// A contact of which a run has changed some fields here, so that its values are of several origins.
async fn sample_contact(tenant: &Tenant, run: RunId) -> anyhow::Result<String> {
    let query = ChangeQuery { action: Some(Deed::Update), ..ChangeQuery::default() };
    let changes = tenant.show_run(run, &query, PageRequest { after: None, limit: 1000 }).await?.changes;
    let rows = changes.iter().flat_map(|changes| &changes.rows);
    let changed = rows.filter_map(|change| change.record.as_ref());
    let found = changed.map(RecordName::to_data).find(|record| record.starts_with("contact:"));
    Ok(found.unwrap_or_else(|| "contact:1".to_owned()))
}

/// How this program is called from here.
fn program() -> String {
    let path = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("entente"));
    quoted(Path::new(&shown(&path)))
}

/// A path as a shell takes it for one word.
fn quoted(path: &Path) -> String {
    remedy::quoted(&path.display().to_string())
}

/// A path as it is typed from here.
fn shown(path: &Path) -> String {
    let here = std::env::current_dir().ok();
    here.and_then(|here| path.strip_prefix(here).ok()).unwrap_or(path).display().to_string()
}

/// The checkout: the sample files and the plugin are sources.
fn find_source(given: Option<&Path>) -> anyhow::Result<PathBuf> {
    let is_source = |path: &Path| {
        path.join("plugins/helloworld/Cargo.toml").is_file()
            && path.join("host/samples/contacts.csv").is_file()
    };
    if let Some(path) = given {
        return if is_source(path) {
            Ok(path.to_owned())
        } else {
            Err(Usage(format!("--source: {} holds no plugins/helloworld and host/samples", path.display()))
                .into())
        };
    }
    let here = std::env::current_dir().context("the current folder cannot be read")?;
    let program = std::env::current_exe().unwrap_or_default();
    let found = here.ancestors().chain(program.ancestors()).find(|path| is_source(path));
    found
        .map(Path::to_owned)
        .context("the sources are not here; run it in a checkout of entente, or name one with --source")
}

/// An empty folder of our own.
fn prepare(dir: &Path) -> anyhow::Result<()> {
    if dir.exists() {
        let empty =
            fs::read_dir(dir).with_context(|| format!("{} cannot be read", dir.display()))?.next().is_none();
        if !empty && !dir.join(MARK).exists() {
            anyhow::bail!(
                "{} is there and was not made by a quick start; name another folder with --dir",
                dir.display()
            );
        }
        stop(dir)?;
        fs::remove_dir_all(dir).with_context(|| format!("{} cannot be emptied", dir.display()))?;
    }
    fs::create_dir_all(dir).with_context(|| format!("{} cannot be made", dir.display()))?;
    fs::write(dir.join(MARK), "made by entente quickstart, emptied by the next one\n")
        .context("the folder cannot be written")?;
    Ok(())
}

/// Starts hello-crm, which goes on when this program has ended.
fn start_crm(dir: &Path, key: &str) -> anyhow::Result<String> {
    let program = std::env::current_exe().context("the path of this program is not known")?;
    let crm = program.with_file_name("hello-crm");
    if !crm.is_file() {
        anyhow::bail!(
            "{} is missing; build everything with: cargo build --workspace --all-targets",
            crm.display()
        );
    }
    let (log_path, port_file) = (dir.join("hello-crm.log"), dir.join("hello-crm.address"));
    let log =
        fs::File::create(&log_path).with_context(|| format!("{} cannot be written", log_path.display()))?;
    let mut command = Command::new(&crm);
    // It needs no key of ours.
    clean(&mut command);
    command
        .args(["--listen", "127.0.0.1:0", "--seed", "300", "--data"])
        .arg(dir.join("crm.json"))
        .arg("--port-file")
        .arg(&port_file)
        .env("HELLO_CRM_API_KEY", key)
        .stdin(Stdio::null())
        .stdout(log.try_clone().context("the log cannot be written")?)
        .stderr(log);
    #[cfg(unix)]
    {
        // Ctrl-C here does not reach it.
        use std::os::unix::process::CommandExt;
        command.process_group(0);
    }
    let mut child = command.spawn().with_context(|| format!("{} cannot be started", crm.display()))?;
    fs::write(dir.join(PROCESS), child.id().to_string()).context("the folder cannot be written")?;
    let begun = Instant::now();
    loop {
        let address = fs::read_to_string(&port_file).unwrap_or_default();
        let address = address.trim();
        if !address.is_empty() {
            return Ok(if address.starts_with("http") {
                address.to_owned()
            } else {
                format!("http://{address}")
            });
        }
        if let Some(status) = child.try_wait().context("hello-crm cannot be watched")? {
            anyhow::bail!(
                "hello-crm ended ({status}): {}",
                fs::read_to_string(&log_path).unwrap_or_default().trim()
            );
        }
        if begun.elapsed() > PATIENCE {
            anyhow::bail!(
                "hello-crm does not listen after {} s; see {}",
                PATIENCE.as_secs(),
                log_path.display()
            );
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Ends the hello-crm of a folder, if it still runs.
fn stop(dir: &Path) -> anyhow::Result<bool> {
    let file = dir.join(PROCESS);
    let Ok(text) = fs::read_to_string(&file) else { return Ok(false) };
    let Ok(process) = text.trim().parse::<u32>() else { return Ok(false) };
    // The number may have gone to another process since.
    let mut ps = Command::new("ps");
    clean(&mut ps);
    let said = ps.args(["-o", "args=", "-p", &process.to_string()]).output();
    let ours = said.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains("hello-crm"));
    if ours {
        let mut kill = Command::new("kill");
        clean(&mut kill);
        let status = kill.arg(process.to_string()).status().context("the process cannot be ended")?;
        if !status.success() {
            anyhow::bail!("the process {process} could not be ended; end it by hand");
        }
    }
    fs::remove_file(&file).with_context(|| format!("{} cannot be removed", file.display()))?;
    Ok(ours)
}
