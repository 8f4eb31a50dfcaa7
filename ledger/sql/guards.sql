-- What the books guarantee against everybody, their owner included.

-- Checks entries as they are written. One INSERT writes all entries of a transfer, so each statement has to balance
-- by itself, per transfer and asset; each entry names a transfer that exists and carries its account's asset. One
-- query for all of it: this runs at every posting, and foreign keys would cost more and lock a hot account's row.
CREATE OR REPLACE FUNCTION ledger.check_entries() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    IF EXISTS (
        SELECT FROM fresh f
        GROUP BY f.transfer_id, f.asset
        HAVING sum(f.amount) <> 0 OR bool_or(f.amount = 0)
            OR NOT EXISTS (SELECT FROM ledger.transfers t WHERE t.id = f.transfer_id)
            OR NOT bool_and(EXISTS (SELECT FROM ledger.accounts a WHERE a.id = f.account_id AND a.asset = f.asset))
    ) THEN
        RAISE EXCEPTION 'entries do not balance, or name no transfer, or not their account''s asset'
            USING ERRCODE = 'BU007';
    END IF;
    RETURN NULL;
END
$$;

CREATE OR REPLACE TRIGGER check_entries AFTER INSERT ON ledger.entries
REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION ledger.check_entries();

CREATE OR REPLACE FUNCTION ledger.refuse_change() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    RAISE EXCEPTION '% on ledger.% is refused: the books are append-only, a mistake is corrected by a new transfer',
        TG_OP, TG_TABLE_NAME USING ERRCODE = 'BU008';
END
$$;

CREATE OR REPLACE TRIGGER immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.transfers
FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
CREATE OR REPLACE TRIGGER immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.entries
FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
CREATE OR REPLACE TRIGGER immutable
BEFORE UPDATE OF id, path, asset, org_id, kind, stripes, opened_in, created_at OR DELETE OR TRUNCATE ON ledger.accounts
FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
CREATE OR REPLACE TRIGGER immutable BEFORE UPDATE OF account_id, stripe, asset OR DELETE OR TRUNCATE ON ledger.balances
FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
CREATE OR REPLACE TRIGGER immutable
BEFORE UPDATE OF id, account_id, amount, held_at, expires_at, recorded_at, idempotency_key, request_hash, reference,
    metadata OR DELETE OR TRUNCATE ON ledger.holds
FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();

-- A hold ends once: a row that has ended never changes again.
CREATE OR REPLACE TRIGGER ends_once BEFORE UPDATE ON ledger.holds
FOR EACH ROW WHEN (OLD.status <> 'pending') EXECUTE FUNCTION ledger.refuse_change();
