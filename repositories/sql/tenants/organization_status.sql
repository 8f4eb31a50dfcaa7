-- Whether something may begin with an organization, read by who begins it: the answer stays true until that transaction
-- ends. Suspending and closing lock the whole row, which rows that refer to it, and other changes of it, do not wait for. A
-- tenant may not lock an organization that is not its own, as a row lock would need.
CREATE OR REPLACE FUNCTION organization_status(p_org text) RETURNS text
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, public AS $$
    SELECT o.status FROM public.organizations o WHERE o.id = p_org FOR KEY SHARE
$$;
GRANT EXECUTE ON FUNCTION organization_status(text) TO bursar_api, bursar_platform;
