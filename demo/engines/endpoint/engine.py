"""The engine elsewhere: admits requests, and reads their answers in one event loop in a thread of its own.

It waits for the server at its address, and breaks when that is gone; ReloadingEngine then opens another one.
"""

import asyncio
import contextlib
import gc
import logging
import threading
from collections.abc import Callable, Sequence
from typing import Final

from demo.engine import Broken, Engine, Load, Loading, Log, Piece, Ready, Status, Ticket, require_fit, require_free
from demo.engines.endpoint.backend import Backend
from demo.engines.endpoint.connection import ASK_SECONDS, Connection, Unreachable
from demo.engines.endpoint.discovery import discover, list_models
from demo.engines.endpoint.run import EndpointRun
from demo.engines.reloading import Backoff, drop_frames
from demo.errors import DemoError, EngineFailed, NotReady, Overloaded, describe_closing, describe_shutdown
from demo.request import Prompt, Request
from demo.settings import Settings

logger = logging.getLogger(__name__)

WATCH_SECONDS: Final = 5.0  # between two looks at whether the server is still there
SECOND_LOOK_SECONDS: Final = 0.2
FAILURES: Final = 2  # looks in a row that find nobody: one may be lost
CLOSING_SECONDS: Final = 2.0


class EndpointEngine(Engine):
    """Answers with the server at the settings' endpoint. Calls `on_broken` when that is gone or can't be used."""

    def __init__(self, settings: Settings, on_broken: Callable[[], None], backoff: Backoff | None = None) -> None:
        assert settings.endpoint is not None
        self._settings = settings
        self._limit = settings.max_concurrent_requests
        self._on_broken = on_broken
        self._backoff = Backoff(0.5, 5.0) if backoff is None else backoff
        self._url = settings.endpoint
        self._status: Status = Loading(f"waiting for {self._url}")
        self._backend: Backend | None = None
        self._connection: Connection | None = None
        self._lock = threading.Lock()
        self._open: set[EndpointRun] = set()
        self._closing = False
        self._loop = asyncio.new_event_loop()
        self._missed = asyncio.Event()  # a run did not reach the server: look at once
        self._life = self._loop.create_task(self._live())
        self._thread = threading.Thread(target=self._run, name="endpoint", daemon=True)
        self._thread.start()

    @property
    def status(self) -> Status:
        return self._status

    @property
    def load(self) -> Load:
        with self._lock:
            unended = [run for run in self._open if not run.ended]
        running = sum(run.started for run in unended)
        return Load(running, len(unended) - running, self._limit, stalled=0.0)

    def admit(self) -> None:
        with self._lock:
            self._check_limit()

    def tokenize(self, prompt: Prompt, options: str = "{}") -> tuple[str, tuple[Piece, ...]]:
        """Waits for the engine's reply: not for an event loop."""
        backend, connection = self._find_backend()
        backend.check_options(options)
        reply = asyncio.run_coroutine_threadsafe(backend.tokenize(connection, prompt, options), self._loop)
        try:
            return reply.result(2 * ASK_SECONDS)
        except TimeoutError:
            reply.cancel()
            raise NotReady(f"The engine at {self._url} does not answer: try again in a few seconds.") from None

    def submit_all(self, requests: Sequence[Request], logs: Sequence[Log]) -> Sequence[Ticket]:
        """Admit all or none, in one step. What the engine elsewhere refuses is the first event of its log."""
        backend, connection = self._find_backend()
        runs = [EndpointRun(request, log, backend, self._forget) for request, log in zip(requests, logs, strict=True)]
        with self._lock:
            self._check_limit(len(runs))
            self._open.update(runs)
        for run in runs:
            self._start(run, connection)
        return runs

    def close(self) -> None:
        with self._lock:
            self._closing = True
        self._fail_all(describe_shutdown())
        self._call(self._life.cancel)
        self._thread.join(CLOSING_SECONDS)

    def _check_limit(self, places: int = 1) -> None:
        require_fit(places, self._limit)
        self._find_backend()
        require_free(places, len(self._open), self._limit)

    def _find_backend(self) -> tuple[Backend, Connection]:
        status, backend, connection = self._status, self._backend, self._connection
        if self._closing:
            raise describe_closing()
        if isinstance(status, Broken):
            raise NotReady(f"The model is not available: {status.error}")
        if backend is None or connection is None:
            raise NotReady(f"The engine at {self._url} does not answer yet: try again in a few seconds.")
        return backend, connection

    def _start(self, run: EndpointRun, connection: Connection) -> None:
        def begin() -> None:
            task = self._loop.create_task(self._answer(run, connection))
            run.stop = lambda: self._call(task.cancel)
            if run.ended:
                task.cancel()

        self._call(begin)

    async def _answer(self, run: EndpointRun, connection: Connection) -> None:
        try:
            await run.answer(connection)
        finally:
            run.fail(EngineFailed("The answer has no end: try again."))  # none has been written where this counts
            if run.missed:
                self._missed.set()

    def _forget(self, run: EndpointRun) -> None:
        with self._lock:
            self._open.discard(run)

    def _fail_all(self, error: DemoError) -> None:
        with self._lock:
            unended = list(self._open)
        for run in unended:
            run.fail(error)

    def _call(self, function: Callable[[], object]) -> None:
        try:
            self._loop.call_soon_threadsafe(function)
        except RuntimeError:  # the loop is closed: its runs have ended
            logger.debug("The event loop of the engine elsewhere is closed.")

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._life)
        except asyncio.CancelledError:
            pass  # this engine is closed
        except DemoError as error:
            self._break(error)
        except BaseException as error:
            logger.exception("The thread of the engine elsewhere broke.")
            self._break(EngineFailed(f"The engine broke ({type(error).__name__}: {error}): restart the server."))
        finally:
            self._fail_all(describe_shutdown())
            self._end_tasks()
            self._loop.close()

    def _break(self, error: DemoError) -> None:
        self._status = Broken(error)
        self._fail_all(error)
        self._on_broken()

    def _end_tasks(self) -> None:
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        if self._connection is not None:
            self._loop.run_until_complete(self._connection.close())
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())

    async def _live(self) -> None:
        """Connect, then watch, until this engine is closed. Raises what breaks it."""
        settings = self._settings
        self._connection = Connection(self._url, settings.endpoint_api_key, settings.endpoint_timeout)
        self._backend = await self._connect(self._connection)
        self._status = Ready(self._backend.card)
        logger.info("Ready to answer")
        await self._watch(self._connection)

    async def _connect(self, connection: Connection) -> Backend:
        while True:
            try:
                return await discover(connection, self._settings)
            except (NotReady, Overloaded) as error:
                # What the server itself says, such as that it loads its model; nothing where it can't be reached.
                failure = None if isinstance(error, Unreachable) else drop_frames(error)
                self._status = Loading(f"waiting for {self._url}", failure=failure)
            await asyncio.sleep(self._backoff.choose_pause())

    async def _watch(self, connection: Connection) -> None:
        """Return never; raise when the server is gone.

        While it answers it is there, and is not asked: some servers break an answer off for any other request.
        """
        failures = 0
        while True:
            self._missed.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(SECOND_LOOK_SECONDS if failures else WATCH_SECONDS):
                    await self._missed.wait()
            if self._open and not failures and not self._missed.is_set():
                continue
            try:
                await list_models(connection)
                failures = 0
            except (NotReady, Overloaded) as error:
                failures += isinstance(error, Unreachable)
                if failures >= FAILURES:
                    raise EngineFailed(f"The engine at {self._url} is gone: {error}") from error


def open_endpoint(settings: Settings, on_broken: Callable[[], None]) -> Engine:
    """The engine elsewhere that the settings name. Returns at once."""
    gc.enable()  # app.py disables it while it imports
    return EndpointEngine(settings, on_broken)
