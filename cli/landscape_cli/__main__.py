"""The console script, and ``python -m landscape_cli``."""

import sys


def main() -> None:
    """Run the command; a signal before it prints that it stopped."""
    try:
        # Imported here, as a signal may come while modules load.
        import signal

        from landscape.runtime.interrupts import stop

        for each in (signal.SIGINT, signal.SIGTERM):  # unless the caller wants them ignored
            if signal.getsignal(each) in (signal.SIG_DFL, signal.default_int_handler):
                signal.signal(each, stop)
        from landscape_cli.app import app

        try:
            app()
        finally:
            # All is done, and Python would say where it was when it is cut off as it ends.
            for each in (signal.SIGINT, signal.SIGTERM):
                signal.signal(each, signal.SIG_IGN)
    except KeyboardInterrupt as stopped:
        print("stopped", file=sys.stderr)
        sys.exit(128 + getattr(stopped, "number", 2))  # 2 is Ctrl-C's


if __name__ == "__main__":
    main()
