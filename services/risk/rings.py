"""Rings in a graph of flows."""

from domain.risk.rings import Flows, Ring, rings


def find(flows: Flows, *, by_amount: bool) -> list[Ring]:
    """Return disjoint rings of 3 to 8 members by falling score, see `domain.risk.rings.rings`."""
    # Its import takes a third of a second, and only the night needs it.
    import networkx

    graph = networkx.DiGraph(pair for pair in flows if pair[0] != pair[1])
    component = {
        node: number
        for number, nodes in enumerate(networkx.strongly_connected_components(graph))
        if len(nodes) > 2
        for node in nodes
    }
    circling = {
        (source, target): amount
        for (source, target), amount in flows.items()
        if source != target and source in component and component[source] == component.get(target)
    }
    return rings(flows, circling, by_amount=by_amount)
