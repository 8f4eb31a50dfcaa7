-- Budgets, purchase orders, payment policies and the log of economic events.

SELECT pg_temp.row_security('purchase_entries');
SELECT pg_temp.tenant_reads_own('purchase_entries');
SELECT pg_temp.append_only('purchase_entries');
GRANT SELECT, INSERT ON purchase_entries TO bursar_platform;

SELECT pg_temp.row_security('purchase_orders');
SELECT pg_temp.tenant_reads_own('purchase_orders');
SELECT pg_temp.refuse_deletes('purchase_orders');
-- Who wants to buy what never changes.
GRANT SELECT, INSERT, UPDATE (pool, lifts, status, decision, methods, budget_remaining, persons, answer_by, held_until,
    renews_at, counts, spent_minor, refunded_minor, reported_spent_minor, reported_refunded_minor, unconfirmed_since,
    cancel_reported_at, alternative_action, saved_minor, unknown_since, updated_at)
    ON purchase_orders TO bursar_platform;

SELECT pg_temp.row_security('purchase_attempts');
SELECT pg_temp.tenant_reads_own('purchase_attempts');
SELECT pg_temp.refuse_deletes('purchase_attempts');
GRANT SELECT, INSERT, UPDATE (status, charged_minor, fee_minor, reference, receipt, result_at) ON purchase_attempts
    TO bursar_platform;

SELECT pg_temp.row_security('purchase_grants');
SELECT pg_temp.tenant_reads_own('purchase_grants');
SELECT pg_temp.append_only('purchase_grants');
GRANT SELECT, INSERT ON purchase_grants TO bursar_platform;

SELECT pg_temp.row_security('purchase_refunds');
SELECT pg_temp.tenant_reads_own('purchase_refunds');
SELECT pg_temp.append_only('purchase_refunds');
GRANT SELECT, INSERT ON purchase_refunds TO bursar_platform;

SELECT pg_temp.row_security('budget_emergencies');
SELECT pg_temp.tenant_reads_own('budget_emergencies');
SELECT pg_temp.refuse_deletes('budget_emergencies');
GRANT SELECT, INSERT, UPDATE (confirmed_by, begun_at, ended_by, ended_at) ON budget_emergencies TO bursar_platform;

SELECT pg_temp.row_security('prompt_templates');
SELECT pg_temp.tenant_reads_own('prompt_templates');
SELECT pg_temp.refuse_deletes('prompt_templates');
GRANT SELECT, INSERT, UPDATE ON prompt_templates TO bursar_platform;

SELECT pg_temp.row_security('payment_policies');
SELECT pg_temp.tenant_reads_own('payment_policies');
GRANT SELECT, INSERT, UPDATE, DELETE ON payment_policies TO bursar_platform;

SELECT pg_temp.row_security('free_options');
SELECT pg_temp.tenant_reads_own('free_options');
GRANT SELECT, INSERT, UPDATE, DELETE ON free_options TO bursar_platform;

SELECT pg_temp.row_security('purchase_methods');
SELECT pg_temp.tenant_reads_own('purchase_methods');
GRANT SELECT, INSERT, UPDATE, DELETE ON purchase_methods TO bursar_platform;
