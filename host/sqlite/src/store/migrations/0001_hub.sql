-- The hub: what kinds of record there are, the records, and what is gone.

-- One row: the last change number, the last record number, and the version of the definitions.
CREATE TABLE hub_counter (
  one    INTEGER PRIMARY KEY CHECK (one = 1),
  seq    INTEGER NOT NULL,
  record INTEGER NOT NULL,
  schema INTEGER NOT NULL
) STRICT;
INSERT INTO hub_counter VALUES (1, 0, 0, 1);

CREATE TABLE hub_object (
  number  INTEGER PRIMARY KEY,
  name    TEXT NOT NULL UNIQUE,
  label   TEXT NOT NULL,
  builtin INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE hub_field (
  number     INTEGER PRIMARY KEY,
  object     INTEGER NOT NULL REFERENCES hub_object (number),
  name       TEXT NOT NULL,
  label      TEXT NOT NULL,
  kind       TEXT NOT NULL,
  required   INTEGER NOT NULL DEFAULT 0,
  identifier INTEGER NOT NULL DEFAULT 0,
  set_like   INTEGER NOT NULL DEFAULT 0,
  targets    TEXT NOT NULL DEFAULT '[]',
  choices    TEXT NOT NULL DEFAULT '[]',
  max_length INTEGER,
  builtin    INTEGER NOT NULL DEFAULT 0,
  UNIQUE (object, name)
) STRICT;

-- Who writes: the operator, imports, and every sync by its name.
CREATE TABLE hub_source (
  number INTEGER PRIMARY KEY,
  kind   TEXT NOT NULL,
  name   TEXT NOT NULL,
  UNIQUE (kind, name)
) STRICT;
INSERT INTO hub_source VALUES (1, 'operator', ''), (2, 'import', '');

-- One row a record, so that one write stores it. `data` is {"field": value}, only with fields that were ever set;
-- `stamps` is [[time, certain, source, run, [fields]]], where an empty list of fields means all that are left.
-- `seq` numbers the last change, `source` made it; `other_seq` is the newest change that any other source made.
CREATE TABLE hub_record (
  id        INTEGER PRIMARY KEY,
  object    INTEGER NOT NULL,
  seq       INTEGER NOT NULL,
  other_seq INTEGER NOT NULL,
  source    INTEGER NOT NULL,
  changed   INTEGER NOT NULL,
  data      TEXT NOT NULL,
  stamps    TEXT NOT NULL
) STRICT;
-- For whole listings (object, then id), for what changed since a bookmark, and for windows.
CREATE INDEX hub_record_by_object ON hub_record (object);
CREATE INDEX hub_record_by_seq ON hub_record (object, seq);
CREATE INDEX hub_record_by_changed ON hub_record (object, changed);

CREATE TABLE hub_tombstone (
  id      INTEGER PRIMARY KEY,
  object  INTEGER NOT NULL,
  seq     INTEGER NOT NULL,
  source  INTEGER NOT NULL,
  deleted INTEGER NOT NULL
) STRICT;
CREATE INDEX hub_tombstone_by_seq ON hub_tombstone (object, seq);
CREATE INDEX hub_tombstone_by_deleted ON hub_tombstone (object, deleted);

-- Values of identifier fields in the form that they are compared in.
CREATE TABLE hub_key (
  field     INTEGER NOT NULL,
  canonical TEXT NOT NULL,
  record    INTEGER NOT NULL,
  PRIMARY KEY (field, canonical, record)
) STRICT, WITHOUT ROWID;

INSERT INTO hub_object VALUES (1, 'contact', 'Contact', 1), (2, 'company', 'Company', 1);
INSERT INTO hub_field (object, name, label, kind, identifier, set_like, targets, builtin) VALUES
  (1, 'first_name', 'First name', 'text', 0, 0, '[]', 1),
  (1, 'last_name', 'Last name', 'text', 0, 0, '[]', 1),
  (1, 'email', 'E-mail', 'email', 1, 0, '[]', 1),
  (1, 'phone', 'Phone', 'phone', 0, 0, '[]', 1),
  (1, 'mobile', 'Mobile', 'phone', 0, 0, '[]', 1),
  (1, 'company', 'Company', 'reference', 0, 0, '["company"]', 1),
  (1, 'address', 'Address', 'text', 0, 0, '[]', 1),
  (1, 'city', 'City', 'text', 0, 0, '[]', 1),
  (1, 'region', 'Region', 'text', 0, 0, '[]', 1),
  (1, 'country', 'Country', 'text', 0, 0, '[]', 1),
  (1, 'website', 'Website', 'url', 0, 0, '[]', 1),
  (1, 'position', 'Position', 'text', 0, 0, '[]', 1),
  (1, 'points', 'Points', 'integer', 0, 0, '[]', 1),
  (1, 'owner', 'Owner', 'text', 0, 0, '[]', 1),
  (1, 'tags', 'Tags', 'texts', 0, 1, '[]', 1),
  (2, 'name', 'Name', 'text', 1, 0, '[]', 1),
  (2, 'email', 'E-mail', 'email', 0, 0, '[]', 1),
  (2, 'phone', 'Phone', 'phone', 0, 0, '[]', 1),
  (2, 'address', 'Address', 'text', 0, 0, '[]', 1),
  (2, 'city', 'City', 'text', 0, 0, '[]', 1),
  (2, 'region', 'Region', 'text', 0, 0, '[]', 1),
  (2, 'country', 'Country', 'text', 0, 0, '[]', 1),
  (2, 'website', 'Website', 'url', 0, 0, '[]', 1),
  (2, 'owner', 'Owner', 'text', 0, 0, '[]', 1),
  (2, 'tags', 'Tags', 'texts', 0, 1, '[]', 1);
