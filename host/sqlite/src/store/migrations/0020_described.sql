-- What the plugin of an integration told of its objects when it was last asked, so that the configuration can be changed while its
-- remote system is away. It holds for this component with these settings.
CREATE TABLE integration_description (
    integration TEXT    NOT NULL PRIMARY KEY REFERENCES integration (name) ON DELETE CASCADE,
    digest      TEXT    NOT NULL,
    settings    TEXT    NOT NULL,   -- JSON: name to value
    told        INTEGER NOT NULL,
    description TEXT    NOT NULL,   -- JSON: its objects
    manual      TEXT    NOT NULL    -- JSON: the mappings that it proposes
) STRICT, WITHOUT ROWID;
