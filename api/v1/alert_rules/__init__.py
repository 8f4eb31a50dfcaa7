"""Alert rules: what organizations and operators want to be alerted to."""
