//! Files of real exporters: what was read of each, what was not, and what was said.

use super::*;
use std::fmt::Write as _;

/// 2020-01-01 00:00 plus nothing: every time in the files is before it.
const FILES: [(&str, Option<&str>); 25] = [
    ("google.csv", Some("Google Contacts")),
    ("outlook.csv", Some("Outlook")),
    ("outlook-de.csv", Some("Outlook in German")),
    ("hubspot.csv", Some("HubSpot")),
    ("salesforce.csv", Some("Salesforce")),
    ("zoho.csv", Some("Zoho CRM")),
    ("mailchimp.csv", Some("Mailchimp")),
    ("shopify.csv", Some("Shopify")),
    ("odoo.csv", Some("Odoo")),
    ("pipedrive.csv", Some("Pipedrive")),
    ("linkedin.csv", Some("LinkedIn")),
    ("thunderbird.csv", Some("Thunderbird")),
    ("brevo.csv", Some("Brevo")),
    ("dynamics.csv", Some("Dynamics 365")),
    ("woocommerce.csv", Some("WooCommerce")),
    ("xero.csv", Some("Xero")),
    ("klaviyo.csv", Some("Klaviyo")),
    ("sevdesk.csv", None),
    ("eventbrite.csv", Some("Eventbrite")),
    ("constantcontact.csv", Some("Constant Contact")),
    ("suitecrm.csv", Some("SuiteCRM")),
    ("nationbuilder.csv", Some("NationBuilder")),
    ("contacts.vcf", None),
    ("proton.vcf", None),
    ("icloud.vcf", None),
];

fn bytes(name: &str) -> Vec<u8> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/files");
    std::fs::read(folder.join(name)).unwrap()
}

/// What came of a file, as a page of a table.
async fn page(hub: &Hub, name: &str, report: &ImportReport) -> String {
    let mut page = format!("# {name}: {}\n", report.layout.unwrap_or("no layout"));
    let _ = writeln!(
        page,
        "rows {}, created {}, refused {}, blank {}, companies {}, {}, {:?}",
        report.rows,
        report.created,
        report.failed,
        report.skipped,
        report.references_created,
        report.encoding,
        report.delimiter
    );
    for (column, field) in &report.columns {
        let _ = writeln!(page, "read      {column} → {field}");
    }
    let unread: Vec<String> = report.unused.iter().map(|column| column.name.to_string()).collect();
    let _ = writeln!(page, "not read  {}", unread.join(", "));
    for note in &report.notes {
        let _ = writeln!(page, "said      {note}");
    }
    for bad in &report.bad {
        let _ = writeln!(page, "refused   line {}: {}", bad.line, bad.reason);
    }
    for record in all(hub, "contact").await {
        let values = record.fields.iter().filter(|field| field.value != Value::Null);
        let values: Vec<String> = values.map(|field| format!("{}={}", field.name, field.value)).collect();
        let times: Vec<String> = record
            .fields
            .iter()
            .find_map(|field| field.time)
            .map(|time| time.at.to_string())
            .into_iter()
            .collect();
        let _ = writeln!(page, "record    {} @ {}", values.join(" | "), times.join(""));
    }
    page
}

#[tokio::test]
async fn files_of_exporters_and_vcards() {
    let mut table = String::new();
    for (name, layout) in FILES {
        let hub = hub();
        let report = contacts(&hub, bytes(name)).await;
        assert_eq!(report.layout, layout, "{name}");
        table.push_str(&page(&hub, name, &report).await);
        table.push('\n');
        let before = unversioned(&hub).await;
        let again = contacts(&hub, bytes(name)).await;
        assert_eq!((again.created, again.updated, again.references_created), (0, 0, 0), "{name}: {again:?}");
        assert_eq!(unversioned(&hub).await, before, "{name}");
    }
    insta::assert_snapshot!(table);
}
