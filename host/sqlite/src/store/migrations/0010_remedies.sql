-- What can be done about it, beside the text that says what happened: a list as JSON.
ALTER TABLE run ADD COLUMN remedies TEXT;
ALTER TABLE integration_health ADD COLUMN remedies TEXT;
