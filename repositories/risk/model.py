"""Models that score acts. All statements need the platform's role."""

import json
from typing import Any

import asyncpg


async def champion_version(connection: asyncpg.Connection) -> int:
    """Return the version of the champion; 0 without one."""
    version: int = await connection.fetchval(
        "SELECT coalesce(max(version), 0) FROM risk_models WHERE status = 'champion'"
    )
    return version


async def champion_document(connection: asyncpg.Connection) -> dict[str, Any] | None:
    """Return the document of the champion; None without one."""
    document: str | None = await connection.fetchval(
        "SELECT document::text FROM risk_models WHERE status = 'champion'"
    )
    return None if document is None else json.loads(document)
