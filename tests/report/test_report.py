import gzip
import json
import re
from base64 import b64decode
from hashlib import sha256
from html import unescape
from pathlib import Path

import numpy as np
import pytest
from helpers.pages import source
from helpers.slices import SETS, STEPS, slices
from matplotlib.colors import to_hex

from landscape import report, tables
from landscape.errors import InvalidValueError, MissingFileError
from landscape.plots.drawing.style import set_styles
from landscape.report import sections
from landscape.report.charts import DARK, charts, contrast
from landscape.tables import formats as table_formats

EVIL = "<script>alert(1)</script> & 'x' <b>b</b> %{y}"


def tables_of(text):
    """Of each statistics table what it is of, its header and its rows."""
    found = {}
    for of, inside in re.findall(
        r'<div class="statistics" data-of="0 (.*?)">(.*?)</p></div>', text, re.S
    ):
        rows = re.findall(r"<tr.*?>(.*?)</tr>", inside, re.S)
        found[of] = [[unescape(c) for c in re.findall(r"<t[hd].*?>(.*?)</t", row)] for row in rows]
    return found


def data_of(text):
    """What the page's script knows of each store."""
    return json.loads(re.search(r'id="data">(.*?)</script>', text, re.S)[1])


# What the charts draw


def test_charts_have_every_value_mean_and_range():
    dataset = slices(draws=3)
    made = charts(dataset)
    assert made["steps"] == STEPS
    assert made["step_label"] == "step size along −∇L"
    (curves,) = made["metrics"]["accuracy"]["curves"]
    accuracy = dataset["accuracy"].values
    for part, array in (
        ("mean", accuracy.mean(1)),
        ("low", accuracy.min(1)),
        ("high", accuracy.max(1)),
    ):
        np.testing.assert_allclose(curves[part], array, rtol=1e-8)
    smooth = made["metrics"]["smooth_accuracy"]
    assert smooth["sloped"] is True
    assert [label[-9:] for label in smooth["labels"]] == ["(s = 0.5)", "y (s = 1)", " (s = 10)"]
    np.testing.assert_allclose(
        smooth["curves"][2]["mean"], dataset["smooth_accuracy"].values[..., 2].mean(1)
    )
    assert [each["short"] for each in made["checkpoints"]] == ["10 (0.5)", "200 (10)"]
    assert "low" not in charts(slices())["metrics"]["loss"]["curves"][0]


def test_sets_look_as_in_the_figures():
    dataset = slices()
    styles = set_styles(dataset)
    made = charts(dataset)["sets"]
    assert [each["label"] for each in made] == [name.replace("_", " ") for name in SETS]
    assert [each["color"] for each in made] == [to_hex(styles[name].color) for name in SETS]
    assert made[0]["dash"] == "solid"
    assert made[3]["dash"] == "8px,2px,2px,2px"  # (4, 1, 1, 1) of a line 2 wide
    assert [each["symbol"] for each in made] == ["circle", "square", "diamond", "triangle-down"]


def test_distances_are_step_sizes_times_the_norm():
    made = charts(slices(draws=2))
    np.testing.assert_allclose(made["distances"], np.outer([2, 0.5], STEPS))
    assert made["distance_label"].startswith("mean distance")
    assert "distances" not in charts(slices().assign_attrs(direction="sideways"))


def test_what_is_not_finite_is_told_as_such():
    dataset = slices(draws=2)
    dataset["loss"][0, 0, 0, :3] = [np.nan, np.inf, -np.inf]
    (curves,) = charts(dataset)["metrics"]["loss"]["curves"]
    for part, wanted in {
        "mean": ["NaN", "Infinity", "-Infinity"],
        "low": ["NaN", 3.25 - 1.25 + 0, "-Infinity"],
        "high": ["NaN", "Infinity", 1.5625],
    }.items():
        assert curves[part][0][0][:3] == wanted
    dataset["loss"][0, 1] = np.nan
    assert tables_of(report.page(dataset[["loss"]]))["loss 0"][1][2:5] == ["NaN ± NaN"] * 3


# The page


def test_the_statistics_of_every_metric_and_slope_factor():
    found = tables_of(report.page(slices()))
    assert list(found) == ["accuracy 0", "loss 0", *(f"smooth_accuracy {i}" for i in range(3))]
    header, *rows = found["accuracy 0"]
    assert header[:4] == ["iteration", "evaluation set", "peak width", "plateau"]
    assert rows[1] == ["10", "other batch 1", "0.4", "0", "0", "0", "0.1", "0.1", "–"]
    assert len(rows) == 8
    assert "within 10 % of the best" in report.page(slices())
    wanted = tables.slice_statistics(slices(), metric="smooth_accuracy", slope_factor=10)
    assert found["smooth_accuracy 2"][1:] == table_formats.cells(wanted)[1]
    assert found["smooth_accuracy 2"] != found["smooth_accuracy 0"]


def test_a_metric_of_ones_own_has_charts_and_no_statistics():
    dataset = slices().rename(loss="mine")
    text = report.page(dataset)
    assert "better higher or lower is not known" in text
    assert data_of(text)[0]["metrics"]["mine"]["name"] == "loss"


def test_provenance():
    text = unescape(report.page(slices()[["loss"]].assign_attrs(probed_at="2026-01-01 12:00")))
    for part in (
        *("a-task", "sgd", "learning rate 0.25; options momentum 0.9", "before the step", "2.14"),
        *("<td>d200d200</td>", "<dt>probed at</dt><dd>2026-01-01 12:00</dd>"),
        "<dt>seed of the probe</dt><dd>7</dd>",
        '<td class="words">validation</td><td>360</td><td class="words">running</td>',
    ):
        assert part in text
    assert "2 checkpoints, 1 draw, 4 evaluation sets, 7 step sizes from −1 to 1." in text
    assert "means of 3 draws, intervals: min to max" in sections.summary(slices(draws=3))


def test_how_it_was_made_is_in_the_words_of_info():
    settings = {"origin": "before-step", "draws": 1, "samples": True, "sets": ["same_batch"]}
    run = {"task": "digits-mlp", "optimizer": "adam", "learning_rate": 0.1, "compile": False}
    named = {"task": "digits-mlp", "optimizer": "AdamW", "settings": settings, "run": run}
    text = unescape(sections.provenance(slices().assign_attrs(named)))
    for part in (
        "<dt>task</dt><dd>MLP on digits (digits-mlp)</dd>",
        "<dt>optimizer</dt><dd>Adam, learning rate 0.1</dd>",
        "<dt>origin</dt><dd>before the step</dd>",
        "<dt>training</dt><dd>learning rate 0.1; no compile</dd>",
        "<dt>settings of the probe</dt><dd>1 draw; samples; sets same batch</dd>",
    ):
        assert part in text
    assert "before-step" not in text
    assert "AdamW" not in text


def test_nothing_from_a_store_becomes_markup():
    dataset = slices().assign_attrs(task=EVIL, mine={EVIL: [EVIL]}, digests={"10": EVIL})
    dataset["evaluation_set"] = np.array([EVIL, *SETS[1:]], dtype=object)
    dataset["kind"][0] = EVIL
    dataset["loss"].attrs.update(long_name=EVIL, units=EVIL)
    text = report.page(dataset)
    assert text.count("<script") == text.count("</script>") == 3
    assert "<b>" not in text
    assert unescape(re.search(r"<h1>(.*?)</h1>", text)[1]) == f"{EVIL}, SGD"
    assert data_of(text)[0]["sets"][0]["label"] == EVIL.replace("_", " ")
    assert "<h1>A &amp; B</h1>" in report.page(slices()[["loss"]], title="A & B")


def test_the_page_loads_nothing_and_lets_no_other_script_run():
    text = report.page(slices()[["accuracy"]])
    policy = unescape(re.search(r'Content-Security-Policy" content="(.*?)"', text)[1])
    assert policy.startswith("default-src 'none'")
    packed = re.search(r'<script type="text/plain" id="plotly">(.*?)</script>', text)[1]
    library = gzip.decompress(b64decode(packed)).decode()
    (script,) = re.findall(r"<script>(.*?)</script>", text, re.S)
    (allowed,) = re.findall(r"script-src (.*?);", policy)
    assert allowed.split() == [source(library), source(script)]
    own = text.replace(packed, "").replace("http://www.w3.org/2000/svg", "")  # a name, no address
    assert not re.search(r"https?://|@import|url\(|\bsrc=", own)
    assert re.findall(r'href="(.*?)"', own) == ["data:,"]
    assert len(text.encode()) < 1.5e6


def test_the_library_is_the_one_that_npm_has():
    folder = Path(report.__file__).parent
    library = gzip.decompress((folder / report.LIBRARY).read_bytes())
    assert library.startswith(b"/**\n* plotly.js (gl3d - minified) v4.1.1\n")
    # that of package/plotly-gl3d.min.js in plotly.js-gl3d-dist-min 4.1.1
    digest = "aab04dcd9c103a92b18723f8c837712fe820f325d0bcd2421e415e8124a75b9f"
    assert sha256(library).hexdigest() == digest
    assert (folder / "plotly-LICENSE").read_text().startswith("MIT License")


def test_rows_tell_their_checkpoint_and_their_set():
    text = report.page(slices()[["accuracy"]])
    rows = re.findall(r'<tr data-checkpoint="(.)" data-set="(.*?)"><td.*?>(.*?)</td>', text)
    assert [each[::2] for each in rows] == [("0", "10")] * 4 + [("1", "200")] * 4
    assert [each[1] for each in rows[:4]] == [
        "same batch",
        "other batch 1",
        "big batch",
        "validation",
    ]


def test_several_stores_in_one_page():
    first, other = slices(), slices().assign_attrs(run={"learning_rate": 0.5})
    text = report.page([first, other])
    names = [each["name"] for each in data_of(text)]
    assert ["0.25" in names[0], "0.5" in names[1]] == [True, True]
    assert text.count('class="statistics" data-of="1 ') == 5
    assert len(re.findall('<p data-store="[01]">2 checkpoints', text)) == 2
    assert "<h1>a-task, SGD</h1>" in text
    assert text.count('id="sets-chart"') == 1
    assert len(text) < len(report.page(first)) + 3e4  # one library for all
    with pytest.raises(InvalidValueError, match="no store"):
        report.page([])


def test_in_the_dark_every_curve_stands_out():
    # WCAG 2: of #777 on white 4.48, of black on white 21
    assert contrast("#777777", "#ffffff") == pytest.approx(4.478, abs=1e-3)
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert f"--paper: {DARK};" in Path(report.__file__).with_name("page.css").read_text()
    made = charts(slices())
    for each in (*made["sets"], *made["checkpoints"]):
        assert contrast(each["dark"], DARK) > 3
    assert len({each["dark"] for each in made["sets"]}) == 4


# Writing it


def test_save(tmp_path):
    dataset = slices()[["accuracy"]]
    path = report.save(dataset, tmp_path / "a.html", title="Mine")
    assert path.read_text(encoding="utf-8") == report.page(dataset, "Mine")
    assert list(tmp_path.iterdir()) == [path]


def test_a_failure_leaves_what_was_there(tmp_path, monkeypatch):
    dataset = slices()[["accuracy"]]
    path = report.save(dataset, tmp_path / "a.html")
    before = path.read_text()
    for name, error, message in (
        ("a.pdf", InvalidValueError, r"unknown suffix of a report '\.pdf'.*\.html, \.htm"),
        ("no/a.html", MissingFileError, "no folder"),
    ):
        with pytest.raises(error, match=message):
            report.save(dataset, tmp_path / name)
    (tmp_path / "b.html").mkdir()
    with pytest.raises(InvalidValueError, match="is a folder"):
        report.save(dataset, tmp_path / "b.html")

    def full(self, *_, **__):
        self.touch()
        raise OSError("no space left")

    monkeypatch.setattr("pathlib.Path.write_text", full)
    with pytest.raises(OSError, match="no space"):
        report.save(dataset, path)
    monkeypatch.undo()
    assert path.read_text() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.html", "b.html"]


def test_bad_datasets():
    with pytest.raises(InvalidValueError, match=r"no slices.*lack step_size"):
        report.page(slices().isel(step_size=0))
    with pytest.raises(InvalidValueError, match="no checkpoint"):
        report.page(slices().isel(checkpoint=slice(0)))
