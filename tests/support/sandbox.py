"""The workflow sandbox for workers that come and go."""

from typing import Any

from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner


class UntriedSandbox(SandboxedWorkflowRunner):
    """The sandbox, without the try of every type when a worker starts.

    A run loads its workflow in it as ever. The worker of `stage` tries every type, which takes a seventh of a second.
    """

    def prepare_workflow(self, defn: Any) -> None:
        """Leave it to the first run."""
