//! Generated code only: what wit-bindgen makes.

wit_bindgen::generate!({
    path: "../../wit/0.1.0-draft",
    world: "integration-lookup",
    pub_export_macro: true,
    generate_all,
});
