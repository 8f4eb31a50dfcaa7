-- Daily sums (UTC) of each organization's used, refunded and expired credits, written in the transaction of each under
-- the organization's mutex, so that statistics read days instead of the history.

-- Counts uses on the day of p_at.
CREATE OR REPLACE FUNCTION ledger.count_day(p_org text, p_at timestamptz, p_used bigint, p_spends bigint) RETURNS void
LANGUAGE sql
AS $$
    INSERT INTO ledger.credit_days AS d (org_id, day, used, spends)
    VALUES (p_org, (p_at AT TIME ZONE 'UTC')::date, p_used, p_spends)
    ON CONFLICT (org_id, day) DO UPDATE SET used = d.used + excluded.used, spends = d.spends + excluded.spends
$$;

-- Counts the part of a cost that granted credits have paid on the day of p_at, see `ledger.granted_room`.
CREATE OR REPLACE FUNCTION ledger.count_granted(p_org text, p_cost numeric, p_at timestamptz) RETURNS void
LANGUAGE sql
AS $$
    INSERT INTO ledger.credit_days AS d (org_id, day, granted_cost)
    VALUES (p_org, (p_at AT TIME ZONE 'UTC')::date, p_cost)
    ON CONFLICT (org_id, day) DO UPDATE SET granted_cost = d.granted_cost + excluded.granted_cost
$$;

CREATE OR REPLACE FUNCTION ledger.count_spend() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    PERFORM ledger.count_day(NEW.org_id, NEW.at, NEW.captured, 1);
    RETURN NULL;
END
$$;

-- One row for each organization and day in the rows that a statement wrote.
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

-- A charge that has the id of its transfer is counted by the function that writes both: a trigger would take a tenth of
-- it.
CREATE OR REPLACE TRIGGER count_spend AFTER INSERT ON ledger.spends
FOR EACH ROW WHEN (NEW.id IS DISTINCT FROM NEW.transfer_id) EXECUTE FUNCTION ledger.count_spend();
CREATE OR REPLACE TRIGGER count_changes AFTER INSERT ON ledger.spend_changes
REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION ledger.count_changes();
