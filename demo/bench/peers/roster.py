"""What can be measured: this server, the peers that are installed, and servers that run already."""

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import metadata
from typing import Any, Final

import demo
from demo.bench import software
from demo.bench.peers.aside import Aside, converse
from demo.bench.peers.contestant import Contestant, Identity
from demo.bench.peers.ground import ROOT, Ground, Weights
from demo.bench.peers.process import start
from demo.bench.peers.requantize import FORM
from demo.bench.peers.served import Served, choose_model, get_json
from demo.bench.peers.streams import Address, find_port, read_address
from demo.bench.sample import Unmeasured
from demo.bench.software import UNKNOWN, Software, recognise_software

OURS: Final = "this server"
OURS_IN_THEIR_FORM: Final = f"{OURS} {FORM}"
_STARTS_WITHIN = 180.0  # seconds
# Nobody asks anybody outside while measuring.
_ENVIRONMENT = {"HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
# vLLM's, which llama-server and this server know too; transformers' refuses what it does not know.
_FULL_LENGTH = {"ignore_eos": True}
_FINDS_NONE = "no parameter of a request prevents their reuse, but no two prompts begin alike"
_NOTHING = "nothing"
# The command itself would first ask a registry for its own newest version.
_SERVE = (
    *(sys.executable, "-c", "from transformers.cli.transformers import app; app()"),
    *("serve", "{model}", "--port", "{port}"),
)
_LLAMA_CPP_PYTHON = (
    *(sys.executable, "-m", "llama_cpp.server", "--model", "{model}", "--port", "{port}", "--n_threads", "{threads}"),
    *("--n_threads_batch", "{threads}", "--n_ctx", "2048", "--logits_all", "false"),
)
_LLAMA_SERVER = (
    *("llama-server", "-m", "{model}", "--port", "{port}", "-t", "{threads}", "-tb", "{threads}"),
    *("-np", "8", "-c", "16384"),
)


@dataclass(frozen=True, slots=True)
class Peer:
    """A peer that may be installed: Python packages, the one with its version first, or a program on the PATH.

    `command` starts it, with {model}, {port} and {threads} filled in; where there is no port, it is a program that
    talks in lines. It reads the weights in `form`: stored, Q4_0 or float32. `keeps`: what it reuses of earlier prompts,
    where `software` does not say. `ready`: a path that answers once it can be asked.
    """

    name: str
    packages: tuple[str, ...]
    command: tuple[str, ...]
    form: str = "stored"
    together: bool = False
    keeps: str | None = None
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


def _in_both_forms(name: str, packages: tuple[str, ...], command: tuple[str, ...], **options: Any) -> tuple[Peer, Peer]:
    """A peer of the stored weights, and of those in its own best form."""
    return Peer(name, packages, command, **options), Peer(f"{name} {FORM}", packages, command, FORM, **options)


PEERS = (
    Peer(
        "transformers generate",
        ("transformers", "torch"),
        (sys.executable, "-m", "demo.bench.peers.generate", "{model}"),
        "float32",
        keeps=_NOTHING,
    ),
    Peer("transformers serve", ("transformers", "fastapi", "openai"), _SERVE, "float32", keeps=_NOTHING),
    Peer(
        "transformers serve batching",
        ("transformers", "fastapi", "openai"),
        (*_SERVE, "--continuous-batching"),
        "float32",
        together=True,
        keeps=f"blocks of earlier prompts; {_FINDS_NONE}",
    ),
    *_in_both_forms(
        "llama-cpp-python",
        ("llama-cpp-python", "sse-starlette"),
        _LLAMA_CPP_PYTHON,
        keeps=f"the last prompt; {_FINDS_NONE}",
    ),
    *_in_both_forms(
        "openvino-genai",
        ("openvino-genai",),
        (sys.executable, "-m", "demo.bench.peers.openvino", "{model}"),
        keeps="prefixes of prompts by default; switched off (enable_prefix_caching)",
    ),
    *_in_both_forms("llama-server", (), _LLAMA_SERVER, together=True, software=software.LLAMA_SERVER, ready="/health"),
)


def say_missing(peer: Peer) -> str:
    """How to have a peer take part."""
    if not peer.packages:
        return f"{peer.missing} is not on the PATH: build it (llama.cpp), or name one that runs by --peer."
    return f"{peer.missing} is not installed: `make bench` installs it, or `pip install -r requirements-bench.txt`."


@dataclass(frozen=True, slots=True)
class Running:
    """A server that was started elsewhere, and the form of the weights that it reads, where that is said."""

    name: str
    url: str
    dtype: str | None = None
    api_key: str | None = field(default=None, repr=False)


def find_version(package: str) -> str | None:
    """Of an installed package."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


@contextmanager
def open_peer(peer: Peer, ground: Ground) -> Iterator[Contestant]:
    """The peer, started and able to answer; ended on leaving."""
    weights = ground.prepare(peer.form)
    address = Address("127.0.0.1", find_port())
    values = {"model": weights.place, "port": address.port, "threads": ground.threads}
    command = [argument.format(**values) for argument in peer.command]
    with start(peer.name, command, ground.logs, _ENVIRONMENT, folder=ROOT, talks=not peer.is_server) as child:
        if peer.is_server:
            child.wait_until(lambda: get_json(address, peer.ready) is not None, _STARTS_WITHIN)
            extras = _FULL_LENGTH if peer.software is not UNKNOWN else {}
            identity = _identify(peer, weights, address)
            yield Served(identity, address, str(weights.place), extras, peer.software, child)
        else:
            converse(child, {}, _STARTS_WITHIN)
            yield Aside(_identify(peer, weights), child)


def _identify(peer: Peer, weights: Weights, address: Address | None = None) -> Identity:
    version = find_version(peer.packages[0]) if peer.packages else None
    if version is None and address is not None:
        version = recognise_software(lambda path: get_json(address, path))[1]
    way = "HTTP" if peer.is_server else "in process"
    keeps = peer.keeps or peer.software.keeps
    return Identity(peer.name, version or "—", weights.form, weights.size, way, peer.together, keeps=keeps)


@contextmanager
def open_ours(ground: Ground, *options: str, name: str = OURS, weights: Weights | None = None) -> Iterator[Served]:
    """This project's own server, without its page. `weights`: others than those that it has by default."""
    given = () if weights is None else ("--model-id", str(weights.place))
    command = [sys.executable, "app.py", "--no-ui", "--port", "0", *given, *options]
    with start(name, command, ground.logs, _ENVIRONMENT, folder=ROOT) as child:
        child.wait_until(lambda: "Ready to answer" in child.read_log(), _STARTS_WITHIN)
        said = child.read_log()
        address = read_address(said.partition("Listening on ")[2].split()[0])
        read = (weights or ground.stored()) if "dtype=stored" in said else ground.dequantise()
        version = f"{demo.__version__}, torch {find_version('torch')}"
        identity = Identity(name, version, read.form, read.size, "HTTP", is_ours=True, keeps=software.OURS.keeps)
        yield Served(identity, address, choose_model(address), _FULL_LENGTH, software.OURS, child)


@contextmanager
def open_ours_in_their_form(ground: Ground) -> Iterator[Served]:
    """This project's own server, on the file that the peers read best."""
    with open_ours(ground, name=OURS_IN_THEIR_FORM, weights=ground.requantize()) as served:
        yield served


@contextmanager
def open_running(running: Running, ground: Ground) -> Iterator[Served]:
    """A server that runs already, whatever it is."""
    address = read_address(running.url, running.api_key)
    if get_json(address, "/v1/models") is None and get_json(address, "/health") is None:
        raise Unmeasured(f"{running.name} does not answer at {running.url}: start it, or check its address and key.")
    weights = ground.describe(running.dtype)
    found, version = recognise_software(lambda path: get_json(address, path))
    identity = Identity(running.name, version, weights.form, weights.size, "HTTP", keeps=found.keeps)
    yield Served(identity, address, choose_model(address), _FULL_LENGTH, found)
