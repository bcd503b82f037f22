-- Keys are compared in another form (decision 0034): those that are not ASCII, or too long, are rewritten by the hook.
-- A tombstone has none; a record whose create was never answered is still recognised by those of its source.
DELETE FROM pair_key WHERE EXISTS (
    SELECT 1 FROM pair WHERE pair.id = pair_key.pair AND pair.left_id IS NOT NULL AND pair.right_id IS NOT NULL
    AND CASE pair_key.side WHEN 0 THEN pair.left_deleted ELSE pair.right_deleted END IS NOT NULL
);
UPDATE pair SET left_keys = NULL
    WHERE left_deleted IS NOT NULL AND left_id IS NOT NULL AND right_id IS NOT NULL AND left_keys IS NOT NULL;
UPDATE pair SET right_keys = NULL
    WHERE right_deleted IS NOT NULL AND left_id IS NOT NULL AND right_id IS NOT NULL AND right_keys IS NOT NULL;
