//! Remedies as people and programs are shown them: what for, and the command to copy, with `--home` and
//! `--tenant` as they were given.

use entente::{ConfigError, TenantError};
use entente_plugin::{InspectError, LimitReached, LoadError, UnknownLimit};
use entente_sync::{Message, Remedy, SyncError};
use serde::Deserialize;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use tracing_subscriber::field::MakeExt;
use tracing_subscriber::fmt::FormatFields;
use tracing_subscriber::fmt::format;

/// What commands to copy take from the command line of this process.
#[derive(Debug, Default)]
pub(super) struct Given {
    pub(super) home: Option<PathBuf>,
    pub(super) tenant: Option<String>,
    /// The arguments as they were given, without the name of the program.
    pub(super) arguments: Vec<String>,
}

static GIVEN: OnceLock<Given> = OnceLock::new();

/// From now on, commands to copy are for this home and tenant.
pub(super) fn given(given: Given) {
    let _ = GIVEN.set(given);
}

fn this_process() -> &'static Given {
    GIVEN.get_or_init(Given::default)
}

/// The command that does it; of a remedy without one, what to do in words.
pub(super) fn command(remedy: &Remedy) -> String {
    this_process().command(remedy)
}

/// The fields of views that hold next steps. What a stranger says is never a list of objects there.
const NEXT_STEPS: [&str; 2] = ["next", "remedies"];

/// Gives each next step in JSON that the views have made the `command` that does it. The library knows no command.
pub(super) fn add_commands(data: &mut Value) {
    match data {
        Value::Array(items) => items.iter_mut().for_each(add_commands),
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::Array(steps) if NEXT_STEPS.contains(&name.as_str()) => {
                        steps.iter_mut().for_each(add_command);
                    }
                    other => add_commands(other),
                }
            }
        }
        _ => {}
    }
}

/// Adds the command of one next step, where it has one.
fn add_command(step: &mut Value) {
    let remedy = Remedy::deserialize(&*step);
    if let (Ok(remedy), Some(fields)) = (remedy, step.as_object_mut())
        && let Some(command) = this_process().step(&remedy).command
    {
        fields.insert("command".to_owned(), command.into());
    }
}

/// For people, on a line: what for, and the command.
pub(super) fn line(remedy: &Remedy) -> String {
    this_process().line(remedy)
}

/// For people: a line beginning with `next:` for each.
pub(super) fn lines<'r>(remedies: impl IntoIterator<Item = &'r Remedy>) -> String {
    remedies.into_iter().map(|remedy| format!("\nnext: {}", line(remedy))).collect()
}

/// The command for another tenant than the one that was named.
pub(super) fn command_in(tenant: &str, remedy: &Remedy) -> String {
    let home = this_process().home.clone();
    Given { home, tenant: Some(tenant.to_owned()), arguments: Vec::new() }.command(remedy)
}

/// The command line of this process once more, with this besides.
pub(super) fn again(more: &str) -> String {
    this_process().again(more).0
}

/// What a remedy for an integration that is there comes to while it is being added; `None` where that is no
/// option of `integration add`.
pub(super) fn option_of_add(remedy: &Remedy) -> Option<String> {
    let option = |name: &str, value: &str| Some(Words::new("").option(name, value).0.trim_start().to_owned());
    match remedy {
        Remedy::SetSetting { setting, .. } => option("--set", &format!("{setting}=VALUE")),
        Remedy::SetSecret { secret, .. } => option("--secret", secret),
        Remedy::GrantHost { host, .. } => option("--http", host),
        Remedy::GrantSecret { host: Some(host), .. } => option("--http", host),
        Remedy::GrantSecret { host: None, .. } | Remedy::ShowGrants { .. } | Remedy::GrantState { .. } => {
            Some("--grant-all".to_owned())
        }
        _ => None,
    }
}

/// An error of the command line itself, with what can be done about it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Advised(Message);

impl Advised {
    pub(super) fn new(text: impl Into<String>, remedies: impl IntoIterator<Item = Remedy>) -> Self {
        Self(Message::new(text, remedies))
    }
}

/// What can be done about an error, or about what caused it.
pub(super) fn of(error: &anyhow::Error) -> Vec<Remedy> {
    error.chain().map(of_cause).find(|remedies| !remedies.is_empty()).unwrap_or_default()
}

fn of_cause(cause: &(dyn std::error::Error + 'static)) -> Vec<Remedy> {
    let known = [
        cause.downcast_ref::<Advised>().map(|error| error.0.remedies.clone()),
        cause.downcast_ref::<TenantError>().map(TenantError::remedies),
        cause.downcast_ref::<ConfigError>().map(ConfigError::remedies),
        cause.downcast_ref::<SyncError>().map(SyncError::remedies),
        cause.downcast_ref::<LoadError>().map(LoadError::remedies),
        cause.downcast_ref::<InspectError>().map(InspectError::remedies),
        cause.downcast_ref::<LimitReached>().map(LimitReached::remedies),
        cause.downcast_ref::<UnknownLimit>().map(UnknownLimit::remedies),
    ];
    known.into_iter().flatten().next().unwrap_or_default()
}

/// Fields of log lines: `remedies`, which the library gives as data, becomes lines with commands.
pub(super) fn log_fields() -> impl for<'w> FormatFields<'w> + 'static {
    format::debug_fn(|writer, field, value| match field.name() {
        "message" => write!(writer, "{value:?}"),
        "remedies" => {
            let remedies: Vec<Remedy> = serde_json::from_str(&format!("{value:?}")).unwrap_or_default();
            write!(writer, "{}", lines(&remedies))
        }
        name => write!(writer, "{name}={value:?}"),
    })
    .delimited(" ")
}

/// A remedy in words.
struct Step {
    /// What it is for.
    purpose: String,
    /// The command; `None` where it takes something else than one.
    command: Option<String>,
}

/// A command that grows word by word.
struct Words(String);

impl Words {
    fn new(program: &str) -> Self {
        Self(program.to_owned())
    }

    /// Words of ours, and placeholders: as they are.
    fn plain(mut self, words: &str) -> Self {
        self.0.push(' ');
        self.0.push_str(words);
        self
    }

    /// A word of anybody: quoted where a shell would take it for more.
    fn word(self, word: &str) -> Self {
        // What begins like an option would be taken for one.
        let hidden = word.starts_with('-').then(|| format!("./{word}"));
        self.plain(&quoted(hidden.as_deref().unwrap_or(word)))
    }

    fn number(self, number: impl ToString) -> Self {
        self.plain(&number.to_string())
    }

    fn option(self, name: &str, value: &str) -> Self {
        let between = if value.starts_with('-') { '=' } else { ' ' };
        self.plain(&format!("{name}{between}{}", quoted(value)))
    }

    /// An option with the name that it is about, where there is one.
    fn option_if(self, name: &str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.option(name, value),
            None => self,
        }
    }
}

/// A word within a command: in quotes where a POSIX shell would take it for more than a word.
pub(super) fn quoted(text: &str) -> String {
    let plain = |c: char| {
        c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':' | '/' | '=' | '@' | '%' | '+' | ',')
    };
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    // Files and remote systems have a say in what is named, and none in what a terminal does.
    let text: String = text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    format!("'{}'", text.replace('\'', r"'\''"))
}

fn step(purpose: impl Into<String>, words: Words) -> Option<Step> {
    Some(Step { purpose: purpose.into(), command: Some(words.0) })
}

fn advice(purpose: &str) -> Option<Step> {
    Some(Step { purpose: purpose.to_owned(), command: None })
}

impl Given {
    fn command(&self, remedy: &Remedy) -> String {
        let Step { purpose, command } = self.step(remedy);
        command.unwrap_or(purpose)
    }

    fn line(&self, remedy: &Remedy) -> String {
        match self.step(remedy) {
            Step { purpose, command: Some(command) } => format!("{purpose}: {command}"),
            Step { purpose, command: None } => purpose,
        }
    }

    fn step(&self, remedy: &Remedy) -> Step {
        let step = self.of_integration(remedy).or_else(|| self.of_run(remedy));
        // A test goes through all of them.
        step.or_else(|| self.of_installation(remedy))
            .unwrap_or_else(|| Step { purpose: format!("{remedy:?}"), command: None })
    }

    /// The program, for commands that are about no tenant or name it themselves.
    fn program(&self) -> Words {
        Words::new("entente").option_if("--home", self.home.as_deref().map(Path::to_string_lossy).as_deref())
    }

    /// The program, for commands about a tenant.
    fn entente(&self, command: &str) -> Words {
        self.program().option_if("--tenant", self.tenant.as_deref()).plain(command)
    }

    /// What was given, once more and with this besides.
    fn again(&self, more: &str) -> Words {
        self.arguments
            .iter()
            .fold(Words::new("entente"), |words, word| words.plain(&quoted(word)))
            .plain(more)
    }

    fn of_integration(&self, remedy: &Remedy) -> Option<Step> {
        let integration =
            |command: &str, name: &str| self.entente(&format!("integration {command}")).word(name);
        match remedy {
            Remedy::GrantHost { integration: name, host } => {
                step("if that is meant, allow it", integration("grant", name).option("--http", host))
            }
            Remedy::GrantSecret { integration: name, secret, host } => {
                let secret = host.as_ref().map_or_else(|| secret.clone(), |host| format!("{secret}={host}"));
                step("if that is meant, allow it", integration("grant", name).option("--secret", &secret))
            }
            Remedy::NameHost { integration: name, secret: None } => {
                step("name those that it may reach", integration("grant", name).plain("--http URL"))
            }
            Remedy::NameHost { integration: name, secret: Some(secret) } => {
                step("name one", integration("grant", name).option("--secret", &format!("{secret}=URL")))
            }
            Remedy::GrantState { integration: name } => {
                step("allow it", integration("grant", name).plain("--state"))
            }
            Remedy::ShowGrants { integration: name } => {
                step("see what the plugin asks for", integration("grant", name))
            }
            Remedy::SetSecret { integration: name, secret } => {
                step(format!("set the secret {secret}"), integration("set", name).option("--secret", secret))
            }
            Remedy::UnsetSecret { integration: name, secret } => {
                step("take it away", integration("set", name).option("--unset-secret", secret))
            }
            Remedy::SetSetting { integration: name, setting } => step(
                format!("set {setting}"),
                integration("set", name).option("--set", &format!("{setting}=VALUE")),
            ),
            Remedy::Enable { integration: name } => {
                step(format!("switch {name} on"), integration("set", name).plain("--enable"))
            }
            Remedy::ChangeIntegration { integration: name } => {
                step(format!("change {name}"), integration("set", name))
            }
            Remedy::Upgrade { integration: name } => {
                step("change its version; what the new one asks for is shown", integration("upgrade", name))
            }
            Remedy::AgreeToUpgrade { integration: name, digest } => {
                step("agree to it", integration("upgrade", name).option("--plugin", digest).plain("--agree"))
            }
            Remedy::RollBack { integration: name } => {
                step("go back to the version before, if there was one", integration("rollback", name))
            }
            Remedy::Resume { integration: name, until } => {
                let purpose = match until {
                    Some(until) => format!("wait until {until}, or let {name} run at once"),
                    None => format!("let {name} run again once its plugin is mended"),
                };
                step(purpose, integration("resume", name))
            }
            Remedy::AddWithoutSync { integration: name } => {
                step("add it without a sync", integration("add", name).plain("--no-sync"))
            }
            Remedy::RemoveIntegration { integration: name } => {
                step(format!("remove {name}"), integration("remove", name))
            }
            Remedy::RemoveWithSyncs { integration: name } => {
                step("remove it together with its syncs", integration("remove", name).plain("--with-syncs"))
            }
            Remedy::ListIntegrations => step("see what there is", self.entente("integration list")),
            Remedy::AddIntegration { plugin } => {
                let plugin = plugin.as_deref().map_or_else(|| "PLUGIN".to_owned(), quoted);
                step("add one", self.entente("integration add NAME --plugin").plain(&plugin))
            }
            _ => None,
        }
    }

    fn of_run(&self, remedy: &Remedy) -> Option<Step> {
        let sync = |name: &str| self.entente("sync").word(name);
        let run = |command: &str, number: &i64| self.entente(&format!("run {command}")).number(number);
        match remedy {
            Remedy::Sync { sync: Some(name) } => step("do what is pending", sync(name)),
            Remedy::Sync { sync: None } => step("run a sync", self.entente("sync NAME")),
            Remedy::GoOn { sync: name, run } => {
                step(format!("go on where run {run} was interrupted"), sync(name))
            }
            Remedy::SyncAgain { sync: name, run } => {
                step(format!("put right what made run {run} fail, then"), sync(name))
            }
            Remedy::PlanSync { sync: name } => step("see what a run would do", sync(name).plain("--dry-run")),
            Remedy::ReadAll { sync: name } => step("read everything", sync(name).plain("--full")),
            Remedy::LiftBrake { sync: name } => step("if that is right", sync(name).plain("--lift-brake")),
            Remedy::ListRuns => step("see what ran", self.entente("run list")),
            Remedy::ShowRun { run: number } => {
                step(format!("see what run {number} did"), run("show", number))
            }
            Remedy::ShowLog { run: number } => {
                step("see what its plugins logged", run("show", number).plain("--log"))
            }
            Remedy::ApplyRun { run: number } => {
                step(format!("do what run {number} planned"), run("apply", number))
            }
            Remedy::UndoRun { run: number, deletes } => {
                step("if that is right", run("undo", number).plain("--delete").number(deletes))
            }
            Remedy::ListConflicts { sync } => {
                let words = self.entente("conflict list").option_if("--sync", sync.as_deref());
                step("decide conflicts", words)
            }
            Remedy::SettleConflicts { hub } => {
                let sides = if *hub { "--hub, --integration" } else { "--left, --right" };
                let words = self.entente("conflict settle NUMBER").plain(sides).plain("or --value VALUE");
                step("decide", words)
            }
            Remedy::ListFailed { sync } => {
                let words = self.entente("retry").option("--sync", sync);
                step("see what failed, and when it is tried again", words)
            }
            Remedy::RetryRecord { sync, record } => {
                step("try it again", self.entente("retry").word(record).option("--sync", sync))
            }
            Remedy::Retry => step("try again (--all for all of them)", self.entente("retry RECORD")),
            Remedy::ShowWaiting { sync } => {
                step("see which records are held", self.entente("status").word(sync))
            }
            Remedy::Wait => step("wait until it has ended", self.again("--wait")),
            _ => None,
        }
    }

    fn of_installation(&self, remedy: &Remedy) -> Option<Step> {
        let tenant = |command: &str| self.program().plain("tenant").plain(command);
        let file = |file: &Option<String>| file.as_deref().map_or_else(|| "FILE".to_owned(), quoted);
        match remedy {
            Remedy::RaiseLimit { tenant: name, limit, value } => {
                step("allow more", tenant("set").word(name).option("--limit", &format!("{limit}={value}")))
            }
            Remedy::SetLimit { tenant: name } => {
                step("set one", tenant("set").word(name).plain("--limit LIMIT=VALUE"))
            }
            Remedy::ShowLimits => step("see what limits there are", tenant("limits")),
            Remedy::RunFewer => advice("run fewer syncs at the same time"),
            Remedy::ReportToAuthor => advice("report it to the author of the plugin"),
            Remedy::InstallPlugin { file: name } => {
                step("install the plugin", self.entente("plugin install").plain(&file(name)))
            }
            Remedy::BuildPlugin { folder } => {
                let folder = folder.as_deref().map_or_else(|| "DIR".to_owned(), quoted);
                step("build the plugin", self.entente("plugin build").plain(&folder))
            }
            Remedy::Apply => step("correct the file and apply it", self.entente("apply FILE")),
            Remedy::ApplyPruned => step("take it out of the file, then", self.entente("apply FILE --prune")),
            Remedy::Export => step("see the configuration as a file", self.entente("export")),
            Remedy::AddTenant { tenant: name } => {
                step(format!("add the tenant {name}"), tenant("add").word(name))
            }
            Remedy::AddTenantFrom { tenant: name, file } => {
                step("get it back", tenant("add").word(name).option("--from", file))
            }
            Remedy::RemoveTenant { tenant: name } => {
                step(format!("remove the tenant {name}, with all its data"), tenant("remove").word(name))
            }
            Remedy::ExportTenant { tenant: name } => {
                let name = name.as_deref().map_or_else(|| "NAME".to_owned(), quoted);
                step("make one", tenant("export").plain(&name).plain("--output FILE"))
            }
            Remedy::ChooseHome => advice("name another folder with --home or ENTENTE_HOME"),
            Remedy::LeaveSecretsOut => {
                step("leave the secrets out, and set them again", self.again("--without-secrets"))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Cli;
    use clap::Parser;
    use entente_core::Timestamp;

    /// Each remedy once. A new one is missed by the function below, and then belongs here too.
    fn all() -> Vec<Remedy> {
        let name = || "shop".to_owned();
        let text = |text: &str| text.to_owned();
        vec![
            Remedy::RaiseLimit { tenant: text("acme"), limit: text("cpu-time"), value: text("10s") },
            Remedy::SetLimit { tenant: text("acme") },
            Remedy::ShowLimits,
            Remedy::RunFewer,
            Remedy::ReportToAuthor,
            Remedy::GrantHost { integration: name(), host: text("https://api.example.com") },
            Remedy::GrantSecret { integration: name(), secret: text("key"), host: None },
            Remedy::GrantSecret {
                integration: name(),
                secret: text("key"),
                host: Some(text("https://a.example")),
            },
            Remedy::NameHost { integration: name(), secret: None },
            Remedy::NameHost { integration: name(), secret: Some(text("key")) },
            Remedy::GrantState { integration: name() },
            Remedy::ShowGrants { integration: name() },
            Remedy::SetSecret { integration: name(), secret: text("key") },
            Remedy::UnsetSecret { integration: name(), secret: text("key") },
            Remedy::SetSetting { integration: name(), setting: text("url") },
            Remedy::Enable { integration: name() },
            Remedy::Upgrade { integration: name() },
            Remedy::AgreeToUpgrade { integration: name(), digest: text("0a1b") },
            Remedy::RollBack { integration: name() },
            Remedy::Resume { integration: name(), until: None },
            Remedy::Resume { integration: name(), until: Some(Timestamp::from_micros(0)) },
            Remedy::AddIntegration { plugin: None },
            Remedy::AddIntegration { plugin: Some(text("helloworld")) },
            Remedy::AddWithoutSync { integration: name() },
            Remedy::ChangeIntegration { integration: name() },
            Remedy::RemoveWithSyncs { integration: name() },
            Remedy::RemoveIntegration { integration: name() },
            Remedy::ListIntegrations,
            Remedy::InstallPlugin { file: None },
            Remedy::InstallPlugin { file: Some(text("my plugins/x.wasm")) },
            Remedy::BuildPlugin { folder: None },
            Remedy::Apply,
            Remedy::ApplyPruned,
            Remedy::Export,
            Remedy::AddTenant { tenant: text("acme") },
            Remedy::AddTenantFrom { tenant: text("acme"), file: text("acme.tar") },
            Remedy::RemoveTenant { tenant: text("acme") },
            Remedy::ExportTenant { tenant: None },
            Remedy::ChooseHome,
            Remedy::LeaveSecretsOut,
            Remedy::Wait,
            Remedy::Sync { sync: None },
            Remedy::Sync { sync: Some(name()) },
            Remedy::GoOn { sync: name(), run: 3 },
            Remedy::SyncAgain { sync: name(), run: 3 },
            Remedy::PlanSync { sync: name() },
            Remedy::ReadAll { sync: name() },
            Remedy::LiftBrake { sync: name() },
            Remedy::ListRuns,
            Remedy::ShowRun { run: 3 },
            Remedy::ShowLog { run: 3 },
            Remedy::ApplyRun { run: 3 },
            Remedy::UndoRun { run: 3, deletes: 2 },
            Remedy::ListConflicts { sync: None },
            Remedy::ListConflicts { sync: Some(name()) },
            Remedy::SettleConflicts { hub: true },
            Remedy::SettleConflicts { hub: false },
            Remedy::ListFailed { sync: name() },
            Remedy::Retry,
            Remedy::RetryRecord { sync: name(), record: text("HelloWorld/person:p3") },
            Remedy::ShowWaiting { sync: name() },
        ]
    }

    /// Whether a remedy is one of [`all`]. Without a wildcard, so that a new one does not compile.
    fn is_listed(remedy: &Remedy) -> bool {
        match remedy {
            Remedy::RaiseLimit { .. } | Remedy::SetLimit { .. } | Remedy::ShowLimits | Remedy::RunFewer => {
                true
            }
            Remedy::ReportToAuthor | Remedy::GrantHost { .. } | Remedy::GrantSecret { .. } => true,
            Remedy::NameHost { .. } | Remedy::GrantState { .. } | Remedy::ShowGrants { .. } => true,
            Remedy::SetSecret { .. }
            | Remedy::UnsetSecret { .. }
            | Remedy::SetSetting { .. }
            | Remedy::Enable { .. } => true,
            Remedy::Upgrade { .. } | Remedy::AgreeToUpgrade { .. } | Remedy::RollBack { .. } => true,
            Remedy::Resume { .. } | Remedy::AddIntegration { .. } | Remedy::AddWithoutSync { .. } => true,
            Remedy::ChangeIntegration { .. } | Remedy::RemoveWithSyncs { .. } => true,
            Remedy::RemoveIntegration { .. } | Remedy::ListIntegrations | Remedy::InstallPlugin { .. } => {
                true
            }
            Remedy::BuildPlugin { .. } | Remedy::Apply | Remedy::ApplyPruned | Remedy::Export => true,
            Remedy::AddTenant { .. } | Remedy::AddTenantFrom { .. } | Remedy::RemoveTenant { .. } => true,
            Remedy::ExportTenant { .. } | Remedy::ChooseHome | Remedy::LeaveSecretsOut | Remedy::Wait => true,
            Remedy::Sync { .. } | Remedy::GoOn { .. } | Remedy::SyncAgain { .. } => true,
            Remedy::PlanSync { .. } | Remedy::ReadAll { .. } | Remedy::LiftBrake { .. } => true,
            Remedy::ListRuns | Remedy::ShowRun { .. } | Remedy::ShowLog { .. } | Remedy::ApplyRun { .. } => {
                true
            }
            Remedy::UndoRun { .. } | Remedy::ListConflicts { .. } | Remedy::SettleConflicts { .. } => true,
            Remedy::ListFailed { .. } | Remedy::Retry | Remedy::RetryRecord { .. } => true,
            Remedy::ShowWaiting { .. } => true,
        }
    }

    fn given() -> Given {
        let arguments = ["--tenant", "acme", "sync", "my shop"].map(str::to_owned).to_vec();
        Given { home: None, tenant: None, arguments }
    }

    #[test]
    fn every_remedy_has_words_and_a_command() {
        let lines: Vec<String> = all().iter().map(|remedy| given().line(remedy)).collect();
        insta::assert_snapshot!(lines.join("\n"), @"
        allow more: entente tenant set acme --limit cpu-time=10s
        set one: entente tenant set acme --limit LIMIT=VALUE
        see what limits there are: entente tenant limits
        run fewer syncs at the same time
        report it to the author of the plugin
        if that is meant, allow it: entente integration grant shop --http https://api.example.com
        if that is meant, allow it: entente integration grant shop --secret key
        if that is meant, allow it: entente integration grant shop --secret key=https://a.example
        name those that it may reach: entente integration grant shop --http URL
        name one: entente integration grant shop --secret key=URL
        allow it: entente integration grant shop --state
        see what the plugin asks for: entente integration grant shop
        set the secret key: entente integration set shop --secret key
        take it away: entente integration set shop --unset-secret key
        set url: entente integration set shop --set url=VALUE
        switch shop on: entente integration set shop --enable
        change its version; what the new one asks for is shown: entente integration upgrade shop
        agree to it: entente integration upgrade shop --plugin 0a1b --agree
        go back to the version before, if there was one: entente integration rollback shop
        let shop run again once its plugin is mended: entente integration resume shop
        wait until 1970-01-01T00:00:00Z, or let shop run at once: entente integration resume shop
        add one: entente integration add NAME --plugin PLUGIN
        add one: entente integration add NAME --plugin helloworld
        add it without a sync: entente integration add shop --no-sync
        change shop: entente integration set shop
        remove it together with its syncs: entente integration remove shop --with-syncs
        remove shop: entente integration remove shop
        see what there is: entente integration list
        install the plugin: entente plugin install FILE
        install the plugin: entente plugin install 'my plugins/x.wasm'
        build the plugin: entente plugin build DIR
        correct the file and apply it: entente apply FILE
        take it out of the file, then: entente apply FILE --prune
        see the configuration as a file: entente export
        add the tenant acme: entente tenant add acme
        get it back: entente tenant add acme --from acme.tar
        remove the tenant acme, with all its data: entente tenant remove acme
        make one: entente tenant export NAME --output FILE
        name another folder with --home or ENTENTE_HOME
        leave the secrets out, and set them again: entente --tenant acme sync 'my shop' --without-secrets
        wait until it has ended: entente --tenant acme sync 'my shop' --wait
        run a sync: entente sync NAME
        do what is pending: entente sync shop
        go on where run 3 was interrupted: entente sync shop
        put right what made run 3 fail, then: entente sync shop
        see what a run would do: entente sync shop --dry-run
        read everything: entente sync shop --full
        if that is right: entente sync shop --lift-brake
        see what ran: entente run list
        see what run 3 did: entente run show 3
        see what its plugins logged: entente run show 3 --log
        do what run 3 planned: entente run apply 3
        if that is right: entente run undo 3 --delete 2
        decide conflicts: entente conflict list
        decide conflicts: entente conflict list --sync shop
        decide: entente conflict settle NUMBER --hub, --integration or --value VALUE
        decide: entente conflict settle NUMBER --left, --right or --value VALUE
        see what failed, and when it is tried again: entente retry --sync shop
        try again (--all for all of them): entente retry RECORD
        try it again: entente retry HelloWorld/person:p3 --sync shop
        see which records are held: entente status shop
        ");
    }

    /// The words of a command, as a shell reads it.
    fn words(command: &str) -> Vec<String> {
        let (mut words, mut word, mut quoted) = (Vec::new(), String::new(), false);
        let mut chars = command.chars();
        while let Some(c) = chars.next() {
            match c {
                '\'' => quoted = !quoted,
                '\\' if !quoted => word.extend(chars.next()),
                ' ' if !quoted => words.push(std::mem::take(&mut word)),
                c => word.push(c),
            }
        }
        words.push(word);
        words
    }

    #[test]
    fn every_command_is_one_of_this_program() {
        let given = Given { home: Some("/srv/my home".into()), tenant: Some("acme".to_owned()), ..given() };
        for remedy in all() {
            assert!(is_listed(&remedy));
            let Some(command) = given.step(&remedy).command else { continue };
            if matches!(remedy, Remedy::SettleConflicts { .. } | Remedy::LeaveSecretsOut) {
                // Several ways to say it, and one that depends on what was given.
                continue;
            }
            let numbers = command.replace("LIMIT=VALUE", "cpu-time=1s");
            let parsed = Cli::try_parse_from(words(&numbers));
            assert!(parsed.is_ok(), "{command}: {}", parsed.unwrap_err());
        }
    }

    #[test]
    fn commands_are_for_the_home_and_the_tenant_that_were_given() {
        let given = Given {
            home: Some(PathBuf::from("it's mine")),
            tenant: Some("acme".to_owned()),
            arguments: Vec::new(),
        };
        let table = [
            (
                Remedy::Enable { integration: "shop".to_owned() },
                r"entente --home 'it'\''s mine' --tenant acme integration set shop --enable",
            ),
            // It names the tenant itself.
            (
                Remedy::RaiseLimit { tenant: "b".to_owned(), limit: "x".to_owned(), value: "2".to_owned() },
                r"entente --home 'it'\''s mine' tenant set b --limit x=2",
            ),
        ];
        for (remedy, expected) in table {
            assert_eq!(given.command(&remedy), expected);
        }
        let again = Given { arguments: vec!["sync".to_owned(), "a b".to_owned()], ..Given::default() };
        assert_eq!(again.command(&Remedy::Wait), "entente sync 'a b' --wait");
    }

    #[test]
    fn only_next_steps_get_a_command() {
        let setting = serde_json::json!({ "step": "list-runs", "command": "mine" });
        let mut data = serde_json::json!({
            "settings": setting,
            "rows": [{ "remedies": [{ "step": "list-runs" }, { "step": "no-step-of-ours" }] }],
            "next": "17",
        });
        add_commands(&mut data);
        let expected = serde_json::json!({
            "settings": setting,
            "rows": [{ "remedies": [
                { "step": "list-runs", "command": "entente run list" },
                { "step": "no-step-of-ours" },
            ] }],
            "next": "17",
        });
        assert_eq!(data, expected);
    }

    #[test]
    fn a_word_of_a_stranger_stays_one_word() {
        for (text, expected) in [
            ("api-key=https://a.example.com:81", "api-key=https://a.example.com:81"),
            ("x; reboot", "'x; reboot'"),
            ("it's $(x)", r"'it'\''s $(x)'"),
            ("", "''"),
        ] {
            assert_eq!(quoted(text), expected);
        }
        let host = "x'; entente tenant remove default --yes; '".to_owned();
        let command =
            Given::default().command(&Remedy::GrantHost { integration: "a".to_owned(), host: host.clone() });
        assert_eq!(words(&command), ["entente", "integration", "grant", "a", "--http", &host]);
        let secret = "--reset".to_owned();
        let command = Given::default().command(&Remedy::SetSecret { integration: "a".to_owned(), secret });
        assert_eq!(command, "entente integration set a --secret=--reset");
    }

    /// The library speaks of no command: a program that embeds the host has others.
    #[test]
    fn no_command_stands_in_the_library() {
        use clap::CommandFactory;
        let commands: Vec<String> = Cli::command()
            .get_subcommands()
            .map(|command| format!("entente {}", command.get_name()))
            .collect();
        let host = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let mut folders: Vec<PathBuf> =
            ["core", "sync", "sqlite", "plugin", "entente"].map(|name| host.join(name).join("src")).into();
        let mut files = 0;
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder).unwrap() {
                let path = entry.unwrap().path();
                // Tests speak of texts of earlier versions, and of what is not to be said.
                if path.file_stem().is_some_and(|name| name == "tests") {
                    continue;
                }
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                files += 1;
                let text = std::fs::read_to_string(&path).unwrap();
                for (number, line) in text.lines().enumerate() {
                    let line = line.trim_start();
                    let said = commands.iter().find(|command| {
                        line.match_indices(command.as_str()).any(|(at, _)| {
                            !line[at + command.len()..]
                                .starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
                        })
                    });
                    if let Some(command) = said.filter(|_| !line.starts_with("//")) {
                        panic!("{}:{}: says '{command}'; it is to be a Remedy", path.display(), number + 1);
                    }
                }
            }
        }
        assert!(files > 50, "{files} files are not all");
    }

    #[test]
    fn a_log_line_shows_remedies_as_commands() {
        let log = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
        struct Writer(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);
        impl std::io::Write for Writer {
            fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
                self.0.lock().unwrap().write(bytes)
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        let writer = std::sync::Arc::clone(&log);
        let subscriber = tracing_subscriber::fmt()
            .fmt_fields(log_fields())
            .with_writer(move || Writer(std::sync::Arc::clone(&writer)))
            .with_ansi(false)
            .without_time()
            .finish();
        tracing::subscriber::with_default(subscriber, || {
            let remedies = serde_json::to_string(&[Remedy::ListRuns]).unwrap();
            tracing::warn!(integration = "shop", %remedies, "denied");
            tracing::warn!(target: "entente::plugin", "allow it with: entente integration grant shop --all");
        });
        let log = String::from_utf8(log.lock().unwrap().clone()).unwrap();
        insta::assert_snapshot!(log, @r#"
         WARN entente_cli::remedy::tests: denied integration="shop" 
        next: see what ran: entente run list
         WARN entente::plugin: allow it with: entente integration grant shop --all
        "#);
    }
}
