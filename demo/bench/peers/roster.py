"""Who can be started: this server, and the peers of which the packages are installed. And who runs already."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata

import demo
from demo.bench.peers.aside import Aside, converse
from demo.bench.peers.contestant import Contestant, Identity
from demo.bench.peers.ground import ROOT, Ground
from demo.bench.peers.process import start
from demo.bench.peers.served import Served, choose_model, get_json
from demo.bench.peers.streams import Address, find_port, read_address
from demo.bench.sample import Unmeasured

OURS = "this server"
_STARTS_WITHIN = 180.0  # seconds
# Nobody asks anybody outside while measuring.
_ENVIRONMENT = {"HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
# vLLM's, which llama-server and this server know too; transformers' refuses what it does not know.
_FULL_LENGTH = {"ignore_eos": True}
# The command itself would first ask a registry for its own newest version.
_SERVE = ("-c", "from transformers.cli.transformers import app; app()", "serve", "{model}", "--port", "{port}")


@dataclass(frozen=True, slots=True)
class Peer:
    """Somebody whose packages may be installed, the one that names its version first.

    `arguments` of Python start it, with {model}, {port} and {threads} filled in; where there is no port, it is a
    program that talks in lines. `is_plain`: whether it needs the weights as plain numbers.
    """

    name: str
    packages: tuple[str, ...]
    arguments: tuple[str, ...]
    is_plain: bool = False
    together: bool = False

    @property
    def missing(self) -> str | None:
        """The package that is not installed, if any."""
        return next((package for package in self.packages if find_version(package) is None), None)

    @property
    def is_server(self) -> bool:
        return "{port}" in self.arguments


PEERS = (
    Peer("transformers generate", ("transformers", "torch"), ("-m", "demo.bench.peers.generate", "{model}"), True),
    Peer("transformers serve", ("transformers", "fastapi", "openai"), _SERVE, True),
    Peer(
        "transformers serve batching",
        ("transformers", "fastapi", "openai"),
        (*_SERVE, "--continuous-batching"),
        is_plain=True,
        together=True,
    ),
    Peer(
        "llama-cpp-python",
        ("llama-cpp-python", "sse-starlette"),
        (
            *("-m", "llama_cpp.server", "--model", "{model}", "--port", "{port}", "--n_threads", "{threads}"),
            *("--n_threads_batch", "{threads}", "--n_ctx", "2048", "--logits_all", "false"),
        ),
    ),
    Peer("openvino-genai", ("openvino-genai",), ("-m", "demo.bench.peers.openvino", "{model}")),
)


def find_version(package: str) -> str | None:
    """Of an installed package."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


@contextmanager
def open_peer(peer: Peer, ground: Ground) -> Iterator[Contestant]:
    """The peer, started and able to answer; ended on leaving."""
    weights = ground.dequantise() if peer.is_plain else ground.stored()
    way = "HTTP" if peer.is_server else "in process"
    version = find_version(peer.packages[0]) or "—"
    identity = Identity(peer.name, version, weights.form, weights.size, way, peer.together)
    address = Address("127.0.0.1", find_port())
    values = {"model": weights.place, "port": address.port, "threads": ground.threads}
    command = [sys.executable, *(argument.format(**values) for argument in peer.arguments)]
    with start(peer.name, command, ground.logs, _ENVIRONMENT, folder=ROOT, talks=not peer.is_server) as child:
        if peer.is_server:
            child.wait_until(lambda: get_json(address, "/v1/models") is not None, _STARTS_WITHIN)
            yield Served(identity, address, str(weights.place), child=child)
        else:
            converse(child, {}, _STARTS_WITHIN)
            yield Aside(identity, child)


@contextmanager
def open_ours(ground: Ground, *options: str, name: str = OURS) -> Iterator[Served]:
    """This project's own server, without its page."""
    command = [sys.executable, "app.py", "--no-ui", "--port", "0", *options]
    with start(name, command, ground.logs, _ENVIRONMENT, folder=ROOT) as child:
        child.wait_until(lambda: "Ready to answer" in child.read_log(), _STARTS_WITHIN)
        said = child.read_log()
        address = read_address(said.partition("Listening on ")[2].split()[0])
        weights = ground.stored() if "dtype=stored" in said else ground.dequantise()
        version = f"{demo.__version__}, torch {find_version('torch')}"
        identity = Identity(name, version, weights.form, weights.size, "HTTP", is_ours=True)
        yield Served(identity, address, choose_model(address), _FULL_LENGTH, child)


@contextmanager
def open_address(name: str, url: str, ground: Ground) -> Iterator[Served]:
    """A server that runs already, whoever it is, taken to read the weights as they are stored."""
    address = read_address(url)
    if get_json(address, "/v1/models") is None and get_json(address, "/health") is None:
        raise Unmeasured(f"{name} does not answer at {url}: start it, or check the address.")
    weights = ground.stored()
    identity = Identity(name, ask_version(address), weights.form, weights.size, "HTTP")
    yield Served(identity, address, choose_model(address), _FULL_LENGTH)


def ask_version(address: Address) -> str:
    """What a server says of itself: llama-server, vLLM and text-generation-inference; else a dash."""
    for path, key in (("/props", "build_info"), ("/version", "version"), ("/info", "version")):
        said = get_json(address, path)
        if isinstance(said, dict) and said.get(key):
            return str(said[key])
    return "—"
