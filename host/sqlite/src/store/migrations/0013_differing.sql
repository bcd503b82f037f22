-- Fields of a pair whose two values differ on purpose, and why; NULL for nearly all. No index: it is an operator who
-- asks, and each run that saves a pair would pay for it.
ALTER TABLE pair ADD COLUMN differing TEXT;
