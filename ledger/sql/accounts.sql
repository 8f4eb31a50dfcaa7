-- Accounts are opened on demand, once each.

-- The bucket of an organization's accounts, the top 12 bits of their ids. NULL is the platform, whose bucket is the
-- highest: its accounts are shared, so they are locked after those of a single organization.
CREATE OR REPLACE FUNCTION ledger.bucket_of(p_org text) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN p_org IS NULL THEN 4095
    ELSE (get_byte(sha256(convert_to(p_org, 'UTF8')), 0) << 8 | get_byte(sha256(convert_to(p_org, 'UTF8')), 1)) % 4095
END;

-- The stripe of an account that this session posts to. The lowest byte of an account's id is the number of its stripes
-- less one; `bursar.stripes` says how many of them are in use, see `ledger/stripes.py`. Sessions have consecutive
-- process ids, so they spread evenly.
CREATE OR REPLACE FUNCTION ledger.stripe_of(p_account bigint) RETURNS smallint
LANGUAGE sql STABLE
RETURN CASE WHEN p_account & 255 = 0 THEN 0
    ELSE pg_backend_pid() % least(
        (p_account & 255) + 1, greatest(1, coalesce(nullif(current_setting('bursar.stripes', true), '')::bigint, 16))
    )
END::smallint;

-- Opens or finds the account. `settled`: the row is committed, so its id can be cached beyond this transaction. BU004:
-- the account exists with another owner, kind or number of stripes.
CREATE OR REPLACE FUNCTION ledger.open_account(
    p_path text, p_asset text, p_org text, p_kind text, p_floor bigint, p_stripes smallint,
    p_lots boolean DEFAULT false, p_lots_lapse boolean DEFAULT false,
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
        INSERT INTO ledger.accounts (id, path, asset, org_id, kind, floor, stripes, lots, lots_lapse)
        VALUES ((ledger.bucket_of(p_org) << 51) | (nextval('ledger.account_numbers') << 8) | (p_stripes - 1),
            p_path, p_asset, p_org, p_kind, p_floor, p_stripes, p_lots, p_lots AND p_lots_lapse)
        ON CONFLICT (path, asset) DO NOTHING
        RETURNING * INTO found_row;
        IF FOUND THEN
            INSERT INTO ledger.balances (account_id, stripe, floor, asset, org_id, lots)
            SELECT found_row.id, s, p_floor, p_asset, p_org, p_lots FROM generate_series(0, p_stripes - 1) AS s;
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
