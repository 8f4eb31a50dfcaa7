"""Prices of models: in force at a time, kept in memory until the next import, never rewritten."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError

from domain.common.errors import Invalid
from domain.usage.price_map import default_price, read_price_map
from domain.usage.rating import rate
from domain.usage.token_usage import TokenUsage
from models.usage.model_price import ModelPriceImport, ModelPriceRow
from repositories.usage.model_price import PriceBook, PriceKey
from runtime.database import Database
from services.usage.model_price import import_prices
from tests.conftest import DatabaseUrls

pytestmark = pytest.mark.db

JANUARY, MARCH, MAY = (datetime(2026, month, 1, tzinfo=UTC) for month in (1, 3, 5))
ONE = TokenUsage(input_tokens=1)


@pytest.fixture
async def own(unpriced_database_urls: DatabaseUrls) -> AsyncIterator[Database]:
    """A database in which no other test imports prices."""
    database = Database(unpriced_database_urls.tenant, unpriced_database_urls.platform)
    yield database
    await database.close()


def listed(prices, *, version="1", valid_from=JANUARY):
    entries = {
        model: {"litellm_provider": provider, "input_cost_per_token": price}
        for model, (provider, price) in prices.items()
    }
    return read_price_map(json.dumps(entries), version=version, valid_from=valid_from)


async def imported(database, prices, *, version="1", valid_from=JANUARY):
    async with database.platform() as session:
        return await import_prices(session, listed(prices, version=version, valid_from=valid_from), sha256=version)


async def cost(database, book, model, at, provider=None):
    async with database.tenant("org_none") as session:
        price = await book.price_of(session, model=model, provider=provider, at=at)
        return rate(ONE, price).amount_pico // 10**12, price.version


async def test_a_past_call_is_rated_at_the_price_of_its_time(own):
    await imported(own, {"a": ("openai", 2), "b": ("openai", 5)})
    done = await imported(own, {"a": ("openai", 3), "b": ("openai", 5)}, version="2", valid_from=MARCH)
    assert (done.added, done.changed, done.unchanged) == (0, 1, 1)
    book, moment = PriceBook(), timedelta(microseconds=1)
    assert await cost(own, book, "a", JANUARY) == (2, "1")
    assert await cost(own, book, "a", MARCH - moment) == (2, "1")
    assert await cost(own, book, "a", MARCH) == (3, "2")
    assert await cost(own, book, "b", MAY) == (5, "1")


async def test_a_list_that_is_imported_late_holds_from_its_date(own):
    await imported(own, {"a": ("openai", 3)}, version="march", valid_from=MARCH)
    await imported(own, {"a": ("openai", 2)}, version="january", valid_from=JANUARY)
    book = PriceBook()
    assert await cost(own, book, "a", JANUARY) == (2, "january")
    assert await cost(own, book, "a", MAY) == (3, "march")


async def test_the_same_list_twice_changes_nothing(own):
    prices = {"a": ("openai", "0.0000025"), "b": ("openai", 0)}
    first = await imported(own, prices)
    again = await imported(own, prices, version="2", valid_from=MARCH)
    assert (first.added, again.added, again.changed, again.unchanged) == (2, 0, 0, 2)
    async with own.platform() as session:
        assert await session.scalar(select(func.count()).select_from(ModelPriceImport)) == 1
        assert await session.scalar(select(func.count()).select_from(ModelPriceRow)) == 2


async def test_lists_that_are_imported_at_once_are_added_once(own):
    both = await asyncio.gather(*(imported(own, {"a": ("openai", 2), "b": ("openai", 3)}) for _ in range(2)))
    assert sorted(done.added for done in both) == [0, 2]
    assert sorted(done.unchanged for done in both) == [0, 2]


async def test_a_price_of_the_very_same_moment_is_reported_and_stays(own):
    await imported(own, {"a": ("openai", 2)})
    done = await imported(own, {"a": ("openai", 9), "b": ("openai", 1)}, version="2")
    assert (done.conflicts, done.added) == (("a",), 1)
    assert await cost(own, PriceBook(), "a", JANUARY) == (2, "1")


async def test_a_model_that_a_list_leaves_out_keeps_its_price(own):
    await imported(own, {"a": ("openai", 2), "b": ("openai", 1)})
    done = await imported(own, {"b": ("openai", 1)}, version="2", valid_from=MARCH)
    assert done.gone == 1
    assert await cost(own, PriceBook(), "a", MAY) == (2, "1")


async def test_an_import_is_seen_by_who_kept_the_prices_before(own):
    await imported(own, {"a": ("openai", 2)})
    book = PriceBook()
    assert await cost(own, book, "a", MAY) == (2, "1")
    await imported(own, {"a": ("openai", 3)}, version="2", valid_from=MARCH)
    assert await cost(own, book, "a", MAY) == (3, "2")


async def test_a_price_is_read_once_for_all_who_ask_until_the_next_import(own):
    await imported(own, {"a": ("openai", 2)})
    book = PriceBook()
    async with own.tenant("org_none") as session:
        first = await book.price_of(session, model="a", provider=None, at=MAY)
        again = await book.price_of(session, model="a", provider=None, at=MARCH)
    assert again is first


@pytest.mark.parametrize(
    ("model", "provider", "dollars"),
    [
        ("gpt", None, 1),
        ("gpt", "openai", 1),
        ("gpt", "azure", 2),
        ("azure/gpt", "azure", 2),
        ("azure/gpt", None, 2),
        ("openai/gpt", "openai", 1),
        ("openai/gpt", None, 1),
        ("vertex_ai/gemini", None, 4),
        ("gemini", "gemini", 3),
        ("gemini", "vertex_ai", 4),
        ("anthropic.claude", "bedrock", 5),
    ],
)
async def test_a_model_is_found_by_its_name_and_by_who_serves_it(own, model, provider, dollars):
    await imported(
        own,
        {
            "gpt": ("openai", 1),
            "azure/gpt": ("azure", 2),
            "gemini/gemini": ("gemini", 3),
            "gemini": ("vertex_ai-language-models", 4),
            "anthropic.claude": ("bedrock_converse", 5),
        },
    )
    assert (await cost(own, PriceBook(), model, MAY, provider))[0] == dollars


@pytest.mark.parametrize(
    ("model", "provider", "at"),
    [
        ("gpt-9", None, MAY),
        ("gpt", "groq", MAY),
        ("groq/gpt", None, MAY),
        ("gpt", None, JANUARY - timedelta(days=1)),
        ("x" * 5000, None, MAY),
        ("gpt\x00", None, MAY),
        ("gpt\ud800", None, MAY),
        ("", "openai", MAY),
    ],
)
async def test_a_model_without_a_price_is_refused_by_name(own, model, provider, at):
    await imported(own, {"gpt": ("openai", 1)})
    with pytest.raises(Invalid) as refusal:
        await cost(own, PriceBook(), model, at, provider)
    assert (refusal.value.error_code, refusal.value.status) == ("usage.model_unknown", 422)
    assert refusal.value.extra == {"model": model[:200], "provider": provider}


async def test_a_model_without_a_price_has_the_default_one_where_there_is_one(own):
    await imported(own, {"gpt": ("openai", 1)})
    book = PriceBook(default_price('{"input_cost_per_token": "7"}'))
    async with own.tenant("org_none") as session:
        price = await book.price_of(session, model="gpt-9", provider=None, at=MAY)
    rated = rate(ONE, price)
    assert (rated.amount_pico, rated.model, rated.is_default) == (7 * 10**12, "gpt-9", True)
    assert await cost(own, book, "gpt", MAY) == (1, "1")


async def test_names_of_clients_do_not_fill_the_memory(own):
    await imported(own, {"gpt": ("openai", 1)})
    book = PriceBook()
    async with own.tenant("org_none") as session:
        found = await book.prices_of(session, [PriceKey(f"made-up-{at}", None, MAY) for at in range(500)])
    assert set(found.values()) == {None}
    assert book._kept == {}


@pytest.mark.parametrize("statement", ["UPDATE model_prices SET version = '9'", "DELETE FROM model_price_imports"])
async def test_prices_are_never_rewritten(own, statement):
    await imported(own, {"a": ("openai", 2)})
    with pytest.raises(DBAPIError):
        async with own.platform() as session:
            await session.execute(text(statement))


async def test_a_tenant_reads_prices_and_sets_none(own):
    await imported(own, {"a": ("openai", 2)})
    async with own.tenant("org_none") as session:
        assert await session.scalar(select(func.count()).select_from(ModelPriceRow)) == 1
    with pytest.raises(DBAPIError, match="permission denied"):
        async with own.tenant("org_none") as session:
            await session.execute(
                text(
                    "INSERT INTO model_price_imports (version, sha256, valid_from, entries, prices) "
                    "VALUES ('', '', now(), 0, 0)"
                )
            )
