from pathlib import Path

import pytest

from demo.bench.peers.contestant import Question
from demo.bench.peers.ground import Ground
from demo.bench.peers.roster import OURS, PEERS, Peer, ask_version, find_version, open_address, open_peer
from demo.bench.peers.streams import read_address
from demo.bench.sample import Unmeasured
from demo.embedded import find_embedded
from tests.bench.fake import WORDS, serve

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
    return Peer("mine", packages, arguments)


def test_names_differ_and_none_is_ours() -> None:
    names = [peer.name for peer in PEERS]
    assert len({*names, OURS}) == len(names) + 1


def test_a_package_that_is_not_installed_is_named() -> None:
    assert make_peer(packages=("torch", "no-such-package")).missing == "no-such-package"
    assert make_peer().missing is None


def test_a_program_is_a_contestant_in_process(tmp_path: Path) -> None:
    with open_peer(make_peer("-c", PROGRAM), make_ground(tmp_path)) as peer:
        (answer,) = peer.ask([Question((), 2)])
        assert (answer.text, answer.tokens, answer.prompt_tokens) == ("Milk.", 2, 3)
        assert peer.identity.way == "in process"
        assert peer.identity.version == find_version("torch")


def test_a_server_is_one_over_http_once_it_lists_its_models(tmp_path: Path) -> None:
    with open_peer(make_peer("-c", SERVER, "{port}"), make_ground(tmp_path)) as peer:
        assert peer.identity.way == "HTTP"
        (answer,) = peer.ask([Question((), 2)])
        assert answer.text == "".join(WORDS)


def test_a_peer_that_never_starts_says_why(tmp_path: Path) -> None:
    for arguments in (("-c", "raise SystemExit('no room')"), ("-c", "raise SystemExit('no room')", "{port}")):
        with pytest.raises(Unmeasured, match="no room"), open_peer(make_peer(*arguments), make_ground(tmp_path)):
            pass


def test_an_address_is_taken_to_read_the_stored_weights(tmp_path: Path) -> None:
    with serve() as server, open_address("mine", server.url, make_ground(tmp_path)) as peer:
        assert (peer.identity.name, peer.identity.weights, peer.model) == ("mine", "as stored", "fake/model")
        assert not peer.identity.is_ours
        peer.ask([Question((), 2)])
        assert server.asked[0]["ignore_eos"]
        peer.pause()  # it is not ours to stop
        peer.resume()
        assert peer.read_memory() is None


def test_where_nobody_answers_it_is_said(tmp_path: Path) -> None:
    with serve() as server:
        url = server.url
    with pytest.raises(Unmeasured, match="mine does not answer"), open_address("mine", url, make_ground(tmp_path)):
        pass


def test_a_version_that_is_not_told_is_a_dash() -> None:
    with serve() as server:
        assert ask_version(read_address(server.url)) == "—"
