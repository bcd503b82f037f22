-- Reasons are data: `reason` holds a code from now on, `reason_data` what it is about, as JSON. `store/migrations/earlier.rs` puts the
-- texts of before into that form.
ALTER TABLE pair ADD COLUMN reason_data TEXT;
ALTER TABLE change ADD COLUMN reason_data TEXT;
ALTER TABLE conflict ADD COLUMN reason_data TEXT;
