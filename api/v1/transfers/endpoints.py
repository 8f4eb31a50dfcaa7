"""A transfer in the books: the entries that the caller may see, and its cause."""

from api.auth import ActorDep, SpendingKeyDep, permit
from api.deps import DepsDep
from api.routing import Resource
from api.v1.spends.own import reads_spend
from api.v1.transfers.schemas import TransferView
from domain.common.access import Permission
from domain.common.errors import NotFound
from domain.common.ids import is_id, uuid_of
from repositories.books import transfer as transfers

router = Resource(tags=["billing"])

_MISSING = "There is no such transfer."


@router.get("/ledger/transfers/{transfer_id}")
async def get_transfer(transfer_id: str, deps: DepsDep, actor: ActorDep, key: SpendingKeyDep) -> TransferView:
    """Show a transfer: what it was for, and its entries on accounts that the caller may see.

    Its id is in `id` of `GET /billing/transactions` and of statements. An organization sees only its own entries.
    A key of a member that is attributed to a department or project reads the transfers of its own spends.
    """
    if not is_id(transfer_id, "tr"):
        raise NotFound(_MISSING)
    async with deps.session_for(actor) as session:
        found = await transfers.find(session, uuid_of(transfer_id))
        if found is None:
            raise NotFound(_MISSING)
        permit(actor, Permission.INSPECT if actor.is_platform else Permission.READ_BILLING)
        spend_id = await transfers.spend_of(session, found)
        if not await reads_spend(session, actor, key, spend_id):
            raise NotFound(_MISSING)
        cause = spend_id or found.row["reference"]
    return TransferView.of(found, cause)
