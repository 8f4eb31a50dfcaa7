import json
import logging
import re
import subprocess
import sys
import warnings
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
import structlog
from pydantic import SecretStr
from sqlalchemy.exc import IntegrityError

from models.tenants.contact import OrganizationContacts
from runtime import logs
from runtime.database import Database
from runtime.settings import Settings
from tests.conftest import DatabaseUrls
from tests.runtime.conftest import KEY_ONE, KEY_TWO

Line = dict[str, object]


@pytest.fixture
def written(tmp_path: Path, restored_logging: None) -> Callable[[], list[Line]]:
    """Logs into a file; returns what reads its lines."""
    log_file = tmp_path / "logs" / "api.log"
    secrets = Settings(
        log_file=log_file,
        encryption_keys=SecretStr(f"{KEY_ONE},{KEY_TWO}"),
        temporal_api_key=SecretStr('tmprl"quoted'),
        database_url="postgresql://bursar_api:pa%24%24word@127.0.0.1/bursar",
    )
    logs.configure(secrets, "api")
    return lambda: [json.loads(line) for line in log_file.read_text().splitlines()]


def events(log_file: Path) -> list[str]:
    return [json.loads(line)["event"] for line in log_file.read_text().splitlines()]


def test_line_has_time_level_event_logger_part_and_the_bound_context(written: Callable[[], list[Line]]) -> None:
    with structlog.contextvars.bound_contextvars(request_id="req_1", org_id="org_1"):
        structlog.get_logger("bursar.api").info("request", status=200)
    [line] = written()
    assert list(line)[:5] == ["time", "level", "event", "logger", "part"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", str(line.pop("time")))
    assert line == {
        "level": "info",
        "event": "request",
        "logger": "bursar.api",
        "part": "api",
        "request_id": "req_1",
        "org_id": "org_1",
        "status": 200,
    }


@pytest.mark.parametrize("name", ["uvicorn", "uvicorn.error", "temporalio.worker", "sqlalchemy.pool", "alembic"])
def test_libraries_write_the_same_lines(written: Callable[[], list[Line]], name: str) -> None:
    with structlog.contextvars.bound_contextvars(request_id="req_1"):
        logging.getLogger(name).warning("took %d ms", 7, extra={"pool": "tenant"})
    [line] = written()
    assert (line["event"], line["logger"], line["level"]) == ("took 7 ms", name, "warning")
    assert (line["request_id"], line["pool"]) == ("req_1", "tenant")


def test_level_of_the_settings_holds_for_both_kinds(tmp_path: Path, restored_logging: None) -> None:
    log_file = tmp_path / "x.log"
    logs.configure(Settings(log_file=log_file, log_level="WARNING"), "api")
    structlog.get_logger("bursar").info("quiet")
    logging.getLogger("uvicorn").info("quiet")
    structlog.get_logger("bursar").warning("loud")
    assert events(log_file) == ["loud"]


def test_logger_made_before_configure_follows_it(tmp_path: Path, restored_logging: None) -> None:
    early = structlog.get_logger("bursar.early")
    logs.configure(Settings(log_file=tmp_path / "one.log"), "api")
    early.info("first")
    logs.configure(Settings(log_file=tmp_path / "two.log"), "api")
    early.info("second")
    logging.getLogger("uvicorn").warning("third")
    assert [json.loads(line)["event"] for line in (tmp_path / "one.log").read_text().splitlines()] == ["first"]
    assert [json.loads(line)["event"] for line in (tmp_path / "two.log").read_text().splitlines()] == [
        "second",
        "third",
    ]


SECRETS = [
    "bsk_01karsecretsecretsecret",
    "hunter2hunter2",
    "pa$$word",
    "pa%24%24word",
    'tmprl"quoted',
    KEY_ONE.partition(":")[2],
    KEY_TWO.partition(":")[2],
]


@pytest.mark.parametrize(
    "values",
    [
        {"key": "bsk_01karsecretsecretsecret"},
        {"detail": "the key bsk_01karsecretsecretsecret is unknown"},
        {"authorization": "hunter2hunter2"},
        {"headers": {"Authorization": "Bearer hunter2hunter2", "Cookie": "hunter2hunter2"}},
        {"header": "authorization: bearer hunter2hunter2"},
        {"header": "Basic aHVudGVyMmh1bnRlcjI= hunter"},
        {"api_key": 'hunter2"hunter2hunter2'},
        {"text": json.dumps({"client_secret": 'x"hunter2hunter2', "n": 1})},
        {"text": json.dumps({"client_secret": "hunter2hunter2\\", "n": 1})},
        {"text": json.dumps({"inner": json.dumps({"password": 'hunter2"hunter2hunter2'})})},
        {"text": str({"X-Api-Key": "hunter2hunter2"})},
        {"text": str([(b"authorization", b"hunter2hunter2")])},
        {"password": "hunter2hunter2"},
        {"nested": [{"deep": {"BURSAR_ENCRYPTION_KEYS": "hunter2hunter2"}}]},
        {"url": "redis://:hunter2hunter2@127.0.0.1:6379/0"},
        {"url": "postgresql+asyncpg://bursar:hunter2@hunter2hunter2@db/bursar?ssl=1"},
        {"url": "postgresql://bursar_api:pa%24%24word@127.0.0.1/bursar"},
        {"event_text": "cannot log in with pa$$word"},
        {"value": 'tmprl"quoted'},
        {"value": KEY_ONE},
        {"value": KEY_TWO.partition(":")[2]},
        {"error": ValueError("bad key bsk_01karsecretsecretsecret")},
    ],
)
def test_no_secret_is_written(written: Callable[[], list[Line]], values: dict[str, object]) -> None:
    structlog.get_logger("bursar").info("something", kept="kept", **values)
    logging.getLogger("library").warning("something %s", values, extra={"kept": "kept", **values})
    lines = written()
    text = json.dumps(lines, ensure_ascii=False)
    for secret in (*SECRETS, "aHVudGVyMmh1bnRlcjI"):
        assert secret not in text
        assert json.dumps(secret)[1:-1] not in text
    assert [line["kept"] for line in lines] == ["kept", "kept"]
    assert "***" in text


def test_secret_of_settings_is_masked_wherever_it_stands(written: Callable[[], list[Line]]) -> None:
    structlog.get_logger("bursar").info(f"opened with {KEY_ONE.partition(':')[2]} and pa$$word")
    [line] = written()
    assert line["event"] == "opened with *** and ***"


def test_traceback_is_one_field_without_secrets(written: Callable[[], list[Line]]) -> None:
    try:
        raise ValueError("postgresql://u:hunter2hunter2@db/x refused")
    except ValueError:
        structlog.get_logger("bursar").exception("failed")
        logging.getLogger("library").exception("failed")
    for line in written():
        assert "Traceback" in str(line["exception"])
        assert "postgresql://u:***@db/x refused" in str(line["exception"])


@pytest.mark.parametrize(
    "text",
    ["/@ " + "://:" * 200_000, "bsk_ " + "\\" * 400_000, 'secret\\"' * 100_000, 'password": "' * 50_000],
    ids=["urls", "backslashes", "quotes", "members"],
)
def test_long_hostile_line_is_searched_in_linear_time(text: str) -> None:
    # Quadratic time would take minutes here, and meet the limit that every test has.
    line = json.dumps({"path": text, "password": "hunter2hunter2"})
    redacted = logs.Redactor()(line)
    assert "hunter2" not in redacted
    assert "***" in redacted


def test_ordinary_values_are_left_alone(written: Callable[[], list[Line]]) -> None:
    ordinary = {
        "path": "/api/v1/api-keys/key_01kar",
        "url": "http://127.0.0.1:8233/namespaces/default/workflows",
        "email_like": "procurement@acme",
        "workflow_id": "escrow/ctr_01karsk3a0q8t6c5v1x2y3z4w5",
        "sha256": "b5bb9d8014a0f9b1d61e21e796d78dccdf1352f23cd32812f4850b878ae4944c",
        "time_taken": "12:30:45",
    }
    structlog.get_logger("bursar").info("bearer of news; basic idea", **ordinary)
    [line] = written()
    assert line["event"] == "bearer of news; basic idea"
    assert {name: line[name] for name in ordinary} == ordinary


def test_value_without_a_json_form_is_written_as_text(written: Callable[[], list[Line]]) -> None:
    structlog.get_logger("bursar").info("odd", value={1, 2}, raw=b"x", event_id=object)
    [line] = written()
    assert line["value"] == "{1, 2}"


@pytest.mark.db
async def test_failed_statement_is_logged_without_its_parameters(
    database_urls: DatabaseUrls, written: Callable[[], list[Line]]
) -> None:
    database = Database(database_urls.tenant, database_urls.platform)
    address, at = "kim.possible@example.com", datetime(2026, 1, 5, tzinfo=UTC)
    contacts = OrganizationContacts(
        org_id="org_nobody", language="en", contacts=[{"email": address}], updated_by="kim", updated_at=at
    )
    with pytest.raises(IntegrityError) as unknown:
        async with database.platform() as session:
            session.add(contacts)
    await database.close()
    assert address not in str(unknown.value)
    said = f"duplicate key value\nDETAIL:  Key (address)=({address}) already exists.\nCONTEXT:  a function"
    log = logging.getLogger("temporalio.activity")
    log.warning("Completing activity as failed", exc_info=unknown.value)
    log.warning(said)
    log.warning(f'DETAIL:  Failing row contains (1, {{"name": "Bob", "to": "{address}"}}, Street 1\nBerlin {address}).')
    first, second, third = map(str, written())
    assert [address in each for each in (first, second, third)] == [False] * 3
    assert ("CONTEXT:  a function" in second, "Berlin" in third) == (True, False)


def test_process_that_dies_leaves_a_line(tmp_path: Path) -> None:
    log_file = tmp_path / "x.log"
    code = (
        "from pathlib import Path; from runtime import logs; from runtime.settings import Settings\n"
        f"logs.configure(Settings(log_file=Path({str(log_file)!r})), 'worker')\n"
        "raise RuntimeError('lost postgresql://u:hunter2@db/x')\n"
    )
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert finished.returncode == 1
    [line] = [json.loads(text) for text in log_file.read_text().splitlines()]
    assert (line["level"], line["part"]) == ("critical", "worker")
    assert "RuntimeError: lost postgresql://u:***@db/x" in line["exception"]


def test_warnings_stay_errors_in_tests(written: Callable[[], list[Line]]) -> None:
    with pytest.raises(UserWarning):
        warnings.warn("still an error", stacklevel=1)
    assert written() == []


def test_names_that_cannot_be_seen_are_escaped_and_lose_nothing(
    written: Callable[[], list[Line]], tmp_path: Path
) -> None:
    name = "Ac\u200bme \u202egnp.exe \x9b31m\u2028\x7f"
    structlog.get_logger("bursar.api").info("organization", name=name)
    raw = (tmp_path / "logs" / "api.log").read_text("utf-8")
    assert raw.isascii()
    assert "Ac\\u200bme \\u202egnp.exe \\u009b31m\\u2028\\u007f" in raw
    assert written()[0]["name"] == name


def test_key_in_the_address_of_a_node_is_masked() -> None:
    settings = Settings(
        evm_rpc_url="https://mainnet.example/v3/0123456789abcdef0123456789abcdef",
        otlp_endpoint="https://collector.example/v1?token=0123456789abcdef",
        esplora_url="https://blockstream.info/api",
    )
    redact = logs.Redactor(logs.secrets_of(settings))
    line = redact(f"{settings.evm_rpc_url} {settings.otlp_endpoint} {settings.esplora_url}")
    assert line == "https://mainnet.example/v3/*** https://collector.example/v1?*** https://blockstream.info/api"


VISA, SPACED = "4242424242424242", "4242 4242 4242 4242"


def test_card_number_is_taken_out_of_every_value(written: Callable[[], list[Line]]) -> None:
    log = structlog.get_logger("bursar.api")
    log.info(f"paid with {SPACED}.", amount=int(VISA), note="4242\n4242\t4242-4242", more={VISA: [float(VISA), SPACED]})
    try:
        raise ValueError(f"no {SPACED}")
    except ValueError:
        logging.getLogger("library").exception("failed on %s", VISA, extra={"number": "\u200b".join(VISA)})
    log.info("said", thing=Path(f"/{VISA}"), seconds=0.4242424242424242, org_id="org_1")
    paid, failed, said = written()
    assert paid["event"] == "paid with [card number]."
    assert paid["amount"] == "[card number]"
    assert paid["note"] == "[card number]"
    assert paid["more"] == {"[card number]": ["[card number]", "[card number]"]}
    assert failed["event"] == "failed on [card number]"
    assert failed["number"] == "[card number]"
    assert "ValueError: no [card number]" in str(failed["exception"])
    assert (said["thing"], said["seconds"], said["org_id"]) == ("/[card number]", 0.4242424242424242, "org_1")
