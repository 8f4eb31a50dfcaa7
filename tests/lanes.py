"""Tests that `make test` leaves to `make test-slow`, and the number of examples that each draws.

The option `--lane` is `fast` by default: what is listed here is not even imported, and tests with the marker `slow` do
not run. `--lane slow` runs these, and once more in full whatever draws examples; `--lane all` runs everything once.
A slow file or folder that the command line names runs in every lane.
"""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parents[1]
#: Folders and files of which every test is slow.
SLOW = {
    ROOT / path
    for path in (
        "tests/activities/test_given_up_bills.py",
        "tests/activities/test_lock_order.py",
        "tests/activities/test_recovery.py",
        "tests/activities/test_subscription_years.py",
        "tests/adversary/test_attacks.py",
        "tests/api/test_escrow_bounds.py",
        "tests/api/test_reputation_attacks.py",
        "tests/api/test_reused_keys.py",
        "tests/api/test_spends_meanwhile.py",
        "tests/commands/test_restore.py",
        "tests/console/browser/test_attacks.py",
        "tests/console/browser/test_card_number.py",
        "tests/console/browser/test_dispute.py",
        "tests/console/browser/test_every_page.py",
        "tests/console/browser/test_every_platform_page.py",
        "tests/console/browser/test_first_screens.py",
        "tests/console/browser/test_gallery.py",
        "tests/console/browser/test_mails.py",
        "tests/console/browser/test_operator.py",
        "tests/console/browser/test_payment_methods.py",
        "tests/console/browser/test_projects_and_lists.py",
        "tests/console/browser/test_refunds.py",
        "tests/console/browser/test_shortcuts.py",
        "tests/console/browser/test_standing.py",
        "tests/console/links",
        "tests/console/test_killed.py",
        "tests/console/test_pages.py",
        "tests/console/test_typed.py",
        "tests/docs/test_add_a_purpose.py",
        "tests/docs/test_readme_tour.py",
        "tests/e2e/payments",
        "tests/e2e/test_client_credits.py",
        "tests/e2e/test_console_escrows.py",
        "tests/e2e/test_console_forms.py",
        "tests/e2e/test_contract_terms.py",
        "tests/e2e/test_demo.py",
        "tests/e2e/test_escrow_inputs.py",
        "tests/e2e/test_escrow_refusals.py",
        "tests/e2e/test_operators.py",
        "tests/e2e/test_restart.py",
        "tests/faults",
        "tests/ledger/test_failover.py",
        "tests/ledger/test_verify.py",
        "tests/ledger/test_verify_invoices.py",
        "tests/providers/test_chains_hostile.py",
        "tests/providers/test_crypto_flooded.py",
        "tests/providers/test_crypto_reorganisations.py",
        "tests/providers/test_paypal_certificates.py",
        "tests/repositories/test_account_statement.py",
        "tests/repositories/test_counted_spends.py",
        "tests/repositories/test_lists.py",
        "tests/repositories/test_movements.py",
        "tests/repositories/test_payable_disputed.py",
        "tests/repositories/test_payable_flows.py",
        "tests/repositories/test_reputation_boards.py",
        "tests/repositories/test_reputation_fold.py",
        "tests/repositories/test_usage_log.py",
        "tests/sdk/test_killed.py",
        "tests/sdk/test_wheel.py",
        "tests/stack/test_bench.py",
        "tests/stack/test_demo_data.py",
        "tests/stack/test_postgres.py",
        "tests/stack/test_run.py",
        "tests/stack/test_supervisor.py",
        "tests/stack/test_ui_door.py",
        "tests/workflows/test_accounting_days.py",
        "tests/workflows/test_catching_up.py",
        "tests/workflows/test_chargeback_reach.py",
        "tests/workflows/test_continue_as_new.py",
        "tests/workflows/test_delivery_slots.py",
        "tests/workflows/test_deployments.py",
        "tests/workflows/test_escrow_outage.py",
        "tests/workflows/test_escrow_paths.py",
        "tests/workflows/test_escrow_recovery.py",
        "tests/workflows/test_escrow_signals.py",
        "tests/workflows/test_event_forwarding.py",
        "tests/workflows/test_forged_runs.py",
        "tests/workflows/test_invoice_endpoints.py",
        "tests/workflows/test_one_payment_under_way.py",
        "tests/workflows/test_out_of_range.py",
        "tests/workflows/test_payment_cancelled_later.py",
        "tests/workflows/test_payment_commands_away.py",
        "tests/workflows/test_payment_escrow.py",
        "tests/workflows/test_payment_invoice.py",
        "tests/workflows/test_payment_not_needed.py",
        "tests/workflows/test_payment_paths.py",
        "tests/workflows/test_payment_recovery.py",
        "tests/workflows/test_payment_revenue.py",
        "tests/workflows/test_payment_signals.py",
        "tests/workflows/test_payment_sweep.py",
        "tests/workflows/test_probe.py",
        "tests/workflows/test_reconciliation_books.py",
        "tests/workflows/test_reputation_decay.py",
        "tests/workflows/test_runbooks.py",
        "tests/workflows/test_sealed_signals.py",
        "tests/workflows/test_subscription_given_up.py",
        "tests/workflows/test_sweeps.py",
        "tests/workflows/test_unopenable.py",
        "tests/workflows/test_usage_sync.py",
        "tests/year",
    )
}
#: One of these is in the text of a file with single slow tests, or with tests that draw, or of a conftest above it: the
#: slow lane imports no other file.
SIGNS = ("mark.slow", "hypothesis", "mark.draws")

# No example is timed: on a machine with other work, it takes as long as it takes.
for lane, number in {"fast": 25, "slow": 100, "all": 100}.items():
    settings.register_profile(lane, deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=number)
settings.load_profile("fast")


def examples(number: int) -> int:
    """Return how many examples to draw: a quarter of the number in the fast lane."""
    return max(1, number * settings.default.max_examples // 100)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--lane", choices=["fast", "slow", "all"], default="fast", help="which tests run: tests/lanes.py")


def pytest_configure(config: pytest.Config) -> None:
    settings.load_profile(config.getoption("lane"))


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    lane = config.getoption("lane")
    if lane == "fast":
        return collection_path in SLOW or None
    if lane == "slow" and collection_path.match("test_*.py"):
        return not (_is_listed(collection_path) or _has_a_sign(collection_path)) or None
    return None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    lane = config.getoption("lane")
    if lane == "all":
        return
    runs = _is_fast if lane == "fast" else _is_slow
    left_out = [item for item in items if not runs(item)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if runs(item)]


def _is_listed(path: Path) -> bool:
    return not SLOW.isdisjoint([path, *path.parents])


def _has_a_sign(path: Path) -> bool:
    near = [path, *(folder / "conftest.py" for folder in path.parents if folder.is_relative_to(ROOT / "tests"))]
    return any(sign in each.read_text("utf-8") for each in near if each.exists() for sign in SIGNS)


def _is_fast(item: pytest.Item) -> bool:
    return item.get_closest_marker("slow") is None or item.session.isinitpath(item.path)


def _is_slow(item: pytest.Item) -> bool:
    draws = item.get_closest_marker("draws") or getattr(getattr(item, "obj", None), "is_hypothesis_test", False)
    return bool(draws or item.get_closest_marker("slow") or _is_listed(item.path))
