-- The version that an integration ran before, to go back to.
CREATE TABLE integration_previous (
    integration TEXT NOT NULL PRIMARY KEY REFERENCES integration (name) ON DELETE CASCADE,
    plugin      TEXT NOT NULL,
    digest      TEXT NOT NULL,
    grants      TEXT NOT NULL,      -- JSON; as they were for that digest
    FOREIGN KEY (plugin, digest) REFERENCES plugin (name, digest)
) STRICT, WITHOUT ROWID;

-- Integrations whose plugin crashed in its last runs.
CREATE TABLE integration_health (
    integration  TEXT    NOT NULL PRIMARY KEY REFERENCES integration (name) ON DELETE CASCADE,
    crashes      INTEGER NOT NULL,  -- runs in a row that it crashed in
    reason       TEXT    NOT NULL,  -- of the last one
    last         INTEGER NOT NULL,
    paused_until INTEGER,
    quarantined  INTEGER            -- since when
) STRICT, WITHOUT ROWID;
