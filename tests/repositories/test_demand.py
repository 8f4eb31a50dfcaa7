"""The demand for an agent is read by the agent, independent of how many organizations report usage."""

import pytest

from repositories.marketplace.pricing import CALLS
from tests.conftest import DatabaseUrls
from tests.support.connections import connected, undone

pytestmark = pytest.mark.db

_DAYS = """
INSERT INTO usage_days (org_id, dimension, day, value, currency, events, input_tokens, output_tokens, cached_tokens,
    reasoning_tokens, other_tokens, timed_tokens, duration_ms, estimated_events, cost_pico, creator_pico, platform_pico)
SELECT 'org_' || n, 'agent_id', current_date, 'agt_' || n, '', 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0
FROM generate_series(1, 20000) n
"""


async def test_calls_of_an_agent_are_read_by_an_index_of_agents(database_urls: DatabaseUrls) -> None:
    async with connected(database_urls.owner) as owner, undone(owner):
        await owner.execute(_DAYS)
        await owner.execute("ANALYZE usage_days")
        asked = f"EXPLAIN SELECT n.* FROM (SELECT 'agt_7' AS id OFFSET 0) a, LATERAL ({CALLS}) n"
        plan = "\n".join(row[0] for row in await owner.fetch(asked))
    assert "ix_usage_days_agent" in plan
