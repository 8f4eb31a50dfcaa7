-- Row-level security, grants and immutability of the gaps in document numbers, and the function that makes them. Run by
-- migration 0189; running it again replaces everything. Tenants have no access.

SELECT pg_temp.row_security('number_gaps');
SELECT pg_temp.append_only('number_gaps');
GRANT SELECT ON number_gaps TO bursar_platform;

-- Passes over the next p_by numbers of each series, also of those that have none yet: their first one may have been given
-- after the restored moment. The series are those of p_documents, of the deployment and of each entity that has one.
CREATE OR REPLACE FUNCTION skip_numbers(p_documents text[], p_by bigint)
RETURNS TABLE (series text, first bigint, last bigint)
LANGUAGE sql SECURITY INVOKER SET search_path = public, pg_temp
AS $$
    WITH entities AS (
        SELECT '' AS suffix
        UNION SELECT substr(name, strpos(name, '/')) FROM number_sequences WHERE strpos(name, '/') > 0
    ), skipped AS (
        INSERT INTO number_sequences AS n (name, last)
        SELECT d.name || e.suffix, p_by FROM unnest(p_documents) d (name) CROSS JOIN entities e
        ON CONFLICT (name) DO UPDATE SET last = n.last + p_by
        RETURNING n.name, n.last
    )
    INSERT INTO number_gaps AS g (name, first, last) SELECT s.name, s.last - p_by + 1, s.last FROM skipped s
    RETURNING g.name, g.first, g.last
$$;
REVOKE ALL ON FUNCTION skip_numbers(text[], bigint) FROM PUBLIC;
