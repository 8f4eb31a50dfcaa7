-- Projects, invoices and their collection, billing runs, subscriptions, tax and documents.

GRANT SELECT, INSERT, UPDATE (name, deployed_at, occupies_slot, version) ON projects TO bursar_platform;
GRANT SELECT, INSERT, UPDATE (last) ON number_sequences TO bursar_platform;

-- A draft is nobody's to see until it is an invoice.
CREATE POLICY tenant_reads ON invoices FOR SELECT TO bursar_api USING (org_id = bursar_org() AND status <> 'draft');
GRANT SELECT, INSERT, UPDATE (status, paid_minor, updated_at, void_transfer_id, void_command_id, prepaid_minor,
    prepaid_credits_minor, granted_credits_minor, credited_minor, written_off_minor, paused_for, write_off_command_id,
    write_off_transfer_id, taxed_credits_minor, rounded_minor) ON invoices TO bursar_platform;

GRANT SELECT, INSERT, UPDATE (amount_minor, updated_at) ON invoice_payments TO bursar_platform;
GRANT SELECT, INSERT, UPDATE (method, status, version, wake_at, state, updated_at)
    ON invoice_collections TO bursar_platform;
CREATE POLICY tenant_reads ON invoice_collection_events FOR SELECT TO bursar_api
    USING (EXISTS (SELECT FROM invoice_collections c WHERE c.invoice_id = invoice_collection_events.invoice_id));
GRANT SELECT, INSERT, UPDATE (started_at, finished_at, invoiced, empty, failed) ON billing_runs TO bursar_platform;

-- What was invoiced stays invoiced.
CREATE TRIGGER refuse_change BEFORE UPDATE ON billed_periods
    FOR EACH ROW WHEN (OLD.status = 'empty' OR OLD.invoice_id IS NOT NULL) EXECUTE FUNCTION refuse_change();
GRANT SELECT, INSERT, UPDATE (starts_at, ends_at, status, terms_version, currency, charges_minor, usage_minor,
    shortfall_minor, total_minor, invoice_id, failure, done_at) ON billed_periods TO bursar_platform;

CREATE TRIGGER refuse_change BEFORE UPDATE ON invoice_items
    FOR EACH ROW WHEN (num_nonnulls(OLD.invoice_id, OLD.removed_at) > 0) EXECUTE FUNCTION refuse_change();
GRANT SELECT, INSERT, UPDATE (invoice_id, removed_at) ON invoice_items TO bursar_platform;
GRANT SELECT, INSERT, UPDATE (provider_ref, status, plan, version, state, updated_at, wake_at)
    ON subscriptions TO bursar_platform;
CREATE POLICY tenant_reads ON subscription_events FOR SELECT TO bursar_api
    USING (EXISTS (SELECT 1 FROM subscriptions s WHERE s.id = subscription_events.subscription_id));
CREATE TRIGGER refuse_change BEFORE UPDATE ON subscription_events FOR EACH ROW EXECUTE FUNCTION refuse_change();
GRANT SELECT, INSERT, UPDATE (payment_id, granted_minor, accrued_minor, accrued_on, settled_at, returned_minor,
    credited_minor, hold_id, left_out) ON subscription_bills TO bursar_platform;
CREATE TRIGGER refuse_change BEFORE UPDATE ON subscription_grants FOR EACH ROW EXECUTE FUNCTION refuse_change();
GRANT SELECT, INSERT, UPDATE (card), DELETE ON subscription_trials TO bursar_platform;

SELECT pg_temp.tenant_reads_own('projects', 'deployment_events', 'billing_profiles', 'billing_terms',
    'invoice_payments', 'credit_notes', 'invoice_collections', 'billed_periods', 'invoice_items', 'subscriptions',
    'subscription_bills', 'subscription_grants', 'tax_receipts', 'documents');
SELECT pg_temp.refuse_deletes('projects', 'billing_profiles', 'tax_rates', 'billing_terms', 'number_sequences',
    'invoices', 'invoice_payments', 'credit_notes', 'invoice_collections', 'invoice_collection_events', 'billing_runs',
    'billed_periods', 'invoice_items', 'subscriptions', 'subscription_events', 'subscription_bills',
    'subscription_grants');
SELECT pg_temp.append_only('deployment_events', 'number_gaps', 'tax_receipts', 'documents');
SELECT pg_temp.count_version('projects');
GRANT SELECT, INSERT ON deployment_events, tax_rates, billing_terms, credit_notes, invoice_collection_events,
    subscription_events, subscription_grants, tax_receipts, documents TO bursar_platform;
GRANT SELECT, INSERT, UPDATE ON billing_profiles TO bursar_platform;
GRANT SELECT ON invoices, invoice_collection_events, subscription_events TO bursar_api;
GRANT SELECT ON number_gaps TO bursar_platform;

\ir ../../repositories/sql/billing/billing.sql
\ir ../../repositories/sql/billing/billing_runs.sql
\ir ../../repositories/sql/billing/number_gaps.sql
