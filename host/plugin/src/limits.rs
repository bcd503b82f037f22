//! The table of limits for plugins and tenants: name, default, maximum, and the reason for each.
//!
//! A limit that is reached is a [`LimitReached`]: its name, its value, the amount asked for, and remedies as
//! data.

use entente_sync::Remedy;
use serde::Serialize;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// The unit of a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LimitUnit {
    /// Bytes.
    Bytes,
    /// A count.
    Count,
    /// Time.
    Time,
}

impl LimitUnit {
    /// A quantity for people: `128 MiB`, `1000`, `5 s`. Times are in milliseconds.
    pub fn show(self, quantity: u64) -> String {
        match self {
            LimitUnit::Count => quantity.to_string(),
            LimitUnit::Time if quantity.is_multiple_of(1000) => format!("{} s", quantity / 1000),
            LimitUnit::Time => format!("{quantity} ms"),
            LimitUnit::Bytes => {
                let (unit, name) = match quantity {
                    0..1024 => return format!("{quantity} bytes"),
                    1024..0x10_0000 => (1024, "KiB"),
                    _ => (0x10_0000, "MiB"),
                };
                if quantity.is_multiple_of(unit) {
                    format!("{} {name}", quantity / unit)
                } else {
                    format!("{:.1} {name}", quantity as f64 / unit as f64)
                }
            }
        }
    }

    /// The word for the unit: `bytes`, `count`, `milliseconds`.
    pub const fn word(self) -> &'static str {
        match self {
            LimitUnit::Bytes => "bytes",
            LimitUnit::Count => "count",
            LimitUnit::Time => "milliseconds",
        }
    }

    /// The next round number of the unit.
    fn round_up(self, quantity: u64) -> u64 {
        let step = match (self, quantity) {
            (LimitUnit::Bytes, MIB..) => MIB,
            (LimitUnit::Bytes, KIB..) => KIB,
            (LimitUnit::Time, 1000..) => 1000,
            _ => 1,
        };
        quantity.checked_next_multiple_of(step).unwrap_or(quantity)
    }

    fn parse(self, text: &str) -> Option<u64> {
        let text = text.trim();
        let at = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (number, suffix) = text.split_at(at);
        let factor = match (self, suffix.trim()) {
            (LimitUnit::Count, "") | (LimitUnit::Bytes, "" | "B" | "bytes") | (LimitUnit::Time, "ms") => 1,
            (LimitUnit::Bytes, "KiB" | "k" | "K") => 1 << 10,
            (LimitUnit::Bytes, "MiB" | "m" | "M") => 1 << 20,
            (LimitUnit::Time, "s") => 1000,
            (LimitUnit::Time, "m" | "min") => 60_000,
            _ => return None,
        };
        number.parse::<u64>().ok()?.checked_mul(factor)
    }
}

/// One row of the table of limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    /// The name in settings and errors.
    pub name: &'static str,
    /// The unit.
    pub unit: LimitUnit,
    /// The current value; times in milliseconds.
    pub value: u64,
    /// The default.
    pub default: u64,
    /// The highest value that can be set.
    pub most: u64,
    /// What it bounds, and why at this value.
    pub reason: &'static str,
}

impl Limit {
    /// The value, for people.
    pub fn shown(&self) -> String {
        self.unit.show(self.value)
    }

    /// The default for people.
    pub fn default_shown(&self) -> String {
        self.unit.show(self.default)
    }

    /// The highest value, for people.
    pub fn most_shown(&self) -> String {
        self.unit.show(self.most)
    }
}

macro_rules! limits {
    ($($field:ident $name:literal $unit:ident = $default:expr, at most $most:expr; $reason:literal)*) => {
        /// The limits of a tenant and its plugins. Times in milliseconds, sizes in bytes; [`Limits::table`]
        /// explains each.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct Limits {
            /// The tenant, for commands that raise a limit.
            pub tenant: Arc<str>,
            $(#[doc = $reason] pub $field: u64,)*
        }

        impl Default for Limits {
            fn default() -> Self {
                Self { tenant: Arc::from("default"), $($field: $default,)* }
            }
        }

        impl Limits {
            /// All limits with their values.
            pub fn table(&self) -> Vec<Limit> {
                vec![$(Limit {
                    name: $name, unit: LimitUnit::$unit, value: self.$field, default: $default, most: $most, reason: $reason,
                },)*]
            }

            /// Whether there is a limit of this name.
            ///
            /// # Errors
            /// [`UnknownLimit::Name`].
            pub fn check_name(&self, name: &str) -> Result<(), UnknownLimit> {
                if [$($name),*].contains(&name) { Ok(()) } else { Err(UnknownLimit::Name { name: name.to_owned() }) }
            }

            /// Sets a stored limit, in its own unit; false where there is none of this name. A value above
            /// the maximum is reduced to it, and nothing is raised to one.
            pub fn restore(&mut self, name: &str, value: u64) -> bool {
                match name {
                    $($name => self.$field = value.clamp(1, $most),)*
                    _ => return false,
                }
                true
            }

            /// Sets a limit by its name, from a text such as `256 MiB`, `5 s` or `1000`.
            ///
            /// # Errors
            /// [`UnknownLimit`] where there is no such limit, or the text is not a quantity of its unit.
            pub fn set(&mut self, name: &str, text: &str) -> Result<(), UnknownLimit> {
                match name {
                    $($name => {
                        let value = LimitUnit::$unit.parse(text).ok_or_else(|| UnknownLimit::Value {
                            name: name.to_owned(), text: text.to_owned(), unit: LimitUnit::$unit,
                        })?;
                        let most: u64 = $most;
                        if value == 0 {
                            return Err(UnknownLimit::Nothing { name: name.to_owned() });
                        }
                        if value > most {
                            return Err(UnknownLimit::TooMuch { name: name.to_owned(), most: LimitUnit::$unit.show(most) });
                        }
                        self.$field = value;
                        Ok(())
                    })*
                    _ => Err(UnknownLimit::Name { name: name.to_owned() }),
                }
            }

            $(#[doc = concat!("The error for the limit `", $name, "`; `asked` is what would have been needed, where that is known.")]
            pub fn $field(&self, asked: Option<u64>) -> LimitReached {
                LimitReached {
                    name: $name, unit: LimitUnit::$unit, value: self.$field, most: $most, asked, tenant: Arc::clone(&self.tenant),
                }
            })*
        }
    };
}

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

/// Instance slots in the pooling allocator, for all tenants together. A slot costs address space, not memory.
pub(super) const INSTANCE_SLOTS: u32 = 64 + KEPT_SLOTS;
/// Those of them that only a tenant gets that holds none.
pub(super) const KEPT_SLOTS: u32 = 16;
/// The largest memory of one instance: each slot of the pool reserves this much address space.
pub(super) const MEMORY_SLOT: u64 = 512 * MIB;
/// The largest table of one instance, also reserved by each slot.
pub(super) const TABLE_SLOT: u64 = 100_000;

limits! {
    component_bytes "component-bytes" Bytes = 32 * MIB, at most 256 * MIB;
        "Size of a plugin. Plugins in JavaScript and Python carry their engine and have 13 to 19 MiB."
    functions "functions" Count = 150_000, at most 1_000_000;
        "Functions in a plugin; time and memory of compiling grow with them. Plugins in JavaScript have about 30000."
    globals "globals" Count = 10_000, at most 100_000;
        "Global variables in a plugin, of all its modules. Compiled languages have a few, JavaScript and Python some hundreds."
    exports "exports" Count = 200, at most 1_000;
        "Exports of a plugin. There are fewer than 10 that the host calls."
    imports "imports" Count = 200, at most 1_000;
        "Imports of a plugin. The host offers fewer than 50."
    nesting "nesting" Count = 16, at most 100;
        "Nesting depth of components."
    manifest_bytes "manifest-bytes" Bytes = 64 * KIB, at most MIB;
        "Manifest of a plugin. Operators read it before they install the plugin."
    compile_time "compile-time" Time = 60_000, at most 3_600_000;
        "CPU time of compiling a plugin, in whole seconds; three times as much wall time. A plugin in Rust takes about a second, one in JavaScript up to half a minute."
    compile_memory "compile-memory" Bytes = 1024 * MIB, at most 16 * 1024 * MIB;
        "Memory of the process that compiles a plugin. Plugins in JavaScript take 870 MiB of it. It grows with the largest functions."
    compiled_bytes "compiled-bytes" Bytes = 128 * MIB, at most 1024 * MIB;
        "Compiled code of a plugin. It has three to four times the size of the plugin; 40 MiB for one in JavaScript."
    memory_bytes "memory-bytes" Bytes = 128 * MIB, at most MEMORY_SLOT;
        "Memory of one running plugin: its linear memories and tables, and what the host holds for it (bodies, headers, texts, answers read ahead, state, what a call hands over). Rust starts with 1 MiB, Python with 13 MiB; the host holds some 12 MiB during a call."
    tenant_memory_bytes "tenant-memory-bytes" Bytes = 512 * MIB, at most 65_536 * MIB;
        "Memory of all running plugins of a tenant together, what the host holds for them included: four that take all they may, or dozens of small ones."
    tenant_instances "tenant-instances" Count = 16, at most 64;
        "Plugins of a tenant that run, or wait between two calls, at the same time; further ones wait. The pool has 64 instance slots for all tenants, and 16 for those that hold none."
    tenant_compiles "tenant-compiles" Count = 8, at most 64;
        "Plugins of a tenant that are compiled, or wait for it, at the same time; further ones are refused. One of a tenant is compiled at a time, and two of all tenants."
    workers "workers" Count = 1, at most 64;
        "Plugins of a tenant that compute at the same time (permits); further ones wait for a permit. A sync computes in its plugin for a tenth of its time, so one is enough for several syncs."
    memories "memories" Count = 8, at most 32;
        "Linear memories of one running plugin."
    tables "tables" Count = 16, at most 64;
        "Tables of one running plugin."
    table_elements "table-elements" Count = 50_000, at most TABLE_SLOT;
        "Elements of one table. Plugins in JavaScript have 8000."
    instances "instances" Count = 32, at most 64;
        "Core instances in one running plugin. Compiled languages have 3 to 10."
    hostcall_bytes "hostcall-bytes" Bytes = 8 * MIB, at most 256 * MIB;
        "Data that one call of the host or of the plugin may hand over, counted as the host holds it. A page of 1000 rows with 8 fields takes 640 KiB."
    handles "handles" Count = 4096, at most 100_000;
        "Open handles (requests, bodies, streams) on the side of the plugin."
    resources "resources" Count = 4096, at most 100_000;
        "Open handles (requests, bodies, streams) on the side of the host."
    random_bytes "random-bytes" Bytes = 64 * KIB, at most MIB;
        "Random bytes that one call may ask for."
    cpu_time "cpu-time" Time = 5_000, at most 600_000;
        "CPU time of one call. A page of 1000 rows takes milliseconds in Rust, 0.1 s in JavaScript."
    call_time "call-time" Time = 60_000, at most 3_600_000;
        "Wall time of one call, waiting for the remote system included."
    calls_per_instance "calls-per-instance" Count = 1000, at most 1_000_000;
        "Calls after which a plugin gets a new instance, so that memory leaks do not add up."
    page_rows "page-rows" Count = 1000, at most 10_000;
        "Rows and deletions in one page, even if the host asked for more."
    pages_without_progress "pages-without-progress" Count = 1000, at most 1_000_000;
        "Pages in a row without a row, a deletion or a conversion. A remote system that is read day by day has so many of them in three years without a change."
    page_bytes "page-bytes" Bytes = 4 * MIB, at most 64 * MIB;
        "Texts of one page or of the answers to one order."
    id_bytes "id-bytes" Bytes = KIB, at most 2 * KIB;
        "Length of a record's id. A row with a longer one becomes a failed record."
    token_bytes "token-bytes" Bytes = 64 * KIB, at most MIB;
        "Length of a cursor, a bookmark, a ticket or the version of a row."
    objects "objects" Count = 1000, at most 10_000;
        "Objects that a plugin describes."
    fields "fields" Count = 5000, at most 50_000;
        "Fields of one object."
    reason_bytes "reason-bytes" Bytes = 2 * KIB, at most 64 * KIB;
        "Length of an error's text. Longer texts are truncated."
    log_lines "log-lines" Count = 500, at most 100_000;
        "Log lines of one call, printed ones included. Further ones are dropped and counted."
    log_line_bytes "log-line-bytes" Bytes = KIB, at most 64 * KIB;
        "Length of one log line. Longer lines are truncated."
    log_bytes "log-bytes" Bytes = 256 * KIB, at most 16 * MIB;
        "Total length of the log lines of one call. Further ones are dropped and counted."
    state_bytes "state-bytes" Bytes = 256 * KIB, at most 16 * MIB;
        "Keys and values that a plugin keeps between calls. Cursors do not belong there."
    runs_at_once "runs-at-once" Count = 4, at most 1000;
        "Syncs of the tenant at the same time, in all processes together."
    run_rows "run-rows" Count = 20_000_000, at most 10_000_000_000;
        "Rows, deletions and conversions that both sides report in one run; the next run goes on from there. A first sync of a million contacts on both sides has two million."
    run_time "run-time" Time = 86_400_000, at most 31 * 86_400_000;
        "Wall time of one run, its waits included; the next run goes on from there."
    tenant_database_bytes "tenant-database-bytes" Bytes = 16_384 * MIB, at most 1_048_576 * MIB;
        "Size of the database of a tenant. Where it is reached, what would write more fails and leaves all as it was; reading and removing go on."
    installs_per_day "installs-per-day" Count = 200, at most 100_000;
        "Plugins that a tenant installs in a day, upgrades included. Each is compiled, and kept while something uses it."
    secret_matches "secret-matches" Count = 100, at most 10_000;
        "Comparisons with a secret in one call, so that it cannot be guessed."
    secret_hits "secret-hits" Count = 20, at most 10_000;
        "Places of one answer in which a secret is found and masked. A remote system that repeats a request has it once or twice; an answer full of guesses would tell the plugin which of them is right."
    book_bytes "book-bytes" Bytes = 8 * MIB, at most 1024 * MIB;
        "Size of a book: of the calls of one integration that left the host, of those that did not, of its log lines. 8 MiB are 25000 calls with a line each; older ones are counted by day, and the days take as much again."
    book_days "book-days" Count = 90, at most 3650;
        "Days that a line of a book is kept. Three months are what auditors usually ask for."
    book_kinds "book-kinds" Count = 60, at most 10_000;
        "Kinds of calls or lines of one day that are counted apart in a book; further ones are counted together, by host. So many calls with the longest names fit into 8 MiB for 90 days: nothing that a plugin does pushes a day of calls out. Of log lines, which are longer, the oldest days go first."
    http_parallel "http-parallel" Count = 4, at most 64;
        "Requests of one integration at the same time; further ones wait."
    tenant_http_parallel "tenant-http-parallel" Count = 16, at most 1024;
        "Requests of all integrations of a tenant at the same time; further ones wait. Four integrations that send as many as they may."
    http_per_minute "http-per-minute" Count = 1200, at most 1_000_000;
        "Requests of an integration in a minute, over all syncs and processes; further ones wait as long as their call has time. Twenty a second are more than most remote systems take."
    http_requests "http-requests" Count = 2000, at most 100_000;
        "Requests in one call."
    http_request_bytes "http-request-bytes" Bytes = 8 * MIB, at most 256 * MIB;
        "Body of a request."
    http_response_bytes "http-response-bytes" Bytes = 16 * MIB, at most 256 * MIB;
        "Body of a response."
    http_url_bytes "http-url-bytes" Bytes = 64 * KIB, at most MIB;
        "Method, scheme, host, and path with query of a request, each. Few servers take more than 8 KiB."
    http_header_bytes "http-header-bytes" Bytes = 64 * KIB, at most 384 * KIB;
        "Total size of the headers of a request or a response; also the user of a Basic header."
    http_headers "http-headers" Count = 128, at most 1000;
        "Number of headers of a request or a response."
    http_connect_time "http-connect-time" Time = 10_000, at most 300_000;
        "Time to connect, name resolution included."
    http_idle_time "http-idle-time" Time = 30_000, at most 600_000;
        "Time to the first byte of a response, and between two chunks of it."
    http_total_time "http-total-time" Time = 60_000, at most 3_600_000;
        "Total time of one request, response included."
}

/// Maps wasmtime's message about a component that fits no slot of the pooling allocator to the limit behind
/// it. A test for each fails if the wording changes.
pub(super) fn of_pool(limits: &Limits, text: &str) -> Option<LimitReached> {
    let at_its_end = |limit: LimitReached| LimitReached { most: limit.value, ..limit };
    let known = [
        // What all instances need for their functions and globals: the pool has the same room for every plugin.
        ("component instance size does not fit", at_its_end(limits.functions(None))),
        ("core module instances, which exceeds", limits.instances(None)),
        ("Wasm linear memories, which exceeds", limits.memories(None)),
        ("tables, which exceeds", limits.tables(None)),
        ("defined tables count", limits.tables(None)),
        ("module memory does not fit in pooling", limits.memory_bytes(None)),
        ("module table does not fit in pooling", limits.table_elements(None)),
    ];
    known.into_iter().find(|(words, _)| text.contains(words)).map(|(_, limit)| limit)
}

impl Limits {
    pub(super) fn time(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }
}

/// A limit has been reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitReached {
    /// The name of the limit.
    pub name: &'static str,
    /// Its unit.
    pub unit: LimitUnit,
    /// Its value; times in milliseconds.
    pub value: u64,
    /// The highest value that can be set.
    pub most: u64,
    /// The amount asked for, where known.
    pub asked: Option<u64>,
    /// The tenant.
    pub tenant: Arc<str>,
}

impl LimitReached {
    /// A value that would allow it: twice the limit, or the amount asked for. `None` where the maximum does
    /// not allow that.
    fn raised(&self) -> Option<String> {
        let asked = self.asked.unwrap_or_default();
        if self.value >= self.most || asked > self.most {
            return None;
        }
        let next = self.unit.round_up(self.value.saturating_mul(2).max(asked)).min(self.most);
        Some(self.unit.show(next).replace(" bytes", "").replace(' ', ""))
    }

    /// Whether it is shared by all plugins of the tenant, so that reaching it says nothing about a single
    /// plugin.
    fn of_tenant(&self) -> bool {
        self.name.starts_with("tenant-")
    }

    /// Remedies for the operator.
    pub fn remedies(&self) -> Vec<Remedy> {
        let raise = self.raised().map(|value| Remedy::RaiseLimit {
            tenant: self.tenant.to_string(),
            limit: self.name.to_owned(),
            value,
        });
        // Only this limit is reached by operators' commands, not by plugins.
        if self.name == "runs-at-once" {
            return [Remedy::Wait].into_iter().chain(raise).collect();
        }
        if self.of_tenant() {
            return [Remedy::RunFewer].into_iter().chain(raise).collect();
        }
        raise.into_iter().chain([Remedy::ReportToAuthor]).collect()
    }
}

impl fmt::Display for LimitReached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "limit {} of {} reached", self.name, self.unit.show(self.value))?;
        if let Some(asked) = self.asked {
            write!(f, " (asked for: {})", self.unit.show(asked))?;
        }
        if self.of_tenant() {
            f.write_str("; it is shared by everything that the tenant runs at the same time")?;
        } else if self.raised().is_none() {
            write!(f, "; it cannot be more than {}", self.unit.show(self.most))?;
        }
        Ok(())
    }
}

impl std::error::Error for LimitReached {}

/// Why a limit cannot be set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnknownLimit {
    /// There is no limit of this name.
    #[error("there is no limit '{name}'")]
    Name {
        /// What was given.
        name: String,
    },
    /// The text is not a quantity of its unit.
    #[error("'{text}' is no value for the limit {name}; write {}", match unit {
        LimitUnit::Bytes => "a size such as 256 MiB",
        LimitUnit::Count => "a whole number",
        LimitUnit::Time => "a time such as 5 s",
    })]
    Value {
        /// The limit.
        name: String,
        /// The text.
        text: String,
        /// Its unit.
        unit: LimitUnit,
    },
    /// The value is nothing: no plugin could run.
    #[error(
        "the limit {name} cannot be 0; to keep a plugin from running, switch its integration off (integration set NAME --disable)"
    )]
    Nothing {
        /// The limit.
        name: String,
    },
    /// The value is above the maximum.
    #[error("the limit {name} cannot be more than {most}")]
    TooMuch {
        /// The limit.
        name: String,
        /// The maximum.
        most: String,
    },
}

impl UnknownLimit {
    /// Remedies for the operator.
    pub fn remedies(&self) -> Vec<Remedy> {
        match self {
            UnknownLimit::Name { .. } => vec![Remedy::ShowLimits],
            UnknownLimit::Value { .. } | UnknownLimit::Nothing { .. } | UnknownLimit::TooMuch { .. } => {
                Vec::new()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_set_by_name_and_tell_what_is_wrong() {
        let mut limits = Limits::default();
        limits.set("memory-bytes", "256 MiB").unwrap();
        limits.set("cpu-time", "1500 ms").unwrap();
        limits.set("page-rows", "10").unwrap();
        assert_eq!((limits.memory_bytes, limits.cpu_time, limits.page_rows), (256 << 20, 1500, 10));
        assert_eq!(
            limits.set("memory-bytes", "8192 MiB").unwrap_err().to_string(),
            "the limit memory-bytes cannot be more than 512 MiB"
        );
        assert!(
            limits
                .set("memory-bytes", "5 s")
                .unwrap_err()
                .to_string()
                .ends_with("write a size such as 256 MiB")
        );
        assert!(limits.set("memory", "1").is_err());
    }

    #[test]
    fn every_limit_has_a_reason_and_a_name_of_its_own() {
        let table = Limits::default().table();
        let names: std::collections::BTreeSet<_> = table.iter().map(|limit| limit.name).collect();
        assert_eq!(names.len(), table.len());
        assert!(table.iter().all(|limit| limit.value > 0 && limit.reason.ends_with('.')));
        // Setting a limit to its displayed value changes nothing: what is printed can be typed.
        let mut limits = Limits::default();
        for limit in &table {
            limits.set(limit.name, &limit.shown()).unwrap();
        }
        assert_eq!(limits, Limits::default());
    }

    #[test]
    fn a_limit_that_is_reached_says_what_how_much_and_what_to_do() {
        let limits = Limits { tenant: Arc::from("acme"), id_bytes: 2 << 10, ..Limits::default() };
        let said = |reached: LimitReached| {
            let steps = reached.remedies().into_iter().map(|remedy| match remedy {
                Remedy::RaiseLimit { tenant, limit, value } => format!("\n{tenant}: {limit} = {value}"),
                other => format!("\n{other:?}"),
            });
            format!("{reached}{}", steps.collect::<String>())
        };
        insta::assert_snapshot!(said(limits.memory_bytes(Some(130 << 20))), @"
        limit memory-bytes of 128 MiB reached (asked for: 130 MiB)
        acme: memory-bytes = 256MiB
        ReportToAuthor
        ");
        insta::assert_snapshot!(said(limits.state_bytes(Some((5 << 20) + 1))), @"
        limit state-bytes of 256 KiB reached (asked for: 5.0 MiB)
        acme: state-bytes = 6MiB
        ReportToAuthor
        ");
        insta::assert_snapshot!(said(limits.cpu_time(None)), @"
        limit cpu-time of 5 s reached
        acme: cpu-time = 10s
        ReportToAuthor
        ");
        insta::assert_snapshot!(said(limits.memory_bytes(Some(1 << 40))), @"
        limit memory-bytes of 128 MiB reached (asked for: 1048576 MiB); it cannot be more than 512 MiB
        ReportToAuthor
        ");
        insta::assert_snapshot!(said(limits.id_bytes(None)), @"
        limit id-bytes of 2 KiB reached; it cannot be more than 2 KiB
        ReportToAuthor
        ");
        insta::assert_snapshot!(said(limits.runs_at_once(Some(5))), @"
        limit runs-at-once of 4 reached (asked for: 5)
        Wait
        acme: runs-at-once = 8
        ");
        insta::assert_snapshot!(said(limits.tenant_instances(None)), @"
        limit tenant-instances of 16 reached; it is shared by everything that the tenant runs at the same time
        RunFewer
        acme: tenant-instances = 32
        ");
    }

    #[test]
    fn what_a_limit_says_can_be_set() {
        for limit in Limits::default().table() {
            let reached = LimitReached {
                name: limit.name,
                unit: limit.unit,
                value: limit.value,
                most: limit.most,
                asked: Some(limit.value + 1),
                tenant: Arc::from("default"),
            };
            let Some(value) = reached.raised() else { continue };
            Limits::default().set(limit.name, &value).unwrap_or_else(|error| panic!("{value}: {error}"));
        }
    }

    #[test]
    fn stored_limits_come_back_as_far_as_they_can() {
        let mut limits = Limits::default();
        assert!(limits.restore("page-rows", 7) && limits.restore("memory-bytes", u64::MAX));
        assert_eq!((limits.page_rows, limits.memory_bytes), (7, MEMORY_SLOT));
        assert!(!limits.restore("of-a-later-version", 1));
    }
}
