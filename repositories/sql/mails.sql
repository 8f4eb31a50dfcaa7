-- Row-level security and grants of mails and contacts. Running it again replaces everything. A tenant sets its own
-- contacts and queues mails to itself; what is queued is read and sent by the platform alone.

DO $$
DECLARE
    v_table text;
BEGIN
    FOREACH v_table IN ARRAY ARRAY['mails', 'organization_contacts']
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', v_table);
        EXECUTE format('DROP POLICY IF EXISTS platform ON %I', v_table);
        EXECUTE format('CREATE POLICY platform ON %I TO bursar_platform USING (true) WITH CHECK (true)', v_table);
        EXECUTE format('DROP POLICY IF EXISTS tenant ON %I', v_table);
        EXECUTE format('CREATE POLICY tenant ON %I TO bursar_api USING (org_id = bursar_org()) '
                       'WITH CHECK (org_id = bursar_org())', v_table);
        EXECUTE format('REVOKE ALL ON %I FROM bursar_api, bursar_platform', v_table);
        EXECUTE format('DROP TRIGGER IF EXISTS refuse_truncate ON %I', v_table);
        EXECUTE format('CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON %I '
                       'FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', v_table);
        EXECUTE format('DROP TRIGGER IF EXISTS refuse_delete ON %I', v_table);
        EXECUTE format('CREATE TRIGGER refuse_delete BEFORE DELETE ON %I FOR EACH ROW EXECUTE FUNCTION refuse_change()',
                       v_table);
    END LOOP;
END $$;

GRANT SELECT, INSERT, UPDATE (language, contacts, updated_by, updated_at) ON organization_contacts
    TO bursar_api, bursar_platform;
GRANT INSERT (id, key, org_id, kind, data, language, recipients) ON mails TO bursar_api, bursar_platform;
GRANT SELECT, UPDATE (language, recipients, reached, status, attempts, problem, next_attempt_at, sent_at) ON mails
    TO bursar_platform;
