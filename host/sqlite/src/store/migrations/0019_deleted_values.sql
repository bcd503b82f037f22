-- What a deleted record held, in the form of hub_record, so that it can be restored. NULL where it was deleted before this was kept, or
-- erased.
ALTER TABLE hub_tombstone ADD COLUMN data TEXT;
ALTER TABLE hub_tombstone ADD COLUMN stamps TEXT;
