-- Every run asks whether fields differ on purpose, and few pairs have such fields.
CREATE INDEX pair_differing ON pair (mapping, id) WHERE differing IS NOT NULL;
