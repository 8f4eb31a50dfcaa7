"""Structured logs of product and libraries: one JSON object per line, without secrets.

Fields: `time` (RFC 3339, UTC, milliseconds), `level`, `event`, `logger`, `part`, and what is bound to the context:
`request_id`, `org_id`, `workflow_id`, `activity`. Product code takes `structlog.get_logger("bursar.<part>")` and passes
values as keywords; workflow code logs through `workflow.logger`, which is silent during replay.

Redaction runs on the finished line, so it also covers messages of libraries and tracebacks; card numbers are removed
from the values, where their context is known. Invisible, bidirectional and control characters are escaped, because
older stored names were not validated.
"""

import json
import logging
import re
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, TextIO
from urllib.parse import unquote, urlsplit

import structlog
from pydantic import SecretStr
from structlog.typing import EventDict, ExcInfo, Processor
from temporalio import activity, workflow

from domain.common.text import escape_invisible
from domain.privacy.card_numbers import may_contain_card_number, redacted, without_card_numbers
from runtime.settings import Settings

MASK = "***"

#: Libraries that are too verbose at the product's level.
QUIET: dict[str, int] = {
    "sqlalchemy.engine": logging.WARNING,
    "asyncio": logging.WARNING,
    "httpx2": logging.WARNING,
    # It logs whole heads of answers, with what a server repeats of a secret.
    "httpcore2": logging.WARNING,
    "stripe": logging.WARNING,
    "urllib3": logging.WARNING,
    "opentelemetry": logging.WARNING,
}

_SECRET_FIELD = (
    r"[\w-]*(?:authorization|password|passwd|secret|api[_-]?key|encryption[_-]?keys?|private[_-]?key|cookie"
    r"|access[_-]?token|refresh[_-]?token|client[_-]?token)"
)

#: Patterns of secrets in a finished line, and their replacements.
_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    # A JSON member whose name says that its value is a secret,
    (re.compile(rf'("{_SECRET_FIELD}":\s*)"(?:[^"\\]|\\.)*"', re.IGNORECASE), rf'\1"{MASK}"'),
    # the same in a JSON text that is itself a string of the line, however often its quotes are escaped (it begins where
    # the backslashes do: to begin at each of them would take quadratic time),
    (
        re.compile(rf'(?<!\\)(\\+)"({_SECRET_FIELD})\1"(:\s*)\1"(?:[^"\\]|\\.)*?(?:(?<!\\)\1"|(?="))', re.IGNORECASE),
        rf'\1"\2\1"\3\1"{MASK}\1"',
    ),
    # and the same in a Python mapping, as libraries print headers.
    (re.compile(rf"(b?'{_SECRET_FIELD}'\s*[:,]\s*b?)'[^']*'", re.IGNORECASE), rf"\1'{MASK}'"),
    # Credentials of HTTP authentication, anywhere.
    (re.compile(r"\b(Bearer|Basic)\s+[A-Za-z0-9._~+/=-]{6,}", re.IGNORECASE), rf"\1 {MASK}"),
    # API keys of Bursar, and the tokens of sessions and of links.
    (re.compile(r"\b(bs[ksl])_[A-Za-z0-9_-]+"), rf"\1_{MASK}"),
    # The password of a URL, up to the last @ before its host; bounded, or `://:` again and again takes quadratic time.
    (re.compile(r"(://[^\s:/@\"'\\]{0,256}):[^\s\"'\\]{0,512}@"), rf"\1:{MASK}@"),
    # The row or the key that PostgreSQL refused, as it repeats it.
    (
        re.compile(
            r"(DETAIL: +(?:Failing row contains|Key) )\("
            r'(?:(?!\\n(?:HINT|CONTEXT|QUERY|LOCATION|SCHEMA|TABLE)\b)(?:\\.|[^"\\]))*'
        ),
        rf"\1{MASK}",
    ),
    # Encryption keys as in the setting: id and 32 bytes in base64.
    (re.compile(r"\b([A-Za-z0-9._-]{1,64}):[A-Za-z0-9+/_-]{43}=?(?![A-Za-z0-9+/_=-])"), rf"\1:{MASK}"),
)

#: Words that most lines lack; one regular expression for all costs ten times as much.
_SUSPECT_WORDS = (
    *("bsk_", "bss_", "bsl_", "bearer", "basic", "authorization", "passw", "secret", "cookie", "token"),
    *("apikey", "api_key", "api-key", "encryptionkey", "encryption_key", "encryption-key"),
    *("privatekey", "private_key", "private-key", "detail: "),
)
_LONG_VALUE = re.compile(r":[A-Za-z0-9+/_-]{43}")


def _suspect(line: str) -> bool:
    lower = line.lower()
    return (
        any(word in lower for word in _SUSPECT_WORDS)
        or ("@" in line and "://" in line)
        or _LONG_VALUE.search(line) is not None
    )


#: Minimum length of a part of a URL that counts as a key.
LENGTH_OF_A_KEY = 20


class Redactor:
    """Removes secrets from finished lines: by pattern, and the known secret settings of this process."""

    def __init__(self, literals: Iterable[str] = ()) -> None:
        """Take the known secrets; those of fewer than six characters would mask ordinary words, and are ignored."""
        forms: set[str] = set()
        for literal in literals:
            if len(literal) >= 6:
                forms |= {literal, json.dumps(literal)[1:-1], json.dumps(literal, ensure_ascii=False)[1:-1]}
        self._literals = (
            re.compile("|".join(re.escape(f) for f in sorted(forms, key=len, reverse=True))) if forms else None
        )

    def __call__(self, line: str) -> str:
        """Return the line with every secret replaced by `***`."""
        if self._literals is not None:
            line = self._literals.sub(MASK, line)
        if _suspect(line):
            for pattern, replacement in _PATTERNS:
                line = pattern.sub(replacement, line)
        return line


def secrets_of(settings: Settings) -> list[str]:
    """List the secret values in the settings: secret fields, each key of a key list, passwords and keys in URLs."""
    found: list[str] = []
    for name, value in settings:
        if isinstance(value, SecretStr):
            text = value.get_secret_value()
            found.append(text)
            found.extend(part.partition(":")[2].strip() for part in text.split(",") if ":" in part)
        elif isinstance(value, str) and "://" in value:
            address = urlsplit(value)
            if address.password:
                found.extend({address.password, unquote(address.password)})
            if not Settings.model_fields[name].repr:
                # Services of nodes and collectors put their keys into the path or the query.
                found.append(address.query)
                found.extend(part for part in address.path.split("/") if len(part) >= LENGTH_OF_A_KEY)
    return [text for text in found if text]


class _Sink:
    """Output of log lines, one for the process, so that loggers created before `configure` use it, too."""

    def __init__(self) -> None:
        self.stream: TextIO | None = None
        self.redact: Callable[[str], str] = Redactor()
        self.part = ""
        self._lock = threading.Lock()

    def write(self, line: str) -> None:
        stream = self.stream or sys.stdout
        with self._lock:
            stream.write(line + "\n")
            stream.flush()


_SINK = _Sink()


class _Logger:
    """Receives the finished line from structlog."""

    def __init__(self, name: str = "bursar") -> None:
        self.name = name

    def msg(self, line: str) -> None:
        _SINK.write(line)

    log = debug = info = warning = warn = error = critical = fatal = exception = failure = msg


def _add_logger_name(logger: Any, method: str, event: EventDict) -> EventDict:  # noqa: ARG001
    event["logger"] = logger.name
    return event


def _render(logger: Any, method: str, event: EventDict) -> str:  # noqa: ARG001
    """Render the event as a JSON line, common fields first, without secrets."""
    line = {
        "time": event.pop("time", None) or _timestamp(None),
        "level": event.pop("level", "info"),
        "event": event.pop("event", ""),
        "logger": event.pop("logger", ""),
        "part": _SINK.part,
        **event,
    }
    return escape_invisible(_SINK.redact(_written(line)))


def _written(line: Mapping[str, Any]) -> str:
    """Remove card numbers from a line. One scan is enough for most lines; those with JSON escapes are parsed."""
    text = json.dumps(line, default=str, ensure_ascii=False)
    if "\\" not in text and not may_contain_card_number(text):
        return text
    return json.dumps(without_card_numbers(line), default=lambda thing: redacted(str(thing)), ensure_ascii=False)


def _timestamp(seconds: float | None) -> str:
    moment = datetime.now(UTC) if seconds is None else datetime.fromtimestamp(seconds, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


_SHARED: tuple[Processor, ...] = (structlog.contextvars.merge_contextvars, structlog.processors.format_exc_info)

_PRODUCT: tuple[Processor, ...] = (*_SHARED, structlog.processors.add_log_level, _add_logger_name, _render)

#: Members of every record of the standard library; all others were passed as `extra`.
_RECORD_FIELDS = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName", "color_message"}


class _RecordFormatter(logging.Formatter):
    """Formats a record of the standard library like a line of the product."""

    def format(self, record: logging.LogRecord) -> str:
        event: EventDict = {"time": _timestamp(record.created), "level": record.levelname.lower()}
        event["event"] = record.getMessage()
        event["logger"] = record.name
        for name, value in record.__dict__.items():
            if name not in _RECORD_FIELDS:
                event.update(_temporal_fields(value) if name.startswith("temporal_") else {name: value})
        if record.exc_info:
            event["exc_info"] = record.exc_info
        if record.stack_info:
            event["stack"] = record.stack_info
        for processor in _SHARED:
            event = processor(None, event["level"], event)  # type: ignore[assignment]
        return _render(None, "", event)


#: Logged details of the Temporal SDK's records, and their names.
_TEMPORAL_FIELDS = {
    "workflow_id": "workflow_id",
    "run_id": "run_id",
    "workflow_run_id": "run_id",
    "workflow_type": "workflow",
    "activity_type": "activity",
    "attempt": "attempt",
    "update_id": "update_id",
    "update_name": "update",
}


def _temporal_fields(details: object) -> dict[str, object]:
    if not isinstance(details, Mapping):
        return {}
    return {ours: details[theirs] for theirs, ours in _TEMPORAL_FIELDS.items() if theirs in details}


class _SinkHandler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        try:
            _SINK.write(self.format(record))
        except Exception:
            self.handleError(record)


def configure(settings: Settings, part: str) -> None:
    """Send all logs of this process to `settings.log_file`, or to standard output, as JSON lines.

    Each composition root calls it first; another call redirects the logs. Several processes may append to one file.

    Args:
        settings: level, file and secrets to redact.
        part: the name of the process in every line: `api`, `worker`, `migrate`.
    """
    previous = _SINK.stream
    _SINK.stream = _open(settings)
    _SINK.redact = Redactor(secrets_of(settings))
    _SINK.part = part
    if previous is not None:
        previous.close()

    level = logging.getLevelNamesMapping()[settings.log_level]
    structlog.configure(
        processors=list(_PRODUCT),
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=_Logger,
        cache_logger_on_first_use=False,
    )
    handler = _SinkHandler()
    handler.setFormatter(_RecordFormatter())
    root = logging.getLogger()
    for old in [h for h in root.handlers if isinstance(h, _SinkHandler)]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level)
    for name, quiet in QUIET.items():
        logging.getLogger(name).setLevel(max(level, quiet))
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        # Uvicorn installs its own handlers; its lines must go to our output.
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True
    # The details travel as fields, not as text behind the message.
    workflow.logger.workflow_info_on_message = False
    activity.logger.activity_info_on_message = False
    sys.excepthook = _log_uncaught


def _open(settings: Settings) -> TextIO | None:
    if settings.log_file is None:
        return None
    settings.log_file.parent.mkdir(parents=True, exist_ok=True)
    return settings.log_file.open("a", encoding="utf-8")


def _log_uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Log the exception that ends the process."""
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
        return
    exc_info: ExcInfo = (kind, error, trace)
    structlog.get_logger("bursar").critical("process ends on an error", exc_info=exc_info)
