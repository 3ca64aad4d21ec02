"""A small network on the diabetes data: does any step explain more of the unseen patients?

    python figures/your_regression.py

Full-batch gradient descent on scikit-learn's diabetes data (442 patients, ten measurements each,
and the progression of the disease one year later), recorded while it trains.
"""

import tempfile
from pathlib import Path

import torch
from sklearn.datasets import load_diabetes
from torch import nn

import landscape
from landscape import plots

HERE = Path(__file__).parent
TRAINING, LEARNING_RATE = 342, 0.05


def patients():
    """Inputs (442, 10) and targets (442, 1), float32, standardised by the training patients."""
    parts = (torch.tensor(part).reshape(442, -1) for part in load_diabetes(return_X_y=True))
    return [((x - x[:TRAINING].mean(0)) / x[:TRAINING].std(0)).float() for x in parts]


def make_model():
    return nn.Sequential(
        nn.Linear(10, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 1)
    )


def main(out=HERE, steps=2000):
    torch.manual_seed(0)
    x, y = patients()
    train, validation = (x[:TRAINING], y[:TRAINING]), (x[TRAINING:], y[TRAINING:])
    model = make_model()
    loss, optimizer = nn.MSELoss(), torch.optim.SGD(model.parameters(), lr=LEARNING_RATE)
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "diabetes.zarr"
        recorder = landscape.Recorder(
            store,
            model,
            optimizer,
            train,
            validation,
            loss=loss,
            at=[0, steps - 1],
            task="diabetes",
            sets=["same_batch", "validation"],
            step_sizes=landscape.probing.spaced(31, 0.3),
        )
        for _ in range(steps):
            with recorder(*train):
                optimizer.zero_grad()
                loss(model(train[0]), train[1]).backward()
                optimizer.step()
        slices = landscape.open(store).load()
    drawn = plots.plot_batches(
        slices, metric="r_squared", checkpoint=steps - 1, value_scale="linear"
    )
    plots.save(drawn, out / "your_regression.png")
    best = slices["r_squared"].max("step_size").squeeze("draw")
    error = slices["mean_absolute_error"].sel(step_size=0).squeeze("draw")
    for i, iteration in enumerate(slices["iteration"].values):
        print(
            f"iteration {iteration}: best R² along the slice {best[i, 0]:.3f} on the batch, "
            f"{best[i, 1]:.3f} on validation; mean absolute error at 0 {error[i, 0]:.3f} and "
            f"{error[i, 1]:.3f} standard deviations"
        )
    return model, slices


if __name__ == "__main__":
    main()
