"""The protocol of rotators: what replaces a secret's value at its target, step by step.

Every method that changes the target may be called again after it has taken effect, with the same values: the second
call changes nothing. A `TargetRefused` is asked again within the time of the step, any other `RotationFailed` is final
at once, and both are rolled back; any other error is an outage and is tried again. No error and no log has a value in
it.
"""

from collections.abc import Awaitable, Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from providers.judged import Receivers

#: Who judges addresses for an organization, by its id.
ReceiversOf = Callable[[str], Receivers]


@dataclass(frozen=True, slots=True, kw_only=True)
class RotationJob:
    """One rotation of one secret.

    Attributes:
        path: of the secret.
        kind: of the secret; the value of a `login` is JSON with `username` and `password`.
        hosts: where the secret may be sent.
        number: of the version that is made.
        target: what the plan has for the rotator.
        read: opens another secret of the organization by its path, to be sent to a host.
    """

    org_id: str
    secret_id: str
    path: str
    kind: str
    hosts: tuple[str, ...]
    number: int
    target: Mapping[str, Any]
    read: Callable[[str, str], Awaitable[bytes]]


class Rotator(Protocol):
    """Replaces a value at its target."""

    async def make(self, job: RotationJob, current: bytes) -> bytes:
        """Return a new value; the target does not know it yet."""

    async def apply(self, job: RotationJob, current: bytes, new: bytes) -> None:
        """Have the target take the new value."""

    async def test(self, job: RotationJob, new: bytes) -> None:
        """Have seen the target take the new value."""

    async def put_back(self, job: RotationJob, current: bytes, new: bytes) -> None:
        """Have the target take the current value, and no more the new one, as far as it can."""

    async def revoke(self, job: RotationJob, current: bytes, old: bytes) -> None:
        """Have the target take the old value no more."""

    def subject(self, value: bytes) -> Hashable:
        """Return what a value opens, such as the role of a login: what is revoked is not what is in use."""


class ManualRotator:
    """Leaves the target to a person, who has set the value before it is sent to Bursar."""

    async def make(self, job: RotationJob, current: bytes) -> bytes:
        """Never called: the value comes from a person."""
        raise NotImplementedError

    async def apply(self, job: RotationJob, current: bytes, new: bytes) -> None:
        """Change nothing."""

    async def test(self, job: RotationJob, new: bytes) -> None:
        """Try nothing."""

    async def put_back(self, job: RotationJob, current: bytes, new: bytes) -> None:
        """Change nothing."""

    async def revoke(self, job: RotationJob, current: bytes, old: bytes) -> None:
        """Change nothing."""

    def subject(self, value: bytes) -> Hashable:
        """Return the value itself."""
        return value
