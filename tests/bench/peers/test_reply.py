import pytest

from demo.bench.peers.reply import read_head, read_reply, unchunk
from demo.bench.sample import Unmeasured

HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-Some: Thing\r\n\r\n"
CHUNKED = b"4\r\nmoon\r\n6;x=y\r\n pulls\r\n0\r\n\r\n"


@pytest.mark.parametrize("size", range(1, len(HEAD + CHUNKED) + 1))
def test_however_a_reply_is_cut_its_body_is_the_same(size: int) -> None:
    whole = HEAD + CHUNKED
    reads = [(float(at), whole[at : at + size]) for at in range(0, len(whole), size)]
    status, arrivals = read_reply(0.0, 99.0, reads)
    assert status == 200
    assert b"".join(piece for _, piece in arrivals.reads) == b"moon pulls"
    assert arrivals.fields["x-some"] == "Thing"


def test_a_piece_has_the_time_of_the_read_that_brought_it() -> None:
    _, arrivals = read_reply(1.0, 9.0, [(2.0, HEAD), (3.0, b"4\r\nmoon\r\n"), (4.0, b"0\r\n\r\n")])
    assert (arrivals.sent, arrivals.headers, arrivals.end) == (1.0, 2.0, 9.0)
    assert [time for time, piece in arrivals.reads if piece] == [3.0]


def test_a_body_that_is_not_chunked_is_taken_as_it_is() -> None:
    _, arrivals = read_reply(0.0, 9.0, [(2.0, b"HTTP/1.0 404 No\r\n\r\n0\r\nx")])
    assert b"".join(piece for _, piece in arrivals.reads) == b"0\r\nx"


def test_a_reply_that_breaks_off_is_no_answer() -> None:
    with pytest.raises(Unmeasured, match="broke off"):
        list(unchunk([(0.0, b"9\r\nhalf")]))
    with pytest.raises(Unmeasured, match="not chunked"):
        list(unchunk([(0.0, b"moon\r\n")]))
    with pytest.raises(Unmeasured, match="closed before a reply"):
        read_reply(0.0, 1.0, [(0.5, b"HTTP/1.1 200 OK\r\n")])


def test_what_is_no_http_is_said() -> None:
    with pytest.raises(Unmeasured, match="'SSH-2"):
        read_head(b"SSH-2.0-OpenSSH_9.2")
