import sys
from pathlib import Path

import pytest

from demo.bench.sample import MeasurementError
from demo.bench.software import LLAMA_SERVER
from tests.bench.fake_server import WORDS, Script, serve
from tests.comparison.systems.environment import Environment
from tests.comparison.systems.gguf_file import write_gguf
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
from tests.comparison.systems.system import HttpSystem, Question

SERVER = """
import sys
from tests.bench.fake_server import FakeServer, Script
FakeServer(Script(), int(sys.argv[1])).serve_forever()
"""
PROGRAM = """
from tests.comparison.systems.program import serve_lines
def generate(messages, new_tokens, listen):
    listen("Milk.")
    return "Milk.", new_tokens, 3
serve_lines(lambda: generate)
"""
PACKAGES = ("torch", "no-such-package")
QUESTION = Question((), 2)


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    return Environment(write_gguf(tmp_path), 2, tmp_path)


def make_peer(
    *arguments: str, name: str = "mine", packages: tuple[str, ...] = ("torch",), dtype: str = "stored"
) -> Peer:
    return Peer(name, packages, (sys.executable, "-c", *arguments), dtype, prefix_caching="none")


def test_no_two_systems_have_the_same_name() -> None:
    names = [peer.name for peer in PEERS]
    assert len({*names, OURS}) == len(names) + 1


def test_a_missing_package_or_program_is_named_with_the_way_to_install_it() -> None:
    assert make_peer().missing is None
    assert make_peer(packages=PACKAGES).missing == "no-such-package"
    assert "`pip install -r requirements-bench.txt`" in describe_missing(make_peer(packages=PACKAGES))
    program = describe_missing(Peer("mine", (), ("no-such-program",)))
    assert program == "no-such-program is not on the PATH: build it (llama.cpp), or name one that runs by --peer."


@pytest.mark.parametrize("name", ["llama-cpp-python", "openvino-genai", "llama-server"])
def test_a_peer_whose_kernels_prefer_q4_0_takes_part_with_both_data_types(name: str) -> None:
    peers = {peer.dtype: peer for peer in PEERS if peer.name.removesuffix(f" {Q4_0}") == name}
    assert set(peers) == {"stored", Q4_0}
    assert peers["stored"].command == peers[Q4_0].command


def test_a_program_around_a_library_is_a_system_in_process(environment: Environment) -> None:
    with open_peer(make_peer(PROGRAM), environment) as peer:
        (answer,) = peer.ask([QUESTION])
    assert (answer.text, answer.tokens, answer.prompt_tokens) == ("Milk.", 2, 3)
    assert (peer.identity.interface, peer.identity.version) == ("in process", find_version("torch"))


def test_a_server_is_started_with_weights_of_its_data_type_and_ready_once_it_lists_its_models(
    environment: Environment,
) -> None:
    with open_peer(make_peer(SERVER, "{port}", name="mine Q4_0", dtype=Q4_0), environment) as peer:
        (answer,) = peer.ask([QUESTION])
    assert answer.text == "".join(WORDS)
    identity = peer.identity
    assert (identity.interface, identity.weights, identity.peer, identity.prefix_caching) == (
        *("HTTP", Q4_0, "mine", "none"),
    )
    assert identity.weight_bytes == environment.prepare(Q4_0).size


def test_a_program_on_the_path_gets_the_parameters_of_its_software(environment: Environment) -> None:
    peer = Peer("mine", (), (sys.executable, "-c", SERVER, "{port}"), concurrent=True, software=LLAMA_SERVER)
    assert peer.missing is None
    with open_peer(peer, environment) as system:
        assert isinstance(system, HttpSystem)
        assert (system.software, system.extras) == (LLAMA_SERVER, {"ignore_eos": True})
        assert (system.identity.prefix_caching, system.identity.concurrent) == (LLAMA_SERVER.prefix_caching, True)


@pytest.mark.parametrize("port", [[], ["{port}"]])
def test_the_last_line_of_a_peer_that_does_not_start_is_quoted(environment: Environment, port: list[str]) -> None:
    peer = make_peer("raise SystemExit('no memory')", *port)
    with pytest.raises(MeasurementError, match="no memory"), open_peer(peer, environment):
        pass


def test_a_running_server_gets_the_parameters_of_its_software_and_is_not_stopped(environment: Environment) -> None:
    script = Script(replies={"/props": {"build_info": "b1-abc"}})
    with serve(script) as server, open_running(Running("mine", server.url), environment) as system:
        identity = system.identity
        assert (identity.name, identity.version, system.model) == ("mine", "b1-abc", "fake/model")
        assert identity.prefix_caching == LLAMA_SERVER.prefix_caching
        system.pause()
        system.resume()
        system.ask([QUESTION])
        assert (server.asked[0]["ignore_eos"], server.asked[0]["cache_prompt"]) == (True, False)
        assert system.process is None


@pytest.mark.parametrize(
    ("dtype", "weights"), [(None, "not named"), ("stored", "Q4_1, as stored"), ("float32", "float32")]
)
def test_a_running_servers_weights_are_those_of_its_option(
    environment: Environment, dtype: str | None, weights: str
) -> None:
    with serve() as server, open_running(Running("mine", server.url, dtype), environment) as system:
        assert (system.identity.weights, system.identity.version) == (weights, "—")
        assert (system.identity.weight_bytes is None) == (dtype is None)


def test_the_key_is_sent_with_every_request_and_is_not_printed(environment: Environment) -> None:
    with serve(Script(api_key="secret")) as server:
        running = Running("mine", server.url, api_key="secret")
        with open_running(running, environment) as system:
            (answer,) = system.ask([QUESTION])
        with pytest.raises(MeasurementError, match="its address and key"):
            open_running(Running("mine", server.url), environment).__enter__()
    assert answer.text == "".join(WORDS)
    assert "secret" not in repr((running, system))
    with pytest.raises(MeasurementError, match="mine does not answer"):
        open_running(running, environment).__enter__()
