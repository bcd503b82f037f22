//! Every remedy has words and, where it has one, a command that this program takes.

use super::shell::quoted;
use super::*;
use crate::Cli;
use clap::Parser;
use entente_core::Timestamp;
use std::path::Path;

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
        Remedy::UpgradeWith { integration: name(), settings: vec![text("url"), text("page")] },
        Remedy::AgreeToUpgrade { integration: name(), digest: text("0a1b") },
        Remedy::RollBack { integration: name() },
        Remedy::Resume { integration: name(), until: None },
        Remedy::Resume { integration: name(), until: Some(Timestamp::from_micros(0)) },
        Remedy::RebindSameSystem { integration: name(), account: None },
        Remedy::RebindSameSystem { integration: name(), account: Some(text("Acme (a of crm)")) },
        Remedy::RebindForgetLinks { integration: name(), unasked: false },
        Remedy::RebindForgetLinks { integration: name(), unasked: true },
        Remedy::AddIntegration { plugin: None },
        Remedy::AddIntegration { plugin: Some(text("helloworld")) },
        Remedy::AddWithoutSync { integration: name() },
        Remedy::AddWith { with: Box::new(Remedy::SetSecret { integration: name(), secret: text("key") }) },
        Remedy::ChangeIntegration { integration: name() },
        Remedy::RemoveWithSyncs { integration: name() },
        Remedy::RemoveIntegration { integration: name() },
        Remedy::ListIntegrations,
    ]
    .into_iter()
    .chain(of_installation_and_runs())
    .collect()
}

fn of_installation_and_runs() -> Vec<Remedy> {
    let name = || "shop".to_owned();
    let text = |text: &str| text.to_owned();
    vec![
        Remedy::InstallPlugin { file: None },
        Remedy::InstallPlugin { file: Some(text("my plugins/x.wasm")) },
        Remedy::BuildPlugin { folder: None },
        Remedy::Apply,
        Remedy::ApplyPruned,
        Remedy::Export,
        Remedy::AddTenant { tenant: text("acme") },
        Remedy::AddTenantFrom { tenant: text("acme"), file: text("acme.tar") },
        Remedy::RemoveTenant { tenant: text("acme") },
        Remedy::RemoveUnasked { tenant: text("acme") },
        Remedy::ExportTenant { tenant: None },
        Remedy::CreateHome,
        Remedy::RestoreRecord { record: text("contact:12") },
        Remedy::DeleteFirst { record: text("contact:12") },
        Remedy::DeleteFirst { record: text("HelloWorld/person:p3") },
        Remedy::ShowDiffering { sync: name() },
        Remedy::LinkWith { sync: name(), record: text("contact:12"), other: text("HelloWorld/person:p3") },
        Remedy::RemoveLink { sync: name(), record: text("contact:12"), other: text("HelloWorld/person:p3") },
        Remedy::MergeRecord { record: text("contact:12"), into: text("contact:7") },
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
        Remedy::LiftIdentifiers { sync: name() },
        Remedy::ListRuns,
        Remedy::ShowRun { run: 3 },
        Remedy::ShowLog { run: 3 },
        Remedy::ApplyRun { run: 3 },
        Remedy::UndoRun { run: 3, deletes: 2 },
        Remedy::PlanUndo { run: 3 },
        Remedy::ListConflicts { sync: None },
        Remedy::ListConflicts { sync: Some(name()) },
        Remedy::SettleConflicts { hub: true },
        Remedy::SettleConflicts { hub: false },
        Remedy::SettleConflict { conflict: 7, hub: true },
        Remedy::SettleConflict { conflict: 7, hub: false },
        Remedy::ListFailed { sync: name() },
        Remedy::Retry,
        Remedy::RetryRecord { sync: name(), record: text("HelloWorld/person:p3") },
        Remedy::ChangeRecord { record: text("contact:12") },
        Remedy::ChangeRecord { record: text("HelloWorld/person:p3") },
        Remedy::DeleteRecord { record: text("contact:12") },
        Remedy::DeleteRecord { record: text("HelloWorld/person:p3") },
        Remedy::LinkRecord { sync: name(), record: text("contact:12") },
        Remedy::LinkRecord { sync: name(), record: text("HelloWorld/person:p3") },
        Remedy::LinkAnew { sync: name(), record: text("HelloWorld/person:p3") },
        Remedy::LeaveOut { sync: name(), record: text("contact:12") },
        Remedy::TakeIn { sync: name(), record: text("contact:12") },
        Remedy::ShowWaiting { sync: name() },
    ]
}

/// Whether a remedy is one of [`all`]. Without a wildcard, so that a new one does not compile.
fn is_listed(remedy: &Remedy) -> bool {
    match remedy {
        Remedy::RaiseLimit { .. } | Remedy::SetLimit { .. } | Remedy::ShowLimits | Remedy::RunFewer => true,
        Remedy::ReportToAuthor | Remedy::GrantHost { .. } | Remedy::GrantSecret { .. } => true,
        Remedy::NameHost { .. } | Remedy::GrantState { .. } | Remedy::ShowGrants { .. } => true,
        Remedy::SetSecret { .. }
        | Remedy::UnsetSecret { .. }
        | Remedy::SetSetting { .. }
        | Remedy::Enable { .. } => true,
        Remedy::Upgrade { .. }
        | Remedy::UpgradeWith { .. }
        | Remedy::AgreeToUpgrade { .. }
        | Remedy::RollBack { .. } => true,
        Remedy::Resume { .. } | Remedy::AddIntegration { .. } | Remedy::AddWithoutSync { .. } => true,
        Remedy::RebindSameSystem { .. } | Remedy::RebindForgetLinks { .. } => true,
        Remedy::ChangeIntegration { .. } | Remedy::RemoveWithSyncs { .. } => true,
        Remedy::RemoveIntegration { .. } | Remedy::ListIntegrations | Remedy::InstallPlugin { .. } => true,
        Remedy::BuildPlugin { .. } | Remedy::Apply | Remedy::ApplyPruned | Remedy::Export => true,
        Remedy::AddTenant { .. } | Remedy::AddTenantFrom { .. } | Remedy::RemoveTenant { .. } => true,
        Remedy::CreateHome | Remedy::RestoreRecord { .. } | Remedy::DeleteFirst { .. } => true,
        Remedy::ShowDiffering { .. } | Remedy::LinkWith { .. } | Remedy::MergeRecord { .. } => true,
        Remedy::RemoveLink { .. } | Remedy::PlanUndo { .. } => true,
        Remedy::ExportTenant { .. } | Remedy::ChooseHome | Remedy::LeaveSecretsOut | Remedy::Wait => true,
        Remedy::Sync { .. } | Remedy::GoOn { .. } | Remedy::SyncAgain { .. } => true,
        Remedy::PlanSync { .. } | Remedy::ReadAll { .. } | Remedy::LiftBrake { .. } => true,
        Remedy::LiftIdentifiers { .. } => true,
        Remedy::ListRuns | Remedy::ShowRun { .. } | Remedy::ShowLog { .. } | Remedy::ApplyRun { .. } => true,
        Remedy::UndoRun { .. } | Remedy::ListConflicts { .. } | Remedy::SettleConflicts { .. } => true,
        Remedy::SettleConflict { .. } | Remedy::AddWith { .. } | Remedy::RemoveUnasked { .. } => true,
        Remedy::ListFailed { .. } | Remedy::Retry | Remedy::RetryRecord { .. } => true,
        Remedy::ChangeRecord { .. } | Remedy::DeleteRecord { .. } => true,
        Remedy::LeaveOut { .. } | Remedy::TakeIn { .. } => true,
        Remedy::ShowWaiting { .. } | Remedy::LinkRecord { .. } | Remedy::LinkAnew { .. } => true,
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
    switch shop on: entente integration enable shop
    change its version; what the new one asks for is shown: entente integration upgrade shop
    set them with the new version: entente integration upgrade shop --set url=VALUE --set page=VALUE
    agree to it: entente integration upgrade shop --plugin 0a1b --agree
    go back to the version before, if there was one: entente integration rollback shop
    let shop run again once its plugin is mended: entente integration resume shop
    wait until 1970-01-01T00:00:00Z, or let shop run at once: entente integration resume shop
    if it is the same account and only moved, keep the links: entente integration rebind shop --same-system
    if it has the same records under another account, keep the links: entente integration rebind shop --same-system --account 'Acme (a of crm)'
    if they are other records, forget the links: records are matched anew: entente integration rebind shop --forget-links
    if that is meant: entente integration rebind shop --forget-links --yes
    add one: entente integration add NAME --plugin PLUGIN
    add one: entente integration add NAME --plugin helloworld
    add it without a sync: entente integration add shop --no-sync
    give it again with more: entente --tenant acme sync 'my shop' --secret key
    change shop, by its settings or secrets: entente integration set shop --set SETTING=VALUE
    remove it together with its syncs: entente integration remove shop --with-syncs
    remove shop: entente integration remove shop
    see what there is: entente integration list
    install the plugin: entente plugin install FILE
    install the plugin: entente plugin install 'my plugins/x.wasm'
    build the plugin: entente plugin build DIR
    correct the file and apply it: entente apply FILE
    take it out of the file, then: entente apply FILE --prune
    where there is no file of the configuration, write one: entente export > entente.toml
    add the tenant acme: entente tenant add acme
    get it back: entente tenant add acme --from acme.tar
    remove the tenant acme, with all its data: entente tenant remove acme
    if that is meant: entente tenant remove acme --yes
    make one: entente tenant export NAME --output FILE
    if that is the one, make it: entente --tenant acme sync 'my shop' --create
    if it should not have been deleted: entente record restore contact:12
    delete it here: entente record delete contact:12
    delete HelloWorld/person:p3 in HelloWorld
    see which and why: entente status shop --differing
    if they are the same, link them: entente link set contact:12 HelloWorld/person:p3 --sync shop
    if another record got its id, take the link away: entente link remove contact:12 HelloWorld/person:p3 --sync shop
    if they are the same, merge it into the other one: entente link merge contact:12 contact:7
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
    if these are the same records: entente sync shop --lift-identifiers
    see what ran: entente run list
    see what run 3 did: entente run show 3
    see what its plugins logged: entente run show 3 --log
    do what run 3 planned: entente run apply 3
    if that is right: entente run undo 3 --delete 2
    see what an undo would put back: entente run undo 3 --dry-run
    decide conflicts: entente conflict list
    decide conflicts: entente conflict list --sync shop
    decide: entente conflict settle NUMBER --hub, --integration or --value VALUE
    decide: entente conflict settle NUMBER --left, --right or --value VALUE
    take the value of the hub (--integration for the other one): entente conflict settle 7 --hub
    take the value of the left (--right for the other one): entente conflict settle 7 --left
    see what failed, and when it is tried again: entente retry --sync shop
    try again (--all for all of them): entente retry RECORD
    try it again: entente retry HelloWorld/person:p3 --sync shop
    change it: entente record set contact:12 FIELD=VALUE
    change it in HelloWorld; the next run reads it
    if it is one too many, delete it: entente record delete contact:12
    if it is one too many, delete it in HelloWorld
    if you know its counterpart (INTEGRATION/OBJECT:ID), say which it is: entente link set contact:12 COUNTERPART --sync shop
    if you know its counterpart (OBJECT:ID, a record of the hub), say which it is: entente link set HelloWorld/person:p3 COUNTERPART --sync shop
    if you know that it is not there, let it be made: entente link new HelloWorld/person:p3 --sync shop
    if it is to stay here only, leave it out of the sync: entente link exclude contact:12 --sync shop
    if it is to take part again: entente link include contact:12 --sync shop
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
        if matches!(remedy, Remedy::SettleConflicts { .. } | Remedy::LeaveSecretsOut | Remedy::AddWith { .. })
        {
            // Several ways to say it, and one that depends on what was given.
            continue;
        }
        let numbers = command.replace("LIMIT=VALUE", "cpu-time=1s").replace(" > entente.toml", "");
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
            r"entente --home 'it'\''s mine' --tenant acme integration enable shop",
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
    let commands: Vec<String> =
        Cli::command().get_subcommands().map(|command| format!("entente {}", command.get_name())).collect();
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
