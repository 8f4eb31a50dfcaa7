"""Protocol of rotators, which replace a secret's value at its target, step by step.

Every method that changes the target is idempotent for the same values. A `TargetRefused` is retried within the time
limit of the step, any other `RotationFailed` is final, and both are rolled back; any other error is an outage and is
retried. No error and no log contains a value.
"""

from collections.abc import Awaitable, Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from providers.judged import Receivers

#: Returns the address check of an organization, by its id.
ReceiversOf = Callable[[str], Receivers]


@dataclass(frozen=True, slots=True, kw_only=True)
class RotationJob:
    """Rotation of a secret, as input of a rotator.

    Attributes:
        path: of the secret.
        kind: of the secret; the value of a `login` is JSON with `username` and `password`.
        hosts: the allowed hosts of the secret.
        number: of the new version.
        target: the parameters of the plan.
        read: opens another secret of the organization by its path, for a host.
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
        """Return a new value, not yet set at the target."""

    async def apply(self, job: RotationJob, current: bytes, new: bytes) -> None:
        """Set the new value at the target."""

    async def test(self, job: RotationJob, new: bytes) -> None:
        """Check that the new value works at the target."""

    async def put_back(self, job: RotationJob, current: bytes, new: bytes) -> None:
        """Roll back: the target accepts the current value, and if possible no longer the new one."""

    async def revoke(self, job: RotationJob, current: bytes, old: bytes) -> None:
        """Revoke the old value at the target."""

    def subject(self, value: bytes) -> Hashable:
        """Return the account of a credential, such as the role of a login; the one in use is never revoked."""


class ManualRotator:
    """Rotator without effect: a person sets the value at the target before sending it to Bursar."""

    async def make(self, job: RotationJob, current: bytes) -> bytes:
        """Raise: the value comes from a person."""
        raise NotImplementedError

    async def apply(self, job: RotationJob, current: bytes, new: bytes) -> None:
        """Change nothing."""

    async def test(self, job: RotationJob, new: bytes) -> None:
        """Test nothing."""

    async def put_back(self, job: RotationJob, current: bytes, new: bytes) -> None:
        """Change nothing."""

    async def revoke(self, job: RotationJob, current: bytes, old: bytes) -> None:
        """Change nothing."""

    def subject(self, value: bytes) -> Hashable:
        """Return the value itself."""
        return value
