-- Open conflicts by number, so that a page of them costs what it shows, however many were closed.
CREATE INDEX conflict_number ON conflict (id) WHERE closed IS NULL;
