"""The client's adapters under the real frameworks, in an environment of their own, which `make test-sdk` makes."""

import os
from collections.abc import Iterator

import pytest

import tests.support.sync_half  # noqa: F401 - before `bursar` is imported
from bursar.testing import FakeBursar

collect_ignore_glob = [] if "TEST_ADAPTERS" in os.environ else ["test_*.py"]
# Before it is imported: it would ask the network for its prices.
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"


@pytest.fixture
def fake() -> Iterator[FakeBursar]:
    """Fail a test that leaves a hold open."""
    made = FakeBursar(credits="100", costs={"llm_call": "2", "web_search": "0.5", "token": "0.01"})
    yield made
    assert made.held == 0


def paid(fake: FakeBursar) -> list[str]:
    """Return what left, smallest first."""
    return [f"{amount.normalize():f}" for amount in sorted(each.amount for each in fake.transfers)]
