import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from dev.sandbox.paypal.certificates import make_chain
from providers.payments.paypal import PayPalProvider
from runtime.database import Database
from tests.providers.crypto_world import World
from tests.providers.stripe_harness import SandboxHarness, in_sandbox
from tests.support.chains import ChainsInTest
from tests.support.paypal import RunningPayPal, running_paypal
from tests.support.receivers import NAME


@pytest.fixture
async def world(db: Database) -> AsyncIterator[World]:
    world = World(db)
    yield world
    await world.chains.close()


@pytest.fixture
async def chains() -> AsyncIterator[ChainsInTest]:
    chains = ChainsInTest()
    yield chains
    await chains.close()


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


@pytest.fixture(scope="module")
def certified(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ssl.SSLContext]:
    """A certificate for the name, and what trusts it."""
    folder = tmp_path_factory.mktemp("certificates")
    root, leaf, key = make_chain(NAME)
    (folder / "leaf.pem").write_bytes(leaf + key)
    return folder / "leaf.pem", ssl.create_default_context(cadata=root.decode())
