-- What the operator decides, and what the engine needs to ask for it.

-- When a failed pair is tried again.
ALTER TABLE pair ADD COLUMN due INTEGER;
-- The change replaces a value by a blank: the brake counts these.
ALTER TABLE change ADD COLUMN blanks INTEGER NOT NULL DEFAULT 0;
-- JSON: texts for the operator.
ALTER TABLE run ADD COLUMN notices TEXT NOT NULL DEFAULT '[]';
-- JSON: how the operator has settled it, for these two values.
ALTER TABLE conflict ADD COLUMN ruling TEXT;
CREATE INDEX conflict_ruled ON conflict (pair) WHERE ruling IS NOT NULL;

-- The side that is to win until a complete run has made it so.
CREATE TABLE trust (
    sync  TEXT PRIMARY KEY,
    trust TEXT NOT NULL       -- JSON
) STRICT, WITHOUT ROWID;

-- The objects of both sides as they were when a sync last ran, to tell what is new and what is gone.
CREATE TABLE known_schema (
    sync        TEXT NOT NULL,
    side        INTEGER NOT NULL,
    description TEXT NOT NULL, -- JSON
    PRIMARY KEY (sync, side)
) STRICT, WITHOUT ROWID;
