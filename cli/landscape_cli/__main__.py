"""The console script, and ``python -m landscape_cli``."""

import sys


def main() -> None:
    """Run the command; Ctrl-C before it can handle that prints that it stopped."""
    try:
        from landscape_cli.app import app  # imported here, as Ctrl-C may come while it loads

        app()
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
