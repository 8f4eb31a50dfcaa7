-- Money that comes in: payments, what moved at their providers, chargebacks, webhooks, deposits of coins and
-- automatic top-ups.

CREATE POLICY tenant_reads ON payment_events FOR SELECT TO bursar_api
    USING (EXISTS (SELECT 1 FROM payments WHERE payments.id = payment_events.payment_id));
GRANT SELECT, INSERT, UPDATE (fee_minor) ON payment_movements TO bursar_platform;
CREATE POLICY tenant_writes ON payment_commands FOR INSERT TO bursar_api WITH CHECK (org_id = bursar_org());
GRANT SELECT, INSERT, UPDATE (status, payment_id, payload, handled_at) ON provider_events TO bursar_platform;
GRANT SELECT, INSERT, UPDATE (scanned_height, cancelled_at, version) ON crypto_deposits TO bursar_platform;
GRANT SELECT, INSERT, UPDATE (next_index) ON crypto_indexes TO bursar_platform;
GRANT SELECT, INSERT, UPDATE (height, block_hash, reversed_at) ON crypto_receipts TO bursar_platform;
GRANT SELECT, INSERT, UPDATE (payment_id, outcome) ON auto_topup_crossings TO bursar_platform;

SELECT pg_temp.tenant_reads_own('payments', 'payment_commands', 'payment_disputes', 'provider_customers', 'auto_topups',
    'auto_topup_crossings');
SELECT pg_temp.refuse_deletes('payment_movements', 'crypto_deposits', 'crypto_indexes', 'crypto_receipts',
    'auto_topups', 'auto_topup_crossings');
SELECT pg_temp.append_only('payment_events', 'payment_commands');
GRANT SELECT, INSERT, UPDATE ON payments, payment_disputes, auto_topups TO bursar_platform;
GRANT SELECT ON payment_events TO bursar_api;
GRANT SELECT, INSERT ON payment_events, payment_commands, provider_customers TO bursar_platform;
GRANT SELECT, INSERT, DELETE ON payment_command_contents TO bursar_platform;
GRANT INSERT ON payment_commands TO bursar_api;

\ir ../../repositories/sql/payments/payments.sql
\ir ../../repositories/sql/payments/payment_commands.sql
