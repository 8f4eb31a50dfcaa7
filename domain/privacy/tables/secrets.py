"""The data map of the tables of secrets."""

from collections.abc import Mapping

from domain.privacy.places import Place

TABLES: Mapping[str, Place] = {
    # Store
    # Use
    # Rotation
}
