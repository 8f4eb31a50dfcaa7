"""People and other principals of an organization: listed, invited, revoked."""
