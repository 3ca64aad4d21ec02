import json
import re
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
import sklearn.datasets  # noqa: F401 -- now, since its parts do not load into the copy below
import torch

from landscape.errors import InvalidValueError, MissingFileError
from landscape.runtime.randomness import generator
from landscape.tasks import BUILTIN, DATASETS, MODELS, combining, load_task, source

SOURCE = """
import helper_of_{name}
task = {{
    "model": lambda: __import__("torch").nn.Linear(2, 2),
    "train": helper_of_{name}.pair,
    "validation": helper_of_{name}.pair,
}}
class Space:
    inner = task
number = 3
"""
HELPER = "import torch\npair = (torch.zeros(4, 2), torch.tensor([0, 1, 0, 1]))\n"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The current folder, whose modules are forgotten again."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path.copy())
    monkeypatch.setattr(sys, "modules", sys.modules.copy())
    return tmp_path


def write(folder, name, source=SOURCE):
    folder.mkdir(exist_ok=True)
    (folder / f"helper_of_{name}.py").write_text(HELPER)
    (folder / f"{name}.py").write_text(source.format(name=name))


@pytest.mark.parametrize("spec", ["mine_a:task", "mine_a:Space.inner", "mine_a.py:task"])
def test_an_object_of_a_module_in_the_current_folder(folder, spec):
    write(folder, "mine_a")
    task = load_task(spec)
    assert task.name == spec
    assert len(task.train) == 4


def test_a_file_elsewhere_with_its_neighbours(folder):
    write(folder / "deep", "mine_b")
    assert len(load_task("deep/mine_b.py:task").train) == 4
    assert len(load_task(f"{folder}/deep/mine_b.py:task").train) == 4


def test_a_file_is_read_afresh_and_not_taken_for_a_module_of_its_name(folder):
    write(folder, "json")
    assert len(load_task("json.py:task").train) == 4
    (folder / "helper_of_json.py").write_text(HELPER)
    (folder / "json.py").write_text(
        SOURCE.format(name="json").replace("task = ", "other = task = ")
    )
    assert len(load_task("json.py:other").train) == 4


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (
            "digits_mlp",
            "unknown task 'digits_mlp' .did you mean 'digits-mlp'..; choose from digits-",
        ),
        ("mine_c.py", "unknown task 'mine_c.py'.*my_module:my_task or path/to/file.py:my_task"),
        ("mine_c:", "unknown task 'mine_c:'"),
        (":task", "unknown task ':task'"),
        (
            "no_such_module:task",
            "task 'no_such_module:task' cannot be imported: No module named 'no",
        ),
        ("mine_c.inner:task", "cannot be imported: No module named 'mine_c.inner'"),
        (".mine_c:task", "cannot be imported: a relative name"),
        ("mine_c:tasks", "unknown task in mine_c 'tasks' .did you mean 'task'..; choose from task"),
        ("mine_c:number", "task 'mine_c:number' .a int. has no model, train, validation"),
        ("broken_c:task", r"cannot be imported: .*broken_c.py, line 2"),
        ("broken_c.py:task", r"cannot be imported: .*broken_c.py, line 2"),
        ("needy_c.py:task", "task 'needy_c.py:task' cannot be imported: No module named 'not_inst"),
    ],
)
def test_what_cannot_be_loaded_is_one_line(folder, spec, message):
    write(folder, "mine_c")
    write(folder, "broken_c", "x = 1\ndef\n")
    write(folder, "needy_c", "import not_installed_anywhere\n")
    with pytest.raises(InvalidValueError, match=message) as error:
        load_task(spec)
    assert "\n" not in str(error.value)


def test_a_file_that_is_not_there(folder):
    with pytest.raises(
        MissingFileError, match=r"no file 'none.py' for the task; looked at /.*none"
    ):
        load_task("none.py:task")


def test_an_error_in_the_users_code_is_one_line(folder):
    write(folder, "faulty", "1 / 0\n")
    for spec in ("faulty:task", "faulty.py:task"):
        with pytest.raises(InvalidValueError, match="cannot be imported: ZeroDivisionError"):
            load_task(spec)
    assert "task_of_faulty" not in sys.modules


def test_the_example_that_users_start_from(folder):
    text = files("landscape.tasks").joinpath("example.py").read_text()
    (folder / "my_task.py").write_text(text)
    task = load_task("my_task.py:task")
    inputs, targets = task.train.take(torch.arange(8))
    assert task.loss(task.model()(inputs), targets).shape == (8,)
    assert "landscape" not in [line.split()[1] for line in text.splitlines() if "import " in line]


def test_the_tables_of_tasks_data_sets_and_models():
    assert [*BUILTIN][:4] == ["digits-mlp", "digits-cnn", "mnist-mlp", "fashion-mlp"]
    assert [*MODELS] == [*combining.FACTORIES]
    for table in (BUILTIN, DATASETS, MODELS):
        for name, entry in table.items():
            assert name == entry.name
            assert re.fullmatch(r"\S.*\S", entry.summary)
    for task in BUILTIN.values():
        assert task.dataset in DATASETS
        assert task.model in MODELS


@pytest.mark.parametrize("model", MODELS)
def test_every_model_goes_with_every_shape(model):
    for shape, classes in (((1, 8, 8), 3), ((3, 32, 32), 10)):
        network = combining.FACTORIES[model](shape, classes).eval()
        with torch.no_grad():
            assert network(torch.zeros(2, *shape)).shape == (2, classes)


GIVEN = {
    "the name": {"spec": "digits-resnet20"},
    "another model": {"spec": "digits-cnn", "model": "resnet20"},
    "another data set": {"spec": "mnist-resnet20", "dataset": "digits"},
    "both": {"model": "resnet20", "dataset": "digits"},
    "both, and a name": {"spec": "mnist-mlp", "model": "resnet20", "dataset": "digits"},
}


@pytest.mark.parametrize("given", GIVEN)
def test_a_task_is_its_data_set_and_its_model_however_they_are_given(given):
    task = load_task(**GIVEN[given])
    assert task.name == "digits-resnet20"
    assert (len(task.train), task.batch_size, task.epochs) == (1437, 64, 20)
    assert task.train.augment is None
    assert sum(p.numel() for p in task.model().parameters()) == 269_722 - 2 * 16 * 9
    assert source(**GIVEN[given]) == {"task": "digits-resnet20"}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"spec": "digits-mlpp"}, "unknown task 'digits-mlpp' .did you mean 'digits-mlp'"),
        ({"spec": "digit-mlp"}, "unknown task 'digit-mlp' .*another DATASET-MODEL of digits, mn"),
        ({"spec": "mlp"}, "unknown task 'mlp'"),
        ({"model": "resnet"}, "no data set was given; name a task or give --dataset, one of dig"),
        ({"dataset": "digits"}, "no model was given; name a task or give --model, one of mlp, cnn"),
        ({}, "no data set was given"),
        (
            {"spec": "digits-mlp", "model": "resnet43"},
            "unknown model 'resnet43' .did you mean 'resnet34'..; choose from mlp, cnn",
        ),
        (
            {"spec": "digits-mlp", "dataset": "cifar"},
            "unknown data set 'cifar' .did you mean 'cifar10'..; .* or a file of arrays as path/",
        ),
        (
            {"spec": "mine.py:task", "model": "mlp"},
            "task 'mine.py:task' has a model and data of its own; give --model and --dataset",
        ),
        ({"spec": "mine.py:task", "dataset": "mnist"}, "has a model and data of its own"),
        (
            {"spec": "mnist-mlp", "dataset": "digits", "data": Path("a.npz")},
            "both the data set 'digits' and the file of arrays 'a.npz' were given; choose one",
        ),
        (
            {"spec": "digits-mlp", "train_samples": 1438},
            "the first 1438 samples were asked for; there are 1437, so 1 to 1437 are allowed",
        ),
        ({"spec": "digits-mlp", "train_samples": 0}, "the first 0 samples were asked for"),
    ],
)
def test_parts_that_do_not_make_a_task_are_one_line(given, message):
    with pytest.raises(InvalidValueError, match=message) as error:
        load_task(**given)
    assert "\n" not in str(error.value)


def test_the_first_samples_of_the_training_data(folder):
    whole, part = load_task("digits-cnn"), load_task("digits-cnn", train_samples=100)
    assert (len(part.train), len(part.validation)) == (100, 360)
    assert torch.equal(
        part.train.take(torch.arange(100))[0], whole.train.take(torch.arange(100))[0]
    )
    augmented = [each.train.take(torch.arange(100), generator(0))[0] for each in (part, whole)]
    assert torch.equal(*augmented)
    assert not torch.equal(augmented[0], part.train.take(torch.arange(100))[0])
    write(folder, "mine_d")
    assert load_task("mine_d:task", train_samples=3).train.targets.tolist() == [0, 1, 0]


def test_the_source_makes_the_same_task_from_any_folder(folder, monkeypatch):
    generator = np.random.default_rng(0)
    images, labels = generator.integers(0, 256, (6, 4, 4, 3), np.uint8), np.arange(6) % 3
    arrays = {"train_images": images, "train_labels": labels}
    arrays |= {"test_images": images, "test_labels": labels}
    np.savez(folder / "small.set.npz", **arrays)
    write(folder, "mine_e")
    given = [
        {"spec": "digits-cnn"},
        {"model": "cnn", "dataset": "small.set.npz", "train_samples": 5},
        {"spec": "cifar10-cnn", "data": Path("small.set.npz")},
        {"model": "cnn", "dataset": Path("small.set.npz")},
        {"spec": "mine_e.py:task", "train_samples": 2},
    ]
    made = [(load_task(**each), source(**each)) for each in given]
    assert made[1][1] == {
        "task": "small.set.npz-cnn",
        "dataset": str(folder / "small.set.npz"),
        "train_samples": 5,
    }
    (folder / "elsewhere").mkdir()
    monkeypatch.chdir("elsewhere")
    for task, kept in made:
        kept = json.loads(json.dumps(kept))
        kept.pop("folder", None)
        again = load_task(kept.pop("task"), **kept)
        assert task.name in (again.name, "mine_e.py:task")
        for before, after in ((task.train, again.train), (task.validation, again.validation)):
            assert torch.equal(before.inputs, after.inputs)
            assert torch.equal(before.targets, after.targets)
    assert source("mnist-mlp", data=Path("there"))["data"] == f"{folder}/elsewhere/there"
    assert source("mnist-mlp")["data"] == f"{folder}/elsewhere/data"
    assert source("package.mine:task") == {
        "task": "package.mine:task",
        "folder": f"{folder}/elsewhere",
    }


def test_the_table_loads_neither_torch_nor_sklearn():
    code = (
        "import sys; from landscape.tasks.registry import BUILTIN; import landscape.tasks;"
        "print(sorted({'torch', 'sklearn', 'numpy', 'torchvision'} & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout == "[]\n"


def test_every_public_name_is_there():
    import landscape.tasks as tasks

    assert dir(tasks) == sorted(tasks.__all__)
    for table in ("BUILTIN", "DATASETS", "MODELS"):
        assert getattr(tasks, table) is getattr(tasks.registry, table)
    for name in ("BuiltinTask", "Task", "as_task", "load_task", "source"):
        assert getattr(tasks, name).__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'load_tasks'"):
        _ = tasks.load_tasks
