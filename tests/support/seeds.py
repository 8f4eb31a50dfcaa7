"""Seeds of random tests. A run prints its seeds at its start; equal seeds repeat its draws."""

import os
import secrets

#: Of choices that differ from run to run. The controller of a run sets it for its workers.
RUN_SEED = int(os.environ.setdefault("BURSAR_TEST_SEED", str(secrets.randbelow(2**32))))
#: Of state machines, which do the same in every run unless asked.
MACHINES_SEED = int(os.environ.get("BURSAR_TEST_MACHINES_SEED", "20260101"))
#: Of the plans and kills of `tests/faults`.
FAULTS_SEED = int(os.environ.get("BURSAR_TEST_FAULTS_SEED", "1"))


def seeds_told() -> str:
    """Return the seeds as they are given again."""
    return (
        f"BURSAR_TEST_SEED={RUN_SEED} BURSAR_TEST_MACHINES_SEED={MACHINES_SEED} BURSAR_TEST_FAULTS_SEED={FAULTS_SEED}"
    )
