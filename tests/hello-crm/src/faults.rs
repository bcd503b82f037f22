//! Fault injection: responses that are late, wrong, rate-limited or missing.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A fault, and the requests that it applies to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// The requests that the rule counts.
    #[serde(default, rename = "match")]
    pub matching: Match,
    /// The number of requests that pass first.
    #[serde(default)]
    pub after: u64,
    /// The number of requests that it then applies to; default 1, null for all.
    #[serde(default = "once")]
    pub times: Option<u64>,
    /// The fault.
    pub action: Action,
}

fn once() -> Option<u64> {
    Some(1)
}

impl Rule {
    /// A rule for the next request of any kind.
    pub fn new(action: Action) -> Self {
        Self { matching: Match::default(), after: 0, times: Some(1), action }
    }

    /// Restricts the rule to this method.
    pub fn method(mut self, method: &str) -> Self {
        self.matching.method = Some(method.to_owned());
        self
    }

    /// Restricts the rule to requests whose path and query contain this.
    pub fn path(mut self, part: &str) -> Self {
        self.matching.path_contains = Some(part.to_owned());
        self
    }

    /// Lets this many requests pass first.
    pub fn after(mut self, requests: u64) -> Self {
        self.after = requests;
        self
    }

    /// Applies to this many requests; `None` for all.
    pub fn times(mut self, times: impl Into<Option<u64>>) -> Self {
        self.times = times.into();
        self
    }
}

/// Conditions on a request; what is left out matches everything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Match {
    /// The method, in any case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// A part of path and query, such as `/batch` or `sync_token=`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path_contains: Option<String>,
}

/// The fault of a request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Action {
    /// It is executed after a delay.
    Delay {
        /// The delay in milliseconds.
        delay_ms: u64,
    },
    /// It is not executed, and gets this response.
    Status {
        /// The HTTP status.
        status: u16,
        /// The body: text as it is, anything else as JSON.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        body: Option<Value>,
    },
    /// It is not executed, and gets a 429.
    RateLimited {
        /// What the answer says.
        rate_limit: RateLimit,
    },
    /// The connection is closed without a response.
    Drop {
        /// Whether it is executed.
        drop: DropWhen,
    },
}

/// What a 429 says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateLimit {
    /// Seconds for the header Retry-After.
    pub retry_after: u64,
}

/// When the connection is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DropWhen {
    /// Before execution: the request is lost.
    Before,
    /// After execution: the response is lost.
    After,
}

impl Action {
    /// An answer of 500.
    pub fn fail() -> Self {
        Self::Status { status: 500, body: None }
    }

    /// The name in the log of requests.
    pub(crate) fn label(&self) -> &'static str {
        match self {
            Self::Delay { .. } => "delay",
            Self::Status { .. } => "status",
            Self::RateLimited { .. } => "rate_limit",
            Self::Drop { drop: DropWhen::Before } => "drop before",
            Self::Drop { drop: DropWhen::After } => "drop after",
        }
    }
}

/// A rule with what it has counted.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RuleStatus {
    /// The rule.
    #[serde(flatten)]
    pub rule: Rule,
    /// How many requests it matched.
    pub matched: u64,
    /// How many it struck.
    pub struck: u64,
}

/// The rules in force.
#[derive(Debug, Default)]
pub(crate) struct Faults(Vec<RuleStatus>);

impl Faults {
    pub(crate) fn set(&mut self, rules: Vec<Rule>) {
        self.0.clear();
        rules.into_iter().for_each(|rule| self.add(rule));
    }

    pub(crate) fn add(&mut self, rule: Rule) {
        self.0.push(RuleStatus { rule, matched: 0, struck: 0 });
    }

    pub(crate) fn list(&self) -> Vec<RuleStatus> {
        self.0.clone()
    }

    /// Counts a request for every rule that matches; the first that is due applies.
    pub(crate) fn strike(&mut self, method: &str, target: &str) -> Option<Action> {
        let mut action = None;
        for status in &mut self.0 {
            let Match { method: wanted, path_contains } = &status.rule.matching;
            let matches = wanted.as_deref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(method))
                && path_contains.as_deref().is_none_or(|part| target.contains(part));
            if !matches {
                continue;
            }
            status.matched += 1;
            let due = status.matched > status.rule.after
                && status.rule.times.is_none_or(|times| status.struck < times);
            if due && action.is_none() {
                status.struck += 1;
                action = Some(status.rule.action.clone());
            }
        }
        action
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_rule_strikes_after_some_and_so_many_times() {
        let mut faults = Faults::default();
        faults.set(vec![Rule::new(Action::fail()).method("get").path("persons").after(1).times(2)]);
        let struck: Vec<bool> =
            (0..5).map(|_| faults.strike("GET", "/v1/persons?limit=1").is_some()).collect();
        assert_eq!(struck, [false, true, true, false, false]);
        assert_eq!(faults.strike("POST", "/v1/persons"), None);
        assert_eq!(faults.list()[0].matched, 5);
    }

    #[test]
    fn rules_are_read_from_json() {
        for (action, expected) in [
            (json!({"delay_ms": 5}), Action::Delay { delay_ms: 5 }),
            (json!({"status": 500}), Action::fail()),
            (
                json!({"rate_limit": {"retry_after": 2}}),
                Action::RateLimited { rate_limit: RateLimit { retry_after: 2 } },
            ),
            (json!({"drop": "after"}), Action::Drop { drop: DropWhen::After }),
        ] {
            let rule: Rule = serde_json::from_value(json!({ "action": action })).unwrap();
            assert_eq!(rule, Rule::new(expected));
        }
        let forever: Rule =
            serde_json::from_value(json!({"times": null, "action": {"drop": "before"}})).unwrap();
        assert_eq!(forever.times, None);
        assert!(serde_json::from_value::<Rule>(json!({"action": {"explode": 1}})).is_err());
    }
}
