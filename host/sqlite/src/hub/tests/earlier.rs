//! Databases of earlier versions, with records in them.

use super::{Ticks, contact};
use crate::hub::{Hub, ImportOptions, ListQuery, import_csv};
use crate::store::Store;
use rusqlite::Connection;
use std::path::Path;
use std::sync::Arc;

/// Tables and columns of a database.
fn columns(connection: &Connection, database: &str) -> Vec<(String, String)> {
    let sql = format!(
        "SELECT tables.name, columns.name FROM {database}.sqlite_schema AS tables, pragma_table_info(tables.name, '{database}') AS columns
         WHERE tables.type = 'table' AND tables.name NOT LIKE 'sqlite_%'"
    );
    let mut statement = connection.prepare(&sql).unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

/// Makes a database of this version with the rows of another one, as far as it has their columns.
fn earlier(rows: &Path, into: &Path, version: usize) {
    let connection = Store::of_version(into, version);
    // Tables come in any order.
    connection.pragma_update(None, "foreign_keys", false).unwrap();
    connection.execute("ATTACH ?1 AS newer", [rows.to_str().unwrap()]).unwrap();
    let (ours, theirs) = (columns(&connection, "main"), columns(&connection, "newer"));
    let mut tables: Vec<&String> = ours.iter().map(|(table, _)| table).collect();
    tables.dedup();
    for table in tables {
        let shared = ours.iter().filter(|column| column.0 == *table && theirs.contains(column));
        let shared: Vec<&str> = shared.map(|(_, column)| column.as_str()).collect();
        let shared = shared.join(", ");
        let copy =
            format!("INSERT OR REPLACE INTO main.{table} ({shared}) SELECT {shared} FROM newer.{table}");
        connection.execute_batch(&format!("DELETE FROM main.{table}; {copy}")).unwrap();
    }
}

#[tokio::test]
async fn records_of_earlier_versions_are_as_they_were_and_all_that_is_new_works_with_them() {
    let folder = tempfile::tempdir().unwrap();
    let rows = folder.path().join("rows.db");
    let list = async |hub: &Hub| hub.list("contact", &ListQuery::default()).await.unwrap().records;
    let open = |path: &Path| Hub::new(Store::open(path).unwrap(), Arc::new(Ticks::default()));
    let hub = open(&rows);
    contact(&hub, "ada@x.example").await;
    let bo = contact(&hub, "bo@x.example").await;
    hub.delete("contact", &bo).await.unwrap();
    let before = list(&hub).await;
    drop(hub);
    // Before deleted records kept their values there is nothing to restore; the first is the version that began to.
    for version in 19..=Store::newest_version() {
        let path = folder.path().join(format!("{version}.db"));
        earlier(&rows, &path, version);
        let hub = open(&path);
        assert_eq!(list(&hub).await, before, "version {version}");
        let restored = hub.restore("contact", &bo).await.unwrap();
        let file = "email,city\nada@x.example,Leeds\ncy@x.example,York\n";
        let options = ImportOptions::new("contact");
        let report = import_csv(&hub, file.as_bytes(), &options, &mut |_, _| {}).await.unwrap();
        assert_eq!((report.created, report.updated), (1, 1), "version {version}");
        hub.undo_import(report.run.unwrap(), Some(1), 10).await.unwrap();
        let after = list(&hub).await;
        assert_eq!(after.len(), 2, "version {version}");
        assert_eq!((&after[0].fields, &after[1]), (&before[0].fields, &restored), "version {version}");
    }
}
