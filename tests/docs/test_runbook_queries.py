"""Queries of the runbooks run as the platform's role."""

import re

import pytest
from sqlalchemy import text

from runtime.database import Database
from tests.docs.pages import ROOT
from tests.support.cases import for_each

QUERIES = [
    pytest.param(query, id=f"{page.stem}-{number}")
    for page in sorted((ROOT / "docs/operate/runbooks").glob("*.md"))
    for number, query in enumerate(re.findall(r"```sql\n(.*?)```", page.read_text("utf-8"), re.DOTALL))
]

pytestmark = pytest.mark.db


@for_each("query", QUERIES)
async def test_query_of_a_runbook_is_understood(db: Database, query: str) -> None:
    async with db.platform() as session:
        await session.execute(text(query))
