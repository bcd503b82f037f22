-- Which exchanges the pairs of a relation join: known also when no sync works on it any more, so that a sync that begins
-- without links can be told from one whose relation got another name.
CREATE TABLE relation (
    name           TEXT PRIMARY KEY CHECK (name <> ''),
    left_exchange  TEXT NOT NULL,
    right_exchange TEXT NOT NULL
) STRICT, WITHOUT ROWID;
-- All syncs of a relation join the same exchanges. Of relations without a sync it is not known.
INSERT INTO relation (name, left_exchange, right_exchange)
    SELECT relation, min(left_exchange), min(right_exchange) FROM sync_definition GROUP BY relation;
