-- Row-level security, grants and immutability of subscriptions. Running it again replaces everything. A tenant reads its
-- own; the platform's role writes.

SELECT pg_temp.row_security('subscriptions', 'subscription_events', 'subscription_bills', 'subscription_grants');
SELECT pg_temp.tenant_reads_own('subscriptions', 'subscription_bills', 'subscription_grants');
SELECT pg_temp.refuse_deletes('subscriptions', 'subscription_events', 'subscription_bills', 'subscription_grants');
GRANT SELECT ON subscription_events TO bursar_api;
GRANT SELECT, INSERT ON subscriptions, subscription_events, subscription_bills, subscription_grants TO bursar_platform;
CREATE OR REPLACE TRIGGER refuse_change BEFORE UPDATE ON subscription_events
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE OR REPLACE TRIGGER refuse_change BEFORE UPDATE ON subscription_grants
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE POLICY tenant_reads ON subscription_events FOR SELECT TO bursar_api
    USING (EXISTS (SELECT 1 FROM subscriptions s WHERE s.id = subscription_events.subscription_id));

GRANT UPDATE (provider_ref, status, plan, version, state, updated_at) ON subscriptions TO bursar_platform;
GRANT UPDATE (granted_minor, accrued_minor, accrued_on) ON subscription_bills TO bursar_platform;
