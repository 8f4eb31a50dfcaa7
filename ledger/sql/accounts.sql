-- Accounts are opened on demand, once each, whoever comes first.

-- The stripe of an account that this session posts to. The lowest byte of an account's id is the number of its stripes
-- less one; sessions have consecutive process ids, so they spread evenly.
CREATE OR REPLACE FUNCTION ledger.stripe_of(p_account bigint) RETURNS smallint
LANGUAGE sql STABLE
RETURN (pg_backend_pid() % ((p_account & 255) + 1))::smallint;

-- Opens the account or finds it. `settled` tells whether the row is committed, so that its id may be remembered beyond
-- this transaction. BU004 when the account exists with another owner, kind or number of stripes.
CREATE OR REPLACE FUNCTION ledger.open_account(
    p_path text, p_asset text, p_org text, p_kind text, p_floor bigint, p_stripes smallint,
    OUT account_id bigint, OUT settled boolean
)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    found_row ledger.accounts;
BEGIN
    SELECT * INTO found_row FROM ledger.accounts a WHERE a.path = p_path AND a.asset = p_asset;
    IF NOT FOUND THEN
        IF p_floor > 0 THEN
            RAISE EXCEPTION 'account % opens empty, so its floor cannot be above zero', p_path USING ERRCODE = 'BU004';
        END IF;
        INSERT INTO ledger.accounts (id, path, asset, org_id, kind, floor, stripes)
        VALUES (nextval('ledger.account_numbers') << 8 | (p_stripes - 1), p_path, p_asset, p_org, p_kind, p_floor,
            p_stripes)
        ON CONFLICT (path, asset) DO NOTHING
        RETURNING * INTO found_row;
        IF FOUND THEN
            INSERT INTO ledger.balances (account_id, stripe, floor, asset)
            SELECT found_row.id, s, p_floor, p_asset FROM generate_series(0, p_stripes - 1) AS s;
        ELSE
            SELECT * INTO STRICT found_row FROM ledger.accounts a WHERE a.path = p_path AND a.asset = p_asset;
        END IF;
    END IF;
    IF found_row.org_id IS DISTINCT FROM p_org OR found_row.kind <> p_kind OR found_row.stripes <> p_stripes THEN
        RAISE EXCEPTION 'account % of % exists with another owner, kind or number of stripes', p_path, p_asset
            USING ERRCODE = 'BU004';
    END IF;
    account_id := found_row.id;
    settled := found_row.opened_in IS DISTINCT FROM pg_current_xact_id_if_assigned()::text::bigint;
END
$$;
