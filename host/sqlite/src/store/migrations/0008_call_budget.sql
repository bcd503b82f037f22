-- Calls that integrations may make in a minute, shared by all syncs and processes.
CREATE TABLE call_budget (
    integration TEXT    NOT NULL PRIMARY KEY,  -- may be asked before it is there: while it is set up
    spent_until INTEGER NOT NULL               -- a moment: until when all calls that were made are spent
) STRICT, WITHOUT ROWID;
CREATE TRIGGER call_budget_gone AFTER DELETE ON integration BEGIN
    DELETE FROM call_budget WHERE integration = OLD.name;
END;
