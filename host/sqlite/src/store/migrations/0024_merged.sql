-- The record that a deleted one was merged into; NULL where it was only deleted.
ALTER TABLE hub_tombstone ADD COLUMN merged INTEGER;
