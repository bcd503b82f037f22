//! Examples at the end of the help of each command. A test parses every one of them.

use clap::Command;

/// Commands with their examples; what follows `#` says what it is for.
const EXAMPLES: &[(&str, &[&str])] = &[
    ("quickstart", &["entente quickstart", "entente quickstart --stop"]),
    ("init", &["entente init", "entente --home /srv/entente init"]),
    (
        "sync",
        &[
            "entente sync HelloWorld --dry-run        # see what a run would do",
            "entente sync HelloWorld",
            "entente sync HelloWorld --start-datetime='-2 days'",
            "entente sync HelloWorld --object-id contact:12",
            "entente sync HelloWorld --max-time 5m --wait --quiet        # for cron",
        ],
    ),
    ("sync list", &["entente sync list", "entente sync list --json"]),
    ("apply", &["entente apply entente.toml --dry-run", "entente apply entente.toml"]),
    ("export", &["entente export > entente.toml"]),
    ("plugin build", &["entente plugin build plugins/helloworld"]),
    ("plugin inspect", &["entente plugin inspect helloworld.wasm"]),
    ("plugin install", &["entente plugin install helloworld.wasm"]),
    ("plugin list", &["entente plugin list"]),
    ("plugin remove", &["entente plugin remove helloworld"]),
    (
        "integration add",
        &[
            "entente integration add HelloWorld --set url=https://crm.example.com --http https://crm.example.com --secret api-key",
            "entente integration add HelloWorld --grant-all --secret-env api-key=CRM_KEY",
        ],
    ),
    (
        "integration set",
        &[
            "entente integration set HelloWorld --set page=500",
            "entente integration set HelloWorld --secret api-key",
        ],
    ),
    ("integration enable", &["entente integration enable HelloWorld"]),
    ("integration disable", &["entente integration disable HelloWorld"]),
    (
        "integration grant",
        &[
            "entente integration grant HelloWorld",
            "entente integration grant HelloWorld --http https://files.example.com",
        ],
    ),
    (
        "integration upgrade",
        &["entente integration upgrade HelloWorld", "entente integration upgrade HelloWorld --agree"],
    ),
    ("integration rollback", &["entente integration rollback HelloWorld"]),
    ("integration resume", &["entente integration resume HelloWorld"]),
    ("integration rebind", &["entente integration rebind HelloWorld --same-system"]),
    ("integration remove", &["entente integration remove HelloWorld --with-syncs"]),
    (
        "integration fields",
        &["entente integration fields HelloWorld --object person", "entente integration fields hub"],
    ),
    ("integration list", &["entente integration list --json"]),
    ("integration calls", &["entente integration calls HelloWorld --limit 20"]),
    (
        "record import",
        &[
            "entente record import contact people.csv --dry-run",
            "entente record import contact people.csv --key email",
            "entente record import --undo 7 --dry-run        # what an import made and changed, by the number of its run",
        ],
    ),
    (
        "record export",
        &["entente record export contact > people.csv", "entente record export contact --json"],
    ),
    (
        "record list",
        &["entente record list contact --search Khan", "entente record list contact --filter city=Oslo"],
    ),
    ("record show", &["entente record show contact:12", "entente record show HelloWorld/person:p3"]),
    (
        "record history",
        &["entente record history contact:12 --field phone        # who changed the number, when and why"],
    ),
    (
        "record set",
        &["entente record set contact:12 phone='+47 22 00 00 00'", "entente record set company name=Acme"],
    ),
    ("record delete", &["entente record delete contact:12 --dry-run", "entente record delete contact:12"]),
    ("record restore", &["entente record restore contact:12"]),
    ("record erase", &["entente record erase contact:12"]),
    ("run list", &["entente run list --sync HelloWorld"]),
    ("run show", &["entente run show 7", "entente run show 7 --filter status=failed --log"]),
    ("run apply", &["entente run apply 7        # exactly what the dry run showed"]),
    ("run undo", &["entente run undo 7 --dry-run", "entente run undo 7 --delete 12"]),
    ("conflict list", &["entente conflict list --sync HelloWorld"]),
    (
        "conflict settle",
        &[
            "entente conflict settle 3 4 --hub",
            "entente conflict settle 3 --value '+47 22 00 00 00'",
            "entente conflict settle --all --integration",
        ],
    ),
    ("link set", &["entente link set contact:12 HelloWorld/person:p3"]),
    ("link remove", &["entente link remove contact:12 HelloWorld/person:p3"]),
    (
        "link exclude",
        &["entente link exclude contact:12", "entente link exclude contact:12 --sync HelloWorld"],
    ),
    ("link include", &["entente link include contact:12"]),
    (
        "link merge",
        &["entente link merge contact:12 contact:7 --dry-run", "entente link merge contact:12 contact:7"],
    ),
    ("link new", &["entente link new contact:12"]),
    (
        "retry",
        &[
            "entente retry        # what failed, and when it is tried again",
            "entente retry contact:12",
            "entente retry --all",
        ],
    ),
    (
        "status",
        &[
            "entente status",
            "entente status HelloWorld --differing",
            "entente status --check --max-age 2h        # for a monitor: ends with 3 where anything is not well",
        ],
    ),
    ("judge", &["entente judge < claims.jsonl"]),
    ("tenant list", &["entente tenant list"]),
    ("tenant add", &["entente tenant add acme", "entente tenant add acme --from acme.tar"]),
    ("tenant export", &["entente tenant export acme --output acme.tar"]),
    ("tenant remove", &["entente tenant remove acme"]),
    ("tenant set", &["entente tenant set acme --limit memory-bytes=256MiB"]),
    ("tenant limits", &["entente tenant limits acme"]),
    ("doctor", &["entente doctor --offline"]),
    ("completion", &["entente completion bash > entente.bash"]),
    ("man", &["entente man /usr/local/share/man/man1"]),
];

/// Adds the examples to the help of each command.
pub(super) fn add_to(command: Command) -> Command {
    below(command, "")
}

fn below(command: Command, before: &str) -> Command {
    let names: Vec<String> = command.get_subcommands().map(|below| below.get_name().to_owned()).collect();
    names.into_iter().fold(command, |command, name| {
        let path = format!("{before}{name}");
        command.mut_subcommand(name, |sub| {
            let sub = match EXAMPLES.iter().find(|(known, _)| *known == path) {
                Some((_, examples)) => sub.after_help(format!("Examples:\n  {}", examples.join("\n  "))),
                None => sub,
            };
            below(sub, &format!("{path} "))
        })
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    /// The words of an example, as a shell has them.
    fn words(example: &str) -> Vec<String> {
        let line = example.split("        #").next().unwrap_or_default();
        let line = line.split([' ']).collect::<Vec<_>>().join(" ");
        let line =
            line.split(" > ").next().unwrap_or_default().split(" < ").next().unwrap_or_default().to_owned();
        let (mut words, mut word, mut quoted) = (Vec::new(), String::new(), false);
        for c in line.chars() {
            match c {
                '\'' => quoted = !quoted,
                ' ' if !quoted => {
                    words.extend(Some(std::mem::take(&mut word)).filter(|word| !word.is_empty()))
                }
                c => word.push(c),
            }
        }
        words.push(word);
        words
    }

    fn leaves(command: &Command, before: &str, found: &mut Vec<String>) {
        for below in command.get_subcommands().filter(|below| below.get_name() != "help") {
            let name = format!("{before}{}", below.get_name());
            leaves(below, &format!("{name} "), found);
            // `sync` is one with a name, and has one below it.
            if !below.has_subcommands() || below.get_positionals().next().is_some() {
                found.push(name);
            }
        }
    }

    #[test]
    fn every_command_has_examples_and_each_is_one_that_it_takes() {
        let mut commands = Vec::new();
        leaves(&super::super::command(), "", &mut commands);
        for name in &commands {
            assert!(EXAMPLES.iter().any(|(known, _)| known == name), "no example of «{name}»");
        }
        for (name, examples) in EXAMPLES {
            assert!(commands.iter().any(|known| known == name), "there is no command «{name}»");
            for example in *examples {
                let words = words(example);
                let parsed = super::super::command().try_get_matches_from(&words);
                assert!(parsed.is_ok(), "«{example}»: {}", parsed.unwrap_err());
                let (mut below, mut path) = (parsed.unwrap(), Vec::new());
                while let Some((name, rest)) = below.remove_subcommand() {
                    path.push(name);
                    below = rest;
                }
                assert_eq!(path.join(" "), *name, "«{example}»");
            }
        }
    }
}
