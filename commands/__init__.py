"""What `python -m manage` does, one module a command: `run` takes the parsed arguments and returns the exit status.

Composition roots like `server.py` and `worker.py`: they read the settings and put together what they need. The statuses
are 0 done, 1 something is wrong with what was looked at, 2 it could not be done.
"""
