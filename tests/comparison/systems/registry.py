"""The systems that can be measured: this server, the peers that are installed, and servers that run already."""

import shutil
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from importlib import metadata
from typing import Any, Final

import demo
from demo.bench import software
from demo.bench.client import Client
from demo.bench.sample import MeasurementError
from demo.bench.software import UNKNOWN, Software, recognise_software
from demo.bench.target import choose_model
from tests.comparison.systems.environment import Environment, Weights
from tests.comparison.systems.process import START_SECONDS, find_port, start
from tests.comparison.systems.requantize import Q4_0
from tests.comparison.systems.system import HttpSystem, Identity, SubprocessSystem, SystemUnderTest, exchange

OURS: Final = "this server"
OURS_IN_Q4_0: Final = f"{OURS} {Q4_0}"
_PROBE_TIMEOUT = 2.0  # seconds
# A parameter of vLLM, llama-server and this server; transformers' server refuses unknown parameters.
_FULL_LENGTH = {"ignore_eos": True}
_FINDS_NONE = "no request parameter switches it off, but no two prompts begin alike"
_NONE = "none"
_PYTHON = (sys.executable, "-m")
_GENERATE = (*_PYTHON, "tests.comparison.systems.generate", "{model}")
_OPENVINO = (*_PYTHON, "tests.comparison.systems.openvino", "{model}")
# The `transformers` command itself would first look for its newest version.
_TRANSFORMERS = "from transformers.cli.transformers import app; app()"
_SERVE = (sys.executable, "-c", _TRANSFORMERS, "serve", "{model}", "--port", "{port}")
_LLAMA_CPP_PYTHON = (
    *(*_PYTHON, "llama_cpp.server", "--model", "{model}", "--port", "{port}", "--n_threads", "{threads}"),
    *("--n_threads_batch", "{threads}", "--n_ctx", "2048", "--logits_all", "false"),
)
_LLAMA_SERVER = (
    *("llama-server", "-m", "{model}", "--port", "{port}", "-t", "{threads}", "-tb", "{threads}"),
    *("-np", "8", "-c", "16384"),
)


@dataclass(frozen=True, slots=True)
class Peer:
    """A peer that may be installed: Python packages, the one with its version first, or a program on the PATH.

    `command` starts it, with {model}, {port} and {threads} filled in; without {port} it is a program around a library.
    It reads weights of the data type `dtype`: stored, Q4_0 or float32. `prefix_caching`: if `software` has none.
    `ready`: a path that answers once the server is ready.
    """

    name: str
    packages: tuple[str, ...]
    command: tuple[str, ...]
    dtype: str = "stored"
    concurrent: bool = False
    prefix_caching: str | None = None
    software: Software = UNKNOWN
    ready: str = "/v1/models"

    @property
    def missing(self) -> str | None:
        """The package or program that is not installed, if any."""
        if not self.packages:
            return None if shutil.which(self.command[0]) else self.command[0]
        return next((package for package in self.packages if find_version(package) is None), None)

    @property
    def is_server(self) -> bool:
        return "{port}" in self.command


def _in_both_dtypes(
    name: str, packages: tuple[str, ...], command: tuple[str, ...], **options: Any
) -> tuple[Peer, Peer]:
    """A peer of the stored weights, and of those in Q4_0, for which its kernels are faster."""
    return Peer(name, packages, command, **options), Peer(f"{name} {Q4_0}", packages, command, Q4_0, **options)


_SERVE_PACKAGES = ("transformers", "fastapi", "openai")
_BLOCKS, _LAST = f"of blocks of all prompts; {_FINDS_NONE}", f"of the last prompt; {_FINDS_NONE}"
_SWITCHED_OFF = "of all prompts by default; switched off (enable_prefix_caching)"
_BATCHING = (*_SERVE, "--continuous-batching")
PEERS: Final = (
    Peer("transformers generate", ("transformers",), _GENERATE, "float32", prefix_caching=_NONE),
    Peer("transformers serve", _SERVE_PACKAGES, _SERVE, "float32", prefix_caching=_NONE),
    Peer("transformers serve batching", _SERVE_PACKAGES, _BATCHING, "float32", True, _BLOCKS),
    *_in_both_dtypes(
        "llama-cpp-python", ("llama-cpp-python", "sse-starlette"), _LLAMA_CPP_PYTHON, prefix_caching=_LAST
    ),
    *_in_both_dtypes("openvino-genai", ("openvino-genai",), _OPENVINO, prefix_caching=_SWITCHED_OFF),
    *_in_both_dtypes(
        "llama-server", (), _LLAMA_SERVER, concurrent=True, software=software.LLAMA_SERVER, ready="/health"
    ),
)


def describe_missing(peer: Peer) -> str:
    if not peer.packages:
        return f"{peer.missing} is not on the PATH: build it (llama.cpp), or name one that runs by --peer."
    return f"{peer.missing} is not installed: `make bench` installs it, or `pip install -r requirements-bench.txt`."


@dataclass(frozen=True, slots=True)
class Running:
    """A server that was started elsewhere, and the data type of its weights, if given."""

    name: str
    url: str
    dtype: str | None = None
    api_key: str | None = field(default=None, repr=False)


def find_version(package: str) -> str | None:
    """The version of an installed package, or None."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


@contextmanager
def open_peer(peer: Peer, environment: Environment) -> Iterator[SystemUnderTest]:
    """The peer, started and ready; ended on leaving."""
    weights, port = environment.prepare(peer.dtype), find_port()
    values = {"model": weights.path, "port": port, "threads": environment.threads}
    command = [argument.format(**values) for argument in peer.command]
    with ExitStack() as stack:
        process = stack.enter_context(start(peer.name, command, environment.logs, piped=not peer.is_server))
        if peer.is_server:
            client = Client(f"http://127.0.0.1:{port}")
            process.wait_until(lambda: _answers(client.url, peer.ready), START_SECONDS)
            extras = _FULL_LENGTH if peer.software is not UNKNOWN else {}
            identity = _identify(peer, weights, client)
            yield HttpSystem(identity, client, str(weights.path), extras, peer.software, process)
        else:
            exchange(process, {}, START_SECONDS)
            yield SubprocessSystem(_identify(peer, weights), process)


def _identify(peer: Peer, weights: Weights, client: Client | None = None) -> Identity:
    version = find_version(peer.packages[0]) if peer.packages else None
    if version is None and client is not None:
        version = recognise_software(client.get_json)[1]
    interface, caching = "HTTP" if client else "in process", peer.prefix_caching or peer.software.prefix_caching
    return Identity(
        peer.name, version or "—", weights.dtype, weights.size, interface, peer.concurrent, prefix_caching=caching
    )


@contextmanager
def open_ours(
    environment: Environment, *options: str, name: str = OURS, dtype: str | None = None
) -> Iterator[HttpSystem]:
    """This project's own server, without its page. `dtype`: of its weights' file, if another than the embedded one."""
    model = () if dtype is None else ("--model-id", str(environment.prepare(dtype).path))
    command = [sys.executable, "app.py", "--no-ui", "--port", "0", *model, *options]
    with start(name, command, environment.logs) as process:
        client = Client(process.wait_for_address("Ready to answer", START_SECONDS))
        is_stored = "dtype=stored" in process.read_log()
        loaded = environment.prepare((dtype or "stored") if is_stored else "float32")
        version, caching = f"{demo.__version__}, torch {find_version('torch')}", software.OURS.prefix_caching
        identity = Identity(name, version, loaded.dtype, loaded.size, "HTTP", is_ours=True, prefix_caching=caching)
        yield HttpSystem(identity, client, choose_model(client), _FULL_LENGTH, software.OURS, process)


@contextmanager
def open_running(running: Running, environment: Environment) -> Iterator[HttpSystem]:
    client = Client(running.url, running.api_key)
    if not any(_answers(running.url, path, running.api_key) for path in ("/v1/models", "/health")):
        what = f"{running.name} does not answer at {running.url}: start it, or check its address and key."
        raise MeasurementError(what)
    weights = environment.describe(running.dtype)
    found, version = recognise_software(client.get_json)
    identity = Identity(running.name, version, weights.dtype, weights.size, "HTTP", prefix_caching=found.prefix_caching)
    yield HttpSystem(identity, client, choose_model(client), _FULL_LENGTH, found)


def _answers(url: str, path: str, api_key: str | None = None) -> bool:
    """Whether a server answers there with JSON, soon."""
    with suppress(MeasurementError):
        return Client(url, api_key, _PROBE_TIMEOUT).get_json(path) is not None
    return False
