//! `entente completion`: what a shell needs to complete commands, options, and the names of what there is.
//!
//! A shell asks the program itself, by the variable COMPLETE ([`CompleteEnv`]), so that it knows the syncs and runs of the home
//! that the command line names. What it is answered goes past the door ([`super::door`]), and some shells put it into the command
//! line as it is: so nothing is offered that does something there.

use super::door::{Data, data_output};
use super::output::{Done, Output};
use super::{Context, command};
use anyhow::Context as _;
use clap::{Command, ValueHint};
use clap_complete::engine::ValueCompleter;
use clap_complete::env::Shells;
use clap_complete::{
    ArgValueCandidates, ArgValueCompleter, CompleteEnv, CompletionCandidate, PathCompleter, Shell,
};
use entente::view::{PageRequest, RunView};
use entente::{Home, Tenant, check_name};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// The variable by which a shell asks.
const VARIABLE: &str = "COMPLETE";

/// How many of the last runs are offered.
const RUNS: usize = 20;

/// Options of `entente completion`.
#[derive(Debug, clap::Args)]
pub(super) struct CompletionArgs {
    /// The shell
    shell: Shell,
}

/// Runs the command.
pub(super) fn run(args: &CompletionArgs) -> anyhow::Result<Done> {
    let shell = args.shell.to_string();
    let shells = Shells::builtins();
    let completer = shells.completer(&shell).with_context(|| format!("{shell} is not known"))?;
    completer.write_registration(VARIABLE, "entente", "entente", "entente", &mut data_output(Data::Text))?;
    Ok(Done::Well)
}

/// Answers a shell that asks how a command line may go on, and ends the program. Does nothing where none asks.
pub(super) fn answer() {
    CompleteEnv::with_factory(|| with_names(command(), "")).var(VARIABLE).complete();
}

/// What a value names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Named {
    Sync,
    Integration,
    Run,
    Tenant,
}

/// What the value of an argument names, by its command and its id.
fn named(path: &str, argument: &str) -> Option<Named> {
    match (path, argument) {
        (_, "sync") | ("sync" | "status", "name") => Some(Named::Sync),
        ("run show" | "run apply" | "run undo", "run") | ("record import", "undo") => Some(Named::Run),
        ("integration add" | "tenant add", _) => None,
        (_, "tenant") => Some(Named::Tenant),
        (path, "name") if path.starts_with("integration ") => Some(Named::Integration),
        (path, "name") if path.starts_with("tenant ") => Some(Named::Tenant),
        _ => None,
    }
}

/// The commands, with where the names in their arguments are taken from.
fn with_names(command: Command, path: &str) -> Command {
    let arguments: Vec<(String, bool)> = command
        .get_arguments()
        .map(|argument| (argument.get_id().to_string(), argument.get_value_hint() == ValueHint::AnyPath))
        .collect();
    let command = arguments.iter().fold(command, |command, (id, is_path)| match named(path, id) {
        Some(what) => command
            .mut_arg(id.as_str(), |argument| argument.add(ArgValueCandidates::new(move || candidates(what)))),
        None if *is_path => {
            command.mut_arg(id.as_str(), |argument| argument.add(ArgValueCompleter::new(paths)))
        }
        None => command,
    });
    let below: Vec<String> = command.get_subcommands().map(|below| below.get_name().to_owned()).collect();
    below.iter().fold(command, |command, name| {
        let path = format!("{path} {name}");
        command.mut_subcommand(name, |below| with_names(below, path.trim_start()))
    })
}

/// The value of an option on the command line that is completed.
fn given(option: &str) -> Option<String> {
    let mut words = std::env::args().skip_while(|word| word != "--").skip(1);
    while let Some(word) = words.next() {
        match word.strip_prefix(option) {
            Some("") => return words.next(),
            Some(rest) if rest.starts_with('=') => return rest.get(1..).map(str::to_owned),
            _ => {}
        }
    }
    None
}

/// The paths that begin like this, but for files and folders with a name that a shell would not take for a word, or would run.
fn paths(begun: &OsStr) -> Vec<CompletionCandidate> {
    let mut paths = PathCompleter::any().complete(begun);
    paths.retain(|path| {
        let name = Path::new(path.get_value()).file_name();
        name.is_none_or(|name| name.to_str().is_some_and(is_word))
    });
    paths
}

/// Whether a name of a file is one word to every shell, whatever stands before it.
fn is_word(name: &str) -> bool {
    /// Letters that nobody sees: fillers of Hangul.
    const UNSEEN: [char; 4] = ['\u{115f}', '\u{1160}', '\u{3164}', '\u{ffa0}'];
    let plain = |c: char| (c.is_alphanumeric() && !UNSEEN.contains(&c)) || "._-+".contains(c);
    !name.starts_with('-') && name.chars().all(plain)
}

/// A name to offer, where it is one: that of a home that somebody else has filled need not be.
fn offered(name: &str) -> Option<CompletionCandidate> {
    check_name("", name).is_ok().then(|| CompletionCandidate::new(name))
}

/// A run to offer, with its sync, if it has one, and when it began.
fn offered_run(run: &RunView) -> CompletionCandidate {
    let began = run.started.to_datetime().format("%-d %b %Y %H:%M");
    let help = match check_name("", &run.sync) {
        Ok(()) => format!("{}, {began}", run.sync),
        Err(_) => began.to_string(),
    };
    CompletionCandidate::new(run.run.to_string()).help(Some(help.into()))
}

/// The names that there are. None where they cannot be read: a shell has nobody to tell why.
fn candidates(what: Named) -> Vec<CompletionCandidate> {
    let context = Context {
        home: given("--home").map(PathBuf::from),
        create: false,
        tenant: given("--tenant"),
        output: Output { json: false, quiet: true, utc: false, paged: false },
    };
    let read = async || match what {
        Named::Tenant => Ok(tenants(&context)?),
        _ => names(what, &context.tenant()?).await,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(anyhow::Error::from).and_then(|runtime| runtime.block_on(read())).unwrap_or_default()
}

async fn names(what: Named, tenant: &Tenant) -> anyhow::Result<Vec<CompletionCandidate>> {
    Ok(match what {
        Named::Sync => tenant.status(None).await?.iter().filter_map(|status| offered(&status.sync)).collect(),
        Named::Integration => {
            let there = tenant.list_integrations().await?;
            there.iter().filter_map(|one| offered(&one.integration.name)).collect()
        }
        Named::Run => {
            let page = PageRequest { after: None, limit: RUNS };
            tenant.list_runs(None, page).await?.rows.iter().map(offered_run).collect()
        }
        Named::Tenant => Vec::new(),
    })
}

fn tenants(context: &Context) -> anyhow::Result<Vec<CompletionCandidate>> {
    let home = Home::open(&context.home()?)?;
    Ok(home.tenants()?.iter().filter_map(|name| offered(name)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        with_names(command(), "").debug_assert();
    }

    #[test]
    fn x4_nothing_is_offered_that_does_something_in_a_shell() {
        for good in ["HelloWorld", "crm-2_x"] {
            assert_eq!(offered(good).unwrap().get_value(), good);
        }
        for bad in ["shop;touch x", "$(touch${IFS}x)", "`x`", "a b", "a\nb", "a\u{1b}[2K", ""] {
            assert!(offered(bad).is_none(), "{bad:?}");
        }
        let folder = tempfile::tempdir().unwrap();
        let bad = [
            "a;b.csv", "$(b).csv", "`b`", "a b", "a&b", "a|b", "a>b", "a'b", "a\"b", "a\\b", "a\nb", "a*",
            "-a",
        ];
        for name in ["good-1.csv", "Käufer_2.csv"].iter().chain(&bad) {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        let begun = folder.path().join("");
        let mut offered: Vec<String> = paths(begun.as_os_str())
            .iter()
            .filter_map(|path| Some(Path::new(path.get_value()).file_name()?.to_str()?.to_owned()))
            .collect();
        offered.sort();
        assert_eq!(offered, ["Käufer_2.csv", "good-1.csv"]);
        assert_eq!(paths(folder.path().join("good").as_os_str()).len(), 1);
    }

    #[test]
    fn every_path_is_completed_here() {
        fn look_at(command: &Command) {
            for argument in command.get_arguments().filter(|one| one.get_value_hint() == ValueHint::AnyPath) {
                assert!(
                    argument.get::<ArgValueCompleter>().is_some(),
                    "{} {}",
                    command.get_name(),
                    argument.get_id()
                );
            }
            command.get_subcommands().for_each(look_at);
        }
        look_at(&with_names(command(), ""));
    }

    #[test]
    fn each_name_is_known_where_it_is_asked_for() {
        for (path, argument, what) in [
            ("sync", "name", Some(Named::Sync)),
            ("status", "name", Some(Named::Sync)),
            ("conflict list", "sync", Some(Named::Sync)),
            ("run undo", "run", Some(Named::Run)),
            ("record import", "undo", Some(Named::Run)),
            ("integration set", "name", Some(Named::Integration)),
            ("integration add", "name", None),
            ("tenant export", "name", Some(Named::Tenant)),
            ("tenant add", "name", None),
            ("plugin install", "name", None),
        ] {
            assert_eq!(named(path, argument), what, "{path} {argument}");
            // The table names arguments that there are.
            let mut found = command();
            for word in path.split(' ') {
                found = found.find_subcommand(word).unwrap().clone();
            }
            assert!(
                found.get_arguments().any(|known| known.get_id() == argument),
                "{path} has no {argument}"
            );
        }
    }
}
