"""Checks of the production deployment without a container engine."""

import asyncio
import base64
import importlib.metadata
import importlib.resources
import json
import os
import re
import subprocess
import sys
import threading
import tomllib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import asyncpg
import jsonschema
import pytest
import yaml

from dev.stack.claim import Ports, variable
from dev.stack.postgres import Postgres, running_postgres
from dev.stack.temporal import find_temporal
from manage import main
from runtime.roles import reset_own_settings, scram_verifier, set_passwords
from runtime.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = {f"BURSAR_{name.upper()}" for name in Settings.model_fields}
STACK_SETTINGS = {f"BURSAR_{name}" for name in ("BACKUP_DIR", "DATA_DIR", "POSTGRES_BIN")}
STACK_SETTINGS |= {variable(name) for name in Ports.__dataclass_fields__}

#: Containers log to the standard output.
LEFT_OUT = {"BURSAR_LOG_FILE", "BURSAR_ALLOW_INSECURE_WEBHOOKS", "BURSAR_SLACK_URL", "BURSAR_CONSOLE_SEED"}
#: Where processes of the compose file listen, and where their secrets are mounted.
SAID_HERE = {f"BURSAR_{name}" for name in ("SECRETS_DIR", "HOST", "PORT", "PRIVATE_HOST", "PRIVATE_PORT")}
SAID_HERE |= {"BURSAR_WORKER_METRICS_HOST", "BURSAR_WORKER_METRICS_PORT"}


def read(path: str) -> str:
    return (ROOT / path).read_text()


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    parsed: dict[str, Any] = yaml.safe_load(read("docker-compose.yml"))
    return parsed


def variables(text: str) -> set[str]:
    return set(re.findall(r"\bBURSAR_[A-Z0-9_]+\b", text))


def test_compose_file_follows_the_compose_specification(compose: dict[str, Any]) -> None:
    vendored = importlib.resources.files("check_jsonschema") / "builtin_schemas/vendor/compose-spec.json"
    schema = json.loads(vendored.read_text())
    jsonschema.Draft202012Validator(schema).validate(compose)
    broken = {**compose, "services": {**compose["services"], "api": {"imagee": "bursar"}}}
    assert not jsonschema.Draft202012Validator(schema).is_valid(broken)


def test_every_service_waits_for_a_service_that_can_be_waited_for(compose: dict[str, Any]) -> None:
    services = compose["services"]
    for name, service in services.items():
        for needed, how in service.get("depends_on", {}).items():
            assert needed in services, name
            if how["condition"] == "service_healthy":
                assert "healthcheck" in services[needed], f"{name} waits for the health of {needed}"
            else:
                assert services[needed].get("restart") != "unless-stopped", f"{needed} never completes"


@pytest.mark.parametrize("path", ["docker-compose.yml", ".env.example", "docs/operate/deployment.md"])
def test_every_variable_is_a_setting(path: str) -> None:
    assert variables(read(path)) - SETTINGS == set()


def test_every_setting_is_documented_with_its_default() -> None:
    rows = dict(re.findall(r"^\| `(BURSAR_[A-Z0-9_]+)` \| (.+?) \|", read("docs/reference/settings.md"), re.MULTILINE))
    assert rows.keys() == SETTINGS | STACK_SETTINGS
    for name, field in Settings.model_fields.items():
        shown = rows[f"BURSAR_{name.upper()}"].strip("`")
        if shown == "none":
            assert field.default is None, name
        else:
            value = getattr(Settings.model_validate({name: shown}), name)
            assert value == field.default or json.loads(value) == json.loads(field.default), name


def test_every_setting_reaches_the_processes(compose: dict[str, Any]) -> None:
    """A setting that nobody passes on is one that operators set in vain."""
    given = {name for service in ("api", "worker", "migrate") for name in compose["services"][service]["environment"]}
    assert SETTINGS - given == LEFT_OUT
    passed_on = {name for name in SETTINGS if f"${{{name}" in read("docker-compose.yml")}
    assert SETTINGS - passed_on == LEFT_OUT | SAID_HERE


def test_every_variable_of_the_compose_file_is_in_the_example_or_a_setting() -> None:
    wanted = set(re.findall(r"\$\{([A-Z0-9_]+)", read("docker-compose.yml")))
    shown = set(re.findall(r"^([A-Z0-9_]+)=", read(".env.example"), re.MULTILINE))
    assert shown - wanted == {"COMPOSE_PROFILES"}
    assert wanted - shown <= SETTINGS


def test_what_is_set_before_the_first_organization_or_payment_is_in_the_example() -> None:
    page = " ".join(read("docs/operate/deployment.md").split())
    first = set(re.findall(r"(?:First name its principal, `root`, in|Set) `(BURSAR_[A-Z_]+)`(?: before| \()", page))
    assert len(first) > 2
    assert first - variables(read(".env.example")) == set()


def test_images_that_are_mounted_into_find_their_files(compose: dict[str, Any]) -> None:
    mounts = [mount for service in compose["services"].values() for mount in service.get("volumes", [])]
    for source in {mount.split(":")[0] for mount in mounts if mount.startswith("./")}:
        assert (ROOT / source).exists(), source


def test_image_holds_the_product_and_nothing_else() -> None:
    product = set(tomllib.loads(read("pyproject.toml"))["tool"]["importlinter"]["root_packages"])
    lines = [line.split()[1:-1] for line in read("Dockerfile").splitlines() if line.startswith("COPY ")]
    copied = {name for line in lines for name in line if not name.startswith("--") and not name.startswith("/")}
    roots = {"composition.py", "manage.py", "server.py", "worker.py"}
    files = roots | {"requirements.lock", "requirements-risk.lock", "alembic.ini", "docs/reference/errors.md"}
    assert copied == product | {"migrations"} | files
    kept = {line[1:].removesuffix("/**") for line in read(".dockerignore").splitlines() if line.startswith("!")}
    assert kept == copied
    assert "USER 10001" in read("Dockerfile")


def locked(path: str) -> set[str]:
    return set(re.findall(r"^([a-z0-9-]+)(?:\[[a-z,]+\])?==", read(path), re.MULTILINE))


@pytest.mark.parametrize("path", ["requirements.lock", "requirements-risk.lock", "requirements-dev.lock"])
def test_lock_pins_every_package_by_hash_and_names_no_address(path: str) -> None:
    entries = re.findall(r"^[^\s#].*(?:\n .*)*", read(path), re.MULTILINE)
    assert entries
    assert [entry for entry in entries if "==" not in entry or "--hash=sha256:" not in entry] == []
    assert "://" not in read(path)
    assert "index" not in read(path)


def test_product_starts_without_the_packages_of_development() -> None:
    assert locked("requirements.lock") < locked("requirements-dev.lock")
    extra = locked("requirements-dev.lock") - locked("requirements.lock")
    modules = sorted(
        module
        for module, names in importlib.metadata.packages_distributions().items()
        if all(re.sub(r"[-_.]+", "-", name).lower() in extra for name in names)
    )
    assert {"psutil", "pytest", "eth_tester"} <= set(modules)
    blocked = f"import sys; sys.modules.update(dict.fromkeys({modules!r})); "
    names = "server, worker, migrations.baseline"
    names += "".join(f", commands.{path.stem}" for path in sorted((ROOT / "commands").glob("*.py")))
    names += ", providers.payments.crypto, providers.payments.paypal, providers.payments.stripe"
    subprocess.run([sys.executable, "-c", f"{blocked} import {names}"], cwd=ROOT, check=True)


@pytest.mark.parametrize(("status", "expected"), [(200, 0), (503, 1), (404, 1)])
def test_health_check_passes_only_on_200(status: int, expected: int) -> None:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        assert main(["probe", f"http://127.0.0.1:{server.server_port}/readyz"]) == expected
        server.shutdown()
    assert main(["probe", f"http://127.0.0.1:{server.server_port}/readyz"]) == 1
    assert main(["probe", "127.0.0.1"]) == 2


@pytest.mark.slow
@pytest.mark.db
def test_migration_gives_the_roles_their_passwords_and_may_be_repeated(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    access = home / "access"
    access.write_text("local all postgres trust\nlocal all all scram-sha-256\n")
    access.chmod(0o644)
    with running_postgres(home / "pg", {"fsync": "off", "hba_file": str(access)}) as postgres:
        postgres.ensure_database("bursar")
        monkeypatch.setenv("BURSAR_MIGRATION_DATABASE_URL", postgres.url())
        for password in ("first", "second"):
            for name, role in (("", "bursar_api"), ("PLATFORM_", "bursar_platform"), ("READER_", "bursar_reports")):
                monkeypatch.setenv(f"BURSAR_{name}DATABASE_URL", postgres.url(f"{role}:{role}-{password}"))
            command = "alembic upgrade head && python -m manage roles"
            done = run_in_image(command)
            assert done.stdout.endswith("passwords set: bursar_api, bursar_platform, bursar_reports\n")
            assert password not in (home / "postgres.log").read_text()
        assert logs_in(postgres, "bursar_api:bursar_api-second")
        assert logs_in(postgres, "bursar_platform:bursar_platform-second")
        assert logs_in(postgres, "bursar_reports:bursar_reports-second")
        assert not logs_in(postgres, "bursar_api:bursar_api-first")
        assert not logs_in(postgres, "bursar_api")


def run_in_image(command: str) -> subprocess.CompletedProcess[str]:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return subprocess.run(
        ["sh", "-c", command], cwd=ROOT, env={**os.environ, "PATH": path}, capture_output=True, text=True, check=True
    )


def logs_in(postgres: Postgres, role: str) -> bool:
    async def attempt() -> bool:
        try:
            connection = await asyncpg.connect(postgres.url(role), password=None)
        except (asyncpg.InvalidPasswordError, asyncpg.InvalidAuthorizationSpecificationError):
            return False
        await connection.close()
        return True

    return asyncio.run(attempt())


def test_migration_command_of_the_compose_file_is_the_one_that_is_tested(compose: dict[str, Any]) -> None:
    command = compose["services"]["migrate"]["command"][-1]
    assert command == "alembic upgrade head && python -m manage roles && python -m manage temporal ensure"


def test_verifier_agrees_with_the_example_of_rfc_7677() -> None:
    assert scram_verifier("pencil", base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")) == (
        "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$"
        "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
    )


def test_password_with_characters_that_scram_would_normalise_is_refused() -> None:
    with pytest.raises(ValueError, match="printable ASCII"):
        scram_verifier("naïve", b"salt")


@pytest.mark.slow
@pytest.mark.db
def test_what_a_role_changed_of_itself_is_told_and_put_back(home: Path) -> None:
    with running_postgres(home / "own", {"fsync": "off"}) as postgres:
        postgres.execute("CREATE ROLE bursar_api LOGIN PASSWORD 'word'")
        postgres.execute("CREATE ROLE bursar_platform LOGIN")
        url = postgres.url("bursar_api", "postgres").replace("bursar_api@", "bursar_api:word@")
        settings = Settings(
            migration_database_url=postgres.url("postgres", "postgres"),
            database_url=url,
            platform_database_url=postgres.url("bursar_platform", "postgres"),
        )
        assert asyncio.run(reset_own_settings(settings)) == []
        by_itself = "SET ROLE bursar_api; ALTER ROLE bursar_api "
        postgres.execute(by_itself + "SET search_path = evil")
        postgres.execute(by_itself + "IN DATABASE postgres SET row_security = off")
        postgres.execute(by_itself + "SET work_mem = 4096")
        postgres.execute(by_itself + "PASSWORD 'mine'")
        assert asyncio.run(reset_own_settings(settings)) == [
            "bursar_api had set row_security in database postgres: put back",
            "bursar_api had set search_path: put back",
            "bursar_api had a password that differs from its URL",
        ]
        assert asyncio.run(set_passwords(settings)) == ["bursar_api"]
        assert asyncio.run(reset_own_settings(settings)) == []
        assert "work_mem" in str(postgres.execute("SELECT string_agg(setconfig::text, ',') FROM pg_db_role_setting"))


@pytest.mark.db
async def test_roles_of_other_names_are_left_alone(database_urls: Any) -> None:
    url = database_urls.owner.replace("postgres@", "postgres:word@")
    settings = Settings(
        migration_database_url=database_urls.owner, database_url=url, platform_database_url=database_urls.platform
    )
    assert await set_passwords(settings) == []


@pytest.mark.slow
@pytest.mark.db
def test_new_volume_has_databases_of_temporals_own_and_lets_backups_be_taken(home: Path) -> None:
    access = home / "pg_hba.conf"
    access.write_text("local all all trust\n")
    access.chmod(0o644)
    with running_postgres(home / "pg", {"fsync": "off", "hba_file": str(access)}) as postgres:
        env = {
            "PGDATA": str(home),
            "PATH": f"{postgres.binaries}:{os.environ['PATH']}",
            "PGHOST": str(postgres.socket_dir),
            "POSTGRES_USER": "postgres",
            "TEMPORAL_DATABASE_PASSWORD": "it's",
        }
        subprocess.run([ROOT / "deploy/postgres/init.sh"], env=env, check=True, capture_output=True)
        owners = "SELECT string_agg(datname, ',' ORDER BY datname) FROM pg_database WHERE datdba = 'temporal'::regrole"
        assert postgres.execute(owners) == "temporal,temporal_visibility"
        rules = "SELECT string_agg(database::text || user_name::text || auth_method, ' ' ORDER BY rule_number)"
        assert postgres.execute(f"{rules} FILTER (WHERE error IS NULL) FROM pg_hba_file_rules") == (
            "{all}{all}trust {replication}{postgres}scram-sha-256"
        )


@pytest.mark.temporal
def test_namespace_script_makes_the_namespace_once(temporal_address: str) -> None:
    env = {
        "PATH": f"{Path(find_temporal()).parent}:{os.environ['PATH']}",
        "TEMPORAL_ADDRESS": temporal_address,
        "NAMESPACE": "bursar-deployed",
        "RETENTION": "90d",
    }
    for _ in range(2):
        subprocess.run([ROOT / "deploy/temporal/namespace.sh"], env=env, check=True, capture_output=True, timeout=60)
