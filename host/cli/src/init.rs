//! `entente init`: a home folder, made on purpose.

use super::output::Done;
use super::{Context, key_variable, remedy};
use entente::view::HomeView;
use entente::{DEFAULT_TENANT, Home, Tenant};
use entente_plugin::Compiler;
use entente_sync::Remedy;

/// Runs the command.
pub(super) fn run(context: &Context) -> anyhow::Result<Done> {
    let environment = |name: &str| std::env::var_os(name);
    let path = Home::locate(context.home.as_deref(), environment)?;
    let made = Home::find(Some(&path), environment).is_err();
    Tenant::open_named(&path, DEFAULT_TENANT, key_variable(), Compiler::this_program()?)?;
    let view = HomeView { home: path.display().to_string(), made };
    context.output.show(&view, |view| {
        let what = if view.made { "made the home folder" } else { "this is a home folder already:" };
        let next = remedy::lines(&[Remedy::InstallPlugin { file: None }]);
        format!("{what} {}{next}", view.home)
    })?;
    Ok(Done::Well)
}
