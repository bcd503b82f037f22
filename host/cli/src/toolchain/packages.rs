//! Which of Debian's packages make a compiler, read from what apt says. Pure: text in, names out.
//!
//! Names carry versions (of the standard library, of LLVM), so they are followed from those that do not.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// The packages to start from: the compiler, cargo, the source of the standard library and what the compiler
/// itself needs to build macros.
pub(super) const ROOTS: [&str; 4] = ["rustc-web", "cargo-web", "rust-web-src", "libstd-rust-web-dev"];

/// What each package depends on.
pub(super) type Depends = BTreeMap<String, Vec<String>>;

/// Reads `apt-cache depends --recurse`. Of alternatives the first is taken; names in `<>` exist only as
/// something that others provide.
pub(super) fn parse_depends(text: &str) -> Depends {
    let mut depends = Depends::new();
    let mut current: Option<String> = None;
    let mut decided = false;
    for line in text.lines() {
        if !line.starts_with(' ') {
            let name = line.trim();
            current = (!name.is_empty() && !name.starts_with('<')).then(|| name.to_owned());
            if let Some(name) = &current {
                depends.entry(name.clone()).or_default();
            }
            decided = false;
            continue;
        }
        let more_follow = line.starts_with(" |");
        let Some((kind, name)) = line.trim_start_matches([' ', '|']).split_once(": ") else {
            continue; // A provider of the name in the line before.
        };
        if !matches!(kind, "Depends" | "PreDepends") {
            continue;
        }
        if !decided && !name.starts_with('<') {
            let name = name.split(':').next().unwrap_or(name).trim();
            if let Some(list) = current.as_ref().and_then(|current| depends.get_mut(current)) {
                list.push(name.to_owned());
            }
            decided = true;
        }
        if !more_follow {
            decided = false;
        }
    }
    depends
}

/// Reads `dpkg-query -W -f '${Package} ${db:Status-Status}\n'`: the packages that the system has.
pub(super) fn parse_installed(text: &str) -> BTreeSet<String> {
    text.lines().filter_map(|line| line.strip_suffix(" installed")).map(str::to_owned).collect()
}

/// The packages to unpack: the roots with the libraries that they run on, but not those libraries that the
/// system has. Programs that they name (a C compiler, binutils) are not taken: unpacked in a strange place
/// those do not work.
pub(super) fn select(depends: &Depends, installed: &BTreeSet<String>) -> Result<Vec<String>, String> {
    if let Some(missing) = ROOTS.iter().find(|root| !depends.contains_key(**root)) {
        return Err(format!("this system's package sources have no package {missing}"));
    }
    let mut chosen = Vec::new();
    let mut seen = BTreeSet::new();
    let mut open: VecDeque<&str> = ROOTS.into();
    while let Some(name) = open.pop_front() {
        if !seen.insert(name) {
            continue;
        }
        if belongs_to_the_compiler(name) || !installed.contains(name) {
            chosen.push(name.to_owned());
        }
        let needed = depends.get(name).into_iter().flatten().map(String::as_str);
        open.extend(needed.filter(|name| name.starts_with("lib") && depends.contains_key(*name)));
    }
    Ok(chosen)
}

/// Taken even if the system has it: it must be of the compiler's version, also after the system was upgraded.
fn belongs_to_the_compiler(name: &str) -> bool {
    ROOTS.contains(&name) || name.starts_with("libstd-rust-") || name.starts_with("libllvm")
}

/// The linker of the compiler's own LLVM: `libllvm22` goes with `lld-22`.
pub(super) fn linker_package(chosen: &[String]) -> Option<String> {
    chosen
        .iter()
        .filter_map(|name| name.strip_prefix("libllvm"))
        .map(|version| version.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default())
        .find(|version| !version.is_empty())
        .map(|version| format!("lld-{version}"))
}

/// The package that a line of `apt-get download` says it fetches.
pub(super) fn fetched(line: &str) -> Option<&str> {
    line.strip_prefix("Get:")?.split_whitespace().nth(4)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    const DEPENDS: &str = "\
rustc-web
  Depends: libc6
  Depends: libstd-rust-web-dev
  Depends: gcc
  Depends: <libc-dev>
    libc6-dev
  Conflicts: rustc
  Conflicts: <rustup>
  Recommends: rust-web-llvm
libstd-rust-web-dev
  Depends: libstd-rust-web-1.96
libstd-rust-web-1.96
  Depends: libc6
  PreDepends: libllvm22
libllvm22
  Depends: libc6
  Depends: libz3-4
libz3-4
libc6
 |Depends: libcrypt1
 |Depends: libcrypt2
  Depends: <libcrypt>
    libcrypt3
  Depends: libgcc-s1:any
libcrypt1
libcrypt2
libgcc-s1
gcc
  Depends: libcc1-0
libcc1-0
cargo-web
 |Depends: <c-compiler>
    tcc
  Depends: clang
  Depends: libgit2-1.5
libgit2-1.5
clang
rust-web-src
<rustup>
";

    fn names(list: &[&str]) -> Vec<String> {
        list.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn depends_are_read() {
        let depends = parse_depends(DEPENDS);
        assert_eq!(depends["rustc-web"], ["libc6", "libstd-rust-web-dev", "gcc"]);
        assert_eq!(depends["libstd-rust-web-1.96"], ["libc6", "libllvm22"]);
        assert_eq!(depends["libc6"], ["libcrypt1", "libgcc-s1"]);
        assert_eq!(depends["cargo-web"], ["clang", "libgit2-1.5"]);
        assert!(depends["rust-web-src"].is_empty());
        assert!(!depends.contains_key("<rustup>"));
    }

    #[test]
    fn the_compiler_is_taken_and_only_missing_libraries() {
        let installed = parse_installed(
            "libc6 installed\nlibgcc-s1 installed\nlibllvm22 installed\nlibz3-4 config-files\nlibcrypt1 installed\n",
        );
        let chosen = select(&parse_depends(DEPENDS), &installed).unwrap();
        assert_eq!(
            chosen,
            names(&[
                "rustc-web",
                "cargo-web",
                "rust-web-src",
                "libstd-rust-web-dev",
                "libgit2-1.5",
                "libstd-rust-web-1.96",
                "libllvm22",
                "libz3-4"
            ])
        );
        assert_eq!(linker_package(&chosen).unwrap(), "lld-22");
    }

    #[test]
    fn a_system_without_the_packages_is_told_which() {
        let text = "rustc-web\n  Depends: libc6\n";
        assert_eq!(
            select(&parse_depends(text), &BTreeSet::new()).unwrap_err(),
            "this system's package sources have no package cargo-web"
        );
        assert!(select(&parse_depends(""), &BTreeSet::new()).is_err());
    }

    #[test]
    fn the_linker_follows_the_compiler() {
        assert_eq!(linker_package(&names(&["libllvm19t64"])).unwrap(), "lld-19");
        assert_eq!(linker_package(&names(&["libc6"])), None);
    }

    #[test]
    fn a_download_names_its_package() {
        assert_eq!(
            fetched("Get:1 mirror/debian stable/main amd64 libllvm22 amd64 1:22.1.8-1 [29.4 MB]"),
            Some("libllvm22")
        );
        assert_eq!(fetched("Fetched 144 MB in 1s"), None);
        assert_eq!(fetched("Get:1"), None);
    }
}
