"""`python -m d2ltui`, and the `d2ltui` command."""

from d2ltui.spec import startup

startup.prepare()

# Only now is it certain where these are imported from.
import gc  # noqa: E402
import signal  # noqa: E402
import sys  # noqa: E402
from typing import NoReturn  # noqa: E402

from d2ltui.spec import language  # noqa: E402

if said := language.prepare(sys.argv[1:]):
    print(f"d2ltui: {said}", file=sys.stderr)

# Only now may sentences stand in constants of modules.
from d2ltui.cli import app  # noqa: E402


def main() -> NoReturn:
    """The entry point of the process."""
    try:
        app.main()
    finally:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # nothing is left to tidy up
        gc.freeze()  # nor to be searched: the interpreter's way out would look through all of PyTorch, most of a second


if __name__ == "__main__":
    main()
