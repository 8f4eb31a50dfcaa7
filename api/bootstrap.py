"""First operator key of an installation; `manage operator-key` is the command."""

from pydantic import TypeAdapter, ValidationError
from sqlalchemy.ext.asyncio import AsyncSession

from api.fields import Principal
from api.keyring import new_secret
from domain.common.access import Actor, Role
from domain.common.errors import Conflict, Invalid
from domain.tenants.token import hash_of, split_token, token_of
from models.tenants.api_key import ApiKey
from repositories.tenants import api_key as keys, audit
from runtime.identity import new_id

_PRINCIPAL: TypeAdapter[str] = TypeAdapter(Principal)


async def operator_key(session: AsyncSession, principal: str, token: str | None = None) -> str:
    """Store an operator's key, the given one or a new one, and return it.

    Raises:
        Invalid: the given text is not a key, or the principal's name is malformed.
        Conflict: `principal.exists`, the principal has another key; or the given key is revoked or not an operator's.
    """
    parts = split_token(token) if token is not None else (new_id("key"), new_secret())
    if parts is None:
        raise Invalid("The secret file does not contain a key of the form bsk_….")
    key_id, secret = parts
    known = await keys.find(session, key_id)
    if known is not None:
        if known.revoked_at is not None or known.role != Role.OPERATOR or known.secret_hash != hash_of(secret):
            raise Conflict(f"The key {key_id} is revoked, or is not this operator's key.")
        return token_of(key_id, secret)
    try:
        _PRINCIPAL.validate_python(principal)
    except ValidationError:
        raise Invalid(
            "A principal must have 1 to 100 characters: letters, digits and `._@+-`, the first a letter or a digit."
        ) from None
    row = await keys.add(
        session,
        ApiKey(
            id=key_id,
            org_id=None,
            principal=principal,
            role=Role.OPERATOR.value,
            agent_id=None,
            secret_hash=hash_of(secret),
            created_by="bootstrap",
            command_id=f"bootstrap:{key_id}",
            expires_at=None,
        ),
        most=1,
    )
    actor = Actor(principal="bootstrap", role=Role.OPERATOR)
    await audit.record(session, actor, "api_key.create", row.id, {"principal": principal, "role": row.role})
    return token_of(row.id, secret)
