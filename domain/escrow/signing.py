"""Checks of signatures: each is by another person, and for the delivery that was reviewed.

`required_signatures` counts people, and one person may have keys in several names. The payee can deliver again, or
deliver the next milestone, while a signature or score is being sent.
"""

from collections.abc import Mapping, Set

from domain.common.access import Actor
from domain.common.errors import AlreadySigned, Conflict, EscrowDeliveryChanged
from domain.escrow.state import Escrow


class DeliveryRequired(Conflict):
    """The command does not say which delivery it is for; the field `delivery` has the one under review."""

    code = "escrow.delivery_required"
    frees_key = True


def require_delivery(escrow: Escrow, delivery: int | None) -> None:
    """Refuse a signature or score for another delivery than the one under review.

    Raises:
        Conflict: `escrow.delivery_changed`, it names another delivery.
        DeliveryRequired: it names none, and there were earlier ones.
    """
    assert escrow.delivery is not None
    under_review = escrow.delivery.number
    extra = {"state": escrow.status.value, "delivery": under_review}
    if delivery is None and under_review > 1:
        raise DeliveryRequired(
            f"This escrow has had other deliveries. Delivery {under_review} is under review: look at it, then "
            f'send "delivery": {under_review}.',
            extra=extra,
        )
    if delivery is not None and delivery != under_review:
        raise EscrowDeliveryChanged(
            f"Delivery {delivery} is not under review; delivery {under_review} is.", extra=extra
        )


def signer(actor: Actor) -> str:
    """Return the signer: the maker of the link that opened the session, or the actor itself."""
    return actor.made_by or actor.qualified()


def refuse_second_signature(escrow: Escrow, actor: Actor) -> None:
    """Refuse a second signature of a person for a delivery, in its own name or on behalf of another signatory.

    Raises:
        AlreadySigned: names the signatory that the person has signed for.
    """
    person = signer(actor)
    for signature in escrow.signatures:
        if signature.signed_by.lower() == person.lower():
            raise AlreadySigned(
                f"{person} has already signed for {signature.signatory}. One person cannot give two of the required "
                "signatures. The other signatory must sign with its own key.",
                extra={"state": escrow.status.value},
            )


def refuse_same_people(escrow: Escrow, actor: Actor, people: Set[str], signed: Mapping[str, Set[str]]) -> None:
    """Refuse a signature that an earlier signer may be giving with a key issued in another name.

    Only the database knows who issued a key, so this is checked there, under the escrow's lock.

    Args:
        escrow: the state in the books.
        actor: the signer.
        people: everybody who may be giving this signature.
        signed: by signatory, everybody who may have given its newest signature.

    Raises:
        AlreadySigned: names the signatory that the same person may have signed for.
    """
    for signature in escrow.signatures:
        others = signed.get(signature.signatory, frozenset()) | {signature.signed_by.lower()}
        if people & others:
            raise AlreadySigned(
                f"{signer(actor)} and whoever signed for {signature.signatory} count as one person: one of them issued "
                "a key in the other's name, or the same person issued keys in both names. Have another owner "
                "issue the signatory a key, and sign with that.",
                extra={"state": escrow.status.value},
            )
