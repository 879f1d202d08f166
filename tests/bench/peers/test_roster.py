import sys
from pathlib import Path

import pytest

from demo.bench.peers.contestant import Question
from demo.bench.peers.ground import Ground
from demo.bench.peers.requantize import FORM
from demo.bench.peers.roster import (
    OURS,
    PEERS,
    Peer,
    Running,
    find_version,
    open_peer,
    open_running,
    say_missing,
)
from demo.bench.peers.served import Served
from demo.bench.sample import Unmeasured
from demo.bench.software import LLAMA_SERVER
from demo.embedded import find_embedded
from tests.bench.fake import WORDS, Script, serve
from tests.bench.peers.gguf_file import write_gguf

SERVER = """
import sys
from tests.bench.fake import FakeServer, Script
FakeServer(Script(), int(sys.argv[1])).serve_forever()
"""


def make_ground(folder: Path) -> Ground:
    gguf = find_embedded()
    assert gguf is not None
    return Ground(gguf, 2, folder)


PROGRAM = """
from demo.bench.peers.program import answer_lines
def generate(messages, new_tokens, listen):
    listen("Milk.")
    return "Milk.", new_tokens, 3
answer_lines(lambda: generate)
"""


def make_peer(*arguments: str, packages: tuple[str, ...] = ("torch",)) -> Peer:
    return Peer("mine", packages, (sys.executable, *arguments), keeps="nothing")


def test_names_differ_and_none_is_ours() -> None:
    names = [peer.name for peer in PEERS]
    assert len({*names, OURS}) == len(names) + 1


def test_a_package_that_is_not_installed_is_named() -> None:
    assert make_peer(packages=("torch", "no-such-package")).missing == "no-such-package"
    assert make_peer().missing is None


def test_how_a_missing_peer_can_take_part_is_said() -> None:
    assert "`pip install -r requirements-bench.txt`" in say_missing(make_peer(packages=("no-such-package",)))
    program = Peer("mine", (), ("no-such-program",))
    assert say_missing(program) == (
        "no-such-program is not on the PATH: build it (llama.cpp), or name one that runs by --peer."
    )


@pytest.mark.parametrize("name", ["llama-cpp-python", "openvino-genai", "llama-server"])
def test_whoever_reads_another_form_better_takes_part_in_both(name: str) -> None:
    forms = {peer.form: peer for peer in PEERS if peer.name.removesuffix(f" {FORM}") == name}
    assert set(forms) == {"stored", FORM}
    assert forms["stored"].command == forms[FORM].command


def test_a_program_is_a_contestant_in_process(tmp_path: Path) -> None:
    with open_peer(make_peer("-c", PROGRAM), make_ground(tmp_path)) as peer:
        (answer,) = peer.ask([Question((), 2)])
        assert (answer.text, answer.tokens, answer.prompt_tokens) == ("Milk.", 2, 3)
        assert peer.identity.way == "in process"
        assert peer.identity.version == find_version("torch")
        assert peer.identity.keeps == "nothing"


def test_a_server_is_one_over_http_once_it_lists_its_models(tmp_path: Path) -> None:
    with open_peer(make_peer("-c", SERVER, "{port}"), make_ground(tmp_path)) as peer:
        assert peer.identity.way == "HTTP"
        (answer,) = peer.ask([Question((), 2)])
        assert answer.text == "".join(WORDS)


def test_a_program_on_the_path_is_a_peer_and_is_asked_as_what_it_is(tmp_path: Path) -> None:
    command = (sys.executable, "-c", SERVER, "{port}")
    peer = Peer("mine", (), command, together=True, software=LLAMA_SERVER)
    assert peer.missing is None
    with open_peer(peer, make_ground(tmp_path)) as served:
        assert isinstance(served, Served)
        assert (served.software, served.extras) == (LLAMA_SERVER, {"ignore_eos": True})
        assert (served.identity.keeps, served.identity.together) == (LLAMA_SERVER.keeps, True)


def test_a_peer_that_never_starts_says_why(tmp_path: Path) -> None:
    for arguments in (("-c", "raise SystemExit('no room')"), ("-c", "raise SystemExit('no room')", "{port}")):
        with pytest.raises(Unmeasured, match="no room"), open_peer(make_peer(*arguments), make_ground(tmp_path)):
            pass


def test_a_peer_is_started_on_the_weights_in_its_form(tmp_path: Path) -> None:
    command = (sys.executable, "-c", SERVER, "{port}")
    peer = Peer("mine Q4_0", ("torch",), command, FORM, keeps="nothing")
    ground = Ground(write_gguf(tmp_path), 2, tmp_path)
    with open_peer(peer, ground) as served:
        assert (served.identity.weights, served.identity.peer) == (FORM, "mine")
        assert served.identity.weight_bytes == ground.requantize().place.stat().st_size


def test_a_server_that_runs_already_is_asked_as_what_it_is(tmp_path: Path) -> None:
    script = Script(replies={"/props": {"build_info": "b1-abc"}})
    with serve(script) as server, open_running(Running("mine", server.url), make_ground(tmp_path)) as peer:
        assert (peer.identity.name, peer.identity.version, peer.model) == ("mine", "b1-abc", "fake/model")
        assert peer.identity.keeps == LLAMA_SERVER.keeps
        assert not peer.identity.is_ours
        peer.ask([Question((), 2)])
        assert server.asked[0]["ignore_eos"]
        assert server.asked[0]["cache_prompt"] is False
        peer.pause()  # it is not ours to stop
        peer.resume()
        assert peer.read_memory() is None


@pytest.mark.parametrize(
    ("dtype", "form"), [(None, "not named"), ("stored", "Q4_1, as stored"), ("float32", "float32")]
)
def test_its_weights_are_those_that_are_named(tmp_path: Path, dtype: str | None, form: str) -> None:
    ground = Ground(write_gguf(tmp_path), 2, tmp_path)
    with serve() as server, open_running(Running("mine", server.url, dtype), ground) as peer:
        assert peer.identity.weights == form
        assert (peer.identity.weight_bytes is None) == (dtype is None)
        assert peer.identity.version == "—"


def test_its_key_is_sent_with_everything(tmp_path: Path) -> None:
    ground = make_ground(tmp_path)
    with serve(Script(api_key="secret")) as server:
        with open_running(Running("mine", server.url, api_key="secret"), ground) as peer:
            (answer,) = peer.ask([Question((), 2)])
        with pytest.raises(Unmeasured, match="its address and key"), open_running(Running("mine", server.url), ground):
            pass
    assert answer.text == "".join(WORDS)
    assert "secret" not in repr(peer)


def test_where_nobody_answers_it_is_said(tmp_path: Path) -> None:
    with serve() as server:
        url = server.url
    gone = Running("mine", url)
    with pytest.raises(Unmeasured, match="mine does not answer"), open_running(gone, make_ground(tmp_path)):
        pass
