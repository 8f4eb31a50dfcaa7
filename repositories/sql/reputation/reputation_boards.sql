-- On which leaderboards the rows of agents are, and who counts their places.

-- The board of an agent: that of all who can hire it, or its own organization's alone. Nobody can hire the agents of an
-- organization that is suspended or closed.
CREATE OR REPLACE FUNCTION reputation_board(p_agent agents) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, public AS $$
BEGIN
    RETURN CASE WHEN p_agent.visibility = 'public' AND p_agent.retired_at IS NULL AND NOT EXISTS (
        SELECT FROM organizations WHERE id = p_agent.org_id AND status <> 'active'
    ) THEN 'public' ELSE p_agent.org_id END;
END $$;

-- The board and the category of a row are the agent's. Whoever changes the category or the visibility, or retires it, waits
-- for who adds rows, and the other way round, so that no row is left with the old one.
CREATE OR REPLACE FUNCTION reputation_placed() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public AS $$
BEGIN
    SELECT reputation_board(a), a.category INTO STRICT NEW.board, NEW.category
    FROM public.agents a WHERE a.id = NEW.agent_id FOR SHARE;
    RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER reputation_placed BEFORE INSERT ON reputation_agents
    FOR EACH ROW EXECUTE FUNCTION reputation_placed();
CREATE OR REPLACE TRIGGER reputation_placed BEFORE INSERT ON reputation_scores
    FOR EACH ROW EXECUTE FUNCTION reputation_placed();

CREATE OR REPLACE FUNCTION agent_category_changed() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public AS $$
BEGIN
    UPDATE public.reputation_agents SET category = NEW.category WHERE agent_id = NEW.id;
    UPDATE public.reputation_scores SET category = NEW.category WHERE agent_id = NEW.id;
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER agent_category_changed AFTER UPDATE OF category ON agents FOR EACH ROW
    WHEN (OLD.category IS DISTINCT FROM NEW.category) EXECUTE FUNCTION agent_category_changed();

CREATE OR REPLACE FUNCTION agent_visibility_changed() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public AS $$
DECLARE
    v_board text := reputation_board(NEW);
BEGIN
    UPDATE public.reputation_agents SET board = v_board WHERE agent_id = NEW.id;
    UPDATE public.reputation_scores SET board = v_board WHERE agent_id = NEW.id;
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER agent_visibility_changed AFTER UPDATE OF visibility ON agents FOR EACH ROW
    WHEN (OLD.visibility IS DISTINCT FROM NEW.visibility) EXECUTE FUNCTION agent_visibility_changed();

CREATE OR REPLACE FUNCTION organization_closed() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public AS $$
BEGIN
    UPDATE public.reputation_agents r SET board = reputation_board(a)
    FROM public.agents a WHERE a.org_id = NEW.id AND r.agent_id = a.id;
    UPDATE public.reputation_scores r SET board = reputation_board(a)
    FROM public.agents a WHERE a.org_id = NEW.id AND r.agent_id = a.id;
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER organization_closed AFTER UPDATE OF status ON organizations FOR EACH ROW
    WHEN (NEW.status <> OLD.status) EXECUTE FUNCTION organization_closed();
CREATE OR REPLACE TRIGGER agent_retired AFTER UPDATE OF retired_at ON agents FOR EACH ROW
    WHEN (OLD.retired_at IS DISTINCT FROM NEW.retired_at) EXECUTE FUNCTION agent_visibility_changed();

GRANT EXECUTE ON FUNCTION reputation_board TO bursar_platform;
