"""Losses and accuracies of one sample against the probability of its class (Figs. 6 and 7)."""

from pathlib import Path

from landscape import plots

HERE = Path(__file__).parent


def main(out=HERE):
    plots.save(plots.plot_losses(), out / "losses.png")


if __name__ == "__main__":
    main()
