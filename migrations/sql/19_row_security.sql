-- Every table is bound by row-level security; prices of models alone are public, so nothing hides a row. The platform's
-- role sees all rows where no policy above names it, and writes what it was granted to; a tenant sees what a policy shows.
DO $$
DECLARE
    v_table regclass;
BEGIN
    FOR v_table IN SELECT c.oid FROM pg_class c
        WHERE c.relkind IN ('r', 'p') AND c.relnamespace IN ('public'::regnamespace, 'ledger'::regnamespace)
            AND c.relname NOT IN ('alembic_version', 'model_prices', 'model_price_imports')
    LOOP
        EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', v_table);
        IF NOT EXISTS (SELECT FROM pg_policy p
                       WHERE p.polrelid = v_table AND 'bursar_platform'::regrole = ANY (p.polroles)) THEN
            EXECUTE format('CREATE POLICY platform ON %s TO bursar_platform USING (true) WITH CHECK (true)', v_table);
        END IF;
    END LOOP;
END $$;
