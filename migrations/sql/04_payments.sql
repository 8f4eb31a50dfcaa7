-- Money that comes in: payments, what moved at their providers, chargebacks, webhooks, deposits of coins and
-- automatic top-ups.

SELECT pg_temp.row_security('payments');
SELECT pg_temp.tenant_reads_own('payments');
GRANT SELECT, INSERT, UPDATE ON payments TO bursar_platform;

SELECT pg_temp.row_security('payment_events');
CREATE POLICY tenant_reads ON payment_events FOR SELECT TO bursar_api
    USING (EXISTS (SELECT 1 FROM payments WHERE payments.id = payment_events.payment_id));
SELECT pg_temp.append_only('payment_events');
GRANT SELECT ON payment_events TO bursar_api;
GRANT SELECT, INSERT ON payment_events TO bursar_platform;

SELECT pg_temp.row_security('payment_movements');
SELECT pg_temp.refuse_deletes('payment_movements');
GRANT SELECT, INSERT, UPDATE (fee_minor) ON payment_movements TO bursar_platform;

SELECT pg_temp.row_security('payment_command_contents');
GRANT SELECT, INSERT, DELETE ON payment_command_contents TO bursar_platform;

SELECT pg_temp.row_security('payment_commands');
SELECT pg_temp.tenant_reads_own('payment_commands');
CREATE POLICY tenant_writes ON payment_commands FOR INSERT TO bursar_api WITH CHECK (org_id = bursar_org());
SELECT pg_temp.append_only('payment_commands');
GRANT INSERT ON payment_commands TO bursar_api;
GRANT SELECT, INSERT ON payment_commands TO bursar_platform;

SELECT pg_temp.row_security('payment_disputes');
SELECT pg_temp.tenant_reads_own('payment_disputes');
GRANT SELECT, INSERT, UPDATE ON payment_disputes TO bursar_platform;

SELECT pg_temp.row_security('provider_events');
GRANT SELECT, INSERT, UPDATE (status, payment_id, payload, handled_at) ON provider_events TO bursar_platform;

SELECT pg_temp.row_security('provider_customers');
SELECT pg_temp.tenant_reads_own('provider_customers');
GRANT SELECT, INSERT ON provider_customers TO bursar_platform;

SELECT pg_temp.row_security('crypto_deposits');
SELECT pg_temp.refuse_deletes('crypto_deposits');
GRANT SELECT, INSERT, UPDATE (scanned_height, cancelled_at, version) ON crypto_deposits TO bursar_platform;

SELECT pg_temp.row_security('crypto_indexes');
SELECT pg_temp.refuse_deletes('crypto_indexes');
GRANT SELECT, INSERT, UPDATE (next_index) ON crypto_indexes TO bursar_platform;

SELECT pg_temp.row_security('crypto_receipts');
SELECT pg_temp.refuse_deletes('crypto_receipts');
GRANT SELECT, INSERT, UPDATE (height, block_hash, reversed_at) ON crypto_receipts TO bursar_platform;

SELECT pg_temp.row_security('auto_topups');
SELECT pg_temp.tenant_reads_own('auto_topups');
SELECT pg_temp.refuse_deletes('auto_topups');
GRANT SELECT, INSERT, UPDATE ON auto_topups TO bursar_platform;

SELECT pg_temp.row_security('auto_topup_crossings');
SELECT pg_temp.tenant_reads_own('auto_topup_crossings');
SELECT pg_temp.refuse_deletes('auto_topup_crossings');
GRANT SELECT, INSERT, UPDATE (payment_id, outcome) ON auto_topup_crossings TO bursar_platform;

\ir ../../repositories/sql/payments/payments.sql
\ir ../../repositories/sql/payments/payment_commands.sql
