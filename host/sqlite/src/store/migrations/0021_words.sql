-- Words of records, for searching; without case and accents. They are caught up with when somebody searches, so that writing records
-- costs nothing: `upto` is the change number of the newest record that is in. A word that a record no longer has may stand here until
-- the record is erased.
CREATE TABLE hub_word (
    word   TEXT    NOT NULL,
    record INTEGER NOT NULL,
    PRIMARY KEY (word, record)
) STRICT, WITHOUT ROWID;
CREATE TABLE hub_word_upto (upto INTEGER NOT NULL) STRICT;
INSERT INTO hub_word_upto (upto) VALUES (0);
