-- Keeps controls from being changed until the transaction ends, and returns those that were locked: one that somebody is
-- changing is left out. Numbers of a control's events are taken under its row, which the platform's role has no right to
-- lock by itself.
CREATE OR REPLACE FUNCTION ledger.lock_controls(p_ids uuid[]) RETURNS SETOF uuid
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT c.id FROM ledger.controls c WHERE c.id = ANY (p_ids) ORDER BY c.id FOR NO KEY UPDATE SKIP LOCKED
$$;
GRANT EXECUTE ON FUNCTION ledger.lock_controls(uuid[]) TO bursar_platform;
