"""Makes the client for threads before the package is built."""

import subprocess
import sys
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class SyncHalf(BuildHookInterface[Any]):
    """Runs `sync_half.py`."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        """Write what is missing of `bursar._sync`, in a tree of git as in a source distribution."""
        subprocess.run([sys.executable, "sync_half.py"], cwd=self.root, check=True)
