import pytest
from temporalio.client import Client

from runtime.settings import Settings
from runtime.temporal import connect
from tests.support.logging import restored_logging

__all__ = ["restored_logging"]

KEY_ONE = "k1:" + "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWY="
KEY_TWO = "k2:" + "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="


@pytest.fixture
def settings(temporal_address: str) -> Settings:
    return Settings(temporal_address=temporal_address)


@pytest.fixture
async def client(settings: Settings) -> Client:
    return await connect(settings)
