import sys
from pathlib import Path

import pytest

from demo.bench.sample import MeasurementError
from demo.bench.software import LLAMA_SERVER
from demo.embedded import find_embedded
from tests.bench.fake_server import WORDS, Script, serve
from tests.comparison.systems.environment import Environment
from tests.comparison.systems.gguf_file import write_gguf
from tests.comparison.systems.http_system import HttpSystem
from tests.comparison.systems.registry import (
    OURS,
    PEERS,
    Peer,
    Running,
    describe_missing,
    find_version,
    open_peer,
    open_running,
)
from tests.comparison.systems.requantize import Q4_0
from tests.comparison.systems.system import Question

SERVER = """
import sys
from tests.bench.fake_server import FakeServer, Script
FakeServer(Script(), int(sys.argv[1])).serve_forever()
"""


def make_environment(folder: Path) -> Environment:
    gguf = find_embedded()
    assert gguf is not None
    return Environment(gguf, 2, folder)


PROGRAM = """
from tests.comparison.systems.program import serve_lines
def generate(messages, new_tokens, listen):
    listen("Milk.")
    return "Milk.", new_tokens, 3
serve_lines(lambda: generate)
"""


def make_peer(*arguments: str, packages: tuple[str, ...] = ("torch",)) -> Peer:
    return Peer("mine", packages, (sys.executable, *arguments), prefix_caching="none")


def test_no_two_systems_have_the_same_name() -> None:
    names = [peer.name for peer in PEERS]
    assert len({*names, OURS}) == len(names) + 1


def test_the_missing_package_is_named() -> None:
    assert make_peer(packages=("torch", "no-such-package")).missing == "no-such-package"
    assert make_peer().missing is None


def test_how_to_install_a_missing_peer_is_described() -> None:
    assert "`pip install -r requirements-bench.txt`" in describe_missing(make_peer(packages=("no-such-package",)))
    program = Peer("mine", (), ("no-such-program",))
    assert describe_missing(program) == (
        "no-such-program is not on the PATH: build it (llama.cpp), or name one that runs by --peer."
    )


@pytest.mark.parametrize("name", ["llama-cpp-python", "openvino-genai", "llama-server"])
def test_a_peer_whose_kernels_prefer_q4_0_takes_part_with_both_data_types(name: str) -> None:
    peers = {peer.dtype: peer for peer in PEERS if peer.name.removesuffix(f" {Q4_0}") == name}
    assert set(peers) == {"stored", Q4_0}
    assert peers["stored"].command == peers[Q4_0].command


def test_a_program_around_a_library_is_a_system_in_process(tmp_path: Path) -> None:
    with open_peer(make_peer("-c", PROGRAM), make_environment(tmp_path)) as peer:
        (answer,) = peer.ask([Question((), 2)])
        assert (answer.text, answer.tokens, answer.prompt_tokens) == ("Milk.", 2, 3)
        assert peer.identity.interface == "in process"
        assert peer.identity.version == find_version("torch")
        assert peer.identity.prefix_caching == "none"


def test_a_server_is_ready_once_it_lists_its_models(tmp_path: Path) -> None:
    with open_peer(make_peer("-c", SERVER, "{port}"), make_environment(tmp_path)) as peer:
        assert peer.identity.interface == "HTTP"
        (answer,) = peer.ask([Question((), 2)])
        assert answer.text == "".join(WORDS)


def test_a_program_on_the_path_gets_the_parameters_of_its_software(tmp_path: Path) -> None:
    command = (sys.executable, "-c", SERVER, "{port}")
    peer = Peer("mine", (), command, concurrent=True, software=LLAMA_SERVER)
    assert peer.missing is None
    with open_peer(peer, make_environment(tmp_path)) as served:
        assert isinstance(served, HttpSystem)
        assert (served.software, served.extras) == (LLAMA_SERVER, {"ignore_eos": True})
        assert (served.identity.prefix_caching, served.identity.concurrent) == (LLAMA_SERVER.prefix_caching, True)


def test_the_last_line_of_a_peer_that_does_not_start_is_quoted(tmp_path: Path) -> None:
    for arguments in (("-c", "raise SystemExit('no memory')"), ("-c", "raise SystemExit('no memory')", "{port}")):
        with (
            pytest.raises(MeasurementError, match="no memory"),
            open_peer(make_peer(*arguments), make_environment(tmp_path)),
        ):
            pass


def test_a_peer_is_started_with_weights_of_its_data_type(tmp_path: Path) -> None:
    command = (sys.executable, "-c", SERVER, "{port}")
    peer = Peer("mine Q4_0", ("torch",), command, Q4_0, prefix_caching="none")
    environment = Environment(write_gguf(tmp_path), 2, tmp_path)
    with open_peer(peer, environment) as served:
        assert (served.identity.weights, served.identity.peer) == (Q4_0, "mine")
        assert served.identity.weight_bytes == environment.prepare(Q4_0).size


def test_a_running_server_gets_the_parameters_of_its_software_and_is_not_stopped(tmp_path: Path) -> None:
    script = Script(replies={"/props": {"build_info": "b1-abc"}})
    with serve(script) as server, open_running(Running("mine", server.url), make_environment(tmp_path)) as peer:
        assert (peer.identity.name, peer.identity.version, peer.model) == ("mine", "b1-abc", "fake/model")
        assert peer.identity.prefix_caching == LLAMA_SERVER.prefix_caching
        assert not peer.identity.is_ours
        peer.ask([Question((), 2)])
        assert server.asked[0]["ignore_eos"]
        assert server.asked[0]["cache_prompt"] is False
        peer.pause()
        peer.resume()
        assert peer.read_memory() is None


@pytest.mark.parametrize(
    ("dtype", "weights"), [(None, "not named"), ("stored", "Q4_1, as stored"), ("float32", "float32")]
)
def test_a_running_servers_weights_are_those_of_its_option(tmp_path: Path, dtype: str | None, weights: str) -> None:
    environment = Environment(write_gguf(tmp_path), 2, tmp_path)
    with serve() as server, open_running(Running("mine", server.url, dtype), environment) as peer:
        assert peer.identity.weights == weights
        assert (peer.identity.weight_bytes is None) == (dtype is None)
        assert peer.identity.version == "—"


def test_the_key_is_sent_with_every_request_and_is_not_printed(tmp_path: Path) -> None:
    environment = make_environment(tmp_path)
    with serve(Script(api_key="secret")) as server:
        with open_running(Running("mine", server.url, api_key="secret"), environment) as peer:
            (answer,) = peer.ask([Question((), 2)])
        with (
            pytest.raises(MeasurementError, match="its address and key"),
            open_running(Running("mine", server.url), environment),
        ):
            pass
    assert answer.text == "".join(WORDS)
    assert "secret" not in repr(peer)


def test_a_server_that_does_not_answer_is_an_error(tmp_path: Path) -> None:
    with serve() as server:
        url = server.url
    gone = Running("mine", url)
    with pytest.raises(MeasurementError, match="mine does not answer"), open_running(gone, make_environment(tmp_path)):
        pass
