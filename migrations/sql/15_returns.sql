-- Results, revenue, allocation and routing.

-- What a transfer brought is changed by transfers alone; of what was reported, who says so never changes.
GRANT SELECT, INSERT, UPDATE (amount_minor, reversed_minor, status, shares_version, confirmed_by, confirmed_at)
    ON revenue_events TO bursar_platform;
CREATE TRIGGER of_books BEFORE UPDATE OF amount_minor, reversed_minor, status, confirmed_by, confirmed_at ON revenue_events
    FOR EACH ROW WHEN (OLD.transfer_id IS NOT NULL AND current_user = 'bursar_platform') EXECUTE FUNCTION refuse_change();

-- What was proposed never changes.
GRANT SELECT, INSERT, UPDATE (status, answer_by, is_raised, applied_at, applied_by) ON allocations TO bursar_platform;

-- What was agreed never changes.
GRANT SELECT, INSERT, UPDATE (paid, paid_minor, status, next_at, stopped_by) ON trials TO bursar_platform;

GRANT SELECT, INSERT, UPDATE (score_e6, cost_pico, multiple_e6, outcome_source, outcome_reference, outcome_at)
    ON routing_decisions TO bursar_platform;
GRANT SELECT, INSERT, UPDATE (results, score_e6, costs, cost_e6, square_e6) ON routing_sums TO bursar_platform;

SELECT pg_temp.tenant_reads_own('results', 'revenue_events', 'attributions', 'allocation_settings', 'allocations',
    'trials', 'routing_decisions', 'routing_sums');
SELECT pg_temp.refuse_deletes('revenue_events', 'allocation_settings', 'allocations', 'trials', 'routing_decisions',
    'routing_sums');
SELECT pg_temp.append_only('results', 'attributions');
GRANT SELECT, INSERT ON results, attributions TO bursar_platform;
GRANT SELECT, INSERT, UPDATE ON allocation_settings TO bursar_platform;

\ir ../../repositories/sql/returns/revenue_events.sql
\ir ../../repositories/sql/insight/spent.sql
