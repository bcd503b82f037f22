//! Secrets are encrypted at rest.

use super::*;
use entente_sqlite::{SecretRow, Session, StoreError};

const CANARY: &str = "canary-4711-not-to-be-found";

async fn with_secret() -> Try {
    let it = Try::new().await;
    it.apply(
        "[integration.HelloWorld]\nplugin = \"helloworld\"\n[integration.Second]\nplugin = \"helloworld\"",
    )
    .await
    .unwrap();
    it.configuration.set_secret("HelloWorld", "api-key", &SecretText::new(CANARY)).await.unwrap();
    it
}

#[tokio::test]
async fn a_secret_comes_back_and_is_found_nowhere_in_the_home() {
    let it = with_secret().await;
    let opened = it.configuration.open_secrets("HelloWorld").await.unwrap();
    assert_eq!(opened["api-key"].reveal(), CANARY);
    assert_eq!(format!("{:?} {}", opened["api-key"], opened["api-key"]), "SecretText(…) …");
    let export = it.configuration.export().await.unwrap();
    assert!(!export.contains(CANARY));
    let mut folders = vec![it.home.path().to_owned()];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            files += 1;
            let bytes = std::fs::read(&path).unwrap();
            assert!(!bytes.windows(CANARY.len()).any(|part| part == CANARY.as_bytes()), "{}", path.display());
        }
    }
    assert!(files >= 3, "{files}");
}

#[tokio::test]
async fn secrets_are_replaced_listed_and_taken_away() {
    let it = with_secret().await;
    it.configuration.set_secret("HelloWorld", "api-key", &SecretText::new("two")).await.unwrap();
    assert_eq!(it.configuration.open_secrets("HelloWorld").await.unwrap()["api-key"].reveal(), "two");
    assert_eq!(it.configuration.secrets("HelloWorld").await.unwrap()[0].name, "api-key");
    insta::assert_snapshot!(it.configuration.unset_secret("HelloWorld", "apikey").await.unwrap_err(), @"unknown secret 'apikey'; there is: api-key");
    it.configuration.unset_secret("HelloWorld", "api-key").await.unwrap();
    assert!(it.configuration.open_secrets("HelloWorld").await.unwrap().is_empty());
    insta::assert_snapshot!(it.configuration.set_secret("HelloWorld", "api-key", &SecretText::new("")).await.unwrap_err(), @"secret 'api-key' of integration 'HelloWorld': it is empty");
    insta::assert_snapshot!(it.configuration.set_secret("HelloWord", "api-key", &SecretText::new("x")).await.unwrap_err(), @"unknown integration 'HelloWord'; there is: HelloWorld");
}

#[tokio::test]
async fn a_wrong_key_is_told_and_nothing_is_sealed_with_it() {
    let it = with_secret().await;
    let wrong = it.configuration.clone().with_key(Some(SecretText::new("00".repeat(32))));
    let fingerprint = it.configuration.secrets("HelloWorld").await.unwrap()[0].key.clone();
    let said = |error: ConfigError| error.to_string().replace(&fingerprint, "RIGHT");
    insta::assert_snapshot!(said(wrong.open_secrets("HelloWorld").await.unwrap_err()), @"secret 'api-key' of integration 'HelloWorld': the secrets here are sealed with the key RIGHT, ENTENTE_KEY is 19628099288f; use the right key, or take all secrets away and set them again");
    insta::assert_snapshot!(said(wrong.set_secret("Second", "token", &SecretText::new("x")).await.unwrap_err()), @"secret 'token' of integration 'Second': the secrets here are sealed with the key RIGHT, ENTENTE_KEY is 19628099288f; use the right key, or take all secrets away and set them again");
    // The only secret may be replaced with another key.
    wrong.set_secret("HelloWorld", "api-key", &SecretText::new("x")).await.unwrap();
    assert_eq!(wrong.open_secrets("HelloWorld").await.unwrap()["api-key"].reveal(), "x");
}

#[tokio::test]
async fn a_lost_key_is_told_and_no_new_one_made() {
    let it = with_secret().await;
    let fingerprint = it.configuration.secrets("HelloWorld").await.unwrap()[0].key.clone();
    std::fs::remove_file(it.home.key_file()).unwrap();
    let said = |error: ConfigError| it.clean(&error.to_string()).replace(&fingerprint, "RIGHT");
    insta::assert_snapshot!(said(it.configuration.open_secrets("HelloWorld").await.unwrap_err()), @"secret 'api-key' of integration 'HelloWorld': the key RIGHT that it is sealed with is missing: restore secret.key in the home folder, or set ENTENTE_KEY");
    insta::assert_snapshot!(said(it.configuration.set_secret("HelloWorld", "b", &SecretText::new("x")).await.unwrap_err()), @"the key RIGHT that the secrets here are sealed with is missing: restore DIR/home/secret.key or set ENTENTE_KEY; if it is lost, take all secrets away and set them again");
    assert!(!it.home.key_file().exists());
    it.configuration.unset_secret("HelloWorld", "api-key").await.unwrap();
    it.configuration.set_secret("HelloWorld", "b", &SecretText::new("x")).await.unwrap();
}

#[tokio::test]
async fn a_secret_opens_in_its_own_place_only() {
    let it = with_secret().await;
    let sealed = it.store.snapshot(|session| session.secret("HelloWorld", "api-key")).await.unwrap().unwrap();
    let elsewhere = SecretRow { integration: "Second".to_owned(), ..sealed.clone() };
    it.store.transact(|session| session.put_secret(&elsewhere)).await.unwrap();
    insta::assert_snapshot!(it.configuration.open_secrets("Second").await.unwrap_err(), @"secret 'api-key' of integration 'Second': what is stored has been changed or is damaged");
    assert!(it.configuration.clone().of_tenant("other").open_secrets("HelloWorld").await.is_err());
    let mut damaged = sealed;
    damaged.sealed[0] ^= 0xff;
    it.store.transact(|session| session.put_secret(&damaged)).await.unwrap();
    let error = it.configuration.open_secrets("HelloWorld").await.unwrap_err().to_string();
    insta::assert_snapshot!(error, @"secret 'api-key' of integration 'HelloWorld': what is stored has been changed or is damaged");
    assert!(!error.contains(CANARY));
}

#[tokio::test]
async fn a_secret_of_one_tenant_opens_in_no_other() {
    let it = with_secret().await;
    it.home.add_tenant("other").unwrap();
    let store = it.home.open_tenant("other").unwrap();
    let other = it.configuration.clone().over(store.clone()).of_tenant("other");
    // All stored ciphertexts, under the same names, in the database of the other tenant; the key is the same.
    let read = |session: Session<'_>| {
        Ok::<_, StoreError>((session.plugins()?, session.integrations()?, session.secrets("HelloWorld")?))
    };
    let (plugins, integrations, secrets) = it.store.snapshot(read).await.unwrap();
    let copied = store.transact(|session| {
        plugins.iter().try_for_each(|row| session.put_current_plugin(row).map(drop))?;
        integrations.iter().try_for_each(|row| session.put_integration(row))?;
        secrets.iter().try_for_each(|row| session.put_secret(row))
    });
    copied.await.unwrap();
    assert_eq!(
        other.secrets("HelloWorld").await.unwrap(),
        it.configuration.secrets("HelloWorld").await.unwrap()
    );
    let refused = other.open_secrets("HelloWorld").await.unwrap_err();
    insta::assert_snapshot!(refused, @"secret 'api-key' of integration 'HelloWorld': what is stored has been changed or is damaged");

    // With the key and the original tenant's name they can be taken over, as restoring an export does.
    let key = SealingKey::find(&it.home, None).unwrap();
    assert!(other.take_over_secrets("a-third", key.as_ref()).await.is_err());
    assert_eq!(other.take_over_secrets("default", key.as_ref()).await.unwrap(), 1);
    assert_eq!(other.open_secrets("HelloWorld").await.unwrap()["api-key"].reveal(), CANARY);
}

#[tokio::test]
async fn secrets_come_from_the_environment() {
    let mut it = Try::new().await;
    let text = "[integration.HelloWorld]\nplugin = \"helloworld\"\nsecrets.api-key.env = \"KEY\"\ngrants.secrets.api-key = [\"https://x.example\"]\n[sync.HelloWorld]";
    insta::assert_snapshot!(it.apply(text).await.unwrap_err(), @"line 3, column 23: integration HelloWorld: the secret 'api-key' is to come from the environment variable KEY, which is not set");
    assert!(it.configuration.integrations().await.unwrap().is_empty());
    it.environment.insert("KEY".into(), CANARY.into());
    let dry = it.apply_with(text, ApplyOptions { dry_run: true, prune: false }).await.unwrap();
    assert!(!it.home.key_file().exists());
    let plan = it.apply_with(text, ApplyOptions::default()).await.unwrap();
    assert_eq!(dry, plan);
    assert!(plan.to_string().contains("+ integration HelloWorld, secret api-key\n"), "{plan}");
    assert!(!format!("{plan:?}").contains(CANARY));
    assert_eq!(it.apply(text).await.unwrap(), "");
    it.environment.insert("KEY".into(), "another".into());
    assert_eq!(it.apply(text).await.unwrap(), "~ integration HelloWorld, secret api-key");
    it.environment.clear();
    assert_eq!(it.apply(text).await.unwrap(), "");
    assert_eq!(it.configuration.open_secrets("HelloWorld").await.unwrap()["api-key"].reveal(), "another");
}
