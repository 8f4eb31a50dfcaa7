-- Budgets, purchase orders, payment policies and the log of economic events.


CREATE TABLE purchase_entries (
    id uuid DEFAULT uuidv7() NOT NULL,
    org_id text NOT NULL,
    order_id text NOT NULL,
    agent_id text NOT NULL,
    project_id text,
    transaction_type text NOT NULL,
    item text NOT NULL,
    amount_minor bigint NOT NULL,
    currency text NOT NULL,
    payment_method text,
    status text NOT NULL,
    alternative_action text,
    reason text,
    budget_remaining jsonb NOT NULL,
    at timestamptz NOT NULL,
    CONSTRAINT pk_purchase_entries PRIMARY KEY (org_id, id),
    CONSTRAINT ck_purchase_entries_amount CHECK (amount_minor >= 0),
    CONSTRAINT fk_purchase_entries_agent_id_agents FOREIGN KEY (agent_id) REFERENCES agents,
    CONSTRAINT fk_purchase_entries_org_id_organizations FOREIGN KEY (org_id) REFERENCES organizations
);
CREATE INDEX ix_purchase_entries_order_id ON purchase_entries (order_id, id);
CREATE INDEX ix_purchase_entries_org_id_agent_id ON purchase_entries (org_id, agent_id, id);
-- The entries of a window of all organizations. One of the id itself would be read for an organization's list.
CREATE INDEX ix_purchase_entries_recorded_at ON purchase_entries (uuid_extract_timestamp(id));
SELECT pg_temp.row_security('purchase_entries');
SELECT pg_temp.tenant_reads_own('purchase_entries');
SELECT pg_temp.append_only('purchase_entries');
GRANT SELECT, INSERT ON purchase_entries TO bursar_platform;

CREATE TABLE purchase_orders (
    id text NOT NULL,
    org_id text NOT NULL,
    agent_id text NOT NULL,
    department_id text,
    project_id text,
    key_id text,
    session_id text,
    principal text NOT NULL,
    command_id text NOT NULL,
    item text NOT NULL,
    vendor text NOT NULL,
    category text NOT NULL,
    why text NOT NULL,
    amount_minor bigint NOT NULL,
    currency text NOT NULL,
    term text,
    alternatives jsonb NOT NULL,
    pool text NOT NULL,
    on_limit text NOT NULL,
    lifts jsonb DEFAULT '[]' NOT NULL,
    status text NOT NULL,
    decision jsonb NOT NULL,
    methods jsonb NOT NULL,
    budget_remaining jsonb NOT NULL,
    persons integer DEFAULT 0 NOT NULL,
    answer_by timestamptz,
    held_until timestamptz,
    renews_at timestamptz,
    counts integer DEFAULT 0 NOT NULL,
    spent_minor bigint DEFAULT 0 NOT NULL,
    refunded_minor bigint DEFAULT 0 NOT NULL,
    reported_spent_minor bigint DEFAULT 0 NOT NULL,
    reported_refunded_minor bigint DEFAULT 0 NOT NULL,
    unconfirmed_since timestamptz,
    cancel_reported_at timestamptz,
    alternative_action text,
    saved_minor bigint,
    unknown_since timestamptz,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    CONSTRAINT pk_purchase_orders PRIMARY KEY (id),
    CONSTRAINT uq_purchase_orders_command_id UNIQUE (command_id),
    CONSTRAINT fk_purchase_orders_org_id_organizations FOREIGN KEY (org_id) REFERENCES organizations,
    CONSTRAINT fk_purchase_orders_agent_id_agents FOREIGN KEY (agent_id) REFERENCES agents,
    CONSTRAINT ck_purchase_orders_amounts CHECK (amount_minor > 0 AND spent_minor >= 0
        AND refunded_minor BETWEEN 0 AND spent_minor),
    CONSTRAINT ck_purchase_orders_held CHECK ((status = 'approved') = (held_until IS NOT NULL)),
    CONSTRAINT ck_purchase_orders_waits CHECK ((status = 'needs_approval') = (answer_by IS NOT NULL)),
    CONSTRAINT ck_purchase_orders_renews CHECK (renews_at IS NULL OR (status = 'purchased' AND term IS NOT NULL))
);
CREATE INDEX ix_purchase_orders_org_id_id ON purchase_orders (org_id, id);
CREATE INDEX ix_purchase_orders_org_id_agent_id_id ON purchase_orders (org_id, agent_id, id);
CREATE INDEX ix_purchase_orders_org_id_status_id ON purchase_orders (org_id, status, id);
CREATE INDEX ix_purchase_orders_unconfirmed_since ON purchase_orders (org_id, agent_id, id)
    WHERE unconfirmed_since IS NOT NULL;
CREATE INDEX ix_purchase_orders_answer_by ON purchase_orders (answer_by) WHERE answer_by IS NOT NULL;
CREATE INDEX ix_purchase_orders_held_until ON purchase_orders (held_until) WHERE held_until IS NOT NULL;
CREATE INDEX ix_purchase_orders_renews_at ON purchase_orders (renews_at) WHERE renews_at IS NOT NULL;
CREATE INDEX ix_purchase_orders_unknown_since ON purchase_orders (unknown_since) WHERE unknown_since IS NOT NULL;
SELECT pg_temp.row_security('purchase_orders');
SELECT pg_temp.tenant_reads_own('purchase_orders');
SELECT pg_temp.refuse_deletes('purchase_orders');
-- Who wants to buy what never changes.
GRANT SELECT, INSERT, UPDATE (pool, lifts, status, decision, methods, budget_remaining, persons, answer_by, held_until,
    renews_at, counts, spent_minor, refunded_minor, reported_spent_minor, reported_refunded_minor, unconfirmed_since,
    cancel_reported_at, alternative_action, saved_minor, unknown_since, updated_at)
    ON purchase_orders TO bursar_platform;

CREATE TABLE purchase_attempts (
    order_id text NOT NULL,
    number integer NOT NULL,
    org_id text NOT NULL,
    method text NOT NULL,
    status text NOT NULL,
    charged_minor bigint,
    fee_minor bigint,
    reference text,
    receipt text,
    command_id text NOT NULL,
    begun_by text NOT NULL,
    begun_at timestamptz NOT NULL,
    result_at timestamptz,
    CONSTRAINT pk_purchase_attempts PRIMARY KEY (order_id, number),
    CONSTRAINT uq_purchase_attempts_command_id UNIQUE (command_id),
    CONSTRAINT fk_purchase_attempts_order_id_purchase_orders FOREIGN KEY (order_id) REFERENCES purchase_orders,
    CONSTRAINT ck_purchase_attempts_charged CHECK ((status = 'succeeded') = (charged_minor > 0 AND charged_minor IS NOT NULL)
        AND (fee_minor IS NULL OR fee_minor BETWEEN 0 AND charged_minor))
);
SELECT pg_temp.row_security('purchase_attempts');
SELECT pg_temp.tenant_reads_own('purchase_attempts');
SELECT pg_temp.refuse_deletes('purchase_attempts');
GRANT SELECT, INSERT, UPDATE (status, charged_minor, fee_minor, reference, receipt, result_at) ON purchase_attempts
    TO bursar_platform;

CREATE TABLE purchase_grants (
    order_id text NOT NULL,
    principal text NOT NULL,
    org_id text NOT NULL,
    granted boolean NOT NULL,
    digest text NOT NULL,
    pool text NOT NULL,
    lifts jsonb NOT NULL,
    reason text,
    key_id text,
    session_id text,
    command_id text NOT NULL,
    at timestamptz NOT NULL,
    CONSTRAINT pk_purchase_grants PRIMARY KEY (order_id, principal),
    CONSTRAINT uq_purchase_grants_command_id UNIQUE (command_id),
    CONSTRAINT fk_purchase_grants_order_id_purchase_orders FOREIGN KEY (order_id) REFERENCES purchase_orders
);
SELECT pg_temp.row_security('purchase_grants');
SELECT pg_temp.tenant_reads_own('purchase_grants');
SELECT pg_temp.append_only('purchase_grants');
GRANT SELECT, INSERT ON purchase_grants TO bursar_platform;

CREATE TABLE purchase_refunds (
    command_id text NOT NULL,
    order_id text NOT NULL,
    org_id text NOT NULL,
    amount_minor bigint NOT NULL,
    reference text,
    recorded_by text NOT NULL,
    at timestamptz NOT NULL,
    CONSTRAINT pk_purchase_refunds PRIMARY KEY (command_id),
    CONSTRAINT fk_purchase_refunds_order_id_purchase_orders FOREIGN KEY (order_id) REFERENCES purchase_orders,
    CONSTRAINT ck_purchase_refunds_amount CHECK (amount_minor > 0)
);
CREATE INDEX ix_purchase_refunds_order_id ON purchase_refunds (order_id);
SELECT pg_temp.row_security('purchase_refunds');
SELECT pg_temp.tenant_reads_own('purchase_refunds');
SELECT pg_temp.append_only('purchase_refunds');
GRANT SELECT, INSERT ON purchase_refunds TO bursar_platform;

-- Emergencies of budgets, as they were declared. One that waits for a second person has no `begun_at`.
CREATE TABLE budget_emergencies (
    id uuid DEFAULT uuidv7() NOT NULL,
    org_id text NOT NULL,
    control_id uuid NOT NULL,
    reason text NOT NULL,
    ends_at timestamptz NOT NULL,
    declared_by text NOT NULL,
    declared_key text NOT NULL,
    declared_at timestamptz NOT NULL,
    command_id text NOT NULL,
    confirmed_by text,
    begun_at timestamptz,
    ended_by text,
    ended_at timestamptz,
    CONSTRAINT pk_budget_emergencies PRIMARY KEY (id),
    CONSTRAINT uq_budget_emergencies_command_id UNIQUE (command_id),
    CONSTRAINT ck_budget_emergencies_confirmed CHECK (confirmed_by IS NULL OR begun_at IS NOT NULL),
    CONSTRAINT ck_budget_emergencies_ended CHECK ((ended_by IS NULL) = (ended_at IS NULL)),
    CONSTRAINT fk_budget_emergencies_control_id_controls FOREIGN KEY (control_id) REFERENCES ledger.controls,
    CONSTRAINT fk_budget_emergencies_org_id_organizations FOREIGN KEY (org_id) REFERENCES organizations
);
CREATE INDEX ix_budget_emergencies_control_id ON budget_emergencies (control_id, id);
SELECT pg_temp.row_security('budget_emergencies');
SELECT pg_temp.tenant_reads_own('budget_emergencies');
SELECT pg_temp.refuse_deletes('budget_emergencies');
GRANT SELECT, INSERT, UPDATE (confirmed_by, begun_at, ended_by, ended_at) ON budget_emergencies TO bursar_platform;

-- What an organization has its agents read in place of the standard prompt.
CREATE TABLE prompt_templates (
    org_id text NOT NULL,
    template text,
    changed_by text NOT NULL,
    changed_at timestamptz NOT NULL,
    CONSTRAINT pk_prompt_templates PRIMARY KEY (org_id),
    CONSTRAINT fk_prompt_templates_org_id_organizations FOREIGN KEY (org_id) REFERENCES organizations
);
SELECT pg_temp.row_security('prompt_templates');
SELECT pg_temp.tenant_reads_own('prompt_templates');
SELECT pg_temp.refuse_deletes('prompt_templates');
GRANT SELECT, INSERT, UPDATE ON prompt_templates TO bursar_platform;

CREATE TABLE payment_policies (
    id text NOT NULL,
    org_id text NOT NULL,
    scope text NOT NULL,
    subject_id text NOT NULL,
    version bigint DEFAULT 1 NOT NULL,
    currency text NOT NULL,
    free_first text NOT NULL,
    free_first_above bigint,
    methods text[] NOT NULL,
    crypto jsonb NOT NULL,
    vendors_allowed text[] NOT NULL,
    vendors_refused text[] NOT NULL,
    categories_allowed text[] NOT NULL,
    categories_refused text[] NOT NULL,
    per_purchase bigint,
    approval_above bigint,
    two_persons_above bigint,
    answer_within_seconds bigint NOT NULL,
    updated_by text NOT NULL,
    updated_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT pk_payment_policies PRIMARY KEY (id),
    CONSTRAINT uq_payment_policies_org_id_scope_subject_id UNIQUE (org_id, scope, subject_id),
    CONSTRAINT ck_payment_policies_scope CHECK (
        scope IN ('organization', 'project', 'agent') AND (scope <> 'organization' OR subject_id = org_id)
    ),
    CONSTRAINT ck_payment_policies_free_first CHECK (free_first IN ('off', 'ask', 'require')),
    CONSTRAINT ck_payment_policies_amounts CHECK (
        free_first_above >= 0 AND per_purchase >= 0 AND approval_above >= 0 AND two_persons_above >= approval_above
    ),
    CONSTRAINT ck_payment_policies_answer CHECK (answer_within_seconds > 0),
    CONSTRAINT fk_payment_policies_org_id_organizations FOREIGN KEY (org_id) REFERENCES organizations
);
SELECT pg_temp.row_security('payment_policies');
SELECT pg_temp.tenant_reads_own('payment_policies');
GRANT SELECT, INSERT, UPDATE, DELETE ON payment_policies TO bursar_platform;

CREATE TABLE free_options (
    id text NOT NULL,
    org_id text NOT NULL,
    name text NOT NULL,
    category text NOT NULL,
    address text,
    quota bigint,
    quota_window text,
    used bigint DEFAULT 0 NOT NULL,
    used_since timestamptz,
    updated_by text NOT NULL,
    updated_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT pk_free_options PRIMARY KEY (id),
    CONSTRAINT uq_free_options_org_id_name UNIQUE (org_id, name),
    CONSTRAINT ck_free_options_quota CHECK (quota > 0 AND (quota IS NULL) = (quota_window IS NULL)),
    CONSTRAINT ck_free_options_quota_window CHECK (quota_window IN ('day', 'week', 'month')),
    CONSTRAINT ck_free_options_used CHECK (used >= 0 AND (used = 0 OR used_since IS NOT NULL)),
    CONSTRAINT fk_free_options_org_id_organizations FOREIGN KEY (org_id) REFERENCES organizations
);
SELECT pg_temp.row_security('free_options');
SELECT pg_temp.tenant_reads_own('free_options');
GRANT SELECT, INSERT, UPDATE, DELETE ON free_options TO bursar_platform;

CREATE TABLE purchase_methods (
    id text NOT NULL,
    org_id text NOT NULL,
    name text NOT NULL,
    label text NOT NULL,
    kind text NOT NULL,
    rank bigint NOT NULL,
    fee_share_e4 bigint,
    fee_fixed bigint,
    fee_currency text,
    attempts bigint DEFAULT 0 NOT NULL,
    succeeded bigint DEFAULT 0 NOT NULL,
    updated_by text NOT NULL,
    updated_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT pk_purchase_methods PRIMARY KEY (id),
    CONSTRAINT uq_purchase_methods_org_id_name UNIQUE (org_id, name),
    CONSTRAINT ck_purchase_methods_kind CHECK (kind IN ('free', 'card', 'TON', 'BTC', 'ETH', 'USDC', 'other')),
    CONSTRAINT ck_purchase_methods_fee CHECK (
        fee_share_e4 BETWEEN 0 AND 10000 AND fee_fixed >= 0 AND (fee_fixed IS NULL) = (fee_currency IS NULL)
    ),
    CONSTRAINT ck_purchase_methods_attempts CHECK (succeeded BETWEEN 0 AND attempts),
    CONSTRAINT fk_purchase_methods_org_id_organizations FOREIGN KEY (org_id) REFERENCES organizations
);
SELECT pg_temp.row_security('purchase_methods');
SELECT pg_temp.tenant_reads_own('purchase_methods');
GRANT SELECT, INSERT, UPDATE, DELETE ON purchase_methods TO bursar_platform;
