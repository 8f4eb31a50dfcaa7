-- Row-level security, grants and immutability of billing terms and of the bills of usage in arrears. Running it again
-- replaces everything. A tenant reads its own; the platform's role writes.

SELECT pg_temp.row_security('billing_terms', 'usage_bills', 'usage_bill_sums');
SELECT pg_temp.tenant_reads_own('billing_terms', 'usage_bills', 'usage_bill_sums');
SELECT pg_temp.refuse_deletes('billing_terms', 'usage_bills', 'usage_bill_sums');
GRANT SELECT, INSERT ON billing_terms, usage_bills, usage_bill_sums TO bursar_platform;

GRANT UPDATE (sealed_at, invoice_id, billed_at, discount_bps) ON usage_bills TO bursar_platform;
GRANT UPDATE (events, quantity, pico, line) ON usage_bill_sums TO bursar_platform;

-- What was billed stays billed.
DROP TRIGGER IF EXISTS refuse_change ON usage_bills;
CREATE TRIGGER refuse_change BEFORE UPDATE ON usage_bills
    FOR EACH ROW WHEN (OLD.billed_at IS NOT NULL) EXECUTE FUNCTION refuse_change();

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_attribute WHERE attrelid = 'usage_bill_sums'::regclass AND attname = 'charged') THEN
        GRANT UPDATE (charged) ON usage_bill_sums TO bursar_platform;
    END IF;
    IF to_regclass('usage_voids') IS NOT NULL THEN
        PERFORM pg_temp.row_security('usage_voids');
        PERFORM pg_temp.tenant_reads_own('usage_voids');
        PERFORM pg_temp.append_only('usage_voids');
        GRANT SELECT, INSERT ON usage_voids TO bursar_platform;
    END IF;
END
$$;
