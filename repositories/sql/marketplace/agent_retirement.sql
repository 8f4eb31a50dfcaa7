-- When an agent was retired, read by who begins something with it: it cannot be retired until that transaction ends. A
-- tenant may not lock an agent that is somebody else's, which a row lock of its own would need.
CREATE OR REPLACE FUNCTION agent_retired_at(p_agent text) RETURNS timestamptz
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, public AS $$
    SELECT a.retired_at FROM public.agents a WHERE a.id = p_agent FOR SHARE
$$;
GRANT EXECUTE ON FUNCTION agent_retired_at(text) TO bursar_api, bursar_platform;
