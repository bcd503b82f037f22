//! Manifests: what one says is written so that it is read as the same, asks for no more than itself, and is
//! fit to be shown.

use super::is_clean;
use entente_plugin::Manifest;

/// Looks at one input.
pub fn run(bytes: &[u8]) {
    match Manifest::parse(bytes) {
        Ok(manifest) => {
            let again = Manifest::parse(&manifest.to_json()).expect("what is written can be read");
            assert_eq!(again, manifest);
            assert!(manifest.more_than(&manifest).asks().is_empty());
            assert!(
                is_clean(&manifest.name) && is_clean(&manifest.version) && is_clean(&manifest.description)
            );
            assert!(manifest.hosts.iter().all(|host| is_clean(&host.address) && is_clean(&host.reason)));
            for ask in manifest.asks() {
                let name = ask.name.unwrap_or_default();
                assert!(
                    is_clean(&name) && is_clean(&ask.words) && is_clean(&ask.reason),
                    "{name}: {}",
                    ask.words
                );
            }
            let settings = manifest.settings.iter();
            settings.for_each(|ask| assert!(is_clean(&ask.name) && is_clean(&ask.reason), "{}", ask.name));
            assert!(manifest.headers.iter().all(|name| is_clean(name)));
            assert!(manifest.secrets.iter().all(|secret| is_clean(&secret.name) && is_clean(&secret.reason)));
        }
        Err(error) => assert!(is_clean(&error.to_string()), "{error:?}"),
    }
}
