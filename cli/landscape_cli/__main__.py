"""``python -m landscape_cli``."""

from landscape_cli.app import main

main()
