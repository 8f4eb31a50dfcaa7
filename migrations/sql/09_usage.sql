-- What was consumed and what it costs: meters, prices of models, usage events by month, their charges and bills.

CREATE POLICY tenant_reads ON meters FOR SELECT TO bursar_api
    USING (org_id = bursar_org() OR (org_id IS NULL AND (bursar_org() IS NOT NULL)));
GRANT SELECT, INSERT, UPDATE (closed_at, charged_at) ON meters TO bursar_platform;
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON usage_days FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
GRANT SELECT, INSERT, UPDATE (reached) ON usage_sources TO bursar_platform;

-- What was charged stays charged, and what an operator has voided is never charged.
CREATE TRIGGER refuse_change BEFORE UPDATE ON usage_charges
    FOR EACH ROW WHEN (OLD.spend_id IS NOT NULL) EXECUTE FUNCTION refuse_change();
CREATE TRIGGER stays_void BEFORE UPDATE ON usage_charges
    FOR EACH ROW WHEN (OLD.voided_at IS NOT NULL) EXECUTE FUNCTION refuse_change();
GRANT SELECT, INSERT, UPDATE (due_at, waits_for, spend_id, amount, charged_at, voided_at)
    ON usage_charges TO bursar_platform;

GRANT SELECT, INSERT, UPDATE (charged) ON meter_months TO bursar_platform;

-- What was billed stays billed.
CREATE TRIGGER refuse_change BEFORE UPDATE ON usage_bills
    FOR EACH ROW WHEN (OLD.billed_at IS NOT NULL) EXECUTE FUNCTION refuse_change();
GRANT SELECT, INSERT, UPDATE (sealed_at, invoice_id, billed_at, discount_bps, markup_e6) ON usage_bills TO bursar_platform;

GRANT SELECT, INSERT, UPDATE (events, quantity, pico, line, charged) ON usage_bill_sums TO bursar_platform;

SELECT pg_temp.tenant_reads_own('meter_days', 'meter_members', 'usage_events', 'usage_days', 'usage_charges',
    'usage_bills', 'usage_bill_sums', 'usage_voids');
SELECT pg_temp.refuse_deletes('usage_charges', 'meter_months', 'usage_bills', 'usage_bill_sums');
SELECT pg_temp.append_only('model_price_imports', 'model_prices', 'usage_digests', 'usage_events', 'usage_paid_calls',
    'usage_voids');
GRANT SELECT ON meters, model_price_imports, model_prices TO bursar_api;
GRANT SELECT, INSERT, UPDATE ON meter_days, usage_days TO bursar_platform;
GRANT SELECT, INSERT ON meter_members, model_price_imports, model_prices, usage_digests, usage_events, usage_paid_calls,
    usage_voids TO bursar_platform;

\ir ../../repositories/sql/usage/usage.sql
