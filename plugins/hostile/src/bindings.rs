//! Generated code only: what wit-bindgen makes.

wit_bindgen::generate!({
    path: "../../wit/0.1.0-draft.2",
    inline: "
        package entente:hostile;
        world plugin {
            include entente:integration/integration@0.1.0-draft.2;
            include entente:integration/with-secrets@0.1.0-draft.2;
            include entente:integration/with-state@0.1.0-draft.2;
            include entente:integration/with-lookup@0.1.0-draft.2;
        }
    ",
    world: "entente:hostile/plugin",
    pub_export_macro: true,
    generate_all,
});
