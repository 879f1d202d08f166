"""A client that repeats one request, in a process of its own: `python -m tests.figures.flood PORT SECONDS`.

The request comes on standard input. Prints how many were answered.
"""

import sys
import time

from tests.api.serving import connect, read_to_end


def main(port: str, seconds: str) -> None:
    request, end, answered = sys.stdin.buffer.read(), time.perf_counter() + float(seconds), 0
    while time.perf_counter() < end:
        with connect(f"http://127.0.0.1:{port}") as client:
            client.sendall(request)
            answered += bool(read_to_end(client))
    print(answered)


if __name__ == "__main__":
    main(*sys.argv[1:])
