-- Plugins, integrations, secrets, custom objects and fields, syncs. Moments are microseconds since 1970.

-- Installed components. Of the versions under one name, the last installed is current; the others serve the
-- integrations that were set up with them.
CREATE TABLE plugin (
    name        TEXT    NOT NULL,
    digest      TEXT    NOT NULL,   -- SHA-256 of the file, in hex
    size        INTEGER NOT NULL,
    version     TEXT,               -- of the WIT package that it was built for
    description TEXT    NOT NULL,
    installed   INTEGER NOT NULL,
    current     INTEGER NOT NULL CHECK (current IN (0, 1)),
    PRIMARY KEY (name, digest)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX plugin_current ON plugin (name) WHERE current = 1;

CREATE TABLE integration (
    name     TEXT    NOT NULL PRIMARY KEY,
    plugin   TEXT    NOT NULL,
    digest   TEXT    NOT NULL,
    enabled  INTEGER NOT NULL CHECK (enabled IN (0, 1)),
    settings TEXT    NOT NULL,      -- JSON: name to value
    grants   TEXT    NOT NULL,      -- JSON; holds for this digest
    FOREIGN KEY (plugin, digest) REFERENCES plugin (name, digest)
) STRICT, WITHOUT ROWID;

-- Sealed with XChaCha20-Poly1305 under a key that is not in this file.
CREATE TABLE integration_secret (
    integration TEXT NOT NULL REFERENCES integration (name) ON DELETE CASCADE,
    name        TEXT NOT NULL,
    key         TEXT NOT NULL,      -- fingerprint of the key
    nonce       BLOB NOT NULL,
    sealed      BLOB NOT NULL,
    PRIMARY KEY (integration, name)
) STRICT, WITHOUT ROWID;

-- What the operator has added to the hub. A field has a name, an object itself the empty one.
CREATE TABLE custom_definition (
    object     TEXT NOT NULL,
    field      TEXT NOT NULL,
    definition TEXT NOT NULL,       -- JSON
    PRIMARY KEY (object, field)
) STRICT, WITHOUT ROWID;

CREATE TABLE sync_definition (
    name           TEXT NOT NULL PRIMARY KEY,
    relation       TEXT NOT NULL,
    left_exchange  TEXT NOT NULL,
    right_exchange TEXT NOT NULL,
    definition     TEXT NOT NULL    -- JSON
) STRICT, WITHOUT ROWID;

-- Outlives the sync: a sync that comes back under its name must not take up the listings of an older mapping.
CREATE TABLE sync_version (
    name    TEXT    NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
