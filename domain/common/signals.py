"""Checks of an operator's signal before it counts as a command."""

from dataclasses import dataclass

from domain.common.errors import Conflict, Invalid


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalTarget:
    """The object that a signal reached.

    Attributes:
        kind: its kind, the prefix of error codes.
        state: its status, for the refusal.
        asks_for_name: whether its terms refuse signals without the operator's name.
    """

    kind: str
    id: str
    state: str
    asks_for_name: bool


def check_signal(reached: SignalTarget, name: str, *, subject: object, operator: str | None, sealed: bool) -> None:
    """Refuse a signal for another object, or one without a required operator name.

    Args:
        reached: the object that received the signal.
        name: the signal's name, also the name of the field with the intended object's id.
        subject: the intended object, if the signal names one.
        operator: the sender; None if unknown.
        sealed: whether an operator sealed it. A sealed signal could be copied from another run, so it must name this
            one.

    Raises:
        Conflict: `….signal_for_another`.
        Invalid: `….signal_unaddressed`, `….operator_unnamed`.
    """
    state, kind = {"state": reached.state}, reached.kind
    if subject is None and sealed:
        raise Invalid(
            f"A sealed signal must name the {kind} that it is for. Add {name}: {reached.id}.",
            code=f"{kind}.signal_unaddressed",
            extra={**state, "field": name},
        )
    if subject is not None and subject != reached.id:
        raise Conflict(
            f"The signal is for another {kind}; this is {reached.id}.", code=f"{kind}.signal_for_another", extra=state
        )
    if operator is None and reached.asks_for_name:
        raise Invalid(
            "operator is required. Send the signal again with your name in the field operator.",
            code=f"{kind}.operator_unnamed",
            extra={**state, "field": "operator"},
        )
