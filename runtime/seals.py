"""Payload converters that copy the codec's verification into the message: the operator's seal, or its absence.

Sender-set values are overwritten. Nothing is refused here, because a replay decodes the same payloads again, also
those older than the keys. The writer of the event decides.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError
from temporalio.api.common.v1 import Payload
from temporalio.contrib.pydantic import PydanticPayloadConverter
from temporalio.converter import EncodingPayloadConverter

from contracts.common.seal import Seal
from contracts.escrow.escrow import EscrowCommand, OperatorSignal
from contracts.payments.payment import PaymentCommand
from runtime.codec import ENCODING, SEAL, UNOPENED, UNSEALED, SealedPayloadError

#: Converters by encoding, shared because the SDK creates a converter for each activation of a run, some sixteen for an
#: escrow, and pydantic's prepared types are cached in them.
_BY_ENCODING = tuple(PydanticPayloadConverter().converters.values())


class OpenPayloadConverter(PydanticPayloadConverter):
    """Converter without encryption: no sender is verified, whatever a payload claims."""

    def __init__(self) -> None:
        self._set_converters(*_BY_ENCODING)

    def from_payloads(self, payloads: Sequence[Payload], type_hints: list[type] | None = None) -> list[Any]:
        values = super().from_payloads(payloads, type_hints)
        return [_sealed_by(value, None) if isinstance(value, OperatorSignal) else value for value in values]


class UnopenedPayloadConverter(EncodingPayloadConverter):
    """Converter that raises for a payload that no key opens."""

    @property
    def encoding(self) -> str:
        return ENCODING.decode()

    def to_payload(self, value: Any) -> Payload | None:  # noqa: ARG002
        return None

    def from_payload(self, payload: Payload, type_hint: type | None = None) -> Any:  # noqa: ARG002
        """Raise the reason.

        Raises:
            SealedPayloadError: with the codec's reason.
        """
        raise SealedPayloadError(payload.metadata.get(UNOPENED, b"").decode() or "A sealed payload was not decrypted.")


class SealedPayloadConverter(PydanticPayloadConverter):
    """Converter after the codec, which has marked payloads as sealed, unsealed or unopenable."""

    def __init__(self) -> None:
        self._set_converters(*_BY_ENCODING, UnopenedPayloadConverter())

    def from_payloads(self, payloads: Sequence[Payload], type_hints: list[type] | None = None) -> list[Any]:
        """Decode messages: set a signal's seal, and mark a command's actor as a claim unless the product sealed it."""
        values = super().from_payloads(payloads, type_hints)
        return [_marked(value, payload) for value, payload in zip(values, payloads, strict=True)]


def _marked(value: Any, payload: Payload) -> Any:
    if isinstance(value, OperatorSignal):
        return _sealed_by(value, _seal_of(payload))
    # Commands come from the product itself, which seals them without an operator's name.
    if isinstance(value, EscrowCommand | PaymentCommand) and (UNSEALED in payload.metadata or SEAL in payload.metadata):
        return value.model_copy(update={"actor": dataclasses.replace(value.actor, claimed=True)})
    return value


def _sealed_by(signal: OperatorSignal, seal: Seal | None) -> OperatorSignal:
    return signal.model_copy(update={"seal": seal})


def _seal_of(payload: Payload) -> Seal | None:
    written = payload.metadata.get(SEAL)
    try:
        return None if written is None else Seal.model_validate_json(written)
    except ValidationError:
        return None
