"""The page of a store of planes."""

import json
import re
from html import unescape

import numpy as np
import pytest
from helpers import planes
from helpers.pages import CHROMIUM, driven
from helpers.slices import slices

from landscape import report, tables
from landscape.report.charts import charts
from landscape.slices.planes import first_line
from landscape.tables import formats

EVIL = "<script>alert(1)</script> & 'x' <b>b</b> %{y}"


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


def test_the_page_has_a_surface_only_for_planes():
    plane, line, both = map(report.page, (planes.plane(), slices(), [planes.plane(), slices()]))
    assert 'id="surface-chart"' in plane
    assert 'id="sets-chart"' not in plane
    assert 'id="surface-chart"' not in line
    assert both.count('id="surface-chart"') == both.count('id="sets-chart"') == 1
    (data,) = json.loads(re.search(r'id="data">(.*?)</script>', plane, re.S)[1])
    assert data["kind"] == "plane"
    assert data["start"] == {"metric": "accuracy", "factor": -1, "checkpoint": 1}  # the last
    assert "11 step sizes from −1 to 1, and 9 along the second direction from −0.8 to 0.8." in plane
    assert "Lines: means" not in plane
    assert f"<dt>second direction</dt><dd>{planes.ABOUT}" in unescape(plane)


def test_a_table_for_every_metric():
    dataset = planes.plane()
    text = report.page(dataset)
    for name in ("accuracy", "loss"):
        inside = re.search(f'data-of="0 {name} 0">(.*?)</p></div>', text, re.S)[1]
        rows = [
            [unescape(cell) for cell in re.findall(r"<t[hd].*?>(.*?)</t", row)]
            for row in re.findall(r"<tr.*?>(.*?)</tr>", inside, re.S)
        ]
        header, wanted = formats.cells(tables.plane_statistics(dataset, metric=name))
        assert rows == [header, *wanted]
    assert "better higher or lower is not known" in report.page(dataset.rename(loss="mine"))


def test_a_plane_away_from_its_origin_has_a_page():
    text = report.page(planes.plane().isel(step_size=slice(7, None), step_size_2=slice(5, None)))
    assert "<td>–</td>" in text


def test_nothing_from_a_store_becomes_markup():
    names = ("task", "direction_symbol_2", "direction_about", "direction_about_2", "direction_2")
    dataset = planes.plane().assign_attrs(dict.fromkeys(names, EVIL))
    dataset["evaluation_set"] = np.array([EVIL, "validation"], dtype=object)
    text = report.page(dataset)
    assert text.count("<script") == text.count("</script>") == 3
    assert "<b>" not in text


def test_the_page_is_of_reasonable_size():
    page = report.page(planes.plane(points=41, points_2=41))
    assert len(page.encode()) < 1.5e6


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
    surface: ["x", "y", "z"].map((part) => drawn.surface[part]),
    range: byId("surface-chart")._fullLayout.scene.zaxis.range,
    ticks: drawn.surface.colorbar.ticktext,
    path: drawn["path-points"] && ["x", "y", "z", "text"].map((n) => drawn["path-points"][n]),
    line: drawn.path && ["x", "y", "z"].map((n) => drawn.path[n]),
    origin: ["x", "y"].map((n) => drawn.origin[n][0]),
    here: ["x", "y", "z"].map((n) => drawn.here[n][0]),
    values: [...byId("slices-values").querySelectorAll(".value")].map((e) => e.textContent),
    eye: byId("surface-chart")._fullLayout.scene._scene?.getCamera().eye,
    first: curves("first-chart"),
    second: curves("second-chart"),
    hidden: ["surface-chart", "no-surface", "plane-marks", "draw-label"]
      .map((id) => byId(id).hidden),
    caption: byId("surface-caption").textContent,
    canvas: document.querySelectorAll("#surface-chart canvas").length,
    tables: [...document.querySelectorAll(".statistics")].filter((e) => !e.hidden)
      .map((e) => e.dataset.of),
  });
};
const press = (id, key, shiftKey = false) =>
  byId(id).dispatchEvent(new KeyboardEvent("keydown", { key, shiftKey, bubbles: true }));
ready.then(async () => {
  look();
  byId("surface-chart").emit("plotly_hover", { points: [{ x: 0.41, y: -0.6 }] });
  look();
  press("surface-chart", "ArrowUp");
  press("surface-chart", "ArrowLeft");
  press("surface-chart", "ArrowRight", true);
  press("first-chart", "End");
  look();
  for (let i = 0; i < 20; i += 1) press("surface-chart", "ArrowDown");
  set("draw", 1);
  set("checkpoint", 0);
  set("metric", "loss");
  set("value_scale", "log");
  look();
  set("evaluation_set", "same_batch");
  look();
  const loaded = performance.getEntriesByType("resource").map((entry) => entry.name);
  const element = document.createElement("pre");
  element.id = "result";
  element.textContent = JSON.stringify({ result, loaded });
  document.body.append(element);
});
"""


@pytest.mark.skipif(not CHROMIUM, reason="no Chromium is installed")
def test_in_a_browser(tmp_path):
    dataset = planes.plane()
    dataset["loss"][0, 1, 0, :2, 0] = [np.nan, np.inf]
    dataset["loss"][0, 1, 1] = np.nan
    address, drawn_by = "metric=accuracy&evaluation_set=validation", "--enable-unsafe-swiftshader"
    found = driven(report.page(dataset), DRIVE, tmp_path, address, drawn_by)
    assert found["loaded"] == []
    first, hovered, pressed, nothing, log = found["result"]
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

    x, y, z = first["surface"]
    np.testing.assert_allclose(x, steps)
    np.testing.assert_allclose(y, steps_2)
    np.testing.assert_allclose(z, plane("accuracy", 1, 0)[1], rtol=1e-8)
    assert first["here"][:2] == [0, 0]
    assert first["canvas"] > 0
    assert first["hidden"] == [False, True, True, False]
    assert first["tables"] == ["0 accuracy 0"]
    assert first["which"] == "iteration 800 (epoch 8)"
    where = "validation at step size 0 along the first direction, 0 along the second: 0.8"
    assert first["point"] == where
    assert first["values"][1] == "0.8"
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

    where = "validation at step size 0.4 along the first direction, −0.6 along the second: "
    assert hovered["point"].startswith(where)
    same(hovered, 7, 1, plane("accuracy", 1, 0))

    # One up and one to the left, then to the end of the slice along the first direction.
    assert " 1 along the first direction, −0.4 along the second" in pressed["point"]
    same(pressed, 10, 2, plane("accuracy", 1, 0))
    assert pressed["here"][:2] == [1, -0.4]
    angles = [np.arctan2(each["eye"]["y"], each["eye"]["x"]) for each in (first, pressed)]
    assert angles[1] - angles[0] == pytest.approx(0.1)

    assert nothing["hidden"] == [True, False, False, False]
    same(nothing, 10, 0, plane("loss", 0, 1))
    assert nothing["point"].endswith(" 1 along the first direction, −0.8 along the second: NaN")

    assert log["which"] == "iteration 400 (epoch 4)"
    assert "draw=1" in log["address"]
    assert log["tables"] == ["0 loss 0"]
    assert log["hidden"] == [False, True, False, False]
    wanted = plane("loss", 0, 1)
    heights = np.log10(np.where(np.isfinite(wanted[0]), wanted[0], np.nan))
    assert np.flatnonzero(np.isnan(heights)).tolist() == [0, 1]
    np.testing.assert_allclose(np.array(log["surface"][2], float), heights, rtol=1e-7)
    assert log["ticks"] == ["1", "2", "5"]
    assert log["path"][2][0] is None  # beside the gap
    same(log, 10, 0, wanted)
