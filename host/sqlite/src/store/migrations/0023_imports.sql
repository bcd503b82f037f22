-- What an import did, so that it can be told and undone. `run` is its number in the history of runs.

-- The ids of records that it made, also of those that its rows refer to: ids are given one after another within a transaction.
CREATE TABLE import_made (
    run   INTEGER NOT NULL,
    first INTEGER NOT NULL,
    last  INTEGER NOT NULL,
    PRIMARY KEY (run, first)
) STRICT, WITHOUT ROWID;

-- The fields that it changed of records that were there: `data` and `stamps` have what they held before, in the form of hub_record,
-- without those that had never been set; `written` has what they hold since. A rowid table: values may be large.
CREATE TABLE import_update (
    run     INTEGER NOT NULL,
    record  INTEGER NOT NULL,
    object  INTEGER NOT NULL,
    data    TEXT NOT NULL,
    stamps  TEXT NOT NULL,
    written TEXT NOT NULL,
    PRIMARY KEY (run, record)
) STRICT;
