"""Which rotator fits which secret, and where it may go. Pure."""

import json
from collections.abc import Collection, Mapping
from typing import Any

from domain.common.errors import Invalid
from domain.secrets.rotation import RotationPlan, RotatorName
from domain.secrets.secret import SecretKind, check_host, check_path
from domain.secrets.secret_use.request import read_request

#: The document that ends the rotation of a secret.
OFF: Mapping[str, Any] = {"rotator": "off"}
#: The placeholders that stand for values.
NEW, CURRENT = "{{new}}", "{{current}}"
_KINDS = {RotatorName.BURSAR: SecretKind.API_KEY, RotatorName.POSTGRES: SecretKind.LOGIN}


def check_plan(plan: RotationPlan, kind: SecretKind, hosts: Collection[str]) -> None:
    """Refuse a plan that does not fit its secret.

    Raises:
        Invalid: the kind is wrong, a host is none of the secret's, or a request would not do what its step says.
    """
    if plan.rotator in _KINDS and kind is not _KINDS[plan.rotator]:
        raise _wrong(
            f"The rotator {plan.rotator.value} replaces secrets of the kind {_KINDS[plan.rotator].value} only."
        )
    if kind is SecretKind.REFERENCE and plan.rotator is not RotatorName.MANUAL:
        raise _wrong("A reference is no value that could be made. Choose the rotator manual.")
    if plan.rotator is RotatorName.POSTGRES:
        _check_postgres(plan.target, hosts)
    if plan.rotator is RotatorName.HTTP:
        for name, step in plan.target.items():
            _check_step(name, step, hosts)


def _check_postgres(target: Mapping[str, Any], hosts: Collection[str]) -> None:
    check_path(target["admin"])
    if len(set(target["roles"])) != 2:
        raise _wrong("The rotator postgres needs two different roles, which alternate.")
    check_host(host_of(target))
    if hosts and host_of(target) not in hosts:
        raise _wrong(f"{host_of(target)} is none of the secret's hosts. Add it to hosts.")


def host_of(target: Mapping[str, Any]) -> str:
    """Return the host of a database as secrets name it, with its port."""
    return f"{target['host'].lower()}:{target['port']}".removesuffix(":443")


def _check_step(name: str, step: Mapping[str, Any], hosts: Collection[str]) -> None:
    if NEW in step["url"] or CURRENT in step["url"]:
        raise _wrong(f"{name}: a value never stands in an address. Place it in a header or in the body.")
    # Whether plain HTTP to this machine is allowed is judged when the request is made.
    headers = step.get("headers") or {}
    request = read_request(step["method"], step["url"], headers, None, local=True)
    if request.host not in hosts:
        raise _wrong(f"{name}: {request.host} is none of the secret's hosts. Add it to hosts.")
    if name in {"apply", "test"} and NEW not in json.dumps([headers, step.get("body")]):
        raise _wrong(f"{name}: {NEW} stands neither in a header nor in the body.")


def _wrong(detail: str) -> Invalid:
    return Invalid(detail, extra={"field": "rotation"})
