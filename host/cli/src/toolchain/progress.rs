//! What a build is doing, in words for a person.

use std::fmt;

/// A stage of a build. Its `Display` is one line for a spinner.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Progress {
    /// Sees whether the compiler knows the target.
    LookingForTarget,
    /// rustup adds the target; its last line, if it has said something.
    AddingTarget(String),
    /// Another build sets up a compiler or builds a plugin of the same name.
    Waiting(&'static str),
    /// Reads which packages there are.
    PackageLists,
    /// Fetches a package.
    Downloading {
        /// The name of the package.
        package: String,
        /// Its place among those to fetch, from 1.
        number: usize,
        /// How many there are to fetch.
        of: usize,
    },
    /// Unpacks a package.
    Unpacking {
        /// The name of the package.
        package: String,
        /// Its place among those to unpack, from 1.
        number: usize,
        /// How many there are to unpack.
        of: usize,
    },
    /// cargo compiles; its last line.
    Compiling(String),
    /// Turns the compiled module into a component.
    Encoding,
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LookingForTarget => f.write_str("Looking for a wasm target"),
            Self::AddingTarget(line) if line.is_empty() => f.write_str("Adding the wasm target with rustup"),
            Self::AddingTarget(line) => write!(f, "Adding the wasm target with rustup: {line}"),
            Self::Waiting(what) => write!(f, "Waiting for another build that {what}"),
            Self::PackageLists => f.write_str("Looking for a compiler in Debian's package lists"),
            Self::Downloading { package, number, of } => {
                write!(f, "Downloading {package} ({number} of {of})")
            }
            Self::Unpacking { package, number, of } => write!(f, "Unpacking {package} ({number} of {of})"),
            Self::Compiling(line) if line.is_empty() => f.write_str("Compiling"),
            Self::Compiling(line) => f.write_str(line),
            Self::Encoding => f.write_str("Making the component"),
        }
    }
}
