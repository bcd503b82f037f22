//! Turns a core module into a component, and writes it.

use std::fs;
use std::path::{Path, PathBuf};

use entente_plugin::{InspectError, Limits, inspect};
use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER,
};
use wasmparser::{Parser, Payload};
use wit_component::ComponentEncoder;

use super::BuildError;
use super::crate_info::CrateInfo;
use crate::whole_file::write_whole;

/// The folder of finished components in a target folder.
pub(crate) const FOLDER: &str = "components";

/// Custom sections in which a language's bindings keep the world that the module is written for.
const WORLD_SECTION: &str = "component-type";

/// Makes a component of a core module that was compiled against a WIT world, with the adapter for modules that import WASI as it was
/// before components. The result is checked as the host will check it. What is a component already stays as it is.
///
/// # Errors
/// When the bytes are neither, when the module does not say which world it is written for, and when it
/// imports or lacks something against that world.
pub(crate) fn as_component(bytes: Vec<u8>) -> Result<Vec<u8>, BuildError> {
    if Parser::is_component(&bytes) {
        return Ok(bytes);
    }
    if !describes_a_world(&bytes)? {
        return Err(BuildError::NoComponentType);
    }
    ComponentEncoder::default()
        .validate(true)
        .module(&bytes)
        .and_then(|encoder| {
            encoder.adapter(WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER)
        })
        .and_then(|encoder| encoder.encode())
        .map_err(|error| BuildError::Encode { reason: format!("{error:#}") })
}

/// Without this section the encoder makes an empty component, or complains about the first import; neither
/// tells the author what is missing.
fn describes_a_world(module: &[u8]) -> Result<bool, BuildError> {
    for payload in Parser::new(0).parse_all(module) {
        match payload.map_err(|error| BuildError::NotAModule { reason: error.to_string() })? {
            Payload::CustomSection(section) if section.name().starts_with(WORLD_SECTION) => {
                return Ok(true);
            }
            _ => {}
        }
    }
    Ok(false)
}

/// Checks a component as `plugin install` does, so that its author hears what is wrong with it and not its first operator. What only a
/// host's own limits refuse passes.
pub(super) fn check(component: &[u8]) -> Result<(), BuildError> {
    let inspection = match inspect(component, &Limits::default()) {
        Err(InspectError::Limit(_)) => return Ok(()),
        inspected => inspected.map_err(|error| BuildError::NotInstallable { reason: error.to_string() })?,
    };
    inspection.check_asks().map_err(|error| BuildError::NotInstallable { reason: error.to_string() })
}

/// Where the component goes.
pub(super) fn path(plugin: &CrateInfo, output: Option<&Path>) -> PathBuf {
    let usual = || plugin.target_dir.join(FOLDER).join(format!("{}.wasm", plugin.crate_name));
    output.map_or_else(usual, Path::to_path_buf)
}

/// Writes the file whole or not at all; a host may be reading it. A file that is right already is left alone,
/// so that its time tells when the component last changed.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), BuildError> {
    if fs::read(path).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    write_whole(path, bytes).map_err(|source| BuildError::Write { path: path.to_path_buf(), source })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    const EMPTY_MODULE: &[u8] = b"\0asm\x01\0\0\0";
    const EMPTY_COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";

    #[test]
    fn a_module_without_world_is_refused_with_the_remedy() {
        let error = as_component(EMPTY_MODULE.to_vec()).unwrap_err();
        assert!(matches!(error, BuildError::NoComponentType));
        assert!(error.to_string().contains("entente-sdk"));
    }

    #[test]
    fn what_is_no_module_is_refused() {
        for bytes in [&b""[..], b"hello", &[0xff; 40]] {
            assert!(matches!(as_component(bytes.to_vec()), Err(BuildError::NotAModule { .. })), "{bytes:?}");
        }
    }

    #[test]
    fn a_component_stays_as_it_is() {
        assert_eq!(as_component(EMPTY_COMPONENT.to_vec()).unwrap(), EMPTY_COMPONENT);
    }

    #[test]
    fn a_broken_world_is_an_error_of_encoding() {
        // A custom section named component-type whose content is one byte.
        let mut module = EMPTY_MODULE.to_vec();
        module.extend([0, 16, 14]);
        module.extend(b"component-type");
        module.push(0xff);
        assert!(matches!(as_component(module), Err(BuildError::Encode { .. })));
    }

    #[test]
    fn the_same_bytes_are_not_written_again() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("deep/er/a.wasm");
        write(&file, b"one").unwrap();
        let first = fs::metadata(&file).unwrap().modified().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(20));
        write(&file, b"one").unwrap();
        assert_eq!(fs::metadata(&file).unwrap().modified().unwrap(), first);
        write(&file, b"two").unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"two");
        assert_eq!(folder.path().join("deep/er").read_dir().unwrap().count(), 1, "nothing is left over");
    }

    #[test]
    fn a_place_that_cannot_be_written_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        let error = write(&file.join("a.wasm"), b"x").unwrap_err();
        assert!(error.to_string().contains("a.wasm"));
    }
}
