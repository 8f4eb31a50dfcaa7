"""Services, users and limits of the compose file, read as Compose reads it, without an engine."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from fastapi.routing import APIRoute
from sqlalchemy.pool import QueuePool
from starlette.routing import Route

from api.app import create_app
from api.auth import current_actor
from api.changes import LIFE_SECONDS
from api.codec import codec_router
from api.deps import Deps
from api.pool import StatementPool
from api.routing import routes_of
from api.v1 import PRIVATE_ROOT_ROUTERS
from commands.backup_folder import archive_command
from console.live.routes import ROUTES as LIVE
from dev.stack.temporal import find_temporal
from manage import make_parser
from runtime.database import Database
from runtime.settings import Settings, read_settings
from tests.support.cases import for_each
from tests.support.routes import ROUTES

ROOT = Path(__file__).resolve().parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
EXAMPLE = dict(re.findall(r"^([A-Z_]+)=(.*)$", (ROOT / ".env.example").read_text("utf-8"), re.MULTILINE))
#: The flags in the head of a compiled file whose source is never looked at (PEP 552).
UNCHECKED_HASH = bytes([1, 0, 0, 0])
POSTGRES = {"postgres", "backup-folder"}
PRODUCT = {"api", "worker", "migrate", "rollout"}
ELSEWHERE = {
    "COMPOSE_PROFILES": "",
    "BURSAR_DATABASE_URL": "postgresql://bursar_api:a@db.internal:5432/bursar?sslmode=require",
    "BURSAR_PLATFORM_DATABASE_URL": "postgresql://bursar_platform:b@db.internal:5432/bursar?sslmode=require",
    "BURSAR_MIGRATION_DATABASE_URL": "postgresql://owner:c@db.internal:5432/bursar?sslmode=require",
    "BURSAR_TEMPORAL_ADDRESS": "bursar.a1b2c.tmprl.cloud:7233",
    "BURSAR_TEMPORAL_TLS": "true",
    "BURSAR_TEMPORAL_API_KEY": "key",
}


def interpolated(text: str, given: dict[str, str]) -> str:
    """Replace `${NAME}` and `${NAME:-default}`, innermost first, as the Compose Specification says."""
    pattern = re.compile(r"\$\{([A-Z_]+)(?::-([^${}]*))?\}")
    while found := pattern.search(text):
        value = given.get(found[1]) or (found[2] or "")
        text = text[: found.start()] + value + text[found.end() :]
    return text


def environment(name: str, given: dict[str, str]) -> dict[str, str]:
    return {key: interpolated(str(value), given) for key, value in SERVICES[name]["environment"].items()}


def started(profiles: str) -> set[str]:
    chosen = {name for name in profiles.split(",") if name}
    return {name for name, service in SERVICES.items() if chosen >= set(service.get("profiles", ()))}


def test_interpolation_is_that_of_compose() -> None:
    assert interpolated("${A:-x${B:-}y}@${C}", {"B": "b"}) == "xby@"
    assert interpolated("${A:-x${B:-}y}", {"A": "a"}) == "a"


def test_only_the_proxy_is_published() -> None:
    assert {name for name, service in SERVICES.items() if "ports" in service} == {"proxy"}


def test_proxy_reaches_neither_postgresql_nor_temporal() -> None:
    beside = {name for name, service in SERVICES.items() if "edge" in service["networks"]}
    assert beside == {"proxy", "api", "temporal-ui"}
    assert SERVICES["proxy"]["networks"] == ["edge"]


@for_each("name", SERVICES)
def test_logs_are_rotated(name: str) -> None:
    options = SERVICES[name]["logging"]["options"]
    assert (options["max-size"], int(options["max-file"])) == ("20m", 5)


@pytest.mark.parametrize("name", sorted(SERVICES.keys() - PRODUCT - {"backup"}))
def test_image_of_others_is_pinned(name: str) -> None:
    _, _, tag = SERVICES[name]["image"].partition(":")
    # A major version of PostgreSQL is what its data directory is bound to; its minor versions only mend.
    of_postgresql = SERVICES[name]["image"].startswith("postgres:")
    assert re.fullmatch(r"18-trixie" if of_postgresql else r"\d+\.\d+\.\d+", tag)


def test_temporal_is_the_version_that_the_tests_run_against() -> None:
    said = subprocess.run([find_temporal(), "--version"], capture_output=True, text=True, check=True).stdout
    server, ui = re.search(r"Server ([\d.]+), UI ([\d.]+)", said).groups()
    for name, version in {
        "temporal": server,
        "temporal-schema": server,
        "temporal-namespace": server,
        "temporal-ui": ui,
    }.items():
        assert SERVICES[name]["image"].endswith(f":{version}")


@pytest.mark.parametrize(
    ("profiles", "here"),
    [
        ("", {"proxy", *PRODUCT}),
        ("postgres", {"proxy", *PRODUCT, *POSTGRES}),
        ("temporal", SERVICES.keys() - POSTGRES - {"backup"}),
        ("postgres,temporal", SERVICES.keys() - {"backup"}),
    ],
)
def test_profiles_leave_out_what_runs_elsewhere_and_nothing_waits_for_it(profiles: str, here: set[str]) -> None:
    assert started(profiles) == here
    for name in here:
        for needed, how in SERVICES[name].get("depends_on", {}).items():
            assert needed in here or how["required"] is False, f"{name} waits for {needed}"


def test_all_runs_here_unless_the_operator_says_otherwise() -> None:
    assert started(EXAMPLE["COMPOSE_PROFILES"]) == SERVICES.keys() - {"backup"}


def test_server_archives_where_backups_are_taken_to() -> None:
    words = SERVICES["postgres"]["command"]
    assert f"archive_command={archive_command(Path('/backups/wal'))}" in words
    assert {"archive_mode=on", "archive_timeout=60s"} <= set(words)
    assert SERVICES["backup-folder"]["entrypoint"][-2:] == ["/backups", "/backups/wal"]
    folders = [SERVICES[name]["volumes"] for name in ("postgres", "backup-folder", "backup")]
    assert all("${BACKUPS:-backups}:/backups" in volumes for volumes in folders)


def test_server_has_time_to_archive_its_last_wal_when_it_is_stopped() -> None:
    """Docker's own ten seconds are over before the last checkpoint of a busy server, which is killed then."""
    assert SERVICES["postgres"]["stop_grace_period"] == "2m"


def test_backup_is_a_command_of_the_image_and_begins_with_its_programs() -> None:
    _, _, stage = (ROOT / "Dockerfile").read_text("utf-8").partition("FROM postgres:18-trixie AS backup\n")
    assert 'ENTRYPOINT ["python3", "-m", "manage"]' in stage
    assert "PATH=/usr/lib/postgresql/18/bin:" in stage
    assert SERVICES["backup"]["build"]["target"] == "backup"
    given = make_parser().parse_args(SERVICES["backup"]["command"])
    assert (given.command, str(given.to), given.keep) == ("backup", "/backups", 7)


def test_product_is_what_the_dockerfile_builds_unless_asked_for_another() -> None:
    stages = re.findall(r"^FROM (\S+)", (ROOT / "Dockerfile").read_text("utf-8"), re.MULTILINE)
    assert stages[-1] == "product"


@pytest.mark.parametrize("name", sorted(PRODUCT))
@pytest.mark.parametrize(
    ("given", "database", "temporal"),
    [
        ({}, "postgresql://bursar_api:word@postgres:5432/bursar", "temporal:7233"),
        (ELSEWHERE, ELSEWHERE["BURSAR_DATABASE_URL"], ELSEWHERE["BURSAR_TEMPORAL_ADDRESS"]),
    ],
    ids=["here", "elsewhere"],
)
def test_settings_of_a_container_can_be_read(
    name: str, given: dict[str, str], database: str, temporal: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for known in [*os.environ]:
        if known.startswith(("BURSAR_", "TEMPORAL_", "STRIPE_")):
            monkeypatch.delenv(known)
    (tmp_path / "bursar_encryption_keys").write_text("2026a:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
    passwords = {"API_DATABASE_PASSWORD": "word", "PLATFORM_DATABASE_PASSWORD": "word", "POSTGRES_PASSWORD": "word"}
    values = environment(name, {**EXAMPLE, **passwords, **given}) | {"BURSAR_SECRETS_DIR": str(tmp_path)}
    for key, value in values.items():
        monkeypatch.setenv(key, value)
    settings = read_settings()
    assert settings.database_url == database
    assert settings.temporal_address == temporal
    assert bool(settings.temporal_options["tls"]) is bool(given)
    assert settings.encryption_keys is not None


@pytest.mark.parametrize("name", ["api", "worker"])
def test_keys_under_the_names_of_older_platforms_reach_a_container_and_ours_win(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for known in [*os.environ]:
        if known.startswith(("BURSAR_", "TEMPORAL_", "STRIPE_")):
            monkeypatch.delenv(known)
    (tmp_path / "bursar_encryption_keys").write_text("2026a:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
    older = {"STRIPE_SECRET_KEY": "sk_test_old", "STRIPE_PUBLISHABLE_KEY": "pk_test_old"}
    hooks = {"STRIPE_WEBHOOK_SECRET": "whsec_old", "BURSAR_STRIPE_WEBHOOK_SECRETS": "whsec_new"}
    passwords = {"API_DATABASE_PASSWORD": "word", "PLATFORM_DATABASE_PASSWORD": "word", "POSTGRES_PASSWORD": "word"}
    values = environment(name, {**EXAMPLE, **passwords, **older, **hooks}) | {"BURSAR_SECRETS_DIR": str(tmp_path)}
    for key, value in values.items():
        monkeypatch.setenv(key, value)
    settings = read_settings()
    keys = settings.stripe_api_key, settings.stripe_webhook_secrets
    assert [key and key.get_secret_value() for key in keys] == ["sk_test_old", "whsec_new"]
    assert settings.stripe_publishable_key == "pk_test_old"


def most_connections(database: Database, *pools: StatementPool) -> int:
    most = sum(pool._size for pool in pools)
    for engine in (database.tenant_engine, database.platform_engine):
        assert isinstance(engine.pool, QueuePool)
        most += engine.pool.size() + engine.pool._max_overflow
    return most


def test_all_pools_together_fit_and_the_page_adds_them_up() -> None:
    """Of two processes of API and worker each, as there are while a release is rolled out."""
    deps: Deps = create_app(Settings()).state.deps
    api = most_connections(deps.database, deps.pool, deps.platform_pool) + 1  # what keys are listened for on
    worker = most_connections(deps.database)
    of_temporal = environment("temporal", {})
    temporal = 4 * (int(of_temporal["SQL_MAX_CONNS"]) + int(of_temporal["SQL_VIS_MAX_CONNS"]))
    by_hand, reserved = 10, 3
    (written,) = (word for word in SERVICES["postgres"]["command"] if word.startswith("max_connections="))
    # As in the example, and where it is left out.
    limit = min(int(interpolated(written, given).partition("=")[2]) for given in (EXAMPLE, {}))
    replicas = {name: SERVICES[name]["deploy"]["replicas"] for name in ("api", "worker")}
    assert replicas == {"api": 1, "worker": 1}
    together = 2 * api + 2 * worker + temporal + by_hand + reserved
    assert together <= limit
    page = (ROOT / "docs/operate/deployment.md").read_text("utf-8")
    rows = re.findall(r"^\| .+ \| (\d+) \| (\d) \| (\d+) \|$", page, re.MULTILINE)
    assert [tuple(map(int, row)) for row in rows] == [
        (api, 2, 2 * api),
        (worker, 2, 2 * worker),
        (temporal, 1, temporal),
        (by_hand, 1, by_hand),
        (reserved, 1, reserved),
    ]
    assert f"| **all** | | | **{together}** |" in page
    assert f"`max_connections` ({limit} here" in page


def test_proxy_hides_what_is_for_probes_and_operators() -> None:
    caddyfile = (ROOT / "deploy/proxy/Caddyfile").read_text("utf-8")
    (hidden,) = (found.split() for found in re.findall(r"@private path (.+)\n\t\trespond @private 404", caddyfile))
    private = {route.path for route in codec_router(Settings(), current_actor).routes if isinstance(route, Route)}
    private |= {route.path for route in routes_of(PRIVATE_ROOT_ROUTERS, APIRoute)}
    assert {"/metrics", "/readyz", "/codec/decode"} < private
    for path in private:
        assert any(path == known or (known.endswith("/*") and path.startswith(known[:-1])) for known in hidden), path
    assert not [path for path in hidden if path.startswith(("/api", "/docs", "/healthz", "/openapi"))]


def test_proxy_lets_streams_last_until_they_end_by_themselves() -> None:
    caddyfile = (ROOT / "deploy/proxy/Caddyfile").read_text("utf-8")
    (paths,) = (found.split() for found in re.findall(r"@streams path (.+)\n", caddyfile))
    (limits,) = re.findall(r"request_body @streams \{(.+?)\}", caddyfile, re.DOTALL)
    minutes = dict(re.findall(r"(\w+)_timeout (\d+)m\n", limits))
    assert minutes.keys() == {"read", "write"}
    assert all(int(each) * 60 > LIFE_SECONDS for each in minutes.values())
    shown = {route.path for route in ROUTES}
    streams = {f"/api/v1{path}" for path in shown if path.endswith("/stream")}
    streams |= {f"/console/*/{each.path.rpartition('/')[2]}" for each in LIVE}
    assert streams == set(paths)


@pytest.mark.parametrize(
    ("site", "refusal"), [("SITE", "respond @private 404"), ("OPERATORS_SITE", "respond @outside 403")]
)
def test_proxy_refuses_before_it_asks_anybody(site: str, refusal: str) -> None:
    """Caddy sorts the directives of a site by itself, `respond` after `handle`, unless they are in a `route`."""
    caddyfile = (ROOT / "deploy/proxy/Caddyfile").read_text("utf-8")
    (block,) = re.findall(rf"^\{{\${site}\}} \{{\n\troute \{{\n(.+?)^\t\}}\n\}}", caddyfile, re.MULTILINE | re.DOTALL)
    passes = [block.index(word) for word in ("import api", "reverse_proxy", "handle ") if word in block]
    assert block.index(refusal) < min(passes)


def test_proxy_bounds_head_and_body_and_lets_the_api_say_what_is_too_long() -> None:
    caddyfile = (ROOT / "deploy/proxy/Caddyfile").read_text("utf-8")
    for limit in ("max_header_size 64KiB", "read_header 10s", "read_body 30s", "request_buffers 2MiB"):
        assert limit in caddyfile
    assert set(re.findall(r"max_size (\S+)", caddyfile)) == {"2MiB"}
    assert Settings().max_body_bytes < 2 * 1024 * 1024


def test_proxy_logs_no_address_and_no_header_of_a_request() -> None:
    """It logs a request that the API does not answer, and addresses hold tokens of links, or a card number."""
    caddyfile = (ROOT / "deploy/proxy/Caddyfile").read_text("utf-8")
    (options,) = re.findall(r"^\tlog \{\n\t\tformat filter \{\n(.+?)^\t\}", caddyfile, re.MULTILINE | re.DOTALL)
    assert " ".join(options.split()) == "wrap json fields { request>uri delete request>headers delete } }"


def test_image_compiles_what_it_holds(tmp_path: Path) -> None:
    dockerfile = (ROOT / "Dockerfile").read_text("utf-8")
    (command,) = map(shlex.split, re.findall(r"^RUN python (-m compileall .+) /app$", dockerfile, re.MULTILINE))
    module = tmp_path / "module.py"
    module.write_text("ANSWER = 42\n")
    env = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPYCACHEPREFIX": ""}
    subprocess.run([sys.executable, *command, str(tmp_path)], env=env, check=True)
    compiled = tmp_path / "__pycache__" / f"module.{sys.implementation.cache_tag}.pyc"
    assert compiled.read_bytes()[4:8] == UNCHECKED_HASH
    assert dockerfile.index("COPY alembic.ini") < dockerfile.index("compileall") < dockerfile.index("USER 10001")


@pytest.fixture
def docker(tmp_path: Path) -> Path:
    """A `docker` that notes what it is asked; two workers run, and what `FAILING` names fails."""
    script = tmp_path / "docker"
    script.write_text(
        "#!/bin/sh\n"
        f'echo "$*" >> {tmp_path}/asked\n'
        'case "$*" in\n'
        '  "compose ps --quiet worker") printf "%s" "$WORKERS" ;;\n'
        '  *"$FAILING") exit 1 ;;\n'
        "esac\n"
    )
    script.chmod(0o755)
    return script


def rolled_out(docker: Path, *options: str, workers: str, failing: str = "nothing") -> tuple[int, list[str]]:
    env = {"PATH": f"{docker.parent}:{os.environ['PATH']}", "WORKERS": workers, "FAILING": failing}
    done = subprocess.run([ROOT / "deploy/rollout.sh", *options], env=env, check=False, capture_output=True)
    return done.returncode, (docker.parent / "asked").read_text().splitlines()


def test_rollout_stops_the_old_workers_once_the_new_ones_have_the_work(docker: Path) -> None:
    assert rolled_out(docker, workers="one\ntwo\n") == (
        0,
        [
            "compose ps --quiet worker",
            "compose run --rm --no-deps migrate",
            "compose up --detach --wait --no-deps --no-recreate --scale worker=4 worker",
            "compose run --rm --no-deps rollout",
            "stop --time 30 one",
            "rm one",
            "stop --time 30 two",
            "rm two",
            "compose up --detach --wait --no-deps api proxy",
        ],
    )


def test_going_back_asks_for_no_migration_and_replaces_the_api_first(docker: Path) -> None:
    """The release before refuses to migrate a database whose revision it does not know."""
    assert rolled_out(docker, "--back", workers="one\n") == (
        0,
        [
            "compose ps --quiet worker",
            "compose up --detach --wait --no-deps api proxy",
            "compose up --detach --wait --no-deps --no-recreate --scale worker=2 worker",
            "compose run --rm --no-deps rollout",
            "stop --time 30 one",
            "rm one",
        ],
    )


def test_rollout_begins_with_one_worker_where_none_runs(docker: Path) -> None:
    _, asked = rolled_out(docker, workers="")
    assert "compose up --detach --wait --no-deps --no-recreate --scale worker=1 worker" in asked
    assert not [line for line in asked if line.startswith(("stop", "rm"))]


@pytest.mark.parametrize("failing", ["migrate", "worker=2 worker", "rollout"])
def test_rollout_that_fails_leaves_the_old_workers_at_work(docker: Path, failing: str) -> None:
    status, asked = rolled_out(docker, workers="one\n", failing=failing)
    assert status != 0
    assert asked[-1].endswith(failing)
    assert not [line for line in asked if line.startswith(("stop", "rm"))]
