-- Row-level security and grants of the marketplace. Running it again replaces everything. Every tenant reads the offers
-- that are listed and its own, and what it has bought; the platform's role writes.

DO $$
DECLARE
    v_table text;
BEGIN
    FOREACH v_table IN ARRAY ARRAY['marketplace_offers', 'marketplace_purchases']
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', v_table);
        EXECUTE format('DROP POLICY IF EXISTS platform ON %I', v_table);
        EXECUTE format('CREATE POLICY platform ON %I TO bursar_platform USING (true) WITH CHECK (true)', v_table);
        EXECUTE format('DROP POLICY IF EXISTS tenant_reads ON %I', v_table);
        EXECUTE format('REVOKE ALL ON %I FROM bursar_api, bursar_platform', v_table);
        EXECUTE format('GRANT SELECT ON %I TO bursar_api', v_table);
        EXECUTE format('GRANT SELECT, INSERT ON %I TO bursar_platform', v_table);
        EXECUTE format('DROP TRIGGER IF EXISTS refuse_delete ON %I', v_table);
        EXECUTE format('CREATE TRIGGER refuse_delete BEFORE DELETE ON %I FOR EACH ROW EXECUTE FUNCTION refuse_change()',
                       v_table);
        EXECUTE format('DROP TRIGGER IF EXISTS refuse_truncate ON %I', v_table);
        EXECUTE format('CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON %I '
                       'FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', v_table);
    END LOOP;
END $$;

CREATE POLICY tenant_reads ON marketplace_offers FOR SELECT TO bursar_api
    USING (status = 'listed' OR org_id = bursar_org());
CREATE POLICY tenant_reads ON marketplace_purchases FOR SELECT TO bursar_api USING (org_id = bursar_org());

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
