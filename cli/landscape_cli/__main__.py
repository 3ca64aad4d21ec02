"""The console script, and ``python -m landscape_cli``."""

import sys


def main() -> None:
    """Run the command; Ctrl-C before it could say what it has kept says that it stopped."""
    try:
        from landscape_cli.app import app  # here, since Ctrl-C may come meanwhile

        app()
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
