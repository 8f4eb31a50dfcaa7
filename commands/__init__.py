"""Commands of `python -m manage`, one module each: `run` takes the parsed arguments and returns the exit status.

They are composition roots like `server.py` and `worker.py`: they read the settings and create their dependencies. Exit
statuses: 0 done, 1 the check found a problem, 2 the command failed.
"""
