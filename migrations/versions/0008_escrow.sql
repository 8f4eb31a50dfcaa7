-- Contracts and escrows.

-- A contract is written once by its client. The payee, and nobody else, adds its acceptance to it, once; or the
-- platform notes that the time to do so is over.
CREATE TABLE contracts (
    id text NOT NULL,
    org_id text NOT NULL,
    payee_org_id text NOT NULL,
    agent_id text NOT NULL,
    title text NOT NULL,
    price_minor bigint NOT NULL,
    currency text NOT NULL,
    validation_threshold_e4 integer,
    signatories text[] NOT NULL,
    signatory_org_ids text[] NOT NULL,
    required_signatures integer NOT NULL,
    operator_approvals boolean DEFAULT true NOT NULL,
    fund_seconds bigint NOT NULL,
    deliver_seconds bigint NOT NULL,
    review_seconds bigint NOT NULL,
    evidence_seconds bigint NOT NULL,
    decision_seconds bigint NOT NULL,
    grace_seconds bigint NOT NULL,
    dispute_default_share_e4 integer NOT NULL,
    commission_bps integer NOT NULL,
    milestones jsonb NOT NULL,
    outside_listing text[] DEFAULT '{}' NOT NULL,
    accept_by timestamptz,
    accepted_at timestamptz,
    accepted_by text,
    created_by text NOT NULL,
    command_id text NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    accepts_granted boolean DEFAULT true NOT NULL,
    quote_id text,
    commission_from text NOT NULL,
    level_version bigint,
    level_name text,
    priority smallint,
    expired_at timestamptz,
    undiscounted_commission_bps integer,
    open_by timestamptz DEFAULT now() + interval '7 days' NOT NULL,
    CONSTRAINT pk_contracts PRIMARY KEY (id),
    CONSTRAINT uq_contracts_command_id UNIQUE (command_id),
    CONSTRAINT uq_contracts_quote_id UNIQUE (quote_id),
    CONSTRAINT ck_contracts_accepted CHECK ((accepted_at IS NULL) = (accepted_by IS NULL)),
    CONSTRAINT ck_contracts_commission CHECK (commission_bps BETWEEN 0 AND 10000),
    CONSTRAINT ck_contracts_commission_from CHECK (commission_from IN ('usual', 'level', 'operator')),
    CONSTRAINT ck_contracts_expired
        CHECK (expired_at IS NULL OR (accept_by IS NOT NULL AND accept_by <= expired_at AND accepted_at IS NULL)),
    CONSTRAINT ck_contracts_in_time CHECK (accepted_at IS NULL OR (accept_by IS NOT NULL AND accepted_at < accept_by)),
    CONSTRAINT ck_contracts_level CHECK ((level_version IS NULL) = (level_name IS NULL)),
    CONSTRAINT ck_contracts_price CHECK (price_minor > 0),
    CONSTRAINT ck_contracts_proposed CHECK ((accept_by IS NULL) = (cardinality(outside_listing) = 0)),
    CONSTRAINT ck_contracts_share CHECK (dispute_default_share_e4 BETWEEN 0 AND 10000),
    CONSTRAINT ck_contracts_signatures CHECK (required_signatures BETWEEN 1 AND cardinality(signatories)),
    CONSTRAINT ck_contracts_threshold CHECK (validation_threshold_e4 BETWEEN 0 AND 10000),
    CONSTRAINT ck_contracts_undiscounted CHECK (undiscounted_commission_bps BETWEEN commission_bps AND 10000),
    CONSTRAINT fk_contracts_agent_id_agents FOREIGN KEY (agent_id) REFERENCES agents,
    CONSTRAINT fk_contracts_org_id_organizations FOREIGN KEY (org_id) REFERENCES organizations,
    CONSTRAINT fk_contracts_payee_org_id_organizations FOREIGN KEY (payee_org_id) REFERENCES organizations,
    CONSTRAINT fk_contracts_quote_id_pricing_quotes FOREIGN KEY (quote_id) REFERENCES pricing_quotes
);
CREATE INDEX ix_contracts_accept_by ON contracts (accept_by) WHERE accept_by IS NOT NULL AND accepted_at IS NULL;
CREATE INDEX ix_contracts_accepted ON contracts (id) WHERE accept_by IS NULL OR accepted_at IS NOT NULL;
CREATE INDEX ix_contracts_agent_id_accepted ON contracts (agent_id, id)
    WHERE accept_by IS NULL OR accepted_at IS NOT NULL;
CREATE INDEX ix_contracts_agent_id_id ON contracts (agent_id, id);
CREATE INDEX ix_contracts_agent_id_not_accepted ON contracts (agent_id, id)
    WHERE accept_by IS NOT NULL AND accepted_at IS NULL;
CREATE INDEX ix_contracts_not_accepted ON contracts (id) WHERE accept_by IS NOT NULL AND accepted_at IS NULL;
CREATE INDEX ix_contracts_payee_org_id_org_id ON contracts (payee_org_id, org_id);
CREATE INDEX ix_contracts_proposed ON contracts (accept_by)
    WHERE accept_by IS NOT NULL AND accepted_at IS NULL AND expired_at IS NULL;
SELECT pg_temp.row_security('contracts');
CREATE POLICY payee_accepts ON contracts FOR UPDATE TO bursar_api
    USING (payee_org_id = bursar_org()) WITH CHECK (payee_org_id = bursar_org());
CREATE POLICY tenant_reads ON contracts FOR SELECT TO bursar_api
    USING (org_id = bursar_org() OR payee_org_id = bursar_org() OR (signatory_org_ids @> ARRAY[bursar_org()]));
-- A client cannot write a contract that its payee has accepted already.
CREATE POLICY tenant_writes ON contracts FOR INSERT TO bursar_api
    WITH CHECK (org_id = bursar_org() AND accepted_at IS NULL);
CREATE TRIGGER refuse_change BEFORE DELETE ON contracts FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON contracts FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
GRANT SELECT, INSERT, UPDATE (accepted_at, accepted_by) ON contracts TO bursar_api;
GRANT SELECT, INSERT, UPDATE (expired_at) ON contracts TO bursar_platform;

-- Triggers write who is a party and who signs, so no role does: see `parties.sql` and `signatories.sql`.
CREATE TABLE contract_parties (
    org_id text NOT NULL,
    contract_id text NOT NULL,
    agent_id text NOT NULL,
    accept_by timestamptz,
    CONSTRAINT pk_contract_parties PRIMARY KEY (org_id, contract_id)
);
CREATE INDEX ix_contract_parties_accept_by ON contract_parties (org_id, accept_by) WHERE accept_by IS NOT NULL;
CREATE INDEX ix_contract_parties_accepted ON contract_parties (org_id, contract_id) WHERE accept_by IS NULL;
CREATE INDEX ix_contract_parties_agent_id_accepted ON contract_parties (org_id, agent_id, contract_id)
    WHERE accept_by IS NULL;
CREATE INDEX ix_contract_parties_agent_id_not_accepted ON contract_parties (org_id, agent_id, contract_id)
    WHERE accept_by IS NOT NULL;
CREATE INDEX ix_contract_parties_not_accepted ON contract_parties (org_id, contract_id) WHERE accept_by IS NOT NULL;
CREATE INDEX ix_contract_parties_org_id_agent_id_contract_id ON contract_parties (org_id, agent_id, contract_id);
ALTER TABLE contract_parties ENABLE ROW LEVEL SECURITY;
SELECT pg_temp.tenant_reads_own('contract_parties');
CREATE POLICY platform ON contract_parties FOR SELECT TO bursar_platform USING (true);
GRANT SELECT ON contract_parties TO bursar_platform;

CREATE TABLE signatories (
    org_id text NOT NULL,
    principal text NOT NULL,
    CONSTRAINT pk_signatories PRIMARY KEY (org_id, principal)
);
ALTER TABLE signatories ENABLE ROW LEVEL SECURITY;
CREATE POLICY platform ON signatories FOR SELECT TO bursar_platform USING (true);
GRANT SELECT ON signatories TO bursar_platform;

CREATE TABLE escrow_parties (
    org_id text NOT NULL,
    escrow_id text NOT NULL,
    status text NOT NULL,
    CONSTRAINT pk_escrow_parties PRIMARY KEY (org_id, escrow_id)
);
CREATE INDEX ix_escrow_parties_org_id_status_escrow_id ON escrow_parties (org_id, status, escrow_id);
ALTER TABLE escrow_parties ENABLE ROW LEVEL SECURITY;
SELECT pg_temp.tenant_reads_own('escrow_parties');
CREATE POLICY platform ON escrow_parties FOR SELECT TO bursar_platform USING (true);
GRANT SELECT ON escrow_parties TO bursar_platform;

CREATE TABLE escrows (
    id text NOT NULL,
    contract_id text NOT NULL,
    org_id text NOT NULL,
    payee_org_id text NOT NULL,
    signatory_org_ids text[] NOT NULL,
    agent_id text NOT NULL,
    workflow_id text NOT NULL,
    status text NOT NULL,
    version bigint NOT NULL,
    currency text NOT NULL,
    amount_minor bigint NOT NULL,
    funded_minor bigint NOT NULL,
    released_minor bigint NOT NULL,
    refunded_minor bigint NOT NULL,
    commission_minor bigint NOT NULL,
    granted_minor bigint DEFAULT 0 NOT NULL,
    next_deadline_at timestamptz,
    state jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    CONSTRAINT pk_escrows PRIMARY KEY (id),
    CONSTRAINT uq_escrows_contract_id UNIQUE (contract_id),
    CONSTRAINT ck_escrows_amounts CHECK (released_minor >= 0 AND refunded_minor >= 0 AND commission_minor >= 0
        AND released_minor + refunded_minor + commission_minor <= funded_minor),
    CONSTRAINT ck_escrows_settled CHECK (status NOT IN ('released', 'refunded', 'split', 'cancelled', 'expired')
        OR released_minor + refunded_minor + commission_minor = funded_minor),
    CONSTRAINT fk_escrows_contract_id_contracts FOREIGN KEY (contract_id) REFERENCES contracts
);
CREATE INDEX ix_escrows_agent_id_open ON escrows (agent_id, org_id) WHERE status IN ('funded', 'delivered', 'disputed');
CREATE INDEX ix_escrows_next_deadline_at ON escrows (next_deadline_at) WHERE next_deadline_at IS NOT NULL;
CREATE INDEX ix_escrows_org_id_paid ON escrows (org_id, updated_at, created_at)
    WHERE released_minor + commission_minor > 0;
CREATE INDEX ix_escrows_status_id ON escrows (status, id);
SELECT pg_temp.row_security('escrows');
CREATE POLICY tenant_reads ON escrows FOR SELECT TO bursar_api
    USING (org_id = bursar_org() OR payee_org_id = bursar_org() OR (signatory_org_ids @> ARRAY[bursar_org()]));
GRANT SELECT ON escrows TO bursar_api;
GRANT SELECT, INSERT, UPDATE ON escrows TO bursar_platform;

CREATE TABLE escrow_events (
    escrow_id text NOT NULL,
    number bigint NOT NULL,
    kind text NOT NULL,
    status text NOT NULL,
    actor text NOT NULL,
    command_id text NOT NULL,
    content_hash text,
    transfer_id uuid,
    details jsonb NOT NULL,
    at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL,
    CONSTRAINT pk_escrow_events PRIMARY KEY (escrow_id, number),
    CONSTRAINT fk_escrow_events_escrow_id_escrows FOREIGN KEY (escrow_id) REFERENCES escrows
);
CREATE UNIQUE INDEX uq_escrow_events_escrow_id_command_id ON escrow_events (escrow_id, command_id);
SELECT pg_temp.row_security('escrow_events');
-- The inner query is bound by the policy of escrows.
CREATE POLICY tenant_reads ON escrow_events FOR SELECT TO bursar_api
    USING (EXISTS (SELECT 1 FROM escrows WHERE escrows.id = escrow_events.escrow_id));
SELECT pg_temp.append_only('escrow_events');
GRANT SELECT ON escrow_events TO bursar_api;
GRANT SELECT, INSERT ON escrow_events TO bursar_platform;

-- Tenants have no access: a note names who gives the command, and may move money.
CREATE TABLE escrow_notices (
    command_id text NOT NULL,
    escrow_id text NOT NULL,
    name text NOT NULL,
    command jsonb NOT NULL,
    noted_at timestamptz DEFAULT clock_timestamp() NOT NULL,
    deadline_at timestamptz NOT NULL,
    settled_at timestamptz,
    CONSTRAINT pk_escrow_notices PRIMARY KEY (command_id),
    CONSTRAINT ck_escrow_notices_name
        CHECK (name IN ('dispute', 'deliver', 'approve', 'refund', 'resolve', 'submit_evidence'))
);
CREATE INDEX ix_escrow_notices_escrow_id ON escrow_notices (escrow_id) WHERE settled_at IS NULL;
CREATE INDEX ix_escrow_notices_settled_at ON escrow_notices (settled_at) WHERE settled_at IS NOT NULL;
SELECT pg_temp.row_security('escrow_notices');
GRANT SELECT, INSERT, UPDATE (noted_at, deadline_at, settled_at), DELETE ON escrow_notices TO bursar_platform;

\ir ../../repositories/sql/escrow/contracts.sql
\ir ../../repositories/sql/escrow/parties.sql
\ir ../../repositories/sql/escrow/signatories.sql
\ir ../../repositories/sql/escrow/party_names.sql
\ir ../../repositories/sql/escrow/tenant_contract.sql
\ir ../../repositories/sql/escrow/escrow.sql
