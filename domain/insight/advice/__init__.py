"""Advice: possible savings of an organization in a month, by its activity and current prices."""
