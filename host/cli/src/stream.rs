//! Streams long lists as JSON: rows are written as they are read, so that memory stays flat however long the list is.
//! The document is the one that a page of all rows would be.

use super::door::print_json;
use super::remedy;
use entente::TenantError;
use entente::view::{Page, PageRequest};
use serde::Serialize;
use serde_json::Value;

/// How many rows are read at once.
pub(super) const AT_ONCE: usize = 1000;

/// A value in JSON, with its lines indented as they stand at this depth.
fn pretty(data: &impl Serialize, depth: usize) -> anyhow::Result<String> {
    let mut data = serde_json::to_value(data)?;
    remedy::add_commands(&mut data);
    Ok(format!("{data:#}").replace('\n', &format!("\n{}", "  ".repeat(depth))))
}

/// Prints a list as a page of all its rows, from the first ones on. `read` reads the next ones.
pub(super) async fn print_list<T: Serialize>(
    depth: usize,
    first: Page<T>,
    mut read: impl AsyncFnMut(PageRequest) -> Result<Page<T>, TenantError>,
) -> anyhow::Result<()> {
    let indent = "  ".repeat(depth + 1);
    print_json(&format!("{{\n{indent}\"next\": null,\n{indent}\"rows\": ["));
    let (mut page, mut before) = (first, "");
    let total = page.total;
    loop {
        for row in &page.rows {
            print_json(&format!("{before}\n{indent}  {}", pretty(row, depth + 2)?));
            before = ",";
        }
        match page.next {
            Some(after) => page = read(PageRequest { after: Some(after), limit: AT_ONCE }).await?,
            None => break,
        }
    }
    let end = if before.is_empty() { String::new() } else { format!("\n{indent}") };
    let total = total.map(|total| format!(",\n{indent}\"total\": {total}")).unwrap_or_default();
    print_json(&format!("{end}]{total}\n{}}}", "  ".repeat(depth)));
    Ok(())
}

/// An object that is printed field by field, in the order given.
pub(super) struct Object {
    empty: bool,
}

impl Object {
    /// Begins with these fields.
    pub(super) fn begin(head: &impl Serialize) -> anyhow::Result<Self> {
        let mut object = Self { empty: true };
        let mut head = serde_json::to_value(head)?;
        remedy::add_commands(&mut head);
        let Value::Object(fields) = head else {
            anyhow::bail!("it is no object in JSON");
        };
        print_json("{");
        for (name, value) in &fields {
            object.name(name);
            print_json(&pretty(value, 1)?);
        }
        Ok(object)
    }

    /// Prints the name of the next field; its value is to follow.
    pub(super) fn name(&mut self, name: &str) {
        print_json(&format!("{}\n  \"{name}\": ", if self.empty { "" } else { "," }));
        self.empty = false;
    }

    /// Ends it.
    pub(super) fn end(self) {
        print_json("\n}\n");
    }
}
