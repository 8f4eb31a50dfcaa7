-- What tables are protected by, in a word each: functions that end with the session that makes the schema.

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

-- No row of the tables of the books is ever deleted or changed.
CREATE OR REPLACE FUNCTION pg_temp.immutable(VARIADIC p_tables regclass[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    v_table regclass;
BEGIN
    FOREACH v_table IN ARRAY p_tables LOOP
        EXECUTE format('CREATE TRIGGER immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON %s '
                       'FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change()', v_table);
    END LOOP;
END $$;

-- No row of a table of the books is ever deleted, and none but these columns changes.
CREATE OR REPLACE FUNCTION pg_temp.immutable_but(p_table regclass, VARIADIC p_columns text[]) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_others text := (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) FROM pg_attribute a
                      WHERE a.attrelid = p_table AND a.attnum > 0 AND a.attname <> ALL (p_columns));
BEGIN
    EXECUTE format('CREATE TRIGGER immutable BEFORE UPDATE OF %s OR DELETE OR TRUNCATE ON %s '
                   'FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change()', v_others, p_table);
END $$;

-- A row of the tables that is changed has another version afterwards.
CREATE OR REPLACE FUNCTION pg_temp.count_version(VARIADIC p_tables regclass[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    v_table regclass;
BEGIN
    FOREACH v_table IN ARRAY p_tables LOOP
        EXECUTE format('CREATE TRIGGER count_version BEFORE UPDATE ON %s '
                       'FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION count_version()', v_table);
    END LOOP;
END $$;
