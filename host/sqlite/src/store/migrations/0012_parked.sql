-- Settled pairs with a field that is not written, and why: they are decided again in each run, and few.
CREATE INDEX pair_parked ON pair (mapping) WHERE status = 'ok' AND reason IS NOT NULL;
