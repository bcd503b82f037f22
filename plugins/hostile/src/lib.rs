//! A plugin that tries to break out. The setting `attack` chooses how, the setting `where` in which export
//! (`report` if it is not set). Without an attack it is a small, honest plugin.

mod attack;
mod bindings;
mod fetch;
mod hold;
mod hunt;
mod wire;

use bindings::entente::integration::data::{Batch, Call, Error, Row, UnreadableRow, Value};
use bindings::entente::integration::{log, secrets, settings, state};
use bindings::exports::entente::integration::{lookup, mapping_manual, order_execution, sync_report};

struct Hostile;

bindings::export!(Hostile with_types_in bindings);

/// The text of a setting; empty where it is not set.
fn setting(name: &str) -> String {
    match settings::get(name) {
        Some(Value::Text(text)) => text,
        _ => String::new(),
    }
}

/// The attack that is to be made in this export.
fn attack_in(export: &str) -> String {
    let chosen = setting("where");
    let here = if chosen.is_empty() { "report" } else { &chosen };
    if here == export { setting("attack") } else { String::new() }
}

fn error(code: &str, reason: impl Into<String>) -> Error {
    Error { code: code.to_owned(), reason: reason.into(), after: None, object: None, extra: vec![] }
}

fn row(id: &str, values: Vec<Value>) -> Row {
    Row { id: id.to_owned(), changed: None, version: None, values, field_changed: vec![], extra: vec![] }
}

fn field(name: &str, kind: &str) -> mapping_manual::Field {
    mapping_manual::Field {
        name: name.to_owned(),
        label: name.to_owned(),
        kind: kind.to_owned(),
        features: if name == "name" { vec!["identifier".to_owned()] } else { vec![] },
        targets: vec![],
        choices: vec![],
        max_length: None,
        extra: vec![],
    }
}

impl mapping_manual::Guest for Hostile {
    fn describe(_: Call) -> Result<mapping_manual::Description, Error> {
        attack::run(&attack_in("describe"))?;
        Ok(mapping_manual::Description {
            objects: vec![mapping_manual::Object {
                name: "thing".to_owned(),
                label: "Thing".to_owned(),
                fields: vec![field("name", "text"), field("score", "float")],
                change_times: "none".to_owned(),
                precision: None,
                features: vec!["create".to_owned(), "update".to_owned(), "full-listing".to_owned()],
                search_lag: None,
                page_size: None,
                order_size: None,
                extra: vec![],
            }],
            account: None,
            extra: vec![],
        })
    }

    fn manual(_: Call) -> Result<mapping_manual::Proposal, Error> {
        attack::run(&attack_in("manual"))?;
        Ok(mapping_manual::Proposal { mappings: vec![], extra: vec![] })
    }
}

impl sync_report::Guest for Hostile {
    fn report(request: sync_report::Request) -> Result<sync_report::Page, Error> {
        let attack = attack_in("report");
        attack::run(&attack)?;
        let rows = match attack.as_str() {
            "huge-page" => (0..20_000).map(|n| row(&n.to_string(), vec![Value::Null, Value::Null])).collect(),
            "huge-row" => vec![row("1", vec![Value::Text("x".repeat(6 << 20)), Value::Null])],
            "huge-values" => (0..900)
                .map(|n| row(&n.to_string(), vec![Value::Text("x".repeat(20_000)), Value::Null]))
                .collect(),
            "bad-rows" => vec![
                row("good", vec![Value::Text("one".to_owned()), Value::Float(1.0)]),
                row("short", vec![Value::Null]),
                row("", vec![Value::Null, Value::Null]),
                row("nan", vec![Value::Null, Value::Float(f64::NAN)]),
            ],
            "hunt" => match hunt::got() {
                got if got.is_empty() => vec![],
                got => vec![row(
                    &got.chars().filter(|c| !c.is_control()).take(200).collect::<String>(),
                    vec![Value::Text(got), Value::Float(1.0)],
                )],
            },
            "forged" => {
                let said = setting("said");
                log::log(log::Level::Warn, &said, &[("key".to_owned(), said.clone())]);
                vec![
                    row(&format!("7{said}"), vec![Value::Text("its id".to_owned()), Value::Null]),
                    row("8\u{202e}\u{200b}", vec![Value::Text(format!("theirs {said}")), Value::Float(1.0)]),
                    row("1", vec![Value::Text("one".to_owned()), Value::Float(1.0)]),
                ]
            }
            // New rows for ever.
            "endless" => (0..500)
                .map(|n| {
                    let id = format!("{}-{n}-{}", request.iteration, "x".repeat(500));
                    row(&id, vec![Value::Text(format!("{id}{}", "y".repeat(500))), Value::Null])
                })
                .collect(),
            "placeholder-row" => vec![row("1", vec![Value::Text(secrets::use_("key")?), Value::Float(1.0)])],
            "empty-pages" => vec![],
            _ => vec![row("1", vec![Value::Text("one".to_owned()), Value::Float(1.0)])],
        };
        let next = match attack.as_str() {
            "same-cursor" => Some("again".to_owned()),
            "circle" => Some(format!("page {}", request.iteration % 2)),
            "empty-pages" | "endless" => Some(format!("page {}", request.iteration + 1)),
            "huge-cursor" => Some("c".repeat(1 << 20)),
            _ => None,
        };
        let seen = state::get("seen").map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        if attack == "state-kept" {
            state::set("seen", format!("page {}", request.iteration).as_bytes())?;
        }
        Ok(sync_report::Page {
            batches: vec![Batch {
                object: "thing".to_owned(),
                fields: vec!["name".to_owned(), "score".to_owned()],
                rows,
                deleted: vec![],
                unreadable: match attack.as_str() {
                    "forged" => vec![UnreadableRow {
                        id: Some("9".to_owned()),
                        reason: setting("said"),
                        extra: vec![],
                    }],
                    _ => vec![],
                },
                extra: vec![],
            }],
            conversions: vec![],
            finished: match &next {
                Some(_) => vec![],
                None => vec![sync_report::Finished {
                    object: "thing".to_owned(),
                    bookmark: seen,
                    complete: true,
                    extra: vec![],
                }],
            },
            next,
            after: None,
            extra: vec![],
        })
    }
}

impl order_execution::Guest for Hostile {
    fn execute(order: order_execution::Order) -> Result<order_execution::Execution, Error> {
        attack::run(&attack_in("execute"))?;
        let forged = setting("attack") == "forged";
        let refused = || {
            order_execution::Outcome::Failed(order_execution::Failure {
                code: setting("said"),
                reason: setting("said"),
                fields: vec!["name".to_owned()],
                extra: vec![],
            })
        };
        let answer = |change: order_execution::Change| order_execution::Answer {
            // What came as `base` is told back, so that a test sees what was sent.
            outcome: match forged {
                true => refused(),
                false => order_execution::Outcome::Created(row(&format!("new-{}", change.id), change.base)),
            },
            change: change.id,
            extra: vec![],
        };
        let answers = order.changes.into_iter().map(answer).collect();
        Ok(order_execution::Execution { answers, stopped: None, extra: vec![] })
    }

    fn collect(_: String, _: order_execution::Order) -> Result<order_execution::Collection, Error> {
        attack::run(&attack_in("collect"))?;
        Err(error("unsupported", "nothing is ever deferred"))
    }
}

impl lookup::Guest for Hostile {
    fn find(query: lookup::Query) -> Result<lookup::Found, Error> {
        attack::run(&attack_in("find"))?;
        let answers = if setting("attack") == "short-find" { 0 } else { query.keys.len() };
        // The one record that it has is called so.
        let is_it =
            |key: &[Value]| key.iter().any(|value| matches!(value, Value::Text(text) if text == "one"));
        let found = |key: &Vec<Value>| if is_it(key) { vec!["1".to_owned()] } else { vec![] };
        let ids = query.keys.iter().take(answers).map(found).collect();
        Ok(lookup::Found { ids, extra: vec![] })
    }
}
