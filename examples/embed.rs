//! What a program that embeds Entente does: it opens a home, fills the hub, and asks how things stand. It goes
//! through the library alone, and prints the same data as `entente … --json`.
//!
//! cargo run -p entente --example embed

use entente::Tenant;
use entente::entente_plugin::{Compiler, answer_as_compiler, protect_process};
use entente::entente_sqlite::{ImportOptions, import_csv};
use std::error::Error;
use std::io::{Write, stderr, stdout};
use std::process::ExitCode;

fn main() -> Result<ExitCode, Box<dyn Error>> {
    // Before there are threads and secrets: no core dumps, no debuggers, no files that others can read. The command line does the
    // same; the library leaves it to the program, since it is for the whole process.
    if let Err(error) = protect_process() {
        writeln!(stderr(), "this process could not give up all that it has no need of: {error}")?;
    }
    // Plugins are compiled by another process: this same program, started with a word that no command has.
    if let Some(code) = answer_as_compiler(std::env::args_os()) {
        return Ok(code);
    }
    // A home is a folder. The key that secrets are sealed with may come from anywhere; here there is none.
    let home = tempfile::tempdir()?;
    let tenant = Tenant::open(home.path(), None, Compiler::this_program()?)?;
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(show(&tenant))?;
    Ok(ExitCode::SUCCESS)
}

async fn show(tenant: &Tenant) -> Result<(), Box<dyn Error>> {
    // Two records for the hub, from a text that the program has read wherever it likes.
    let csv = "E-mail,City\nada@example.org,Lund\nbo@example.org,Kiruna\n";
    import_csv(tenant.hub(), csv.as_bytes(), &ImportOptions::new("contact"), &mut |_, _| {}).await?;

    // How the syncs stand: none yet, until an integration is added (`Tenant::add_integration`).
    let status = tenant.status(None).await?;
    // A record: each field with its value, since when, and who wrote it; and what waits.
    let record = tenant.show_record("contact", "1").await?;
    // Views are plain data: print them, answer a request with them, or read their fields.
    writeln!(stdout(), "status: {}", serde_json::to_string_pretty(&status)?)?;
    writeln!(stdout(), "record: {}", serde_json::to_string_pretty(&record)?)?;
    Ok(())
}
