-- Agents, their prices, offers, sales and referrals.

CREATE TABLE agents (
    id text NOT NULL,
    org_id text NOT NULL,
    name text NOT NULL,
    visibility text NOT NULL,
    pricing_model text NOT NULL,
    price_minor bigint,
    price_currency text,
    terms jsonb DEFAULT '{}' NOT NULL,
    accepts_granted boolean DEFAULT true NOT NULL,
    created_by text NOT NULL,
    command_id text NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    department_id text,
    project_id text,
    category text,
    version bigint DEFAULT 1 NOT NULL,
    description text,
    retired_at timestamptz,
    retired_by text,
    CONSTRAINT pk_agents PRIMARY KEY (id),
    CONSTRAINT uq_agents_command_id UNIQUE (command_id),
    CONSTRAINT ck_agents_price CHECK ((price_minor IS NULL) = (price_currency IS NULL)),
    CONSTRAINT ck_agents_pricing_model CHECK (pricing_model IN ('free', 'monthly', 'one_time', 'usage')),
    CONSTRAINT ck_agents_retired CHECK ((retired_at IS NULL) = (retired_by IS NULL)),
    CONSTRAINT ck_agents_visibility CHECK (visibility IN ('public', 'private')),
    CONSTRAINT fk_agents_department_id_departments FOREIGN KEY (department_id) REFERENCES departments,
    CONSTRAINT fk_agents_org_id_organizations FOREIGN KEY (org_id) REFERENCES organizations,
    CONSTRAINT fk_agents_project_id_projects FOREIGN KEY (project_id) REFERENCES projects
);
CREATE INDEX ix_agents_department_id ON agents (department_id) WHERE department_id IS NOT NULL;
CREATE INDEX ix_agents_org_id ON agents (org_id, id);
CREATE INDEX ix_agents_org_id_public ON agents (org_id, id) WHERE visibility = 'public';
CREATE INDEX ix_agents_public ON agents (id) WHERE visibility = 'public';
SELECT pg_temp.row_security('agents');
CREATE POLICY tenant_reads ON agents FOR SELECT TO bursar_api
    USING (org_id = bursar_org() OR (visibility = 'public' AND (bursar_org() IS NOT NULL)));
CREATE POLICY tenant_writes ON agents FOR INSERT TO bursar_api WITH CHECK (org_id = bursar_org());
CREATE TRIGGER count_version BEFORE UPDATE ON agents
    FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION count_version();
GRANT SELECT, INSERT ON agents TO bursar_api;
GRANT SELECT, INSERT, UPDATE (name, visibility, pricing_model, price_minor, price_currency, terms, department_id,
    project_id, category, version, description, retired_at, retired_by, accepts_granted) ON agents TO bursar_platform;
ALTER TABLE api_keys ADD CONSTRAINT fk_api_keys_agent_id_agents FOREIGN KEY (agent_id) REFERENCES agents;
ALTER TABLE session_links ADD CONSTRAINT fk_session_links_agent_id_agents FOREIGN KEY (agent_id) REFERENCES agents;
ALTER TABLE sessions ADD CONSTRAINT fk_sessions_agent_id_agents FOREIGN KEY (agent_id) REFERENCES agents;

CREATE TABLE pricing_book (
    id smallint NOT NULL,
    version bigint NOT NULL,
    CONSTRAINT pk_pricing_book PRIMARY KEY (id),
    CONSTRAINT ck_pricing_book_single CHECK (id = 1)
);
SELECT pg_temp.row_security('pricing_book');
SELECT pg_temp.refuse_deletes('pricing_book');
GRANT SELECT, UPDATE (version) ON pricing_book TO bursar_platform;
INSERT INTO pricing_book (id, version) VALUES (1, 2);

CREATE TABLE pricing_rules (
    id text NOT NULL,
    name text NOT NULL,
    type text NOT NULL,
    priority integer NOT NULL,
    stacking text NOT NULL,
    agent_id text,
    org_id text,
    floor_bps integer,
    ceiling_bps integer,
    valid_from timestamptz,
    valid_until timestamptz,
    terms jsonb NOT NULL,
    version integer NOT NULL,
    book_version bigint NOT NULL,
    created_by text NOT NULL,
    command_id text NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    updated_at timestamptz,
    ended_at timestamptz,
    CONSTRAINT pk_pricing_rules PRIMARY KEY (id),
    CONSTRAINT uq_pricing_rules_command_id UNIQUE (command_id),
    CONSTRAINT ck_pricing_rules_bounds CHECK (floor_bps <= ceiling_bps),
    CONSTRAINT ck_pricing_rules_priority CHECK (priority BETWEEN 0 AND 10000),
    CONSTRAINT ck_pricing_rules_stacking CHECK (stacking IN ('multiply', 'add', 'exclusive')),
    CONSTRAINT ck_pricing_rules_type CHECK (type IN ('surge', 'reputation', 'time_of_day', 'bulk', 'volume', 'tier',
        'contract_price', 'custom', 'bounds')),
    CONSTRAINT ck_pricing_rules_validity CHECK (valid_from < valid_until),
    CONSTRAINT fk_pricing_rules_agent_id_agents FOREIGN KEY (agent_id) REFERENCES agents,
    CONSTRAINT fk_pricing_rules_org_id_organizations FOREIGN KEY (org_id) REFERENCES organizations
);
CREATE INDEX ix_pricing_rules_in_force ON pricing_rules (id) WHERE ended_at IS NULL;
SELECT pg_temp.row_security('pricing_rules');
SELECT pg_temp.refuse_deletes('pricing_rules');
GRANT SELECT, INSERT, UPDATE ON pricing_rules TO bursar_platform;
-- A discount for trusted clients, which operators can end.
INSERT INTO pricing_rules (id, name, type, priority, stacking, terms, version, book_version, created_by, command_id)
    VALUES ('prl_00000000000000000000000001', 'trusted_client', 'reputation', 9000, 'multiply',
        '{"whose": "client", "multiplier_bps": 8000, "from_e4": 70000, "full_e4": 90000, "least_evidence": 10}',
        1, 2, 'bursar', 'default:trusted_client');

CREATE TABLE pricing_agents (
    agent_id text NOT NULL,
    org_id text NOT NULL,
    capacity integer,
    bears_discounts boolean NOT NULL,
    updated_by text NOT NULL,
    updated_at timestamptz DEFAULT now() NOT NULL,
    calls_per_day integer,
    CONSTRAINT pk_pricing_agents PRIMARY KEY (agent_id),
    CONSTRAINT ck_pricing_agents_calls CHECK (calls_per_day > 0),
    CONSTRAINT ck_pricing_agents_capacity CHECK (capacity > 0),
    CONSTRAINT fk_pricing_agents_agent_id_agents FOREIGN KEY (agent_id) REFERENCES agents,
    CONSTRAINT fk_pricing_agents_org_id_organizations FOREIGN KEY (org_id) REFERENCES organizations
);
SELECT pg_temp.row_security('pricing_agents');
CREATE POLICY tenant ON pricing_agents TO bursar_api USING (org_id = bursar_org())
    WITH CHECK (org_id = bursar_org() AND (EXISTS (SELECT FROM agents a
    WHERE (a.id = pricing_agents.agent_id AND a.org_id = bursar_org()))));
SELECT pg_temp.refuse_deletes('pricing_agents');
GRANT SELECT, INSERT, UPDATE (capacity, bears_discounts, updated_by, updated_at, calls_per_day)
    ON pricing_agents TO bursar_api, bursar_platform;

CREATE TABLE pricing_quotes (
    id text NOT NULL,
    org_id text NOT NULL,
    agent_id text NOT NULL,
    payee_org_id text NOT NULL,
    quantity bigint NOT NULL,
    currency text NOT NULL,
    base_minor bigint NOT NULL,
    price_minor bigint NOT NULL,
    multiplier_bps bigint NOT NULL,
    commission_bps integer NOT NULL,
    facts jsonb NOT NULL,
    adjustments jsonb NOT NULL,
    book_version bigint NOT NULL,
    created_by text NOT NULL,
    command_id text NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at timestamptz,
    contract_id text,
    commission_from text NOT NULL,
    level_version bigint,
    level_name text,
    borne_by text,
    CONSTRAINT pk_pricing_quotes PRIMARY KEY (id),
    CONSTRAINT uq_pricing_quotes_command_id UNIQUE (command_id),
    CONSTRAINT uq_pricing_quotes_contract_id UNIQUE (contract_id),
    CONSTRAINT ck_pricing_quotes_amounts CHECK (quantity > 0 AND base_minor > 0 AND price_minor > 0),
    CONSTRAINT ck_pricing_quotes_borne_by CHECK ((borne_by IS NULL) = (price_minor >= base_minor) AND borne_by IN
        ('platform', 'agent')),
    CONSTRAINT ck_pricing_quotes_commission CHECK (commission_bps BETWEEN 0 AND 10000),
    CONSTRAINT ck_pricing_quotes_commission_from CHECK (commission_from IN ('usual', 'level', 'operator')),
    CONSTRAINT ck_pricing_quotes_level CHECK ((level_version IS NULL) = (level_name IS NULL)),
    CONSTRAINT ck_pricing_quotes_used CHECK ((used_at IS NULL) = (contract_id IS NULL)),
    CONSTRAINT fk_pricing_quotes_agent_id_agents FOREIGN KEY (agent_id) REFERENCES agents,
    CONSTRAINT fk_pricing_quotes_org_id_organizations FOREIGN KEY (org_id) REFERENCES organizations
);
CREATE INDEX ix_pricing_quotes_created_at ON pricing_quotes (created_at);
SELECT pg_temp.row_security('pricing_quotes');
CREATE POLICY tenant ON pricing_quotes TO bursar_api USING (org_id = bursar_org()) WITH CHECK (org_id = bursar_org());
SELECT pg_temp.refuse_deletes('pricing_quotes');
GRANT SELECT, UPDATE (used_at, contract_id) ON pricing_quotes TO bursar_api;
GRANT SELECT, INSERT, UPDATE (used_at, contract_id) ON pricing_quotes TO bursar_platform;

CREATE TABLE marketplace_offers (
    agent_id text NOT NULL,
    org_id text NOT NULL,
    model text NOT NULL,
    price_minor bigint,
    currency text,
    creator_bps bigint,
    summary text NOT NULL,
    category text,
    words text[] NOT NULL,
    status text NOT NULL,
    changed_by text NOT NULL,
    changed_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL,
    usage_prices jsonb,
    included_uses bigint,
    version bigint DEFAULT 1 NOT NULL,
    command_id text,
    CONSTRAINT pk_marketplace_offers PRIMARY KEY (agent_id),
    CONSTRAINT ck_marketplace_offers_creator_bps CHECK (creator_bps BETWEEN 0 AND 10000),
    CONSTRAINT ck_marketplace_offers_included_uses
        CHECK (included_uses IS NULL OR included_uses > 0 AND model = 'one_time'),
    CONSTRAINT ck_marketplace_offers_model CHECK (model IN ('free', 'one_time', 'monthly', 'usage')),
    CONSTRAINT ck_marketplace_offers_price CHECK (
        num_nonnulls(price_minor, currency) = CASE WHEN model IN ('free', 'usage') THEN 0 ELSE 2 END
        AND price_minor > 0),
    CONSTRAINT ck_marketplace_offers_status CHECK (status IN ('listed', 'retired')),
    CONSTRAINT ck_marketplace_offers_usage_prices CHECK ((usage_prices IS NOT NULL) = (model = 'usage')),
    CONSTRAINT fk_marketplace_offers_agent_id_agents FOREIGN KEY (agent_id) REFERENCES agents,
    CONSTRAINT fk_marketplace_offers_org_id_organizations FOREIGN KEY (org_id) REFERENCES organizations
);
CREATE INDEX ix_marketplace_offers_category ON marketplace_offers (category, agent_id) WHERE status = 'listed';
CREATE INDEX ix_marketplace_offers_listed ON marketplace_offers (agent_id) WHERE status = 'listed';
CREATE INDEX ix_marketplace_offers_model ON marketplace_offers (model, agent_id) WHERE status = 'listed';
CREATE INDEX ix_marketplace_offers_price ON marketplace_offers (currency, price_minor, agent_id)
    WHERE status = 'listed';
CREATE INDEX ix_marketplace_offers_words ON marketplace_offers USING gin (words) WHERE status = 'listed';
SELECT pg_temp.row_security('marketplace_offers');
CREATE POLICY tenant_reads ON marketplace_offers FOR SELECT TO bursar_api
    USING (status = 'listed' OR org_id = bursar_org());
SELECT pg_temp.refuse_deletes('marketplace_offers');
CREATE TRIGGER count_version BEFORE UPDATE ON marketplace_offers
    FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION count_version();
GRANT SELECT ON marketplace_offers TO bursar_api;
GRANT SELECT, INSERT, UPDATE (model, price_minor, currency, creator_bps, summary, category, words, status, changed_by,
    changed_at, usage_prices, included_uses, command_id) ON marketplace_offers TO bursar_platform;

CREATE TABLE marketplace_purchases (
    id text NOT NULL,
    org_id text NOT NULL,
    agent_id text NOT NULL,
    payee_org_id text NOT NULL,
    model text NOT NULL,
    price_minor bigint,
    currency text,
    creator_bps bigint NOT NULL,
    creator_minor bigint NOT NULL,
    commission_minor bigint NOT NULL,
    granted_minor bigint NOT NULL,
    taken_minor bigint NOT NULL,
    payment_id text,
    spend_id uuid,
    transfer_id uuid,
    status text NOT NULL,
    bought_by text NOT NULL,
    command_id text NOT NULL,
    bought_at timestamptz NOT NULL,
    refunded_at timestamptz,
    refunded_by text,
    anchor_at timestamptz,
    ends_at timestamptz,
    renews_at timestamptz,
    period bigint,
    tries bigint DEFAULT 0 NOT NULL,
    renewed boolean DEFAULT false NOT NULL,
    renewed_from text,
    usage_prices jsonb,
    included_uses bigint,
    used_minor bigint DEFAULT 0 NOT NULL,
    tax_minor bigint DEFAULT 0 NOT NULL,
    used_by jsonb DEFAULT '{}' NOT NULL,
    refund_command_id text,
    CONSTRAINT pk_marketplace_purchases PRIMARY KEY (id),
    CONSTRAINT uq_marketplace_purchases_command_id UNIQUE (command_id),
    CONSTRAINT uq_marketplace_purchases_payment_id UNIQUE (payment_id),
    CONSTRAINT uq_marketplace_purchases_renewed_from UNIQUE (renewed_from),
    CONSTRAINT uq_marketplace_purchases_spend_id UNIQUE (spend_id),
    CONSTRAINT ck_marketplace_purchases_paid CHECK (num_nonnulls(price_minor, currency, transfer_id) IN (0, 3)
        AND num_nonnulls(payment_id, spend_id) = CASE WHEN price_minor IS NULL THEN 0 ELSE 1 END),
    CONSTRAINT ck_marketplace_purchases_period CHECK (
        num_nonnulls(anchor_at, period, ends_at) = CASE model WHEN 'monthly' THEN 3 ELSE 0 END
        AND (renews_at IS NULL OR status = 'active' AND model = 'monthly') AND tries >= 0),
    CONSTRAINT ck_marketplace_purchases_refunded CHECK ((refunded_at IS NOT NULL) = (status = 'refunded')),
    CONSTRAINT ck_marketplace_purchases_shares CHECK (
        creator_minor + commission_minor + tax_minor = coalesce(price_minor, 0)
        AND least(creator_minor, commission_minor, tax_minor) >= 0 AND granted_minor BETWEEN 0 AND creator_minor
        AND least(taken_minor, used_minor) >= 0 AND greatest(taken_minor, used_minor) <= coalesce(price_minor, 0)),
    CONSTRAINT ck_marketplace_purchases_status CHECK (status IN ('active', 'suspended', 'refunded', 'ended')),
    CONSTRAINT ck_marketplace_purchases_usage_prices CHECK ((usage_prices IS NOT NULL) = (model = 'usage')),
    CONSTRAINT fk_marketplace_purchases_agent_id_agents FOREIGN KEY (agent_id) REFERENCES agents,
    CONSTRAINT fk_marketplace_purchases_org_id_organizations FOREIGN KEY (org_id) REFERENCES organizations,
    CONSTRAINT fk_marketplace_purchases_payee_org_id_organizations FOREIGN KEY (payee_org_id) REFERENCES organizations,
    CONSTRAINT fk_marketplace_purchases_renewed_from_marketplace_purchases
        FOREIGN KEY (renewed_from) REFERENCES marketplace_purchases
);
CREATE INDEX ix_marketplace_purchases_ends_at ON marketplace_purchases (ends_at)
    WHERE status = 'active' AND renews_at IS NULL AND ends_at IS NOT NULL;
CREATE INDEX ix_marketplace_purchases_org_id_agent_id ON marketplace_purchases (org_id, agent_id);
CREATE INDEX ix_marketplace_purchases_org_id_bought_at ON marketplace_purchases (org_id, bought_at)
    WHERE payment_id IS NOT NULL;
CREATE INDEX ix_marketplace_purchases_org_id_id ON marketplace_purchases (org_id, id);
CREATE INDEX ix_marketplace_purchases_renews_at ON marketplace_purchases (renews_at) WHERE renews_at IS NOT NULL;
CREATE UNIQUE INDEX uq_marketplace_purchases_owned ON marketplace_purchases (org_id, agent_id)
    WHERE status NOT IN ('refunded', 'ended') AND NOT renewed;
SELECT pg_temp.row_security('marketplace_purchases');
SELECT pg_temp.tenant_reads_own('marketplace_purchases');
SELECT pg_temp.refuse_deletes('marketplace_purchases');
GRANT SELECT, INSERT, UPDATE (taken_minor, status, refunded_at, refunded_by, renews_at, tries, renewed, usage_prices,
    used_minor, used_by, refund_command_id) ON marketplace_purchases TO bursar_platform;

CREATE TABLE marketplace_uses (
    id text NOT NULL,
    org_id text NOT NULL,
    purchase_id text NOT NULL,
    agent_id text NOT NULL,
    payee_org_id text NOT NULL,
    meter text NOT NULL,
    quantity bigint NOT NULL,
    unit_minor bigint NOT NULL,
    price_minor bigint NOT NULL,
    creator_bps bigint NOT NULL,
    creator_minor bigint NOT NULL,
    commission_minor bigint NOT NULL,
    granted_minor bigint NOT NULL,
    taken_minor bigint NOT NULL,
    spend_id uuid NOT NULL,
    transfer_id uuid NOT NULL,
    used_at timestamptz NOT NULL,
    refunded_at timestamptz,
    refunded_by text,
    CONSTRAINT pk_marketplace_uses PRIMARY KEY (id),
    CONSTRAINT uq_marketplace_uses_spend_id UNIQUE (spend_id),
    CONSTRAINT ck_marketplace_uses_price
        CHECK (least(quantity, unit_minor) > 0 AND price_minor = quantity * unit_minor),
    CONSTRAINT ck_marketplace_uses_refunded
        CHECK (taken_minor = CASE WHEN refunded_at IS NULL THEN 0 ELSE price_minor END),
    CONSTRAINT ck_marketplace_uses_shares CHECK (creator_minor + commission_minor = price_minor
        AND least(creator_minor, commission_minor) >= 0 AND granted_minor BETWEEN 0 AND creator_minor),
    CONSTRAINT fk_marketplace_uses_agent_id_agents FOREIGN KEY (agent_id) REFERENCES agents,
    CONSTRAINT fk_marketplace_uses_org_id_organizations FOREIGN KEY (org_id) REFERENCES organizations,
    CONSTRAINT fk_marketplace_uses_payee_org_id_organizations FOREIGN KEY (payee_org_id) REFERENCES organizations,
    CONSTRAINT fk_marketplace_uses_purchase_id_marketplace_purchases
        FOREIGN KEY (purchase_id) REFERENCES marketplace_purchases
);
CREATE INDEX ix_marketplace_uses_org_id_used_at ON marketplace_uses (org_id, used_at);
SELECT pg_temp.row_security('marketplace_uses');
SELECT pg_temp.tenant_reads_own('marketplace_uses');
SELECT pg_temp.refuse_deletes('marketplace_uses');
GRANT SELECT, INSERT, UPDATE (taken_minor, refunded_at, refunded_by) ON marketplace_uses TO bursar_platform;

CREATE TABLE marketplace_agreed_uses (
    id text NOT NULL,
    org_id text NOT NULL,
    purchase_id text NOT NULL,
    agent_id text NOT NULL,
    payee_org_id text NOT NULL,
    meter text NOT NULL,
    quantity bigint NOT NULL,
    unit_minor bigint NOT NULL,
    creator_bps bigint NOT NULL,
    spend_id uuid,
    tries bigint DEFAULT 0 NOT NULL,
    agreed_at timestamptz NOT NULL,
    CONSTRAINT pk_marketplace_agreed_uses PRIMARY KEY (id),
    CONSTRAINT uq_marketplace_agreed_uses_spend_id UNIQUE (spend_id),
    CONSTRAINT ck_marketplace_agreed_uses_terms
        CHECK (least(quantity, unit_minor) > 0 AND creator_bps BETWEEN 0 AND 10000 AND tries >= 0),
    CONSTRAINT fk_marketplace_agreed_uses_agent_id_agents FOREIGN KEY (agent_id) REFERENCES agents,
    CONSTRAINT fk_marketplace_agreed_uses_org_id_organizations FOREIGN KEY (org_id) REFERENCES organizations,
    CONSTRAINT fk_marketplace_agreed_uses_payee_org_id_organizations
        FOREIGN KEY (payee_org_id) REFERENCES organizations,
    CONSTRAINT fk_marketplace_agreed_uses_purchase_id_marketplace_purchases
        FOREIGN KEY (purchase_id) REFERENCES marketplace_purchases
);
SELECT pg_temp.row_security('marketplace_agreed_uses');
SELECT pg_temp.tenant_reads_own('marketplace_agreed_uses');
SELECT pg_temp.refuse_deletes('marketplace_agreed_uses');
GRANT SELECT, INSERT, UPDATE (tries) ON marketplace_agreed_uses TO bursar_platform;

CREATE TABLE referrals (
    org_id text NOT NULL,
    referrer_org_id text NOT NULL,
    status text NOT NULL,
    reason text,
    payment_id text,
    referrer_minor bigint DEFAULT 0 NOT NULL,
    referred_minor bigint DEFAULT 0 NOT NULL,
    referrer_lot text,
    referred_lot text,
    created_at timestamptz NOT NULL,
    decided_at timestamptz,
    taken_back_at timestamptz,
    next_at timestamptz,
    CONSTRAINT pk_referrals PRIMARY KEY (org_id),
    CONSTRAINT uq_referrals_payment_id UNIQUE (payment_id),
    CONSTRAINT ck_referrals_other CHECK (org_id <> referrer_org_id),
    CONSTRAINT ck_referrals_rewards CHECK ((payment_id IS NOT NULL) = (status IN ('rewarded', 'taken_back'))
        AND (decided_at IS NULL) = (status = 'waiting') AND least(referrer_minor, referred_minor) >= 0
        AND (referrer_lot IS NOT NULL) = (referrer_minor > 0) AND (referred_lot IS NOT NULL) = (referred_minor > 0)),
    CONSTRAINT ck_referrals_status CHECK (status IN ('waiting', 'rewarded', 'refused', 'taken_back')),
    CONSTRAINT fk_referrals_org_id_organizations FOREIGN KEY (org_id) REFERENCES organizations,
    CONSTRAINT fk_referrals_payment_id_payments FOREIGN KEY (payment_id) REFERENCES payments,
    CONSTRAINT fk_referrals_referred_lot_credit_lots FOREIGN KEY (referred_lot) REFERENCES credit_lots,
    CONSTRAINT fk_referrals_referrer_lot_credit_lots FOREIGN KEY (referrer_lot) REFERENCES credit_lots,
    CONSTRAINT fk_referrals_referrer_org_id_organizations FOREIGN KEY (referrer_org_id) REFERENCES organizations
);
CREATE INDEX ix_referrals_next_at ON referrals (next_at) WHERE next_at IS NOT NULL;
CREATE INDEX ix_referrals_referrer_org_id ON referrals (referrer_org_id, org_id);
SELECT pg_temp.row_security('referrals');
CREATE POLICY tenant_reads ON referrals FOR SELECT TO bursar_api
    USING (org_id = bursar_org() OR referrer_org_id = bursar_org());
SELECT pg_temp.refuse_deletes('referrals');
GRANT SELECT ON referrals TO bursar_api;
GRANT SELECT, INSERT, UPDATE (status, reason, payment_id, referrer_minor, referred_minor, referrer_lot, referred_lot,
    decided_at, taken_back_at, next_at) ON referrals TO bursar_platform;

-- What a key or a session may do, and for what it spends, follows from its agent.
\ir ../../repositories/sql/credits/departments.sql
\ir ../../repositories/sql/tenants/sessions.sql
\ir ../../repositories/sql/marketplace/agent_retirement.sql
\ir ../../repositories/sql/marketplace/pricing.sql
\ir ../../ledger/sql/sales.sql
