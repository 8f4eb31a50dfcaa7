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
    budget_remaining jsonb NOT NULL,
    at timestamptz NOT NULL,
    CONSTRAINT pk_purchase_entries PRIMARY KEY (org_id, id),
    CONSTRAINT ck_purchase_entries_amount CHECK (amount_minor >= 0),
    CONSTRAINT fk_purchase_entries_agent_id_agents FOREIGN KEY (agent_id) REFERENCES agents,
    CONSTRAINT fk_purchase_entries_org_id_organizations FOREIGN KEY (org_id) REFERENCES organizations
);
CREATE INDEX ix_purchase_entries_order_id ON purchase_entries (order_id, id);
CREATE INDEX ix_purchase_entries_org_id_agent_id ON purchase_entries (org_id, agent_id, id);
SELECT pg_temp.row_security('purchase_entries');
SELECT pg_temp.tenant_reads_own('purchase_entries');
SELECT pg_temp.append_only('purchase_entries');
GRANT SELECT, INSERT ON purchase_entries TO bursar_platform;
