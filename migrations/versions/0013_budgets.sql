-- Budgets, purchase orders, payment policies and the log of economic events.


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
