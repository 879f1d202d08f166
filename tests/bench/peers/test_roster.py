from pathlib import Path

import pytest

from demo.bench.peers.roster import OURS, Ground, Peer, ask_version, list_peers, open_address
from demo.bench.peers.streams import read_address
from demo.bench.sample import Unmeasured
from demo.embedded import find_embedded
from tests.bench.fake import serve


def make_ground(folder: Path) -> Ground:
    gguf = find_embedded()
    assert gguf is not None
    return Ground(gguf, 2, folder)


def test_this_server_comes_first_and_names_differ() -> None:
    names = [peer.name for peer in list_peers()]
    assert names[0] == OURS
    assert len(set(names)) == len(names)


def test_a_package_that_is_not_installed_is_named(tmp_path: Path) -> None:
    assert (
        Peer("x", ("torch", "no-such-package"), lambda ground: open_address("x", "", ground)).missing
        == "no-such-package"
    )
    assert list_peers()[0].missing is None


def test_an_address_is_taken_to_read_the_stored_weights(tmp_path: Path) -> None:
    with serve() as server, open_address("mine", server.url, make_ground(tmp_path)) as peer:
        assert (peer.identity.name, peer.identity.weights, peer.model) == ("mine", "as stored", "fake/model")
        assert not peer.identity.is_ours
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
