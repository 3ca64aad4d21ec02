"""The console script, and ``python -m landscape_cli``."""

import signal
import sys


def main() -> None:
    """Run the command; a signal before or after it prints that it stopped, or nothing."""
    try:
        # Imported here, as a signal may come while modules load.
        from landscape.runtime.interrupts import terminate

        if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            signal.signal(signal.SIGTERM, terminate)
        from landscape_cli.app import app

        app()
    except KeyboardInterrupt as stop:
        print("stopped", file=sys.stderr)
        sys.exit(128 + getattr(stop, "number", signal.SIGINT))
    finally:
        # All is done, and Python would say where it was when it is cut off as it ends.
        for each in (signal.SIGINT, signal.SIGTERM):
            signal.signal(each, signal.SIG_IGN)


if __name__ == "__main__":
    main()
