"""Alert rules of organizations and operators."""
