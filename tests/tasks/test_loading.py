import subprocess
import sys
from importlib.resources import files

import pytest
import torch

from landscape.errors import InvalidValueError, MissingFileError
from landscape.tasks import BUILTIN, load_task

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


def test_the_table_of_built_in_tasks():
    assert list(BUILTIN) == ["digits-mlp", "digits-cnn", "mnist-mlp", "fashion-mlp"]
    for name, builtin in BUILTIN.items():
        assert name == builtin.name
        assert builtin.summary


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

    for name in tasks.__all__:
        assert getattr(tasks, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'load_tasks'"):
        _ = tasks.load_tasks
