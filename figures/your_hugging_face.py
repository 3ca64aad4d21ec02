"""A training of your own by Hugging Face's Trainer: a tiny DistilBERT reads digits as sequences.

Each of scikit-learn's digits is a sequence of 64 grey levels, each of them a token. The model is
made from a configuration, with random weights, so that nothing is fetched. The callback is all that
is added; it measures on the batches of the training, and takes the Trainer's data.
"""

import tempfile
from pathlib import Path

import torch
from sklearn.datasets import load_digits
from transformers import (
    DistilBertConfig,
    DistilBertForSequenceClassification,
    PrinterCallback,
    Trainer,
    TrainingArguments,
)

import landscape
from landscape import plots
from landscape.integrations.transformers import LandscapeCallback

HERE = Path(__file__).parent


def classifier():
    config = DistilBertConfig(
        vocab_size=17, max_position_embeddings=64, dim=48, n_layers=2, n_heads=4, hidden_dim=96,
        dropout=0.0, attention_dropout=0.0, seq_classif_dropout=0.0,
        initializer_range=0.1, num_labels=10,
    )  # fmt: skip
    return DistilBertForSequenceClassification(config)


def sequences():
    """1,400 digits to train on, 397 to validate, as the dicts that the model is called with."""
    digits = load_digits()
    grey = torch.tensor(digits.data, dtype=torch.long)
    samples = [
        {"input_ids": ids, "labels": int(label)}
        for ids, label in zip(grey, digits.target, strict=True)
    ]
    return samples[:1400], samples[1400:]


def main(out=HERE, steps=120):
    train, validation = sequences()
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as scratch:
        arguments = TrainingArguments(
            scratch, max_steps=steps, per_device_train_batch_size=50, learning_rate=3e-3, seed=0,
            use_cpu=True, dataloader_pin_memory=False, report_to="none", save_strategy="no",
            logging_strategy="no", disable_tqdm=True,
        )  # fmt: skip
        trainer = Trainer(classifier(), arguments, train_dataset=train, eval_dataset=validation)
        store = Path(scratch) / "slices.zarr"
        callback = LandscapeCallback(
            trainer,
            store,
            at=[0, steps // 2, steps - 1],
            step_sizes=landscape.probing.spaced(13, 0.6),
            big_batch=200,
            task="DistilBERT on digits",
            other_batches=1,
        )
        trainer.add_callback(callback)
        trainer.remove_callback(PrinterCallback)  # no lines between, but for the last ones
        trainer.train()
        slices = landscape.open(store).load()
    figure = plots.plot_batches(slices, checkpoint=steps // 2, metric="loss")
    plots.save(figure, Path(out) / "your_hugging_face.png")
    start = slices.sel(evaluation_set="validation", step_size=0).squeeze("draw")
    for name in ("loss", "accuracy"):
        print(f"validation {name} at {slices.iteration.values}: {start[name].values.round(3)}")
    return slices, trainer.model


if __name__ == "__main__":
    main()
