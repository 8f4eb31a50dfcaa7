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
