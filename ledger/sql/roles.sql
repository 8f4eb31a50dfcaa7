-- The two login roles and the tenant setting. Roles belong to the whole cluster, so concurrent migrations of two
-- databases race for them, and the second finds existing ones.
DO $$
DECLARE
    role_name text;
BEGIN
    FOREACH role_name IN ARRAY ARRAY['bursar_api', 'bursar_platform'] LOOP
        IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = role_name) THEN
            BEGIN
                EXECUTE pg_catalog.format('CREATE ROLE %I LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE', role_name);
            EXCEPTION WHEN duplicate_object OR unique_violation THEN
                NULL;
            END;
        END IF;
    END LOOP;
END
$$;

-- The organization of the transaction; NULL, which equals nothing, if none was set.
CREATE OR REPLACE FUNCTION public.bursar_org() RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
RETURN nullif(pg_catalog.current_setting('bursar.org_id', true), '');
