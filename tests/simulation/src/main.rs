//! The program `simulate`: runs many histories and reports the violations.

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use simulation::{Exception, Settings, Tally, Verdict, Word, run_history, shrink};
use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Duration;

const HELP: &str = "\
Lives through simulated histories of syncs, with faults and crashes, and checks that nothing was lost,
doubled or swapped.

Usage: simulate [--histories N] [--seed S] [--trace] [--file] [--json] [--shrink]

  --histories N  how many histories [default: 1000]
  --seed S       the seed of the first one; each further one has the next number [default: 1]
  --trace        say everything that happens
  --file         keep the store in a file rather than in memory
  --json         say everything at the end in JSON, on one line
  --shrink       reduce a failing history to the fewest steps that fail in the same way, and list them
  -h, --help     print this
  -V, --version  print the version";

/// Command-line arguments. Parsed by a library without macros, so that the simulation compiles without clap.
struct Arguments {
    histories: u64,
    seed: u64,
    trace: bool,
    file: bool,
    json: bool,
    shrink: bool,
}

/// The request in the arguments.
enum Asked {
    Run(Arguments),
    /// Print a text, and do nothing else.
    Print(String),
}

fn parse(mut parser: lexopt::Parser) -> Result<Asked, lexopt::Error> {
    use lexopt::prelude::{Long, Short, ValueExt as _};
    let mut arguments =
        Arguments { histories: 1000, seed: 1, trace: false, file: false, json: false, shrink: false };
    while let Some(argument) = parser.next()? {
        match argument {
            Long("histories") => arguments.histories = parser.value()?.parse()?,
            Long("seed") => arguments.seed = parser.value()?.parse()?,
            Long("trace") => arguments.trace = true,
            Long("file") => arguments.file = true,
            Long("shrink") => arguments.shrink = true,
            Long("json") => arguments.json = true,
            Short('h') | Long("help") => return Ok(Asked::Print(HELP.to_owned())),
            Short('V') | Long("version") => {
                return Ok(Asked::Print(format!("simulate {}", env!("CARGO_PKG_VERSION"))));
            }
            other => return Err(other.unexpected()),
        }
    }
    Ok(Asked::Run(arguments))
}

#[expect(clippy::print_stdout, reason = "what the program is asked for")]
fn main() -> ExitCode {
    match parse(lexopt::Parser::from_env()) {
        Ok(Asked::Run(arguments)) => simulate(&arguments),
        Ok(Asked::Print(text)) => {
            println!("{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}\n\n{HELP}");
            ExitCode::from(2)
        }
    }
}

fn simulate(arguments: &Arguments) -> ExitCode {
    // A panic is a violation of its history, and is reported there.
    std::panic::set_hook(Box::new(|panic| eprintln!("{panic}")));
    let progress = ProgressBar::new(arguments.histories);
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} histories, {per_sec}, {msg}") {
        progress.set_style(style);
    }
    progress.enable_steady_tick(Duration::from_millis(200));
    let settings = Settings { trace: arguments.trace, file: arguments.file };
    let mut totals = Totals::default();
    for seed in (0..arguments.histories).map(|n| arguments.seed.wrapping_add(n)) {
        let verdict = run_history(seed, settings);
        if !verdict.violations.is_empty() {
            progress.suspend(|| tell(&verdict, arguments.json));
            if arguments.shrink {
                let (shrunk, steps) = shrink(verdict.clone(), settings);
                progress.suspend(|| tell_steps(&shrunk, steps, arguments.json));
            }
        }
        totals.add(&verdict);
        progress.set_message(totals.words());
        progress.inc(1);
    }
    progress.finish_and_clear();
    if arguments.json {
        totals.tell_json()
    } else {
        totals.tell()
    }
    if totals.violations.values().any(|count| *count > 0) { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

#[expect(clippy::print_stdout, reason = "what the program is asked for")]
fn tell(verdict: &Verdict, json: bool) {
    let say = |line: String| if json { eprintln!("{line}") } else { println!("{line}") };
    say(format!(
        "seed {}: cargo run --release --bin simulate -- --histories 1 --seed {} --trace",
        verdict.seed, verdict.seed
    ));
    for violation in &verdict.violations {
        say(format!("  {violation}"));
    }
}

/// The story of a history that was reduced.
#[expect(clippy::print_stdout, reason = "what the program is asked for")]
fn tell_steps(verdict: &Verdict, steps: usize, json: bool) {
    let say = |line: String| if json { eprintln!("{line}") } else { println!("{line}") };
    say(format!("seed {}: {steps} of {} steps fail in the same way:", verdict.seed, verdict.steps));
    verdict.story.iter().for_each(|line| say(format!("    {line}")));
    verdict.violations.iter().for_each(|violation| say(format!("  {violation}")));
}

/// Totals over all histories.
#[derive(Default)]
struct Totals {
    histories: u64,
    operations: u64,
    crashes: u64,
    faults: u64,
    pairs: BTreeMap<&'static str, u64>,
    violations: BTreeMap<Word, usize>,
    tally: Tally,
    failing: Vec<u64>,
}

impl Totals {
    fn add(&mut self, verdict: &Verdict) {
        self.histories += 1;
        self.operations += verdict.operations;
        self.crashes += verdict.crashes;
        self.faults += verdict.faults;
        self.tally.add(&verdict.tally);
        if !verdict.violations.is_empty() {
            self.failing.push(verdict.seed);
        }
        for (status, count) in &verdict.pairs {
            *self.pairs.entry(status).or_default() += count;
        }
        for word in Word::ALL {
            *self.violations.entry(word).or_default() += verdict.count(word);
        }
    }

    #[expect(clippy::print_stdout, reason = "what the program is asked for")]
    fn tell_json(&self) {
        let counts = self.tally.counts.iter();
        let drawn: Vec<_> = counts
            .map(|((group, what), count)| json!({"group": group.word(), "what": what, "count": count}))
            .collect();
        let exceptions: Vec<_> = Exception::ALL
            .into_iter()
            .map(|exception| {
                let count = self.tally.exceptions.get(&exception).copied().unwrap_or(0);
                json!({"exception": exception.word(), "reason": exception.reason(), "count": count})
            })
            .collect();
        let violations: BTreeMap<String, usize> =
            self.violations.iter().map(|(word, count)| (word.to_string(), *count)).collect();
        println!(
            "{}",
            json!({
                "histories": self.histories,
                "operations": self.operations,
                "crashes": self.crashes,
                "faults": self.faults,
                "pairs": self.pairs,
                "drawn": drawn,
                "exceptions": exceptions,
                "not_drawn": simulation::NOT_DRAWN,
                "failing": self.failing,
                "violations": violations,
            })
        );
    }

    fn words(&self) -> String {
        let words =
            Word::ALL.map(|word| format!("{word} {}", self.violations.get(&word).copied().unwrap_or(0)));
        words.join(", ")
    }

    #[expect(clippy::print_stdout, reason = "what the program is asked for")]
    fn tell(&self) {
        let pairs: Vec<String> =
            self.pairs.iter().map(|(status, count)| format!("{status} {count}")).collect();
        for ((group, what), count) in &self.tally.counts {
            println!("{:<15} {what:<36} {count:>9}", group.word());
        }
        for exception in Exception::ALL {
            let count = self.tally.exceptions.get(&exception).copied().unwrap_or(0);
            println!("{:<15} {:<36} {count:>9}  {}", "exception", exception.word(), exception.reason());
        }
        for what in simulation::NOT_DRAWN {
            println!("not drawn: {what}");
        }
        println!("pairs at the end: {}", pairs.join(", "));
        println!(
            "histories {}, operations {}, crashes {}, faults {}: {}",
            self.histories,
            self.operations,
            self.crashes,
            self.faults,
            self.words()
        );
    }
}
