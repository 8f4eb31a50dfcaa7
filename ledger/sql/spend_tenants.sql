-- The spending functions for tenants, and those for the platform with an explicit time.

CREATE OR REPLACE FUNCTION ledger.charge_at(
    p_org text, p_key text, p_action text, p_quantity bigint, p_amount bigint, p_agent text, p_department text,
    p_project text, p_run text, p_key_id text, p_principal text, p_metadata jsonb, p_pool text, p_on_limit text,
    p_at timestamptz, p_cost numeric DEFAULT NULL, p_cost_in text DEFAULT NULL, p_granted bigint DEFAULT NULL
) RETURNS ledger.spend_answer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    answer ledger.spend_answer;
BEGIN
    IF p_pool = 'operating' AND p_on_limit = 'refuse' THEN
        answer := ledger.charge_quickly(p_org, p_key, p_action, p_quantity, p_amount, p_agent, p_department, p_project,
            p_run, p_key_id, p_principal, p_metadata, p_at, p_cost, p_cost_in);
        IF answer.spend_id IS NOT NULL THEN
            RETURN answer;
        END IF;
    END IF;
    RETURN ledger.spend('charge', p_org, p_key, p_action, p_quantity, p_amount, p_agent, p_department, p_project, p_run,
        p_key_id, p_principal, p_metadata, NULL, p_at, false, p_pool, p_on_limit, p_cost, p_cost_in, p_granted);
END
$$;

CREATE OR REPLACE FUNCTION ledger.charge(
    p_key text, p_action text, p_quantity bigint, p_amount bigint, p_agent text DEFAULT NULL,
    p_department text DEFAULT NULL, p_project text DEFAULT NULL, p_run text DEFAULT NULL, p_key_id text DEFAULT NULL,
    p_principal text DEFAULT NULL, p_metadata jsonb DEFAULT NULL, p_pool text DEFAULT 'operating',
    p_on_limit text DEFAULT 'refuse'
) RETURNS ledger.spend_answer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN ledger.charge_at(public.bursar_org(), p_key, p_action, p_quantity, p_amount, p_agent, p_department,
        p_project, p_run, p_key_id, p_principal, p_metadata, p_pool, p_on_limit, clock_timestamp());
END
$$;

CREATE OR REPLACE FUNCTION ledger.authorize_at(
    p_org text, p_key text, p_action text, p_quantity bigint, p_amount bigint, p_agent text, p_department text,
    p_project text, p_run text, p_key_id text, p_principal text, p_metadata jsonb, p_expires_at timestamptz,
    p_paid_only boolean, p_pool text, p_on_limit text, p_at timestamptz, p_cost numeric DEFAULT NULL,
    p_cost_in text DEFAULT NULL, p_granted bigint DEFAULT NULL, p_lifted text[] DEFAULT '{}'
) RETURNS ledger.spend_answer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN ledger.spend('reserve', p_org, p_key, p_action, p_quantity, p_amount, p_agent, p_department, p_project,
        p_run, p_key_id, p_principal, p_metadata, p_expires_at, p_at, p_paid_only, p_pool, p_on_limit, p_cost,
        p_cost_in, p_granted, p_lifted);
END
$$;

CREATE OR REPLACE FUNCTION ledger.authorize(
    p_key text, p_action text, p_quantity bigint, p_amount bigint, p_agent text, p_department text, p_project text,
    p_run text, p_key_id text, p_principal text, p_metadata jsonb, p_expires_at timestamptz,
    p_paid_only boolean, p_pool text, p_on_limit text
) RETURNS ledger.spend_answer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN ledger.spend('reserve', public.bursar_org(), p_key, p_action, p_quantity, p_amount, p_agent, p_department,
        p_project, p_run, p_key_id, p_principal, p_metadata, p_expires_at, clock_timestamp(), p_paid_only,
        p_pool, p_on_limit);
END
$$;

-- Books a spend that has already happened: no control refuses it, and the uncovered part becomes a debt.
CREATE OR REPLACE FUNCTION ledger.force_spend(
    p_org text, p_key text, p_action text, p_quantity bigint, p_amount bigint, p_agent text, p_department text,
    p_project text, p_run text, p_key_id text, p_principal text, p_metadata jsonb, p_paid_only boolean,
    p_at timestamptz, p_cost numeric, p_cost_in text, p_granted bigint
) RETURNS ledger.spend_answer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN ledger.spend('force', p_org, p_key, p_action, p_quantity, p_amount, p_agent, p_department, p_project, p_run,
        p_key_id, p_principal, p_metadata, NULL, p_at, p_paid_only, p_cost => p_cost, p_cost_in => p_cost_in,
        p_granted => p_granted);
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

GRANT EXECUTE ON FUNCTION
    ledger.charge, ledger.charge_many, ledger.authorize, ledger.settle, ledger.release, ledger.extend
TO bursar_api, bursar_platform;
GRANT EXECUTE ON FUNCTION
    ledger.charge_at, ledger.charge_many_at, ledger.authorize_at, ledger.settle_at, ledger.settle_to,
    ledger.release_at, ledger.extend_at, ledger.refund_spend, ledger.returned_by, ledger.force_spend,
    ledger.keep_granted, ledger.lock_reservation
TO bursar_platform;
