-- What the books guarantee against everybody, their owner included.

-- Checks entries as they are written. One INSERT writes all entries of a transfer, so each statement has to balance
-- by itself, per transfer and asset. Foreign keys to the transfer and to (account, asset) would cost a fifth of all
-- postings a second and lock the row of a hot account, so the second check stands for them: an entry names a transfer
-- that exists, and carries its account's asset; neither is ever deleted or renamed. The functions of this schema are
-- spared it, because they take the asset from the balance's own row, which has that foreign key, and the transfer from
-- the row that they have just written. They are known by the search path that each of them fixes.
CREATE OR REPLACE FUNCTION ledger.check_entries() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    IF EXISTS (
        SELECT FROM fresh f GROUP BY f.transfer_id, f.asset HAVING sum(f.amount) <> 0 OR bool_or(f.amount = 0)
    ) THEN
        RAISE EXCEPTION 'the entries of a transfer do not balance' USING ERRCODE = 'BU007';
    END IF;
    IF current_setting('search_path') <> 'pg_catalog, pg_temp' AND EXISTS (
        SELECT FROM fresh f
        WHERE NOT EXISTS (SELECT FROM ledger.transfers t WHERE t.id = f.transfer_id)
           OR NOT EXISTS (SELECT FROM ledger.accounts a WHERE a.id = f.account_id AND a.asset = f.asset)
    ) THEN
        RAISE EXCEPTION 'an entry names no transfer, or not its account''s asset' USING ERRCODE = 'BU007';
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
