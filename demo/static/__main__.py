"""`python -m demo.static OUT [--server URL]`: write the page over recorded runs, for any file server or none."""

import argparse
import sys
from pathlib import Path

from demo.errors import DemoError
from demo.static.folder import write_folder
from demo.static.recordings import read_all


def main() -> int:
    """The exit code: 2, after one sentence, where the folder can't be written."""
    parser = argparse.ArgumentParser(prog="python -m demo.static", description=__doc__)
    parser.add_argument("folder", metavar="OUT", type=Path, help="the folder to write; what was there is replaced")
    parser.add_argument("--server", metavar="URL", help="a running instance, to which the page links [its README]")
    arguments = parser.parse_args()
    try:
        write_folder(arguments.folder, read_all(), arguments.server)
    except (DemoError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{arguments.folder / 'index.html'}: open it from disk, or serve its folder with any file server")
    return 0


if __name__ == "__main__":
    sys.exit(main())
