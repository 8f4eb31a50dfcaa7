"""Rows of any table by what matters in them, for detectors: the others are empty, and nothing refers to anything."""

import json
from datetime import date, datetime
from typing import Any

import asyncpg

from domain.common.ids import make_id
from models.common.base import Base

EMPTY: dict[type, Any] = {str: "", int: 0, bool: False, dict: "{}", object: "{}", list: [], date: date.min}
_made = 0


def id_at(prefix: str, at: datetime) -> str:
    """Return a new id of a time."""
    global _made
    _made += 1
    return make_id(prefix, unix_ms=int(at.timestamp() * 1000), entropy=_made.to_bytes(10, "big"))


async def connect(url: str) -> asyncpg.Connection:
    """Connect as the owner, without triggers and foreign keys."""
    owner = await asyncpg.connect(url)
    await owner.execute("SET session_replication_role = replica")
    return owner


async def put(owner: asyncpg.Connection, model: type[Base], at: datetime, **values: Any) -> None:
    """Insert a row; times that are not given are `at`."""
    given = {}
    for column in model.__table__.columns:
        if column.key in values:
            value = values[column.key]
            given[column.key] = json.dumps(value) if isinstance(value, dict) else value
        elif not column.nullable and column.server_default is None and column.identity is None:
            kind = column.type.python_type
            given[column.key] = at if kind is datetime else EMPTY[kind]
    names, places = (
        ", ".join(f'"{name}"' for name in given),
        ", ".join(f"${number + 1}" for number in range(len(given))),
    )
    await owner.execute(f"INSERT INTO {model.__tablename__} ({names}) VALUES ({places})", *given.values())
