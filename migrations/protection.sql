-- What tables are protected by, in a word each. Each file of the baseline begins with these functions of its session.

-- Shows the tables to the platform's role alone. What a tenant sees of them has a policy of its own.
CREATE OR REPLACE FUNCTION pg_temp.row_security(VARIADIC p_tables regclass[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    v_table regclass;
BEGIN
    FOREACH v_table IN ARRAY p_tables LOOP
        EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', v_table);
        EXECUTE format('CREATE POLICY platform ON %s TO bursar_platform USING (true) WITH CHECK (true)', v_table);
    END LOOP;
END $$;

-- Lets a tenant read the rows of the tables that are its own.
CREATE OR REPLACE FUNCTION pg_temp.tenant_reads_own(VARIADIC p_tables regclass[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    v_table regclass;
BEGIN
    FOREACH v_table IN ARRAY p_tables LOOP
        EXECUTE format('CREATE POLICY tenant_reads ON %s FOR SELECT TO bursar_api USING (org_id = bursar_org())', v_table);
        EXECUTE format('GRANT SELECT ON %s TO bursar_api', v_table);
    END LOOP;
END $$;

-- Refuses to empty the tables and what the trigger `refuse_<act>` is for, whoever asks.
CREATE OR REPLACE FUNCTION pg_temp.refuse(p_act text, p_events text, p_tables regclass[]) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_table regclass;
BEGIN
    FOREACH v_table IN ARRAY p_tables LOOP
        EXECUTE format('CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON %s '
                       'FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', v_table);
        EXECUTE format('CREATE TRIGGER %I BEFORE %s ON %s FOR EACH ROW EXECUTE FUNCTION refuse_change()',
                       p_act, p_events, v_table);
    END LOOP;
END $$;

-- No row of the tables is ever deleted.
CREATE OR REPLACE FUNCTION pg_temp.refuse_deletes(VARIADIC p_tables regclass[]) RETURNS void LANGUAGE sql AS
    $$ SELECT pg_temp.refuse('refuse_delete', 'DELETE', p_tables) $$;

-- No row of the tables is ever deleted or changed.
CREATE OR REPLACE FUNCTION pg_temp.append_only(VARIADIC p_tables regclass[]) RETURNS void LANGUAGE sql AS
    $$ SELECT pg_temp.refuse('refuse_change', 'UPDATE OR DELETE', p_tables) $$;
