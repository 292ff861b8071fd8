"""The demonstration's daemon: routerd as it is, that ends with whoever started it (its standard input closes)."""

import os
import signal
import sys
import threading

from routerd.cli.daemon import main


def _end_with_parent() -> None:
    sys.stdin.buffer.read()
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    threading.Thread(target=_end_with_parent, daemon=True).start()
    sys.exit(main())
