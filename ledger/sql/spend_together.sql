-- One charge each of several organizations in one transaction, so that they share its statement and its flush.

-- Returns one row for each charge, in the order given. A row of NULLs was not charged, and the caller charges it
-- separately: it needs more than `ledger.charge_quickly`, or the organization's balance is locked. Locked balances are
-- skipped, and only the stripe of the platform's account, the last in the order of locks, is waited for. So no
-- organization waits for another, and no deadlock is possible.
--
-- The transaction's organization is set to all of them, as `org_…,org_…`. No row-level policy matches that, so nothing
-- else can be read or done in it.
CREATE OR REPLACE FUNCTION ledger.charge_together(
    p_orgs text[], p_keys text[], p_actions text[], p_quantities bigint[], p_amounts bigint[], p_agents text[],
    p_departments text[], p_projects text[], p_runs text[], p_key_ids text[], p_principals text[], p_metadata jsonb[]
) RETURNS SETOF ledger.spend_answer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    locked text[];
BEGIN
    IF (p_orgs = string_to_array(public.bursar_org(), ',')) IS NOT TRUE THEN
        RAISE EXCEPTION 'the transaction is not of these organizations' USING ERRCODE = 'insufficient_privilege';
    END IF;
    locked := ARRAY(
        SELECT b.org_id FROM ledger.accounts a JOIN ledger.balances b ON b.account_id = a.id AND b.stripe = 0
        WHERE a.path IN (SELECT 'org/' || o || '/credits' FROM unnest(p_orgs) o) AND a.asset = 'CREDIT'
        FOR NO KEY UPDATE OF b SKIP LOCKED
    );
    FOR place IN 1..cardinality(p_orgs) LOOP
        IF p_orgs[place] = ANY (locked) THEN
            RETURN NEXT ledger.charge_quickly(
                p_orgs[place], p_keys[place], p_actions[place], p_quantities[place], p_amounts[place], p_agents[place],
                p_departments[place], p_projects[place], p_runs[place], p_key_ids[place], p_principals[place],
                p_metadata[place], clock_timestamp()
            );
        ELSE
            RETURN NEXT NULL;
        END IF;
    END LOOP;
END
$$;

GRANT EXECUTE ON FUNCTION ledger.charge_together TO bursar_api, bursar_platform;
