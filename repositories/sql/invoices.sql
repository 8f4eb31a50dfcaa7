-- Row-level security, grants and immutability of the invoices' tables. Run by migration 0008; running it again replaces
-- everything. Only the platform's role writes them. Nothing can be deleted, so numbers stay without gaps.

SELECT pg_temp.row_security('invoices', 'invoice_payments', 'number_sequences');
SELECT pg_temp.tenant_reads_own('invoices', 'invoice_payments');
SELECT pg_temp.refuse_deletes('invoices', 'invoice_payments', 'number_sequences');
GRANT SELECT, INSERT, UPDATE (status, paid_minor, void_transfer_id, void_command_id, updated_at) ON invoices TO bursar_platform;
GRANT SELECT, INSERT, UPDATE (amount_minor, updated_at) ON invoice_payments TO bursar_platform;
GRANT SELECT, INSERT, UPDATE (last) ON number_sequences TO bursar_platform;
