"""Results of runs and tasks over HTTP."""
