"""The jobs whose results can still be fetched. Results expire, their memory is bounded, and forgotten jobs end.

The memory is shared between addresses: nobody's results push out those of another who keeps less.
"""

import time
from collections import Counter, defaultdict, deque
from collections.abc import Iterator, Sequence
from typing import Final

from demo.api.dialects.errors import Refused
from demo.api.jobs.job import Job
from demo.api.jobs.webhook import Webhook
from demo.client_key import find_address_key
from demo.run import Run

KEEP_SECONDS: Final = 600.0  # how long a result can be fetched after the job's end
KEEP_BYTES: Final = 32 * 1024 * 1024  # of all results
UNASKED_SECONDS: Final = 60.0  # after which a job ends that nobody has asked about and that has no webhook


class JobStore:
    def __init__(self) -> None:
        self._jobs: dict[str, Job] = {}

    def add(self, run: Run, webhook: Webhook | None, returns_progress: bool) -> Job:
        self._expire()
        job = Job(run, webhook, returns_progress)
        self._jobs[job.id] = job
        return job

    def find(self, id: str) -> Job:
        """A job that somebody asks about. Raises Refused (404) for an unknown or expired one."""
        self._expire()
        if id not in self._jobs:
            raise Refused("not_found", f"There is no job {id!r}: it never existed, or its result has expired.")
        self._jobs[id].touch()
        return self._jobs[id]

    def cancel_unasked(self, seconds: float = UNASKED_SECONDS) -> None:
        """Stop the jobs that nobody waits for, and drop the results that have expired."""
        self._expire()
        limit = time.perf_counter() - seconds
        for job in self._jobs.values():
            if job.webhook is None and job.run.end is None and job.asked < limit:
                job.run.cancel()

    def _expire(self) -> None:
        limit = time.perf_counter() - KEEP_SECONDS
        ended = [(job, end.time) for job in self._jobs.values() if (end := job.run.end) is not None]
        for job in [job for job, at in ended if at < limit]:
            self._drop(job)
        kept = [job for job, at in ended if at >= limit]
        for job in choose_dropped(kept, sum(job.size for job in kept) - KEEP_BYTES):
            self._drop(job)

    def _drop(self, job: Job) -> None:
        job.release()
        del self._jobs[job.id]


def choose_dropped(ended: Sequence[Job], excess: int) -> Iterator[Job]:
    """Those of `ended`, oldest first, that take `excess` bytes: each time the oldest of the address that keeps most.

    Thus whoever sends many jobs pushes out results of its own.
    """
    jobs, sizes = defaultdict[str, deque[Job]](deque), Counter[str]()
    for job in ended:
        address = find_address_key(job.run.request.client or "")
        jobs[address].append(job)
        sizes[address] += job.size
    while excess > 0:
        ((address, _),) = sizes.most_common(1)
        job = jobs[address].popleft()
        sizes[address] -= job.size
        excess -= job.size
        yield job
