//! Table `relation`: which exchanges the pairs of a relation join, also where no sync works on it any more.

use crate::store::{Session, StoreError};
use entente_core::Sides;
use rusqlite::params;

/// A relation that has pairs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelationRow {
    /// Its name.
    pub name: String,
    /// The names of the exchanges, left and right.
    pub exchanges: Sides<String>,
    /// The objects whose records it links, left and right, by mapping; at least one.
    pub objects: Vec<Sides<String>>,
}

impl Session<'_> {
    /// The relations that have pairs, by name.
    ///
    /// # Errors
    /// Where the database fails.
    pub fn linked_relations(self) -> Result<Vec<RelationRow>, StoreError> {
        let mut statement = self.connection().prepare_cached(
            "SELECT relation.name, left_exchange, right_exchange, left_object, right_object
             FROM relation JOIN mapping ON mapping.relation = relation.name
             WHERE EXISTS (SELECT 1 FROM pair WHERE pair.mapping = mapping.id) ORDER BY relation.name, mapping.id",
        )?;
        let mut rows = statement.query([])?;
        let mut relations: Vec<RelationRow> = Vec::new();
        while let Some(row) = rows.next()? {
            let name: String = row.get(0)?;
            let objects = Sides::new(row.get(3)?, row.get(4)?);
            match relations.last_mut().filter(|last| last.name == name) {
                Some(last) => last.objects.push(objects),
                None => {
                    let exchanges = Sides::new(row.get(1)?, row.get(2)?);
                    relations.push(RelationRow { name, exchanges, objects: vec![objects] });
                }
            }
        }
        Ok(relations)
    }

    /// Whether a relation has pairs.
    ///
    /// # Errors
    /// Where the database fails.
    pub fn has_pairs(self, relation: &str) -> Result<bool, StoreError> {
        let mut statement = self.connection().prepare_cached(
            "SELECT 1 FROM mapping WHERE relation = ?1
             AND EXISTS (SELECT 1 FROM pair WHERE pair.mapping = mapping.id) LIMIT 1",
        )?;
        Ok(statement.exists([relation])?)
    }

    /// Gives a relation another name, under which there are no pairs yet: its mappings with their pairs, keys, changes
    /// and conflicts, and its runs, go with it. A run of it that is under way writes nothing more.
    ///
    /// # Errors
    /// Where the other name has pairs, or the database fails.
    pub fn rename_relation(self, before: &str, after: &str) -> Result<(), StoreError> {
        let connection = self.connection();
        // Mappings without pairs, of a sync that never ran under the name. They have numbers that no row holds.
        for rows in [
            "DELETE FROM slot WHERE mapping IN (SELECT id FROM mapping WHERE relation = ?1)",
            "DELETE FROM mapping WHERE relation = ?1",
        ] {
            connection.execute(rows, [after])?;
        }
        connection.execute("UPDATE mapping SET relation = ?2 WHERE relation = ?1", [before, after])?;
        connection.execute("UPDATE run SET relation = ?2 WHERE relation = ?1", [before, after])?;
        // Fencing: a run under way holds the lease of the old name, whose number must not be given a second time.
        connection.execute(
            "UPDATE lease SET holder = NULL, until = 0, fence = fence + 1 WHERE relation = ?1",
            [before],
        )?;
        connection.execute("DELETE FROM relation WHERE name = ?1", [before])?;
        Ok(())
    }

    /// Takes the pairs of a relation out of it: they stay with their changes, for history, in a relation of the name
    /// `archive` that no sync works on. Open conflicts of them are closed, and a run that is under way writes nothing more.
    ///
    /// # Errors
    /// Where the database fails.
    pub fn forget_links(self, relation: &str, archive: &str, now: i64) -> Result<(), StoreError> {
        let connection = self.connection();
        let mut mappings = connection.prepare("SELECT id FROM mapping WHERE relation = ?1")?;
        let mappings: Vec<i64> =
            mappings.query_map([relation], |row| row.get(0))?.collect::<Result<_, _>>()?;
        for mapping in mappings {
            connection.execute(
                "INSERT INTO mapping (relation, left_object, right_object)
                 SELECT ?2, left_object, right_object FROM mapping WHERE id = ?1",
                params![mapping, archive],
            )?;
            let aside = connection.last_insert_rowid();
            connection.execute(
                "UPDATE conflict SET closed = ?2 WHERE closed IS NULL
                 AND pair IN (SELECT id FROM pair WHERE mapping = ?1)",
                params![mapping, now],
            )?;
            for rows in [
                "INSERT INTO slot (mapping, slot, left_field, right_field)
                 SELECT ?2, slot, left_field, right_field FROM slot WHERE mapping = ?1",
                "UPDATE pair SET mapping = ?2 WHERE mapping = ?1",
                "UPDATE pair_key SET mapping = ?2 WHERE mapping = ?1",
                "UPDATE change SET mapping = ?2 WHERE mapping = ?1",
            ] {
                connection.execute(rows, [mapping, aside])?;
            }
        }
        connection.execute(
            "UPDATE lease SET holder = NULL, until = 0, fence = fence + 1 WHERE relation = ?1",
            [relation],
        )?;
        Ok(())
    }

    /// How many pairs of a relation have a record on both sides, and how many of these nothing could match again: both records
    /// are there, and one of them has no identifiers.
    ///
    /// # Errors
    /// Where the database fails.
    pub fn count_links(self, relation: &str) -> Result<(u64, u64), StoreError> {
        let count = |row: &rusqlite::Row<'_>, place| row.get::<_, i64>(place).map(i64::unsigned_abs);
        Ok(self.connection().query_row(
            "SELECT count(*), count(*) FILTER (WHERE left_deleted IS NULL AND right_deleted IS NULL
                AND (coalesce(left_keys, '[]') = '[]' OR coalesce(right_keys, '[]') = '[]'))
             FROM pair WHERE mapping IN (SELECT id FROM mapping WHERE relation = ?1)
             AND left_id IS NOT NULL AND right_id IS NOT NULL",
            [relation],
            |row| Ok((count(row, 0)?, count(row, 1)?)),
        )?)
    }

    /// Forgets where a sync has read to, whom it trusts once, and what its sides had.
    ///
    /// # Errors
    /// Where the database fails.
    pub fn forget_place(self, sync: &str) -> Result<(), StoreError> {
        for table in ["progress", "trust", "known_schema"] {
            self.connection().execute(&format!("DELETE FROM {table} WHERE sync = ?1"), [sync])?;
        }
        Ok(())
    }

    /// Forgets what an exchange keeps between calls.
    ///
    /// # Errors
    /// Where the database fails.
    pub fn forget_state(self, exchange: &str) -> Result<(), StoreError> {
        self.connection().execute("DELETE FROM state WHERE exchange = ?1", [exchange])?;
        Ok(())
    }

    /// Notes which exchanges a relation joins.
    pub(super) fn put_relation(self, name: &str, exchanges: &Sides<String>) -> Result<(), StoreError> {
        self.connection().execute(
            "INSERT INTO relation (name, left_exchange, right_exchange) VALUES (?1, ?2, ?3)
             ON CONFLICT (name) DO UPDATE SET left_exchange = ?2, right_exchange = ?3",
            params![name, exchanges.left, exchanges.right],
        )?;
        Ok(())
    }
}
