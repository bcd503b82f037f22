//! What a plugin asks for, from the author's file into the component.

use std::io;
use std::ops::Range;
use std::path::Path;

use wasm_encoder::{ComponentSection, CustomSection};
use wasmparser::{Parser, Payload};

use super::BuildError;
use entente_plugin::{MANIFEST_FILE, MANIFEST_SECTION, Manifest, read_text};

/// Reads the file that was named, else `plugin.toml` in the folder of a plugin; without that one the plugin asks for nothing.
pub(super) fn read(dir: &Path, named: Option<&Path>) -> Result<Manifest, BuildError> {
    let path = named.map_or_else(|| dir.join(MANIFEST_FILE), Path::to_path_buf);
    match read_text(&path) {
        Ok(text) => {
            Manifest::from_toml(&text).map_err(|error| BuildError::Manifest { path, reason: error.0 })
        }
        Err(error) if named.is_none() && error.kind() == io::ErrorKind::NotFound => Ok(Manifest::default()),
        Err(source) => Err(BuildError::Manifest { path, reason: source.to_string() }),
    }
}

/// Puts a manifest into a component, in place of the one that it has. Anybody can do so; what it asks for is
/// granted by nobody but the operator.
///
/// # Errors
/// When the bytes are no component.
pub(crate) fn add_manifest(component: &[u8], manifest: &Manifest) -> Result<Vec<u8>, BuildError> {
    if !Parser::is_component(component) {
        return Err(BuildError::NotAComponent { reason: "a manifest goes into a component".to_owned() });
    }
    let mut depth = 0u32;
    let (mut whole, mut copied) = (Vec::new(), 0);
    for payload in Parser::new(0).parse_all(component) {
        match payload.map_err(|error| BuildError::NotAComponent { reason: error.to_string() })? {
            Payload::Version { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::CustomSection(section) if depth == 1 && section.name() == MANIFEST_SECTION => {
                let refuse = || BuildError::NotAComponent {
                    reason: "the manifest in it cannot be taken out".to_owned(),
                };
                let place = |at: u64| usize::try_from(at).map_err(|_| refuse());
                let range = place(section.range().start)?..place(section.range().end)?;
                let begins = section_start(component, &range).ok_or_else(refuse)?;
                whole.extend_from_slice(&component[copied..begins]);
                copied = range.end;
            }
            _ => {}
        }
    }
    whole.extend_from_slice(&component[copied..]);
    CustomSection { name: MANIFEST_SECTION.into(), data: manifest.to_json().into() }
        .append_to_component(&mut whole);
    Ok(whole)
}

/// Where a custom section begins whose content is known: before it stand its kind, 0, and its length, which
/// takes one to five bytes.
fn section_start(component: &[u8], content: &Range<usize>) -> Option<usize> {
    (1..=5).find_map(|bytes| {
        let begins = content.start.checked_sub(bytes + 1)?;
        let length = component[begins + 1..content.start]
            .iter()
            .rev()
            .fold(0u64, |length, byte| length << 7 | u64::from(byte & 0x7f));
        // All but the last one say that more come.
        let goes_on = component[begins + 1..content.start].iter().rev().skip(1).all(|byte| byte & 0x80 != 0);
        (component[begins] == 0 && goes_on && length == content.len() as u64).then_some(begins)
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    const EMPTY: &[u8] = b"\0asm\x0d\0\x01\0";

    #[test]
    fn a_manifest_is_put_in_once() {
        let manifest =
            Manifest::from_toml("name = \"mail\"\n[[host]]\naddress = \"*\"\nreason = \"hooks\"").unwrap();
        let component = add_manifest(EMPTY, &manifest).unwrap();
        let sections: Vec<Vec<u8>> = Parser::new(0)
            .parse_all(&component)
            .filter_map(|payload| match payload.unwrap() {
                Payload::CustomSection(section) if section.name() == MANIFEST_SECTION => {
                    Some(section.data().to_vec())
                }
                _ => None,
            })
            .collect();
        assert_eq!(sections.len(), 1);
        assert_eq!(Manifest::parse(&sections[0]).unwrap(), manifest);
        let other = Manifest::from_toml("name = \"post\"").unwrap();
        assert_eq!(
            add_manifest(&component, &other).unwrap(),
            add_manifest(EMPTY, &other).unwrap(),
            "in place of the one before"
        );
        // Others write lengths in five bytes.
        let section = &component[EMPTY.len()..];
        assert!(section[1] & 0x80 == 0, "one byte");
        let padded = [EMPTY, &[0, section[1] | 0x80, 0x80, 0x80, 0x80, 0], &section[2..]].concat();
        assert_eq!(add_manifest(&padded, &other).unwrap(), add_manifest(EMPTY, &other).unwrap());
        assert!(add_manifest(b"\0asm\x01\0\0\0", &manifest).is_err(), "a module");
        assert!(add_manifest(&component[..component.len() - 1], &manifest).is_err(), "cut off");
    }

    #[test]
    fn the_file_of_the_author_is_read_or_named() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(read(folder.path(), None).unwrap(), Manifest::default());
        let other = folder.path().join("other.toml");
        assert!(read(folder.path(), Some(&other)).unwrap_err().to_string().contains("other.toml"));
        std::fs::write(folder.path().join(MANIFEST_FILE), "[[host]]\naddress = 1").unwrap();
        let error = read(folder.path(), None).unwrap_err().to_string();
        assert!(error.contains("plugin.toml") && error.contains("line 2"), "{error}");
    }
}
