"""Check of the person behind a signature."""

from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.access import Actor, refuse_operator_issued
from domain.escrow.signing import refuse_same_people
from domain.escrow.state import Escrow
from repositories.escrow import signer
from repositories.tenants import api_key


async def refuse_signature(session: AsyncSession, held: Escrow, actor: Actor) -> None:
    """Refuse a signature by a key that an operator issued, and a second signature by a person in another name.

    Operators, and sessions of their links, sign in their own name on behalf of a signatory. Needs the platform's
    session.
    """
    refuse_operator_issued(actor, await api_key.issuer_chain(session, actor), "sign")
    if held.signatures:
        people = await signer.possible_signers(session, actor)
        refuse_same_people(held, actor, people, await signer.past_signers(session, held.terms.escrow_id))
