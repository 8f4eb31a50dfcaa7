"""Reviews, as affected organizations see cases of suspected fraud."""
