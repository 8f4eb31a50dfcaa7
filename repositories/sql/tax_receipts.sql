-- Row-level security, grants and immutability of tax documents of sales. Running it again replaces everything. A tenant
-- reads its own; they are written once by the platform's role and never changed, so their numbers have no gaps.

SELECT pg_temp.row_security('tax_receipts');
SELECT pg_temp.tenant_reads_own('tax_receipts');
SELECT pg_temp.append_only('tax_receipts');
GRANT SELECT, INSERT ON tax_receipts TO bursar_platform;
-- Credit notes give credits back that were taxed when they were sold.
GRANT UPDATE (taxed_credits_minor) ON invoices TO bursar_platform;
