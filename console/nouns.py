"""Every route of every noun. A new noun is a line in `ROUTES`; pages without an organization stand before the rest."""

from console.contract.routes import ROUTES as CONTRACT
from console.entry.routes import ROUTES as ENTRY
from console.escrow.routes import ROUTES as ESCROW
from console.help.routes import ROUTES as HELP
from console.home.routes import ROUTES as HOME
from console.live.routes import ROUTES as LIVE
from console.preferences.routes import ROUTES as PREFERENCES
from console.search.routes import ROUTES as SEARCH
from console.transaction.routes import ROUTES as TRANSACTION
from console.work import ROUTES as WORK

#: In this order paths are tried: `/{org}` would take what comes after it.
ROUTES = (
    *ENTRY,
    *CONTRACT,
    *ESCROW,
    *HELP,
    *LIVE,
    *PREFERENCES,
    *SEARCH,
    *TRANSACTION,
    *WORK,
    *HOME,
)
