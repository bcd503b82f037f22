-- A remote system that takes no calls until a moment, and what its plugin said of it. It concerns the credential: every
-- sync and every process that uses the integration.
ALTER TABLE call_budget ADD COLUMN held_until INTEGER;
ALTER TABLE call_budget ADD COLUMN held_why TEXT;
