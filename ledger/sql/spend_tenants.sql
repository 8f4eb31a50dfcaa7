-- What tenants may call to spend, and what the platform calls with a time of its own; who may read the rows; and what
-- of them never changes. Running it again replaces everything.

CREATE OR REPLACE FUNCTION ledger.charge_at(
    p_org text, p_key text, p_action text, p_quantity bigint, p_amount bigint, p_agent text, p_department text,
    p_project text, p_run text, p_key_id text, p_principal text, p_metadata jsonb, p_at timestamptz
) RETURNS ledger.spend_answer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    answer ledger.spend_answer := ledger.charge_quickly(p_org, p_key, p_action, p_quantity, p_amount, p_agent,
        p_department, p_project, p_run, p_key_id, p_principal, p_metadata, p_at);
BEGIN
    IF answer.spend_id IS NOT NULL THEN
        RETURN answer;
    END IF;
    RETURN ledger.spend('charge', p_org, p_key, p_action, p_quantity, p_amount, p_agent, p_department, p_project, p_run,
        p_key_id, p_principal, p_metadata, NULL, p_at);
END
$$;

CREATE OR REPLACE FUNCTION ledger.charge(
    p_key text, p_action text, p_quantity bigint, p_amount bigint, p_agent text DEFAULT NULL,
    p_department text DEFAULT NULL, p_project text DEFAULT NULL, p_run text DEFAULT NULL, p_key_id text DEFAULT NULL,
    p_principal text DEFAULT NULL, p_metadata jsonb DEFAULT NULL
) RETURNS ledger.spend_answer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN ledger.charge_at(public.bursar_org(), p_key, p_action, p_quantity, p_amount, p_agent, p_department,
        p_project, p_run, p_key_id, p_principal, p_metadata, clock_timestamp());
END
$$;

CREATE OR REPLACE FUNCTION ledger.authorize_at(
    p_org text, p_key text, p_action text, p_quantity bigint, p_amount bigint, p_agent text, p_department text,
    p_project text, p_run text, p_key_id text, p_principal text, p_metadata jsonb, p_expires_at timestamptz,
    p_at timestamptz
) RETURNS ledger.spend_answer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN ledger.spend('reserve', p_org, p_key, p_action, p_quantity, p_amount, p_agent, p_department, p_project,
        p_run, p_key_id, p_principal, p_metadata, p_expires_at, p_at);
END
$$;

CREATE OR REPLACE FUNCTION ledger.authorize(
    p_key text, p_action text, p_quantity bigint, p_amount bigint, p_agent text, p_department text, p_project text,
    p_run text, p_key_id text, p_principal text, p_metadata jsonb, p_expires_at timestamptz
) RETURNS ledger.spend_answer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN ledger.spend('reserve', public.bursar_org(), p_key, p_action, p_quantity, p_amount, p_agent, p_department,
        p_project, p_run, p_key_id, p_principal, p_metadata, p_expires_at, clock_timestamp());
END
$$;

-- Books what has already happened: no control refuses it, and what the credits do not cover becomes a debt.
CREATE OR REPLACE FUNCTION ledger.force_spend(
    p_org text, p_key text, p_action text, p_quantity bigint, p_amount bigint, p_agent text, p_department text,
    p_project text, p_run text, p_key_id text, p_principal text, p_metadata jsonb, p_at timestamptz
) RETURNS ledger.spend_answer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN ledger.spend('force', p_org, p_key, p_action, p_quantity, p_amount, p_agent, p_department, p_project, p_run,
        p_key_id, p_principal, p_metadata, NULL, p_at);
END
$$;

CREATE OR REPLACE FUNCTION ledger.settle(p_key text, p_spend uuid, p_amount bigint, p_more boolean)
RETURNS ledger.change_answer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN ledger.settle_at(public.bursar_org(), p_key, p_spend, p_amount, p_more, clock_timestamp());
END
$$;

CREATE OR REPLACE FUNCTION ledger.release(p_key text, p_spend uuid) RETURNS ledger.change_answer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN ledger.release_at(public.bursar_org(), p_key, p_spend, clock_timestamp());
END
$$;

CREATE OR REPLACE FUNCTION ledger.extend(p_key text, p_spend uuid, p_expires_at timestamptz)
RETURNS ledger.change_answer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN ledger.extend_at(public.bursar_org(), p_key, p_spend, p_expires_at, clock_timestamp());
END
$$;

DO $$
DECLARE
    v_table text;
BEGIN
    FOREACH v_table IN ARRAY ARRAY['counters', 'spends', 'spend_changes', 'refusals', 'refusal_counts'] LOOP
        EXECUTE format('ALTER TABLE ledger.%I ENABLE ROW LEVEL SECURITY', v_table);
        EXECUTE format('DROP POLICY IF EXISTS platform ON ledger.%I', v_table);
        EXECUTE format('CREATE POLICY platform ON ledger.%I TO bursar_platform USING (true) WITH CHECK (true)', v_table);
        EXECUTE format('DROP POLICY IF EXISTS tenant ON ledger.%I', v_table);
        EXECUTE format('CREATE POLICY tenant ON ledger.%I FOR SELECT TO bursar_api USING (org_id = public.bursar_org())',
                       v_table);
        EXECUTE format('GRANT SELECT ON ledger.%I TO bursar_api, bursar_platform', v_table);
    END LOOP;
END $$;
-- What credits cost is the same for everybody.
ALTER TABLE ledger.rates ENABLE ROW LEVEL SECURITY;
DROP POLICY IF EXISTS everybody ON ledger.rates;
CREATE POLICY everybody ON ledger.rates FOR SELECT TO bursar_api, bursar_platform USING (true);
GRANT SELECT ON ledger.rates TO bursar_api, bursar_platform;

CREATE OR REPLACE TRIGGER immutable
BEFORE UPDATE OF id, org_id, control_id, "window", starts_at, ends_at, amount, uses OR DELETE OR TRUNCATE
ON ledger.counters FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
CREATE OR REPLACE TRIGGER immutable
BEFORE UPDATE OF id, org_id, idempotency_key, request_hash, agent_id, department_id, project_id, run_id, key_id,
    principal, action, quantity, asset, amount, available, transfer_id, forced, counted_in, counted, at, expires_at,
    metadata OR DELETE OR TRUNCATE
ON ledger.spends FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
CREATE OR REPLACE TRIGGER immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.spend_changes
FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
CREATE OR REPLACE TRIGGER immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.refusals
FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
CREATE OR REPLACE TRIGGER immutable BEFORE UPDATE OF org_id, control_id, "window", starts_at, reason OR DELETE OR TRUNCATE
ON ledger.refusal_counts FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
CREATE OR REPLACE TRIGGER immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.rates
FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();

REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA ledger FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
    ledger.charge, ledger.charge_many, ledger.authorize, ledger.settle, ledger.release, ledger.extend
TO bursar_api, bursar_platform;
GRANT EXECUTE ON FUNCTION
    ledger.charge_at, ledger.charge_many_at, ledger.authorize_at, ledger.settle_at, ledger.settle_to,
    ledger.release_at, ledger.extend_at, ledger.refund_spend, ledger.returned_by, ledger.force_spend, ledger.set_rate,
    ledger.lock_reservation
TO bursar_platform;
