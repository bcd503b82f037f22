//! Generated code only: what `wit_bindgen` makes. Used by `convert`, `export` and the modules of the host's
//! interfaces.
//!
//! The optional interfaces are worlds of their own, so that a component exports what its author asks for and
//! no more: the host takes what a component exports for what the plugin can do.

/// The world that every plugin is.
pub mod integration {
    wit_bindgen::generate!({
        path: "wit",
        // What of the imports a plugin never calls is not in its component.
        inline: "
            package entente:sdk;
            world plugin {
                include entente:integration/integration@0.1.0-draft.2;
                include entente:integration/with-secrets@0.1.0-draft.2;
                include entente:integration/with-state@0.1.0-draft.2;
            }
        ",
        world: "entente:sdk/plugin",
        pub_export_macro: true,
        export_macro_name: "export_integration",
        generate_all,
    });
}

/// `lookup` alone.
pub mod lookup {
    wit_bindgen::generate!({
        path: "wit",
        inline: "
            package entente:sdk;
            world only-lookup {
                export entente:integration/lookup@0.1.0-draft.2;
            }
        ",
        world: "entente:sdk/only-lookup",
        with: { "entente:integration/data@0.1.0-draft.2": crate::bindings::integration::entente::integration::data },
        pub_export_macro: true,
        export_macro_name: "export_lookup",
    });
}

/// `webhook` alone.
pub mod webhook {
    wit_bindgen::generate!({
        path: "wit",
        inline: "
            package entente:sdk;
            world only-webhook {
                export entente:integration/webhook-draft@0.1.0-draft.2;
            }
        ",
        world: "entente:sdk/only-webhook",
        with: { "entente:integration/data@0.1.0-draft.2": crate::bindings::integration::entente::integration::data },
        pub_export_macro: true,
        export_macro_name: "export_webhook",
    });
}
