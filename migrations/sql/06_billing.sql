-- Projects, invoices and their collection, billing runs, subscriptions, tax and documents.

SELECT pg_temp.row_security('projects');
SELECT pg_temp.tenant_reads_own('projects');
SELECT pg_temp.refuse_deletes('projects');
CREATE TRIGGER count_version BEFORE UPDATE ON projects
    FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION count_version();
GRANT SELECT, INSERT, UPDATE (name, deployed_at, occupies_slot, version) ON projects TO bursar_platform;

SELECT pg_temp.row_security('deployment_events');
SELECT pg_temp.tenant_reads_own('deployment_events');
SELECT pg_temp.append_only('deployment_events');
GRANT SELECT, INSERT ON deployment_events TO bursar_platform;

SELECT pg_temp.row_security('billing_profiles');
SELECT pg_temp.tenant_reads_own('billing_profiles');
SELECT pg_temp.refuse_deletes('billing_profiles');
GRANT SELECT, INSERT, UPDATE ON billing_profiles TO bursar_platform;

SELECT pg_temp.row_security('tax_rates');
SELECT pg_temp.refuse_deletes('tax_rates');
GRANT SELECT, INSERT ON tax_rates TO bursar_platform;

SELECT pg_temp.row_security('billing_terms');
SELECT pg_temp.tenant_reads_own('billing_terms');
SELECT pg_temp.refuse_deletes('billing_terms');
GRANT SELECT, INSERT ON billing_terms TO bursar_platform;

SELECT pg_temp.row_security('number_sequences');
SELECT pg_temp.refuse_deletes('number_sequences');
GRANT SELECT, INSERT, UPDATE (last) ON number_sequences TO bursar_platform;

SELECT pg_temp.row_security('invoices');
-- A draft is nobody's to see until it is an invoice.
CREATE POLICY tenant_reads ON invoices FOR SELECT TO bursar_api USING (org_id = bursar_org() AND status <> 'draft');
SELECT pg_temp.refuse_deletes('invoices');
GRANT SELECT ON invoices TO bursar_api;
GRANT SELECT, INSERT, UPDATE (status, paid_minor, updated_at, void_transfer_id, void_command_id, prepaid_minor,
    prepaid_credits_minor, granted_credits_minor, credited_minor, written_off_minor, paused_for, write_off_command_id,
    write_off_transfer_id, taxed_credits_minor, rounded_minor) ON invoices TO bursar_platform;

SELECT pg_temp.row_security('invoice_payments');
SELECT pg_temp.tenant_reads_own('invoice_payments');
SELECT pg_temp.refuse_deletes('invoice_payments');
GRANT SELECT, INSERT, UPDATE (amount_minor, updated_at) ON invoice_payments TO bursar_platform;

SELECT pg_temp.row_security('credit_notes');
SELECT pg_temp.tenant_reads_own('credit_notes');
SELECT pg_temp.refuse_deletes('credit_notes');
GRANT SELECT, INSERT ON credit_notes TO bursar_platform;

SELECT pg_temp.row_security('number_gaps');
SELECT pg_temp.append_only('number_gaps');
GRANT SELECT ON number_gaps TO bursar_platform;

SELECT pg_temp.row_security('invoice_collections');
SELECT pg_temp.tenant_reads_own('invoice_collections');
SELECT pg_temp.refuse_deletes('invoice_collections');
GRANT SELECT, INSERT, UPDATE (method, status, version, wake_at, state, updated_at)
    ON invoice_collections TO bursar_platform;

SELECT pg_temp.row_security('invoice_collection_events');
CREATE POLICY tenant_reads ON invoice_collection_events FOR SELECT TO bursar_api
    USING (EXISTS (SELECT FROM invoice_collections c WHERE c.invoice_id = invoice_collection_events.invoice_id));
SELECT pg_temp.refuse_deletes('invoice_collection_events');
GRANT SELECT ON invoice_collection_events TO bursar_api;
GRANT SELECT, INSERT ON invoice_collection_events TO bursar_platform;

SELECT pg_temp.row_security('billing_runs');
SELECT pg_temp.refuse_deletes('billing_runs');
GRANT SELECT, INSERT, UPDATE (started_at, finished_at, invoiced, empty, failed) ON billing_runs TO bursar_platform;

SELECT pg_temp.row_security('billed_periods');
SELECT pg_temp.tenant_reads_own('billed_periods');
SELECT pg_temp.refuse_deletes('billed_periods');
-- What was invoiced stays invoiced.
CREATE TRIGGER refuse_change BEFORE UPDATE ON billed_periods
    FOR EACH ROW WHEN (OLD.status = 'empty' OR OLD.invoice_id IS NOT NULL) EXECUTE FUNCTION refuse_change();
GRANT SELECT, INSERT, UPDATE (starts_at, ends_at, status, terms_version, currency, charges_minor, usage_minor,
    shortfall_minor, total_minor, invoice_id, failure, done_at) ON billed_periods TO bursar_platform;

SELECT pg_temp.row_security('invoice_items');
SELECT pg_temp.tenant_reads_own('invoice_items');
SELECT pg_temp.refuse_deletes('invoice_items');
CREATE TRIGGER refuse_change BEFORE UPDATE ON invoice_items
    FOR EACH ROW WHEN (num_nonnulls(OLD.invoice_id, OLD.removed_at) > 0) EXECUTE FUNCTION refuse_change();
GRANT SELECT, INSERT, UPDATE (invoice_id, removed_at) ON invoice_items TO bursar_platform;

SELECT pg_temp.row_security('subscriptions');
SELECT pg_temp.tenant_reads_own('subscriptions');
SELECT pg_temp.refuse_deletes('subscriptions');
GRANT SELECT, INSERT, UPDATE (provider_ref, status, plan, version, state, updated_at, wake_at)
    ON subscriptions TO bursar_platform;

SELECT pg_temp.row_security('subscription_events');
CREATE POLICY tenant_reads ON subscription_events FOR SELECT TO bursar_api
    USING (EXISTS (SELECT 1 FROM subscriptions s WHERE s.id = subscription_events.subscription_id));
SELECT pg_temp.refuse_deletes('subscription_events');
CREATE TRIGGER refuse_change BEFORE UPDATE ON subscription_events FOR EACH ROW EXECUTE FUNCTION refuse_change();
GRANT SELECT ON subscription_events TO bursar_api;
GRANT SELECT, INSERT ON subscription_events TO bursar_platform;

SELECT pg_temp.row_security('subscription_bills');
SELECT pg_temp.tenant_reads_own('subscription_bills');
SELECT pg_temp.refuse_deletes('subscription_bills');
GRANT SELECT, INSERT, UPDATE (payment_id, granted_minor, accrued_minor, accrued_on, settled_at, returned_minor,
    credited_minor, hold_id, left_out) ON subscription_bills TO bursar_platform;

SELECT pg_temp.row_security('subscription_grants');
SELECT pg_temp.tenant_reads_own('subscription_grants');
SELECT pg_temp.refuse_deletes('subscription_grants');
CREATE TRIGGER refuse_change BEFORE UPDATE ON subscription_grants FOR EACH ROW EXECUTE FUNCTION refuse_change();
GRANT SELECT, INSERT ON subscription_grants TO bursar_platform;

SELECT pg_temp.row_security('subscription_trials');
GRANT SELECT, INSERT, UPDATE (card), DELETE ON subscription_trials TO bursar_platform;

SELECT pg_temp.row_security('tax_receipts');
SELECT pg_temp.tenant_reads_own('tax_receipts');
SELECT pg_temp.append_only('tax_receipts');
GRANT SELECT, INSERT ON tax_receipts TO bursar_platform;

SELECT pg_temp.row_security('documents');
SELECT pg_temp.tenant_reads_own('documents');
SELECT pg_temp.append_only('documents');
GRANT SELECT, INSERT ON documents TO bursar_platform;

\ir ../../repositories/sql/billing/billing.sql
\ir ../../repositories/sql/billing/billing_runs.sql
