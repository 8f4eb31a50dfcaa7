"""What the signal of an operator has to say before it counts as a command."""

from dataclasses import dataclass

from domain.common.errors import Conflict, Invalid


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalTarget:
    """The object that a signal reached.

    Attributes:
        kind: what it is; its codes begin with it.
        state: its status, for the refusal.
        asks_for_name: its terms refuse signals without the operator's name.
    """

    kind: str
    id: str
    state: str
    asks_for_name: bool


def check_signal(reached: SignalTarget, name: str, *, subject: object, operator: str | None, sealed: bool) -> None:
    """Refuse a signal that is for another object, or that does not name its sender where it must.

    Args:
        reached: what the signal reached.
        name: the signal's name, which is that of the field that names what it is meant for.
        subject: what the signal names as its addressee, if it names one.
        operator: who sends it; None when that cannot be read from it.
        sealed: an operator sealed it. Such a signal could be copied from another run, so it must name this one.

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
