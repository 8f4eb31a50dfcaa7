"""Signing in without a key, on a developer's machine: the embedded stack says whose keys it has made.

The settings refuse the file wherever it could be reached from outside or a provider is real
(`Settings.console_seed`); beside that the browser must have come by a name of this machine, each time.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from starlette.requests import Request

from console.cookies import is_loopback
from console.texts import N_, gettext

#: The names of the stack's keys, and who they are in words.
PERSONAS = {
    "client": N_("Acme, owner"),
    "finance": N_("Acme, finance"),
    "auditor": N_("Acme, auditor"),
    "studio": N_("Studio, author"),
    "agent": N_("Studio, agent"),
    "operator": N_("Platform, operator"),
    "second_operator": N_("Platform, second operator"),
    "arbiter": N_("Platform, arbiter"),
    "validator": N_("Platform, validator"),
    "platform_auditor": N_("Platform, auditor"),
}


@dataclass(frozen=True, slots=True)
class Persona:
    name: str
    label: str


def personas(request: Request, seed: Path | None) -> tuple[Persona, ...]:
    """Return the principals that this browser can continue as; none without a file, or for a remote browser."""
    if seed is None or not is_loopback(request):
        return ()
    keys = _keys(seed)
    return tuple(Persona(name, gettext(label)) for name, label in PERSONAS.items() if name in keys)


def key_of(request: Request, seed: Path | None, name: str) -> str | None:
    if seed is None or name not in PERSONAS or not is_loopback(request):
        return None
    return _keys(seed).get(name)


def _keys(seed: Path) -> dict[str, str]:
    """Read the file each time: the stack goes on writing it after the process has started."""
    try:
        found: dict[str, str] = json.loads(seed.read_text("utf-8"))["keys"]
    except (OSError, ValueError, KeyError):
        return {}
    return found
