"""The page of a store of planes."""

import json
import re
from html import unescape

import numpy as np
import pytest
from helpers import planes
from helpers.pages import CHROMIUM, driven, source
from helpers.slices import slices

from landscape import report, tables
from landscape.report.charts import charts
from landscape.slices.planes import first_line
from landscape.tables import formats

EVIL = "<script>alert(1)</script> & 'x' <b>b</b> %{y}"


@pytest.fixture
def light(monkeypatch):
    """Pages without the library's five million letters."""
    monkeypatch.setattr(report, "_plotly", lambda: "/* plotly */")


def test_charts_have_every_value_of_every_draw():
    dataset = planes.plane()
    dataset["loss"][1, 0, 1, 2, 3] = np.inf
    made = charts(dataset)
    for name in ("loss", "accuracy"):
        (values,) = made["metrics"][name]["curves"]
        wanted = dataset[name].transpose(
            "draw", "checkpoint", "evaluation_set", "step_size_2", "step_size"
        )
        np.testing.assert_allclose(np.array(values, dtype=float), wanted, rtol=1e-8)
    assert made["metrics"]["loss"]["curves"][0][0][1][1][3][2] == "Infinity"
    assert made["steps"] == pytest.approx(dataset["step_size"].values)
    assert made["steps_2"] == pytest.approx(dataset["step_size_2"].values)
    assert made["step_label_2"] == "step size along random direction 2"
    assert made["draw_numbers"] == [0, 1]
    json.dumps(made, allow_nan=False)


def test_charts_have_the_path_of_every_draw_and_checkpoint():
    dataset = planes.plane()
    dataset["path_step_size"][1, 0] *= 2
    path = charts(dataset)["path"]
    for name in ("step_size", "step_size_2", "distance"):
        wanted = dataset[f"path_{name}"].transpose("draw", "checkpoint", "path")
        np.testing.assert_allclose(path[name], wanted, rtol=1e-8)
    assert path["labels"][1] == "iteration 100 (epoch 1)"
    assert "path" not in charts(planes.plane(path=0))
    assert "path" not in charts(first_line(planes.plane()))


def test_every_chart_has_a_caption():
    made = charts(planes.plane())["metrics"]["loss"]
    assert planes.ABOUT in made["caption"]
    assert "validation (360 samples" in made["captions"][1]
    assert "same batch" not in made["captions"][1]
    for page in (charts(first_line(planes.plane())), charts(slices())):
        assert all(len(each["captions"]) == len(page["sets"]) for each in page["metrics"].values())


def test_the_page_has_a_surface_only_for_planes(light):
    plane, line = report.page(planes.plane()), report.page(slices())
    assert 'id="surface-chart"' in plane
    assert 'id="sets-chart"' not in plane
    assert 'id="surface-chart"' not in line
    assert '<option value="1">1</option>' in plane  # the second draw
    assert 'min="0" max="1" value="1"' in plane  # the last checkpoint
    assert "11 step sizes from −1 to 1, and 9 along the second direction from −0.8 to 0.8." in plane
    assert "means of" not in plane
    assert f"<dt>about the second direction</dt><dd>{planes.ABOUT}" in unescape(plane)


def test_a_table_for_every_metric(light):
    dataset = planes.plane()
    text = report.page(dataset)
    for name in ("accuracy", "loss"):
        inside = re.search(f'data-of="{name} 0">(.*?)</p></div>', text, re.S)[1]
        rows = [
            [unescape(cell) for cell in re.findall(r"<t[hd].*?>(.*?)</t", row)]
            for row in re.findall(r"<tr>(.*?)</tr>", inside, re.S)
        ]
        header, wanted = formats.cells(tables.plane_statistics(dataset, metric=name))
        assert rows == [header, *wanted]
    assert "better higher or lower is not known" in report.page(dataset.rename(loss="mine"))


def test_a_plane_away_from_its_origin_has_a_page(light):
    text = report.page(planes.plane().isel(step_size=slice(7, None), step_size_2=slice(5, None)))
    assert "<td>–</td>" in text


def test_nothing_from_a_store_becomes_markup(light):
    names = ("task", "direction_symbol_2", "direction_about", "direction_about_2", "direction_2")
    dataset = planes.plane().assign_attrs(dict.fromkeys(names, EVIL))
    dataset["evaluation_set"] = np.array([EVIL, "validation"], dtype=object)
    text = report.page(dataset)
    assert text.count("<script") == text.count("</script>") == 3
    assert "<b>" not in text


def test_the_page_loads_nothing_and_is_of_reasonable_size():
    text = report.page(planes.plane(points=41, points_2=41))
    library, script = re.findall(r"<script>(.*?)</script>", text, re.S)
    policy = unescape(re.search(r"script-src (.*?);", text)[1])
    assert policy.split() == [source(library), source(script)]
    assert not re.search(r"https?://|@import|url\(|\bsrc=", text.replace(library, ""))
    assert len(text) < 6e6


DRIVE = """
const result = [];
const set = (id, value) => {
  byId(id).value = value;
  byId(id).dispatchEvent(new Event("input", { bubbles: true }));
};
const look = () => {
  const drawn = Object.fromEntries(byId("surface-chart").data.map((t) => [t.uid, t]));
  const curves = (id) => byId(id).data.filter((t) => t.name).map(({ name, y }) => ({ name, y }));
  result.push({
    address: location.hash,
    which: byId("which").textContent,
    point: byId("point").textContent,
    surface: ["x", "y", "z", "text"].map((part) => drawn.surface[part]),
    range: byId("surface-chart")._fullLayout.scene.zaxis.range,
    ticks: drawn.surface.colorbar.ticktext,
    path: drawn["path-points"] && ["x", "y", "z", "text"].map((n) => drawn["path-points"][n]),
    line: drawn.path && ["x", "y", "z"].map((n) => drawn.path[n]),
    origin: ["x", "y"].map((n) => drawn.origin[n][0]),
    first: curves("first-chart"),
    second: curves("second-chart"),
    hidden: ["surface-chart", "no-surface", "marks", "draw-label"].map((id) => byId(id).hidden),
    caption: byId("surface-caption").textContent,
    canvas: document.querySelectorAll("#surface-chart canvas").length,
    tables: [...document.querySelectorAll(".statistics")].filter((e) => !e.hidden)
      .map((e) => e.dataset.of),
  });
};
look();
byId("surface-chart").emit("plotly_hover", { points: [{ x: 0.41, y: -0.6 }] });
look();
set("draw", 1);
set("checkpoint", 0);
set("metric", "loss");
set("value_scale", "log");
look();
set("evaluation_set", 0);
look();
setTimeout(() => {
  const loaded = performance.getEntriesByType("resource").map((entry) => entry.name);
  const element = document.createElement("pre");
  element.id = "result";
  element.textContent = JSON.stringify({ result, loaded });
  document.body.append(element);
}, 1000);
"""


@pytest.mark.skipif(not CHROMIUM, reason="no Chromium is installed")
def test_in_a_browser(tmp_path):
    dataset = planes.plane()
    dataset["loss"][0, 1, 0, :2, 0] = [np.nan, np.inf]
    dataset["loss"][0, 1, 1] = np.nan
    address, drawn_by = "metric=accuracy&evaluation_set=1", "--enable-unsafe-swiftshader"
    found = driven(report.page(dataset), DRIVE, tmp_path, address, drawn_by)
    assert found["loaded"] == []
    first, hovered, nothing, log = found["result"]
    steps, steps_2 = dataset["step_size"].values, dataset["step_size_2"].values

    def plane(name, checkpoint, draw):
        values = dataset[name].isel(checkpoint=checkpoint, draw=draw)
        return values.transpose("evaluation_set", "step_size_2", "step_size").values

    def same(shown, i, j, wanted):
        """The slices through a place of the planes (set, step_size_2, step_size)."""
        for curves, slices_ in ((shown["first"], wanted[:, j]), (shown["second"], wanted[..., i])):
            assert [each["name"] for each in curves] == ["same batch", "validation"]
            found = np.array([each["y"] for each in curves], float)  # None is a gap
            np.testing.assert_allclose(found, np.where(np.isfinite(slices_), slices_, np.nan))

    x, y, z, text = first["surface"]
    np.testing.assert_allclose(x, steps)
    np.testing.assert_allclose(y, steps_2)
    np.testing.assert_allclose(z, plane("accuracy", 1, 0)[1], rtol=1e-8)
    assert text[4][5] == "step sizes 0, 0: 0.8"
    assert text[0][10] == "step sizes 1, −0.8: 0.223719"
    assert first["canvas"] > 0
    assert first["hidden"] == [False, True, True, False]
    assert first["tables"] == ["accuracy 0"]
    assert first["which"] == "iteration 800 (epoch 8)"
    assert first["point"] == "step size 0 along the first direction, 0 along the second"
    same(first, 5, 4, plane("accuracy", 1, 0))
    assert first["origin"] == [0, 0]
    assert "validation (360 samples" in first["caption"]

    # The path lies a hundredth of the chart's height above the surface.
    x, y, z, text = first["path"]
    one = dataset.isel(checkpoint=1, draw=0)
    np.testing.assert_allclose(x, one["path_step_size"])
    np.testing.assert_allclose(y, one["path_step_size_2"])
    lift = 0.01 * (first["range"][1] - first["range"][0])
    corners = plane("accuracy", 1, 0)[1, 0:3, 0:2]
    along = corners.mean(1)  # −0.9 is in the middle between −1 and −0.8
    assert z[0] - lift == pytest.approx(0.2 * along[0] + 0.8 * along[1])  # −0.64 of −0.8, −0.6
    assert z[-1] - lift == pytest.approx(0.8)
    assert text[1].startswith("training path, iteration 100 (epoch 1): step sizes −0.675, −0.36,")
    assert len(first["line"][0]) == 1 + 4 * 12
    assert first["line"][0][12::12] == pytest.approx(x[1:])

    assert hovered["point"] == "step size 0.4 along the first direction, −0.6 along the second"
    same(hovered, 7, 1, plane("accuracy", 1, 0))

    assert nothing["hidden"] == [True, False, False, False]
    same(nothing, 7, 1, plane("loss", 0, 1))

    assert log["which"] == "iteration 400 (epoch 4)"
    assert "draw=1" in log["address"]
    assert log["tables"] == ["loss 0"]
    assert log["hidden"] == [False, True, False, False]
    wanted = plane("loss", 0, 1)
    heights = np.log10(np.where(np.isfinite(wanted[0]), wanted[0], np.nan))
    assert np.flatnonzero(np.isnan(heights)).tolist() == [0, 1]
    np.testing.assert_allclose(np.array(log["surface"][2], float), heights, rtol=1e-7)
    assert log["surface"][3][0][:2] == ["step sizes −1, −0.8: NaN", "step sizes −0.8, −0.8: +∞"]
    assert log["ticks"] == ["1", "2", "5"]
    assert log["path"][2][0] is None  # beside the gap
    same(log, 7, 1, wanted)
