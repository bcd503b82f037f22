//! Remedies in words: what each is for, and its command.

use super::Given;
use super::shell::{Words, quoted};
use entente_sync::Remedy;
use std::path::Path;

/// A remedy in words.
pub(super) struct Step {
    /// What it is for.
    pub(super) purpose: String,
    /// The command; `None` where it takes something else than one.
    pub(super) command: Option<String>,
}

fn step(purpose: impl Into<String>, words: Words) -> Option<Step> {
    Some(Step { purpose: purpose.into(), command: Some(words.0) })
}

fn advice(purpose: &str) -> Option<Step> {
    Some(Step { purpose: purpose.to_owned(), command: None })
}

impl Given {
    pub(super) fn command(&self, remedy: &Remedy) -> String {
        let Step { purpose, command } = self.step(remedy);
        command.unwrap_or(purpose)
    }

    pub(super) fn line(&self, remedy: &Remedy) -> String {
        match self.step(remedy) {
            Step { purpose, command: Some(command) } => format!("{purpose}: {command}"),
            Step { purpose, command: None } => purpose,
        }
    }

    pub(super) fn step(&self, remedy: &Remedy) -> Step {
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

    /// What was given, once more.
    fn as_given(&self) -> Words {
        self.arguments.iter().fold(Words::new("entente"), |words, word| words.plain(&quoted(word)))
    }

    /// What was given, once more and with this besides.
    pub(super) fn again(&self, more: &str) -> Words {
        self.as_given().plain(more)
    }

    /// Whether this word is among the arguments.
    fn is_given(&self, word: &str) -> bool {
        self.arguments.iter().any(|given| given == word)
    }

    /// The values that were given for an option, whether beside it or behind an equals sign.
    fn values_of(&self, option: &str) -> Vec<&str> {
        let within = |word: &'_ str| -> Option<usize> {
            word.strip_prefix(option)?.starts_with('=').then_some(option.len() + 1)
        };
        let words = self.arguments.iter().map(String::as_str);
        let next = self.arguments.iter().skip(1).map(|word| Some(word.as_str())).chain([None]);
        let pairs = words.zip(next);
        pairs
            .filter_map(|(word, next)| match within(word) {
                Some(place) => word.get(place..),
                None => next.filter(|_| word == option),
            })
            .collect()
    }

    /// Whether a secret of this name was given, in whichever way.
    fn gives_secret(&self, secret: &str) -> bool {
        let named = |value: &&str| value.split('=').next() == Some(secret);
        self.values_of("--secret").contains(&secret) || self.values_of("--secret-env").iter().any(named)
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
                step(format!("switch {name} on"), integration("enable", name))
            }
            Remedy::ChangeIntegration { integration: name } => {
                let words = integration("set", name).plain("--set SETTING=VALUE");
                step(format!("change {name}, by its settings or secrets"), words)
            }
            Remedy::Upgrade { integration: name } => {
                step("change its version; what the new one asks for is shown", integration("upgrade", name))
            }
            Remedy::UpgradeWith { integration: name, settings } => {
                let words = match self.is_given("upgrade") {
                    true => self.as_given(),
                    false => integration("upgrade", name),
                };
                let set = |words: Words, name: &String| words.option("--set", &format!("{name}=VALUE"));
                step("set them with the new version", settings.iter().fold(words, set))
            }
            Remedy::AgreeToUpgrade { integration: name, digest } => {
                let words = integration("upgrade", name).option("--plugin", digest);
                // The settings that were given belong to what is agreed to.
                let set = |words: Words, value: &str| words.option("--set", value);
                step("agree to it", self.values_of("--set").into_iter().fold(words, set).plain("--agree"))
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
            Remedy::RebindSameSystem { integration: name, account } => {
                let purpose = match account {
                    Some(_) => "if it has the same records under another account, keep the links",
                    None => "if it is the same account and only moved, keep the links",
                };
                let words = integration("rebind", name).plain("--same-system");
                step(purpose, words.option_if("--account", account.as_deref()))
            }
            Remedy::RebindForgetLinks { integration: name, unasked: false } => step(
                "if they are other records, forget the links: records are matched anew",
                integration("rebind", name).plain("--forget-links"),
            ),
            Remedy::RebindForgetLinks { integration: name, unasked: true } => {
                step("if that is meant", integration("rebind", name).plain("--forget-links --yes"))
            }
            _ => self.of_adding(remedy),
        }
    }

    /// Of adding and removing integrations.
    fn of_adding(&self, remedy: &Remedy) -> Option<Step> {
        let integration =
            |command: &str, name: &str| self.entente(&format!("integration {command}")).word(name);
        match remedy {
            Remedy::AddWith { with } => {
                if let Remedy::SetSecret { secret, .. } = &**with
                    && self.gives_secret(secret)
                {
                    return step(format!("give it again, with another {secret}"), self.as_given());
                }
                let option = super::option_of_add(with)?;
                step("give it again with more", self.again(&option))
            }
            // With the settings, secrets and hosts that were given; elsewhere nobody knows them.
            Remedy::AddWithoutSync { integration: name } => {
                let words = match self.is_given("add") {
                    true => self.again("--no-sync"),
                    false => integration("add", name).plain("--no-sync"),
                };
                step("add it without a sync", words)
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
            Remedy::LiftIdentifiers { sync: name } => {
                step("if these are the same records", sync(name).plain("--lift-identifiers"))
            }
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
            Remedy::PlanUndo { run: number } => {
                step("see what an undo would put back", run("undo", number).plain("--dry-run"))
            }
            Remedy::ListConflicts { sync } => {
                let words = self.entente("conflict list").option_if("--sync", sync.as_deref());
                step("decide conflicts", words)
            }
            Remedy::SettleConflict { conflict, hub } => {
                let (side, other) = if *hub { ("hub", "integration") } else { ("left", "right") };
                let words = self.entente("conflict settle").number(conflict).plain(&format!("--{side}"));
                step(format!("take the value of the {side} (--{other} for the other one)"), words)
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
            Remedy::LinkRecord { sync, record } => {
                let words = self.entente("link set").word(record).plain("COUNTERPART").option("--sync", sync);
                let form = match record.split_once('/') {
                    Some(_) => "OBJECT:ID, a record of the hub",
                    None => "INTEGRATION/OBJECT:ID",
                };
                step(format!("if you know its counterpart ({form}), say which it is"), words)
            }
            Remedy::ChangeRecord { record } => match record.split_once('/') {
                None => step("change it", self.entente("record set").word(record).plain("FIELD=VALUE")),
                Some((exchange, _)) => advice(&format!("change it in {exchange}; the next run reads it")),
            },
            Remedy::DeleteRecord { record } => match record.split_once('/') {
                None => step("if it is one too many, delete it", self.entente("record delete").word(record)),
                Some((exchange, _)) => advice(&format!("if it is one too many, delete it in {exchange}")),
            },
            Remedy::DeleteFirst { record } => match record.split_once('/') {
                None => step("delete it here", self.entente("record delete").word(record)),
                Some((exchange, _)) => advice(&format!("delete {record} in {exchange}")),
            },
            Remedy::ShowDiffering { sync } => {
                step("see which and why", self.entente("status").word(sync).plain("--differing"))
            }
            Remedy::LinkWith { sync, record, other } => step(
                "if they are the same, link them",
                self.entente("link set").word(record).word(other).option("--sync", sync),
            ),
            Remedy::RemoveLink { sync, record, other } => step(
                "if another record got its id, take the link away",
                self.entente("link remove").word(record).word(other).option("--sync", sync),
            ),
            Remedy::MergeRecord { record, into } => step(
                "if they are the same, merge it into the other one",
                self.entente("link merge").word(record).word(into),
            ),
            Remedy::RestoreRecord { record } => {
                step("if it should not have been deleted", self.entente("record restore").word(record))
            }
            Remedy::LinkAnew { sync, record } => step(
                "if you know that it is not there, let it be made",
                self.entente("link new").word(record).option("--sync", sync),
            ),
            Remedy::LeaveOut { sync, record } => step(
                "if it is to stay here only, leave it out of the sync",
                self.entente("link exclude").word(record).option("--sync", sync),
            ),
            Remedy::TakeIn { sync, record } => step(
                "if it is to take part again",
                self.entente("link include").word(record).option("--sync", sync),
            ),
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
            Remedy::Apply => {
                let file =
                    self.values_of("apply").into_iter().find(|word| !word.starts_with('-')).unwrap_or("FILE");
                step("correct the file and apply it", self.entente("apply").plain(&quoted(file)))
            }
            Remedy::ApplyPruned => step("take it out of the file, then", self.entente("apply FILE --prune")),
            Remedy::Export => step(
                "where there is no file of the configuration, write one",
                self.entente("export").plain("> entente.toml"),
            ),
            Remedy::AddTenant { tenant: name } => {
                step(format!("add the tenant {name}"), tenant("add").word(name))
            }
            Remedy::AddTenantFrom { tenant: name, file } => {
                step("get it back", tenant("add").word(name).option("--from", file))
            }
            Remedy::RemoveTenant { tenant: name } => {
                step(format!("remove the tenant {name}, with all its data"), tenant("remove").word(name))
            }
            Remedy::RemoveUnasked { tenant: name } => {
                step("if that is meant", tenant("remove").word(name).plain("--yes"))
            }
            Remedy::ExportTenant { tenant: name } => {
                let name = name.as_deref().map_or_else(|| "NAME".to_owned(), quoted);
                step("make one", tenant("export").plain(&name).plain("--output FILE"))
            }
            Remedy::CreateHome => step("if that is the one, make it", self.again("--create")),
            Remedy::ChooseHome => advice("name another folder with --home or ENTENTE_HOME"),
            Remedy::LeaveSecretsOut => {
                step("leave the secrets out, and set them again", self.again("--without-secrets"))
            }
            _ => None,
        }
    }
}
