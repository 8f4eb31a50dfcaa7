"""Departments, and what agents and keys spend for."""
