"""The data map of the tables of results, revenue, allocation and routing."""

from collections.abc import Mapping

from domain.privacy.places import Place

TABLES: Mapping[str, Place] = {
    # Results
    # Revenue
    # Allocation, trials and reinvestment
    # Routing
}
