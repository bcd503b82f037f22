-- What the operator of many tenants has set for this one.

-- Limits that differ from their defaults: bytes, milliseconds or things, as the limit is counted.
CREATE TABLE tenant_limit (
    name  TEXT    NOT NULL PRIMARY KEY,
    value INTEGER NOT NULL CHECK (value >= 0)
) STRICT, WITHOUT ROWID;
