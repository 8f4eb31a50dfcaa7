"""Reading of the settings from the environment, with error messages."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from runtime.environment import WrongEnvironment, documented_settings, temporal_settings
from runtime.settings.part import PREFIX
from runtime.settings.whole import Settings

#: Variables with our prefix that the embedded stack, tests and benchmarks read.
OF_THE_STACK = frozenset(
    {
        *("BURSAR_BACKUP_DIR", "BURSAR_DATA_DIR", "BURSAR_POSTGRES_BIN"),
        *("BURSAR_TEMPORAL_PORT", "BURSAR_TEMPORAL_UI_PORT"),
        *(
            "BURSAR_STRIPE_SANDBOX_PORT",
            "BURSAR_PAYPAL_SANDBOX_PORT",
            "BURSAR_CHAINS_SANDBOX_PORT",
            "BURSAR_LITELLM_SANDBOX_PORT",
            "BURSAR_MAIL_SANDBOX_PORT",
            "BURSAR_MAIL_SANDBOX_SMTP_PORT",
            "BURSAR_VIES_SANDBOX_PORT",
            "BURSAR_SLACK_SANDBOX_PORT",
            "BURSAR_SEARCH_SANDBOX_PORT",
        ),
    }
)
#: Variables of the Python client, which are allowed in the environment of commands.
OF_THE_CLIENT = frozenset({"BURSAR_API_KEY", "BURSAR_API_URL"})
OF_TESTS = (
    "BURSAR_TEST_",
    "BURSAR_RECORD",
    "BURSAR_WRITE_",
    "BURSAR_BENCH_",
    "BURSAR_FAULTS_",
    "BURSAR_PAYPAL_OPENAPI",
)


class WrongSettings(Exception):
    """Invalid settings. Each line names one and what to do, without secrets."""

    def __init__(self, lines: Sequence[str]) -> None:
        super().__init__("\n".join(lines))
        self.lines = tuple(lines)


def read_settings(given: Mapping[str, str] | None = None) -> Settings:
    """Read the settings: given ones, then the environment, then the files of `BURSAR_SECRETS_DIR`.

    A missing setting is read under its alternative names, see `runtime.environment`.

    Raises:
        WrongSettings: a setting is invalid, or a variable with our prefix is unknown.
    """
    given = given or {}
    names = {f"{PREFIX}{field.upper()}": field for field in Settings.model_fields}
    surroundings = {name: value for name, value in {**os.environ, **given}.items() if value}
    first: dict[str, Any] = {names[name]: value for name, value in given.items() if value and name in names}
    folder = surroundings.get(f"{PREFIX}SECRETS_DIR")
    lines: list[str] = []
    files: list[str] = []
    if folder and not Path(folder).is_dir():
        lines.append(f"{PREFIX}SECRETS_DIR={folder[:100]!r}: It is not a directory.")
    elif folder:
        first["_secrets_dir"] = folder
        files = [path.name for path in Path(folder).iterdir()]
    lines += [_unknown(name, names) for name in sorted([*surroundings, *files]) if _is_unknown(name, names)]
    try:
        settings = _with_others(Settings(**first), first, surroundings)
    except ValidationError as refusal:
        lines += [line for error in refusal.errors(include_url=False) for line in _described(error)]
    except WrongEnvironment as wrong:
        lines.append(str(wrong))
    if lines:
        raise WrongSettings(lines)
    return settings


def _with_others(settings: Settings, first: Mapping[str, Any], environment: Mapping[str, str]) -> Settings:
    connection, options = temporal_settings(environment)
    missing = {
        field: value
        for field, value in {**documented_settings(environment), **connection}.items()
        if field not in settings.model_fields_set
    }
    if missing:
        settings = Settings(**first, **missing)
    settings._temporal_options = options
    return settings


@contextmanager
def ended_by_wrong_settings() -> Iterator[None]:
    try:
        yield
    except WrongSettings as wrong:
        raise SystemExit("\n".join(f"error: {line}" for line in wrong.lines)) from None


def _is_unknown(name: str, names: Mapping[str, str]) -> bool:
    upper = name.upper()
    if not upper.startswith(PREFIX) or upper.startswith(OF_TESTS):
        return False
    return upper not in names and upper not in OF_THE_STACK | OF_THE_CLIENT


def _unknown(name: str, names: Mapping[str, str]) -> str:
    near = get_close_matches(name.upper(), [*names, *OF_THE_STACK], n=1, cutoff=0.75)
    return f"{name} is not a setting; " + (
        f"do you mean {near[0]}?" if near else "docs/reference/settings.md lists all."
    )


def _described(error: Mapping[str, Any]) -> list[str]:
    lines = [" ".join(line.split()) for line in error["msg"].removeprefix("Value error, ").splitlines()]
    if not error["loc"]:
        return lines
    name = str(error["loc"][0])
    field = Settings.model_fields[name]
    hidden = not field.repr or "SecretStr" in str(field.annotation)
    value = "" if hidden else f"={str(error['input'])[:100]!r}"
    return [f"{PREFIX}{name.upper()}{value}: {' '.join(lines)}"]
