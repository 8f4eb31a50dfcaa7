from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from providers.payments.paypal import PayPalProvider
from runtime.database import Database
from tests.providers.crypto_world import World
from tests.providers.stripe_harness import SandboxHarness, in_sandbox
from tests.support.paypal import RunningPayPal, running_paypal


@pytest.fixture
async def world(db: Database) -> AsyncIterator[World]:
    world = World(db)
    yield world
    await world.chains.close()


@pytest.fixture
async def sandbox(tmp_path: Path) -> AsyncIterator[SandboxHarness]:
    async with in_sandbox(tmp_path) as harness:
        yield harness


@pytest.fixture
async def paypal(tmp_path: Path) -> AsyncIterator[RunningPayPal]:
    async with running_paypal(tmp_path) as running:
        yield running


@pytest.fixture
async def provider(paypal: RunningPayPal) -> PayPalProvider:
    return await paypal.provider()
