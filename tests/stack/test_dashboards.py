"""`make dashboards`, as far as it goes without Superset."""

import zipfile
from pathlib import Path

import pytest
import yaml

from dev.stack import dashboards
from dev.stack.process import StackError


def test_bundle_is_what_superset_imports_with_the_address_of_the_stack(tmp_path: Path) -> None:
    uri = dashboards.reader_uri(tmp_path)
    assert uri.startswith("postgresql+psycopg2://bursar_reports@/bursar?host=/")
    dashboards.bundle(tmp_path / "assets.zip", uri)
    with zipfile.ZipFile(tmp_path / "assets.zip") as bundle:
        files = {name: yaml.safe_load(bundle.read(name)) for name in bundle.namelist()}
    assert {name.split("/")[0] for name in files} == {"bursar"}
    assert files["bursar/metadata.yaml"]["type"] == "Dashboard"
    database = files["bursar/databases/bursar.yaml"]
    assert database == {**database, "sqlalchemy_uri": uri, "allow_dml": False, "cache_timeout": -1}
    assert {name for name in files if "/dashboards/" in name} == {
        "bursar/dashboards/revenue.yaml",
        "bursar/dashboards/credits_used.yaml",
    }


def test_dashboards_need_a_stack_that_runs(tmp_path: Path) -> None:
    with pytest.raises(StackError, match="start one with `make run`"):
        dashboards.run(tmp_path, 0)
