-- Row-level security and grants of the marketplace. Running it again replaces everything. Every tenant reads the offers
-- that are listed and its own, and what it has bought; the platform's role writes.

SELECT pg_temp.row_security('marketplace_offers', 'marketplace_purchases');
SELECT pg_temp.tenant_reads_own('marketplace_purchases');
SELECT pg_temp.refuse_deletes('marketplace_offers', 'marketplace_purchases');
GRANT SELECT ON marketplace_offers TO bursar_api;
GRANT SELECT, INSERT ON marketplace_offers, marketplace_purchases TO bursar_platform;

CREATE POLICY tenant_reads ON marketplace_offers FOR SELECT TO bursar_api
    USING (status = 'listed' OR org_id = bursar_org());

GRANT UPDATE (model, price_minor, currency, creator_bps, summary, category, words, status, changed_by, changed_at)
    ON marketplace_offers TO bursar_platform;
GRANT UPDATE (status, taken_minor, refunded_at, refunded_by) ON marketplace_purchases TO bursar_platform;
-- What renews is a later migration's.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_attribute WHERE attrelid = 'marketplace_purchases'::regclass AND attname = 'renews_at') THEN
        GRANT UPDATE (renews_at, tries) ON marketplace_purchases TO bursar_platform;
    END IF;
END $$;
