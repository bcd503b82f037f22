-- What the engine remembers: mappings with their slots, pairs, plans and history, conflicts, runs, leases, places in reports.
--
-- Moments are microseconds since 1970 in UTC. A side is 0 for left, 1 for right. Statuses are words: they cost a few bytes a row and
-- make the file readable without the program. Values are JSON as `record/json.rs` writes it; the forms of whole columns are in
-- `ledger/codec.rs`.

CREATE TABLE lease (
    relation TEXT PRIMARY KEY CHECK (relation <> ''),
    holder   TEXT,             -- NULL: nobody
    until    INTEGER NOT NULL,
    fence    INTEGER NOT NULL  -- grows with each holder; the row stays for its sake
) STRICT, WITHOUT ROWID;

CREATE TABLE run (
    id       INTEGER PRIMARY KEY AUTOINCREMENT, -- never given twice: pairs and changes name it
    sync     TEXT NOT NULL,
    relation TEXT NOT NULL,
    options  TEXT NOT NULL,    -- JSON
    started  INTEGER NOT NULL,
    ended    INTEGER,
    status   TEXT NOT NULL,
    error    TEXT,
    counts   TEXT NOT NULL     -- JSON: left, right; each by object
) STRICT;
CREATE INDEX run_sync ON run (sync);
CREATE INDEX run_running ON run (relation) WHERE status = 'running';

CREATE TABLE progress (
    sync  TEXT NOT NULL,
    side  INTEGER NOT NULL,
    place TEXT NOT NULL,       -- JSON
    PRIMARY KEY (sync, side)
) STRICT, WITHOUT ROWID;

-- What exchanges keep. A rowid table: values may be large.
CREATE TABLE state (
    exchange TEXT NOT NULL,
    key      TEXT NOT NULL,
    value    BLOB NOT NULL,
    PRIMARY KEY (exchange, key)
) STRICT;

CREATE TABLE mapping (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    relation     TEXT NOT NULL CHECK (relation <> ''),
    left_object  TEXT NOT NULL CHECK (left_object <> ''),
    right_object TEXT NOT NULL CHECK (right_object <> ''),
    UNIQUE (relation, left_object, right_object)
) STRICT;

-- The place of two fields in the rows of their pairs. Rows stay when the fields leave the mapping, so that a slot never gets
-- another meaning.
CREATE TABLE slot (
    mapping     INTEGER NOT NULL REFERENCES mapping (id),
    slot        INTEGER NOT NULL CHECK (slot >= 0),
    left_field  TEXT NOT NULL CHECK (left_field <> ''),
    right_field TEXT NOT NULL CHECK (right_field <> ''),
    PRIMARY KEY (mapping, slot),
    UNIQUE (mapping, left_field, right_field)
) STRICT, WITHOUT ROWID;

-- The last number given to a pair. AUTOINCREMENT would look it up for every row; this is read and written once a page.
CREATE TABLE pair_number (last INTEGER NOT NULL) STRICT;
INSERT INTO pair_number (last) VALUES (0);

CREATE TABLE pair (
    id             INTEGER PRIMARY KEY,
    mapping        INTEGER NOT NULL REFERENCES mapping (id),
    left_id        TEXT CHECK (left_id <> ''),
    right_id       TEXT CHECK (right_id <> ''),
    status         TEXT NOT NULL,
    reason         TEXT,
    attempts       INTEGER NOT NULL,
    dirty          INTEGER NOT NULL,
    context        INTEGER NOT NULL,
    left_read      INTEGER,
    right_read     INTEGER,
    left_alone     INTEGER,
    right_alone    INTEGER,
    left_filtered  INTEGER NOT NULL,
    right_filtered INTEGER NOT NULL,
    left_deleted   INTEGER,
    right_deleted  INTEGER,
    left_changed   INTEGER,
    right_changed  INTEGER,
    left_version   TEXT,
    right_version  TEXT,
    agreed         TEXT,
    left_seen      TEXT,
    right_seen     TEXT,
    left_keys      TEXT,   -- what pair_key holds for it, so that it can be taken out again without an index of its own
    right_keys     TEXT
) STRICT;
CREATE UNIQUE INDEX pair_left ON pair (mapping, left_id) WHERE left_id IS NOT NULL;
CREATE UNIQUE INDEX pair_right ON pair (mapping, right_id) WHERE right_id IS NOT NULL;
CREATE INDEX pair_todo ON pair (mapping) WHERE status = 'todo';
-- What needs a look, for people.
CREATE INDEX pair_held ON pair (mapping) WHERE status = 'held';
CREATE INDEX pair_failed ON pair (mapping) WHERE status = 'failed';
-- Pairs read by a run on one side only. What was read on both sides in the same run is not in them.
CREATE INDEX pair_left_only ON pair (mapping, left_read) WHERE left_read IS NOT right_read;
CREATE INDEX pair_right_only ON pair (mapping, right_read) WHERE left_read IS NOT right_read;

CREATE TABLE pair_key (
    mapping INTEGER NOT NULL,
    side    INTEGER NOT NULL,
    rank    INTEGER NOT NULL,
    text    TEXT NOT NULL,
    pair    INTEGER NOT NULL,
    PRIMARY KEY (mapping, side, rank, text, pair)
) STRICT, WITHOUT ROWID;

-- Plan, and afterwards history. Pairs that are joined into others leave their history behind, hence no foreign key. No index on the
-- key: it holds 128 random bits, is never looked up, and would cost as much as the row.
CREATE TABLE change (
    id      INTEGER PRIMARY KEY,
    key     TEXT NOT NULL CHECK (key <> ''),
    run     INTEGER NOT NULL,
    mapping INTEGER NOT NULL,
    pair    INTEGER NOT NULL,
    target  INTEGER NOT NULL,
    action  TEXT NOT NULL,
    record  TEXT CHECK (record <> ''), -- the record that is changed or deleted
    fields  TEXT NOT NULL,
    status  TEXT NOT NULL,
    reason  TEXT,
    ticket  TEXT,
    sent    INTEGER,
    settled INTEGER
) STRICT;
CREATE INDEX change_run ON change (run);
CREATE INDEX change_pair ON change (pair);
-- Only what is not settled, so that years of history cost nothing here.
CREATE INDEX change_open ON change (mapping, target, status)
    WHERE status = 'planned' OR status = 'withheld' OR status = 'sent' OR status = 'deferred' OR status = 'retry';

CREATE TABLE conflict (
    id          INTEGER PRIMARY KEY,
    pair        INTEGER NOT NULL,
    slot        INTEGER NOT NULL,
    left_value  TEXT NOT NULL, -- JSON: value, and since when
    right_value TEXT NOT NULL,
    reason      TEXT NOT NULL,
    run         INTEGER NOT NULL, -- that saw it first
    first       INTEGER NOT NULL,
    last        INTEGER NOT NULL,
    times       INTEGER NOT NULL,
    closed      INTEGER          -- NULL: open
) STRICT;
CREATE UNIQUE INDEX conflict_open ON conflict (pair, slot) WHERE closed IS NULL;
