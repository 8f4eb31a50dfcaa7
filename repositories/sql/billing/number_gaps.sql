-- Gaps in numbers: the functions that make and keep them. Tenants have no access.

-- Returns the number above which the events of every subject continue: 0, unless the books were restored.
CREATE OR REPLACE FUNCTION event_floor() RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT coalesce(max(last), 0) FROM public.number_gaps WHERE name = 'event'
$$;
GRANT EXECUTE ON FUNCTION event_floor() TO bursar_api, bursar_platform;

-- Skips the next p_by numbers of each series, also of series without numbers: their first one may have been given after
-- the restored moment. The series are those of p_documents, for the deployment and for each entity: of p_entities, of
-- billing profiles, and of existing series. The events of every subject continue p_by above the highest number of all
-- events, because lost events may have subjects that are unknown here.
CREATE OR REPLACE FUNCTION skip_numbers(p_documents text[], p_by bigint, p_entities text[] DEFAULT '{}')
RETURNS TABLE (series text, first bigint, last bigint)
LANGUAGE sql SECURITY INVOKER SET search_path = public, pg_temp
AS $$
    WITH entities AS (
        SELECT '' AS suffix
        UNION SELECT substr(name, strpos(name, '/')) FROM number_sequences WHERE strpos(name, '/') > 0
        UNION SELECT '/' || legal_entity FROM billing_profiles WHERE legal_entity IS NOT NULL
        UNION SELECT '/' || given.code FROM unnest(p_entities) given (code)
    ), skipped AS (
        INSERT INTO number_sequences AS n (name, last)
        SELECT d.name || e.suffix, p_by FROM unnest(p_documents) d (name) CROSS JOIN entities e
        ON CONFLICT (name) DO UPDATE SET last = n.last + p_by
        RETURNING n.name, n.last
    ), told AS (
        SELECT greatest(event_floor(), (SELECT max(e.subject_seq) FROM events e)) AS highest
    )
    INSERT INTO number_gaps AS g (name, first, last)
    SELECT s.name, s.last - p_by + 1, s.last FROM skipped s
    UNION ALL SELECT 'event', t.highest + 1, t.highest + p_by FROM told t
    RETURNING g.name, g.first, g.last
$$;
