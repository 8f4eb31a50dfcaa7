-- On which leaderboards the rows of agents are, and who counts their places. Running it again replaces everything.

-- The board and the category of a row are the agent's. Whoever changes the category or the visibility waits for who adds
-- rows, and the other way round, so that no row is left with the old one.
CREATE OR REPLACE FUNCTION reputation_placed() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public AS $$
BEGIN
    SELECT CASE a.visibility WHEN 'public' THEN 'public' ELSE a.org_id END, a.category INTO STRICT NEW.board, NEW.category
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
    v_board text := CASE NEW.visibility WHEN 'public' THEN 'public' ELSE NEW.org_id END;
BEGIN
    UPDATE public.reputation_agents SET board = v_board WHERE agent_id = NEW.id;
    UPDATE public.reputation_scores SET board = v_board WHERE agent_id = NEW.id;
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER agent_visibility_changed AFTER UPDATE OF visibility ON agents FOR EACH ROW
    WHEN (OLD.visibility IS DISTINCT FROM NEW.visibility) EXECUTE FUNCTION agent_visibility_changed();
GRANT UPDATE (category) ON agents TO bursar_platform;

-- The night counts them anew, and nobody else reads who they are.
SELECT pg_temp.row_security('reputation_peers');
GRANT SELECT, INSERT, DELETE ON reputation_peers TO bursar_platform;

REVOKE EXECUTE ON FUNCTION reputation_placed, agent_category_changed, agent_visibility_changed FROM PUBLIC;
