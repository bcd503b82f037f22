//! Lines for the operator, kept with the run. What is over the limits is dropped and counted.
//!
//! Never log values of records above `debug`, and nothing personal at all where it can be avoided.
//!
//! ```no_run
//! use entente_sdk::log;
//!
//! let rows = 12;
//! log::info!("{rows} rows of the archive were left out");
//! log::write(log::Level::Warn, "the account is in read-only mode", &[("account", "main")]);
//! ```

use crate::host;

/// How much a line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Every step.
    Trace,
    /// What helps to find a fault.
    Debug,
    /// What the operator may want to know.
    Info,
    /// What may go wrong later.
    Warn,
    /// What went wrong.
    Error,
}

/// Writes a line with fields that can be searched for.
pub fn write(level: Level, message: &str, fields: &[(&str, &str)]) {
    host::log(level, message, fields);
}

macro_rules! levels {
    ($($(#[$doc:meta])+ $name:ident $exported:ident $level:ident;)+) => {
        levels! { @each ($) $($(#[$doc])+ $name $exported $level;)+ }
    };
    (@each ($d:tt) $($(#[$doc:meta])+ $name:ident $exported:ident $level:ident;)+) => {$(
        #[doc(hidden)]
        #[macro_export]
        macro_rules! $exported {
            ($d($d part:tt)*) => {
                $d crate::log::write($d crate::log::Level::$level, &::std::format!($d($d part)*), &[])
            };
        }
        $(#[$doc])+
        pub use $exported as $name;
    )+};
}

levels! {
    /// A line for [`Level::Trace`], written as in `format!`.
    trace __log_trace Trace;
    /// A line for [`Level::Debug`], written as in `format!`.
    debug __log_debug Debug;
    /// A line for [`Level::Info`], written as in `format!`.
    info __log_info Info;
    /// A line for [`Level::Warn`], written as in `format!`.
    warn __log_warn Warn;
    /// A line for [`Level::Error`], written as in `format!`.
    error __log_error Error;
}
