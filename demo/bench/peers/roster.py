"""Who can take part: this server, the peers of which the packages are installed, and servers that run already."""

import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import cache, partial
from importlib import metadata
from pathlib import Path

import demo
from demo.bench.peers.aside import Aside, converse
from demo.bench.peers.contestant import Contestant, Identity
from demo.bench.peers.process import Child, start
from demo.bench.peers.served import Served, choose_model, get_json
from demo.bench.peers.streams import Address, read_address
from demo.bench.sample import Unmeasured

OURS = "this server"
ROOT = Path(demo.__file__).parent.parent
CONTEXT = 2048  # tokens of a conversation that a peer must have room for
_STORED, _PLAIN = "as stored", "float32"
_STARTS_WITHIN = 180.0  # seconds
# Nobody asks anybody outside while measuring.
_ENVIRONMENT = {"HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}


@dataclass(frozen=True, slots=True)
class Ground:
    """What every contestant gets: the same weights, threads for the model, and a folder for what it says."""

    gguf: Path
    threads: int
    logs: Path


@dataclass(frozen=True, slots=True)
class Peer:
    """Somebody who may be installed. `open` starts it and ends it on leaving."""

    name: str
    packages: tuple[str, ...]
    open: Callable[[Ground], AbstractContextManager[Contestant]]

    @property
    def missing(self) -> str | None:
        """The package that is not installed, if any."""
        return next((package for package in self.packages if find_version(package) is None), None)


def find_version(package: str) -> str | None:
    """Of an installed package."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def list_peers() -> list[Peer]:
    """Everybody that this benchmark knows how to start, this server first."""
    return [
        Peer(OURS, ("torch",), open_ours),
        Peer("transformers generate", ("transformers", "torch"), _open_generate),
        Peer("transformers serve", ("transformers", "fastapi", "openai"), partial(_open_serve, batches=False)),
        Peer("transformers serve batching", ("transformers", "fastapi", "openai"), partial(_open_serve, batches=True)),
        Peer("llama-cpp-python", ("llama-cpp-python", "sse-starlette"), _open_llama_cpp_python),
        Peer("openvino-genai", ("openvino-genai",), _open_openvino),
    ]


@contextmanager
def open_ours(ground: Ground, *options: str, name: str = OURS) -> Iterator[Served]:
    """This project's own server, without its page, with room for many at once."""
    command = [sys.executable, "app.py", "--no-ui", "--port", "0", *options]
    with start(name, command, ground.logs, _ENVIRONMENT, folder=ROOT) as child:
        child.wait_until(lambda: "Ready to answer" in child.log.read_text(errors="replace"), _STARTS_WITHIN)
        said = child.log.read_text(errors="replace")
        address = read_address(said.partition("Listening on ")[2].split()[0])
        version = f"{demo.__version__}, torch {metadata.version('torch')}"
        stored = "dtype=stored" in said
        weights = _STORED if stored else _PLAIN
        size = ground.gguf.stat().st_size if stored else count_bytes(dequantise(ground.gguf))
        identity = Identity(name, version, weights, size, "HTTP", is_ours=True)
        yield Served(identity, address, choose_model(address), child=child)


@contextmanager
def open_address(name: str, url: str, ground: Ground) -> Iterator[Served]:
    """A server that runs already, whoever it is, taken to read the weights as they are stored."""
    address = read_address(url)
    if get_json(address, "/v1/models") is None and get_json(address, "/health") is None:
        raise Unmeasured(f"{name} does not answer at {url}: start it, or check the address.")
    identity = Identity(name, ask_version(address), _STORED, ground.gguf.stat().st_size, "HTTP, started by you")
    yield Served(identity, address, choose_model(address), {"ignore_eos": True})


def ask_version(address: Address) -> str:
    """What a server says of itself: llama-server, vLLM and text-generation-inference; else a dash."""
    for path, key in (("/props", "build_info"), ("/version", "version"), ("/info", "version")):
        said = get_json(address, path)
        if isinstance(said, dict) and said.get(key):
            return str(said[key])
    return "—"


@contextmanager
def _open_generate(ground: Ground) -> Iterator[Contestant]:
    folder = dequantise(ground.gguf)
    identity = Identity(
        "transformers generate",
        find_version("transformers") or "",
        _PLAIN,
        count_bytes(folder),
        "in process",
        together=False,
    )
    with _start_aside(identity, "demo.bench.peers.generate", folder, ground) as contestant:
        yield contestant


@contextmanager
def _open_openvino(ground: Ground) -> Iterator[Contestant]:
    size = ground.gguf.stat().st_size
    identity = Identity(
        "openvino-genai", find_version("openvino-genai") or "", _STORED, size, "in process", together=False
    )
    with _start_aside(identity, "demo.bench.peers.openvino", ground.gguf, ground) as contestant:
        yield contestant


@contextmanager
def _start_aside(identity: Identity, module: str, model: Path, ground: Ground) -> Iterator[Aside]:
    command = [sys.executable, "-m", module, str(model)]
    with start(identity.name, command, ground.logs, _ENVIRONMENT, folder=ROOT, talks=True) as child:
        converse(child, {}, _STARTS_WITHIN)
        yield Aside(identity, child)


@contextmanager
def _open_serve(ground: Ground, batches: bool) -> Iterator[Contestant]:
    folder = dequantise(ground.gguf)
    name = "transformers serve batching" if batches else "transformers serve"
    identity = Identity(name, find_version("transformers") or "", _PLAIN, count_bytes(folder), "HTTP", together=batches)
    # Its command line would first ask a registry for its own newest version.
    run = "from transformers.cli.transformers import app; app()"
    options = ["--continuous-batching"] if batches else []
    command = [sys.executable, "-c", run, "serve", str(folder), "--port", "{port}", *options]
    with _start_server(identity, command, ground) as (child, address):
        yield Served(identity, address, str(folder), child=child)


@contextmanager
def _open_llama_cpp_python(ground: Ground) -> Iterator[Contestant]:
    size = ground.gguf.stat().st_size
    identity = Identity(
        "llama-cpp-python", find_version("llama-cpp-python") or "", _STORED, size, "HTTP", together=False
    )
    threads = str(ground.threads)
    options = ["--n_threads", threads, "--n_threads_batch", threads, "--n_ctx", str(CONTEXT), "--logits_all", "false"]
    command = [sys.executable, "-m", "llama_cpp.server", "--model", str(ground.gguf), "--port", "{port}", *options]
    with _start_server(identity, command, ground) as (child, address):
        yield Served(identity, address, choose_model(address), child=child)


@contextmanager
def _start_server(identity: Identity, command: Sequence[str], ground: Ground) -> Iterator[tuple[Child, Address]]:
    """A server on a free port, once it lists its models."""
    address = Address("127.0.0.1", find_port())
    filled = [part.replace("{port}", str(address.port)) for part in command]
    with start(identity.name, filled, ground.logs, _ENVIRONMENT) as child:
        child.wait_until(lambda: get_json(address, "/v1/models") is not None, _STARTS_WITHIN)
        yield child, address


def find_port() -> int:
    """A port that is free now."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


@cache
def dequantise(gguf: Path) -> Path:
    """The folder with the same weights as plain numbers, converted once by transformers into the app's own cache."""
    command = [sys.executable, "-m", "demo.engine.general.conversion", str(gguf)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if ended.returncode:
        last = ended.stderr.strip().splitlines()[-1:] or ["it said nothing"]
        raise Unmeasured(f"The weights can't be converted for transformers: {last[0]}")
    return Path(ended.stdout.splitlines()[-1])


def count_bytes(folder: Path) -> int:
    """The weights in a folder."""
    return sum(file.stat().st_size for file in folder.glob("*.safetensors"))
