-- Budgets, purchase orders, payment policies and the log of economic events.

-- Who wants to buy what never changes.
GRANT SELECT, INSERT, UPDATE (pool, lifts, status, decision, methods, budget_remaining, persons, answer_by, held_until,
    renews_at, counts, spent_minor, refunded_minor, reported_spent_minor, reported_refunded_minor, unconfirmed_since,
    cancel_reported_at, alternative_action, saved_minor, unknown_since, updated_at)
    ON purchase_orders TO bursar_platform;

GRANT SELECT, INSERT, UPDATE (status, charged_minor, fee_minor, reference, receipt, result_at) ON purchase_attempts
    TO bursar_platform;
GRANT SELECT, INSERT, UPDATE (confirmed_by, begun_at, ended_by, ended_at) ON budget_emergencies TO bursar_platform;

SELECT pg_temp.tenant_reads_own('purchase_entries', 'purchase_orders', 'purchase_attempts', 'purchase_grants',
    'purchase_refunds', 'budget_emergencies', 'prompt_templates', 'payment_policies', 'free_options',
    'purchase_methods');
SELECT pg_temp.refuse_deletes('purchase_orders', 'purchase_attempts', 'budget_emergencies', 'prompt_templates');
SELECT pg_temp.append_only('purchase_entries', 'purchase_grants', 'purchase_refunds');
GRANT SELECT, INSERT ON purchase_entries, purchase_grants, purchase_refunds TO bursar_platform;
GRANT SELECT, INSERT, UPDATE ON prompt_templates TO bursar_platform;
GRANT SELECT, INSERT, UPDATE, DELETE ON payment_policies, free_options, purchase_methods TO bursar_platform;
