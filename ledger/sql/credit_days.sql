-- What each organization used, had refunded and lost by expiry, day by day (UTC): kept in the transaction of each, under the
-- organization's mutex, so that statistics read days and not history. Running it again replaces everything.

-- One row for each organization and day among what a statement wrote.
CREATE OR REPLACE FUNCTION ledger.count_spends() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    INSERT INTO ledger.credit_days AS d (org_id, day, used, spends)
    SELECT n.org_id, (n.at AT TIME ZONE 'UTC')::date, sum(n.captured), count(*) FROM written n GROUP BY 1, 2
    ON CONFLICT (org_id, day) DO UPDATE SET used = d.used + excluded.used, spends = d.spends + excluded.spends;
    RETURN NULL;
END
$$;

CREATE OR REPLACE FUNCTION ledger.count_changes() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    INSERT INTO ledger.credit_days AS d (org_id, day, used, refunded)
    SELECT n.org_id, (n.at AT TIME ZONE 'UTC')::date, coalesce(sum(n.amount) FILTER (WHERE n.kind = 'capture'), 0),
        coalesce(sum(n.amount) FILTER (WHERE n.kind = 'refund'), 0)
    FROM written n WHERE n.kind IN ('capture', 'refund') GROUP BY 1, 2
    ON CONFLICT (org_id, day) DO UPDATE SET used = d.used + excluded.used, refunded = d.refunded + excluded.refunded;
    RETURN NULL;
END
$$;

CREATE OR REPLACE TRIGGER count_spends AFTER INSERT ON ledger.spends
REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION ledger.count_spends();
CREATE OR REPLACE TRIGGER count_changes AFTER INSERT ON ledger.spend_changes
REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION ledger.count_changes();

ALTER TABLE ledger.credit_days ENABLE ROW LEVEL SECURITY;
DROP POLICY IF EXISTS platform ON ledger.credit_days;
CREATE POLICY platform ON ledger.credit_days TO bursar_platform USING (true) WITH CHECK (true);
DROP POLICY IF EXISTS tenant ON ledger.credit_days;
CREATE POLICY tenant ON ledger.credit_days FOR SELECT TO bursar_api USING (org_id = public.bursar_org());
GRANT SELECT ON ledger.credit_days TO bursar_api, bursar_platform;
REVOKE EXECUTE ON FUNCTION ledger.count_spends, ledger.count_changes FROM PUBLIC;

CREATE OR REPLACE TRIGGER immutable BEFORE UPDATE OF org_id, day OR DELETE OR TRUNCATE ON ledger.credit_days
FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
