"""``python -m landscape``: the same as the command ``landscape``."""


def main() -> None:
    """Run the command line; its package is loaded here alone, for the library needs none of it."""
    from landscape_cli.__main__ import main as command

    command()


if __name__ == "__main__":
    main()
