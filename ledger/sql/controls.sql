-- Spend controls: the function that writes them, and the controls of a spend.

-- The controls of a spend: those of its organization, of its department and every department above it, of its project,
-- agent, run and key, and every control above one of these. In the order in which their counters are locked.
CREATE OR REPLACE FUNCTION ledger.controls_of(
    p_org text, p_agent text, p_department text, p_project text, p_run text, p_key text, p_at timestamptz
)
RETURNS SETOF ledger.controls
LANGUAGE sql STABLE
AS $$
    SELECT c.* FROM ledger.controls c
    WHERE c.org_id = p_org AND c.status <> 'closed'
      -- A freeze applies until it is lifted, also outside of the term.
      AND (c.status = 'frozen'
        OR (c.starts_at IS NULL OR c.starts_at <= p_at) AND (c.ends_at IS NULL OR p_at < c.ends_at))
      AND c.id IN (
        -- Each subject is looked up: an organization may have as many controls as it has keys, agents and runs.
        SELECT unnest(n.path) FROM (
            VALUES ('organization', p_org), ('agent', p_agent), ('project', p_project), ('run', p_run), ('key', p_key)
            UNION ALL
            SELECT 'department', unnest(d.path) FROM public.departments d WHERE d.id = p_department AND d.org_id = p_org
        ) s (kind, id), ledger.controls n
        WHERE n.org_id = p_org AND n.status <> 'closed' AND n.subject_kind = s.kind AND n.subject_id = s.id
      )
    ORDER BY c.id
$$;

-- Opens a control, if `p_control` is NULL, or changes one. Every change is a new version and applies to later spends.
-- `p_wanted` has the columns to set; omitted ones stay, and immutable ones are read at the opening only.
--
-- Locks the organization's credits first, under which its spends are counted; the caller has opened that account.
-- `p_expected` is the version that the change was made for; NULL for any. `outcome` is `written`, `replayed`, or why
-- nothing was written: `missing`, `stale`, `closed`, `exists`, `parent` (no open control of the organization and kind),
-- `cycle`, `too_deep`, `has_children`, `other_request` (the command had other contents). BU004: the request breaks a
-- rule that the caller has checked.
CREATE OR REPLACE FUNCTION ledger.write_control(
    p_org text, p_control uuid, p_expected integer, p_wanted jsonb, p_by text, p_reason text, p_command text,
    p_at timestamptz, OUT outcome text, OUT control_id uuid, OUT version integer
)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    hash bytea := sha256(convert_to(concat(
        p_org, '|', p_control, '|', p_expected, '|', length(p_reason), '|', p_reason, '|', p_wanted), 'UTF8'));
    was ledger.controls;
    wanted ledger.controls;
    above uuid[] := '{}';
    height integer;
    known ledger.control_versions;
BEGIN
    PERFORM FROM ledger.balances b JOIN ledger.accounts a ON a.id = b.account_id
    WHERE a.path = concat('org/', p_org, '/credits') AND a.asset = 'CREDIT' FOR NO KEY UPDATE OF b;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'organization % has no account of credits', p_org USING ERRCODE = 'BU004';
    END IF;
    SELECT * INTO known FROM ledger.control_versions v WHERE v.command_id = p_command;
    IF FOUND THEN
        control_id := known.control_id;
        version := known.version;
        outcome := CASE WHEN known.request_hash = hash THEN 'replayed' ELSE 'other_request' END;
        RETURN;
    END IF;

    IF p_control IS NULL THEN
        wanted := jsonb_populate_record(NULL::ledger.controls, p_wanted);
        wanted.id := uuidv7();
        wanted.org_id := p_org;
        wanted.status := 'active';
        wanted.created_at := p_at;
        IF EXISTS (
            SELECT FROM ledger.controls c WHERE c.org_id = p_org AND c.kind = wanted.kind AND c.status <> 'closed'
                AND c.subject_kind = wanted.subject_kind AND c.subject_id = wanted.subject_id AND c.asset = wanted.asset
        ) THEN
            outcome := 'exists';
            RETURN;
        END IF;
        height := 1;
    ELSE
        SELECT * INTO was FROM ledger.controls c WHERE c.id = p_control AND c.org_id = p_org;
        control_id := was.id;
        version := was.version;
        outcome := CASE WHEN was.id IS NULL THEN 'missing' WHEN was.status = 'closed' THEN 'closed'
            WHEN was.version <> p_expected THEN 'stale' END;
        IF outcome IS NOT NULL THEN
            RETURN;
        END IF;
        wanted := jsonb_populate_record(was, p_wanted);
        wanted.id := was.id;
        SELECT max(cardinality(c.path)) - cardinality(was.path) + 1 INTO height
        FROM ledger.controls c WHERE c.org_id = p_org AND p_control = ANY (c.path) AND c.status <> 'closed';
        IF wanted.status = 'closed' AND height > 1 THEN
            outcome := 'has_children';
            RETURN;
        END IF;
    END IF;

    IF wanted.parent_id IS NOT NULL THEN
        SELECT c.path INTO above FROM ledger.controls c
        WHERE c.id = wanted.parent_id AND c.org_id = p_org AND c.kind = wanted.kind AND c.status <> 'closed';
        outcome := CASE WHEN NOT FOUND THEN 'parent' WHEN wanted.id = ANY (above) THEN 'cycle'
            WHEN cardinality(above) + height > 6 THEN 'too_deep' END;
        IF outcome IS NOT NULL THEN
            RETURN;
        END IF;
    END IF;
    PERFORM ledger.window_start('day', p_at, wanted.zone, wanted.week_starts);
    IF (SELECT count(DISTINCT w) <> cardinality(wanted.windows) FROM unnest(wanted.windows) w) THEN
        RAISE EXCEPTION 'a control has one limit for each window' USING ERRCODE = 'BU004';
    END IF;

    IF p_control IS NULL THEN
        wanted.version := 1;
        wanted.path := above || wanted.id;
        INSERT INTO ledger.controls SELECT wanted.*;
    ELSE
        wanted.version := was.version + 1;
        wanted.path := above || wanted.id;
        UPDATE ledger.controls c SET
            parent_id = wanted.parent_id, status = wanted.status, version = wanted.version,
            windows = wanted.windows, amounts = wanted.amounts, uses = wanted.uses, hard = wanted.hard,
            per_spend = wanted.per_spend, thresholds_e4 = wanted.thresholds_e4, starts_at = wanted.starts_at,
            ends_at = wanted.ends_at, pools_of = wanted.pools_of, reserve = wanted.reserve,
            emergency = wanted.emergency, carry_over = wanted.carry_over,
            may_draw_reserve = wanted.may_draw_reserve, emergency_until = wanted.emergency_until
        WHERE c.id = p_control;
        IF wanted.kind = 'budget'
            AND (wanted.windows, wanted.amounts, wanted.pools_of, wanted.reserve, wanted.emergency)
                IS DISTINCT FROM (was.windows, was.amounts, was.pools_of, was.reserve, was.emergency) THEN
            PERFORM ledger.settle_pools(wanted, p_by, p_command, p_at);
        END IF;
        IF wanted.path <> was.path THEN
            UPDATE ledger.controls c SET path = wanted.path || c.path[cardinality(was.path) + 1:]
            WHERE c.org_id = p_org AND p_control = ANY (c.path) AND c.status <> 'closed';
        END IF;
    END IF;
    INSERT INTO ledger.control_versions (
        control_id, version, org_id, parent_id, status, windows, amounts, uses, hard, per_spend, thresholds_e4,
        starts_at, ends_at, pools_of, reserve, emergency, carry_over, may_draw_reserve, emergency_until, changed_by,
        reason, command_id, request_hash, changed_at
    ) VALUES (
        wanted.id, wanted.version, p_org, wanted.parent_id, wanted.status, wanted.windows, wanted.amounts, wanted.uses,
        wanted.hard, wanted.per_spend, wanted.thresholds_e4, wanted.starts_at, wanted.ends_at, wanted.pools_of,
        wanted.reserve, wanted.emergency, wanted.carry_over, wanted.may_draw_reserve, wanted.emergency_until, p_by,
        p_reason, p_command, hash, p_at
    );
    outcome := 'written';
    control_id := wanted.id;
    version := wanted.version;
END
$$;

GRANT EXECUTE ON FUNCTION ledger.write_control, ledger.controls_of, ledger.window_start, ledger.window_end, ledger.first_moment,
    ledger.window_local TO bursar_platform;
