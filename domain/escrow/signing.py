"""Each person signs once: `required_signatures` is a number of people, not of names that one of them can use."""

from domain.access import Actor
from domain.errors import Conflict
from domain.escrow.state import Escrow


class AlreadySigned(Conflict):
    """The signatory, or whoever signs for it, has signed for the delivery under review."""

    code = "escrow.already_signed"


def signer(actor: Actor) -> str:
    """Return who gives a signature: whoever made the link that opened the session, or the actor itself."""
    return actor.made_by or actor.qualified()


def refuse_second_signature(escrow: Escrow, actor: Actor) -> None:
    """Refuse a person who has signed for this delivery, in its own name or on behalf of another signatory.

    Runs decide without this rule, because those of before took such signatures. It is asked where nothing is replayed:
    by validators, and by the books under the escrow's lock.

    Raises:
        AlreadySigned: names the signatory that the person has signed for.
    """
    person = signer(actor)
    for signature in escrow.signatures:
        if (signature.signed_by or "").lower() == person.lower():
            raise AlreadySigned(
                f"{person} has already signed for {signature.signatory}. One person cannot give two of the required "
                "signatures. The other signatory must sign with its own key.",
                extra={"state": escrow.status.value},
            )
