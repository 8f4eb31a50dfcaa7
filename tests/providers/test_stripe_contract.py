"""The contract of every adapter, against Stripe's sandbox; with `STRIPE_TEST_KEY` set, against its test mode too."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.providers.contract import AdapterContract
from tests.providers.stripe_harness import StripeHarness, at_stripe, in_sandbox

TEST_KEY = os.environ.get("STRIPE_TEST_KEY")


class TestContract(AdapterContract):
    @pytest.fixture(params=["sandbox", *(["test mode"] if TEST_KEY else [])])
    async def harness(self, request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[StripeHarness]:
        opened = in_sandbox(tmp_path) if request.param == "sandbox" else at_stripe(TEST_KEY or "")
        async with opened as harness:
            yield harness
