"""Activities of Temporal as scopes of keys. Imported only where Temporal's package is."""

import threading
import weakref

from temporalio import activity

from bursar._keys import Scope

_LOCK = threading.Lock()
#: One scope for each attempt that runs, by the identity of its `activity.Info`, which lives as long as the attempt.
_SCOPES: dict[int, Scope] = {}


def scope() -> Scope | None:
    """Return the scope of the activity that runs here: the same for each of its attempts, numbered anew in each."""
    if not activity.in_activity():
        return None
    info = activity.info()
    with _LOCK:
        known = _SCOPES.get(id(info))
        if known is None:
            known = _SCOPES[id(info)] = Scope("activity", *_identity(info))
            weakref.finalize(info, _SCOPES.pop, id(info), None)
    return known


def _identity(info: activity.Info) -> tuple[str, ...]:
    if info.workflow_id is not None:
        return str(info.workflow_namespace), info.workflow_id, str(info.workflow_run_id), info.activity_id
    # Without a workflow its id may be used again once it has ended, so its own run names it.
    return info.namespace, "alone", info.activity_id, str(info.activity_run_id)
