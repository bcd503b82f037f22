-- Indexes that every new pair had to enter and to leave again, and that only runs by window or by ids looked at; those remember
-- themselves which pairs they have read.
DROP INDEX pair_left_only;
DROP INDEX pair_right_only;
