-- The transaction that wrote the last event, of anybody, whose id sorts before another one; null where there is none.
-- It reads one row of the primary key: among its own events alone, a tenant that has few would read those of all others.
CREATE OR REPLACE FUNCTION event_written_before(p_id text) RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT e.written_in FROM public.events e WHERE e.id < p_id ORDER BY e.id DESC LIMIT 1
$$;
GRANT EXECUTE ON FUNCTION event_written_before(text) TO bursar_api, bursar_platform;
