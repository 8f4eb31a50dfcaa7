-- Guarantees of the books against every role, including their owner.

-- Checks entries as they are written, by any role. One INSERT writes all entries of a transfer, so each statement has
-- to balance, per transfer and asset. An entry names an existing transfer and carries its account's asset and
-- organization; these are never deleted or renamed, so one check suffices. Foreign keys would cost as much, and lock
-- the row of a hot account. Scalar subqueries instead of joins, because the plan is kept for the session: one made for
-- a batch would read whole tables for a single posting. Operators are qualified, so that no search path can replace
-- them.
CREATE OR REPLACE FUNCTION ledger.check_entries() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    IF EXISTS (
        SELECT FROM fresh f GROUP BY f.transfer_id, f.asset
        HAVING pg_catalog.sum(f.amount) OPERATOR(pg_catalog.<>) 0::numeric
            OR (SELECT t.id FROM ledger.transfers t WHERE t.id OPERATOR(pg_catalog.=) f.transfer_id) IS NULL
            OR pg_catalog.bool_or(f.amount OPERATOR(pg_catalog.=) 0::bigint OR (
                SELECT a.asset OPERATOR(pg_catalog.=) f.asset
                    AND coalesce(a.org_id, '') OPERATOR(pg_catalog.=) coalesce(f.org_id, '')
                FROM ledger.accounts a WHERE a.id OPERATOR(pg_catalog.=) f.account_id
            ) IS NOT TRUE)
    ) THEN
        RAISE EXCEPTION 'the entries of a transfer do not balance, or name no transfer, or not their account''s asset and organization'
            USING ERRCODE = 'BU007';
    END IF;
    RETURN NULL;
END
$$;

CREATE OR REPLACE TRIGGER check_entries AFTER INSERT ON ledger.entries
REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION ledger.check_entries();

-- The held amount is never negative. Not part of the balances' CHECK, because that is parsed by every statement that
-- changes a balance, and postings do not change held amounts.
CREATE OR REPLACE FUNCTION ledger.refuse_negative_holds() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    RAISE EXCEPTION 'account % would hold %: what is held is never negative', NEW.account_id, NEW.pending_out
        USING ERRCODE = 'check_violation';
END
$$;

CREATE OR REPLACE TRIGGER check_held AFTER INSERT OR UPDATE OF pending_out ON ledger.balances
FOR EACH ROW WHEN (NEW.pending_out < 0) EXECUTE FUNCTION ledger.refuse_negative_holds();

-- The account of a hold exists. As above: a foreign key would lock the account's row, and every hold on a busy account
-- would extend the list of its lockers.
CREATE OR REPLACE FUNCTION ledger.check_holds() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    IF (SELECT a.id FROM ledger.accounts a WHERE a.id OPERATOR(pg_catalog.=) NEW.account_id) IS NULL THEN
        RAISE EXCEPTION 'no account %', NEW.account_id USING ERRCODE = 'BU009';
    END IF;
    RETURN NULL;
END
$$;

CREATE OR REPLACE TRIGGER check_holds AFTER INSERT ON ledger.holds
FOR EACH ROW EXECUTE FUNCTION ledger.check_holds();
