-- Locks controls until the transaction ends, and returns the locked ones: a control that is being changed is skipped.
-- Numbers of a control's events are taken under its row, which the platform's role has no right to lock directly.
CREATE OR REPLACE FUNCTION ledger.lock_controls(p_ids uuid[]) RETURNS SETOF uuid
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT c.id FROM ledger.controls c WHERE c.id = ANY (p_ids) ORDER BY c.id FOR NO KEY UPDATE SKIP LOCKED
$$;
GRANT EXECUTE ON FUNCTION ledger.lock_controls(uuid[]) TO bursar_platform;
