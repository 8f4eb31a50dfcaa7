-- Row-level security and grants of the charges of usage events. Running it again replaces everything. A tenant reads what
-- became of the charges of its own events; how much of a month was charged is the platform's own.

SELECT pg_temp.row_security('usage_charges', 'meter_months');
SELECT pg_temp.tenant_reads_own('usage_charges');
SELECT pg_temp.refuse_deletes('usage_charges', 'meter_months');
GRANT SELECT, INSERT, UPDATE (due_at, waits_for, spend_id, amount, charged_at) ON usage_charges TO bursar_platform;
GRANT SELECT, INSERT, UPDATE (charged) ON meter_months TO bursar_platform;
GRANT UPDATE (charged_at) ON meters TO bursar_platform;

-- What was charged stays charged, and what an operator has voided is never charged.
DROP TRIGGER IF EXISTS refuse_change ON usage_charges;
CREATE TRIGGER refuse_change BEFORE UPDATE ON usage_charges
    FOR EACH ROW WHEN (OLD.spend_id IS NOT NULL) EXECUTE FUNCTION refuse_change();
DROP TRIGGER IF EXISTS stays_void ON usage_charges;
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_attribute WHERE attrelid = 'usage_charges'::regclass AND attname = 'voided_at') THEN
        GRANT UPDATE (voided_at) ON usage_charges TO bursar_platform;
        CREATE TRIGGER stays_void BEFORE UPDATE ON usage_charges
            FOR EACH ROW WHEN (OLD.voided_at IS NOT NULL) EXECUTE FUNCTION refuse_change();
    END IF;
END
$$;
