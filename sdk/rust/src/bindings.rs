//! Generated code only: what `wit_bindgen` makes. Used by `convert`, `export` and the modules of the host's
//! interfaces.
//!
//! The optional interfaces are worlds of their own, so that a component exports what its author asks for and
//! no more: the host takes what a component exports for what the plugin can do.

/// The world that every plugin is.
pub mod integration {
    wit_bindgen::generate!({
        path: "../../wit/0.1.0-draft",
        world: "integration",
        pub_export_macro: true,
        export_macro_name: "export_integration",
    });
}

/// `lookup` alone.
pub mod lookup {
    wit_bindgen::generate!({
        path: "../../wit/0.1.0-draft",
        inline: "
            package entente:sdk;
            world only-lookup {
                export entente:integration/lookup@0.1.0-draft;
            }
        ",
        world: "entente:sdk/only-lookup",
        with: { "entente:integration/types@0.1.0-draft": crate::bindings::integration::entente::integration::types },
        pub_export_macro: true,
        export_macro_name: "export_lookup",
    });
}

/// `webhook` alone.
pub mod webhook {
    wit_bindgen::generate!({
        path: "../../wit/0.1.0-draft",
        inline: "
            package entente:sdk;
            world only-webhook {
                export entente:integration/webhook@0.1.0-draft;
            }
        ",
        world: "entente:sdk/only-webhook",
        with: { "entente:integration/types@0.1.0-draft": crate::bindings::integration::entente::integration::types },
        pub_export_macro: true,
        export_macro_name: "export_webhook",
    });
}
