"""The data map of the tables of metrics, advice, reports and exports."""

from collections.abc import Mapping

from domain.privacy.places import Place

TABLES: Mapping[str, Place] = {}
