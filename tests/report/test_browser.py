"""The page of a report in Chromium, where there is one: its controls, marks, texts and policy."""

import numpy as np
import pytest
from helpers import planes
from helpers.pages import CHROMIUM, driven
from helpers.slices import SETS, STEPS, slices
from matplotlib.colors import to_hex

from landscape import report
from landscape.plots.drawing.style import set_styles
from landscape.report.charts import charts

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="no Chromium is installed")

LOOK = """
const result = [];
const set = (id, value) => {
  byId(id).value = value;
  byId(id).dispatchEvent(new Event("input", { bubbles: true }));
};
const press = (element, key, more) =>
  element.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, ...more }));
const point = (chart, x) => {
  const { xaxis, yaxis } = chart._fullLayout;
  const { left, top } = chart.getBoundingClientRect();
  const clientX = left + xaxis._offset + xaxis.c2p(x);
  const clientY = top + yaxis._offset + 50;
  const moved = new MouseEvent("mousemove", { clientX, clientY, bubbles: true });
  chart.querySelector(".nsewdrag").dispatchEvent(moved);
};
const lines = (id) => byId(id).data.filter((trace) => trace.name);
const values = (id) => ({
  heading: byId(id).querySelector("p").textContent,
  note: byId(id).querySelector(".caption").textContent,
  entries: [...byId(id).querySelectorAll("button")].map((e) =>
    [...e.querySelectorAll("span")].map((part) => part.textContent)),
  pressed: [...byId(id).querySelectorAll("button")].map((e) => e.ariaPressed === "true"),
});
const look = () => result.push({
  address: location.hash,
  which: byId("which").textContent,
  slider: !byId("checkpoint").hidden,
  notice: byId("notice").hidden ? "" : byId("notice").textContent,
  headings: ["sets", "checkpoints"].map((each) => byId(`${each}-heading`).textContent),
  factor: !byId("factor-label").hidden,
  marks: !byId("marks").hidden,
  shown: [...document.querySelectorAll("[data-store]")].filter((e) => !e.hidden)
    .map((e) => e.dataset.store),
  tables: [...document.querySelectorAll(".statistics")].filter((e) => !e.hidden)
    .map((e) => e.dataset.of),
  rows: [...document.querySelectorAll(".statistics:not([hidden]) tbody tr:not([hidden])")]
    .map((e) => [e.cells[0].textContent, e.cells[1].textContent, e.className === "at"]),
  sets: lines("sets-chart").map(({ name, x, y, line }) => ({ name, x, y, color: line.color })),
  checkpoints: lines("checkpoints-chart").map(({ name, x, y }) => ({ name, x, y })),
  bars: ["sets-chart", "checkpoints-chart"].map((id) => byId(id).layout.shapes
    .map(({ xanchor, x0, y0, y1 }) => [xanchor, x0, y0, y1])),
  circles: byId("sets-chart").data.filter((t) => t.uid === "circles").map(({ x, y }) => [x, y])[0],
  type: byId("sets-chart")._fullLayout.yaxis.type,
  ticks: byId("sets-chart")._fullLayout.xaxis.ticktext,
  titles: ["x", "y"].map((a) => document.querySelector(`#sets-chart .${a}title`).textContent),
  values: [values("sets-values"), values("checkpoints-values")],
  marked: byId("sets-chart").data.filter((t) => t.uid.endsWith("marks"))
    .map((t) => t.x.map((x, i) => [t.uid, x, t.marker.symbol[i], t.y[i]])
      .filter((each) => each[3] !== null)).flat(),
  boxes: document.querySelectorAll(".hoverlayer text").length,
});
const done = async () => {
  const loaded = performance.getEntriesByType("resource").map((entry) => entry.name);
  const picture = await Plotly.toImage(pictured(byId("sets-chart"))).catch(String);
  const element = document.createElement("pre");
  element.id = "result";
  const script = Boolean(window.alerted);
  element.textContent = JSON.stringify({ result, loaded, script, picture });
  document.body.append(element);
};
"""


def drive(page, script, folder, address):
    """What the page looked like, each time that ``script`` looked; nothing was loaded or run."""
    whole = f"{LOOK} ready.then(async () => {{ {script} await done(); }});"
    found = driven(page, whole, folder, address, "--enable-unsafe-swiftshader")
    assert found["loaded"] == []
    assert not found["script"]
    assert found["picture"].startswith("data:image/png")
    return found["result"]


def same(drawn, wanted):
    np.testing.assert_allclose([each["y"] for each in drawn], wanted, rtol=1e-8)


def test_controls(tmp_path):
    dataset = slices(draws=2).assign_attrs(task="<script>window.alerted = 1</script>")
    dataset["loss"][0, 0, 0, :2] = [np.nan, np.inf]
    dataset["loss"][0, 0, 2, 0] = np.nan
    dataset["evaluation_set"] = np.array([*SETS[:2], "<b>big</b>", SETS[3]], dtype=object)
    dataset["loss"].attrs["long_name"] = "<i>loss</i>"
    dataset["step_size"].attrs["long_name"] = "<u>step size</u>"
    script = """
    look();
    set("checkpoint", 0);
    set("evaluation_set", "<b>big</b>");
    set("against", "distance");
    look();
    set("metric", "smooth_accuracy");
    set("factor", "10");
    set("scale", "symlog");
    look();
    set("metric", "loss");
    set("value_scale", "log");
    press(byId("sets-chart"), "Home");
    look();
    """
    address = "metric=accuracy&checkpoint=200&evaluation_set=other_batch_1"
    first, slid, metric, log = drive(report.page(dataset), script, tmp_path, address)
    means = dataset.mean("draw", skipna=False)
    same(first["sets"], means["accuracy"][1])
    same(first["checkpoints"], means["accuracy"][:, 1])
    assert first["which"] == "iteration 200 (epoch 10)"
    assert first["headings"] == [
        "All evaluation sets at iteration 200 (epoch 10)",
        "other batch 1 at all checkpoints",
    ]
    assert first["values"][0] == {
        "heading": "At step size 0",
        "entries": [
            ["same batch", "0.91 (0.9 to 0.92)"],
            ["other batch 1", "0.81 (0.8 to 0.82)"],
            ["<b>big</b>", "0.71 (0.7 to 0.72)"],
            ["validation", "0.61 (0.6 to 0.62)"],
        ],
        "note": "Lines are means of 2 draws; intervals, as the numbers in brackets, reach from the "
        "lowest to the highest.",
        "pressed": [True] * 4,
    }
    assert first["circles"] == [[0] * 4, pytest.approx([0.91, 0.81, 0.71, 0.61])]
    assert first["sets"][0]["x"] == STEPS
    assert first["sets"][0]["color"] == to_hex(set_styles(dataset)["same_batch"].color)
    assert first["tables"] == ["0 accuracy 0"]
    assert (first["factor"], first["marks"], first["type"]) == (False, False, "linear")
    assert first["notice"] == ""

    assert slid["which"] == "iteration 10 (epoch 0.5)"
    assert "checkpoint=10&evaluation_set=%3Cb%3Ebig%3C%2Fb%3E" in slid["address"]
    same(slid["sets"], means["accuracy"][0])
    same(slid["checkpoints"], means["accuracy"][:, 2])
    np.testing.assert_allclose(slid["checkpoints"][0]["x"], np.multiply(2, STEPS))

    assert metric["factor"]
    assert metric["tables"] == ["0 smooth_accuracy 2"]
    same(metric["sets"], means["smooth_accuracy"][0, ..., 2])
    # Logarithmic from 0.25 on: 0.5 is log10(2) beyond.
    np.testing.assert_allclose(metric["sets"][0]["x"][3:6], [0, 1, 1 + np.log10(2)])
    assert metric["ticks"] == ["−1", "0", "1"]

    assert log["type"] == "log"
    assert log["tables"] == ["0 loss 0"]
    assert log["marks"]
    assert log["titles"] == ["<u>step size</u> along −∇L", "<i>loss</i> (nat)"]
    assert log["sets"][0]["y"][:2] == [None, None]
    far = -1 - np.log10(4)
    assert [[*of, round(y, 3)] for *of, y in log["marked"]] == [
        ["curve-0-marks", pytest.approx(far), "x-thin", 0.02],
        ["curve-0-marks", pytest.approx(far + np.log10(2)), "triangle-up", 0.98],
        ["curve-2-marks", pytest.approx(far), "x-thin", 0.06],  # stacked
    ]
    assert [each[1] for each in log["values"][0]["entries"]] == [
        *("NaN (NaN to NaN)", "4.25 (4.25 to 4.25)", "NaN (NaN to NaN)", "6.25 (6.25 to 6.25)")
    ]
    assert log["circles"][1] == [None, 4.25, None, 6.25]


def test_values_of_the_step_size_under_the_pointer_or_the_keyboard(tmp_path):
    script = """
    point(byId("sets-chart"), 0.45);
    look();
    press(byId("sets-chart"), "ArrowRight");
    press(byId("sets-chart"), "ArrowRight");
    press(byId("checkpoints-chart"), "ArrowLeft");
    look();
    byId("sets-values").querySelector("button").click();
    byId("checkpoints-chart").emit("plotly_click", { points: [{ pointNumber: 6 }] }); // a finger
    look();
    """
    hovered, pressed, hidden = drive(report.page(slices()), script, tmp_path, "checkpoint=10")
    assert hovered["values"][0]["heading"] == "At step size 0.5"
    assert [each[1] for each in hovered["values"][0]["entries"]] == ["0.7", "0.6", "0.5", "0.4"]
    assert hovered["boxes"] == 0  # over no curve
    assert pressed["values"][0]["heading"] == "At step size 1"  # the last there is
    assert pressed["circles"] == [[1] * 4, pytest.approx([0.5, 0.4, 0.3, 0.2])]
    assert pressed["values"][1]["heading"] == "At step size −0.25, by iteration (epoch)"
    assert pressed["values"][1]["entries"] == [["10 (0.5)", "0.8"], ["200 (10)", "0.85"]]
    assert pressed["values"][0]["note"] == ""
    assert hidden["values"][1]["heading"].startswith("At step size 1,")
    assert hidden["values"][0]["pressed"] == [False, True, True, True]
    assert [each["name"] for each in hidden["sets"]] == ["other batch 1", "big batch", "validation"]
    assert hidden["circles"][1] == pytest.approx([0.4, 0.3, 0.2])


def test_intervals(tmp_path):
    dataset = slices(draws=3)
    dataset["accuracy"][0, 0, 0, 0] = np.nan
    (drawn,) = drive(report.page(dataset), "look();", tmp_path, "checkpoint=10")
    of_sets, of_one = drawn["bars"]
    low, high = (dataset["accuracy"][0].reduce(f, "draw").values for f in (np.min, np.max))
    # Of the first set all but the NaN; the sets stand side by side.
    assert len(of_sets) == 4 * 7 - 1
    assert sorted({x0 for _, x0, _, _ in of_sets}) == [-4.5, -1.5, 1.5, 4.5]
    np.testing.assert_allclose(
        of_sets[-7:], np.transpose([STEPS, [4.5] * 7, low[3], high[3]]), rtol=1e-8
    )
    # Of ten checkpoints' intervals, only those of the chosen one.
    np.testing.assert_allclose(
        of_one, np.transpose([STEPS, [0] * 7, low[0], high[0]])[1:], rtol=1e-8
    )
    assert "intervals of the chosen checkpoint" in drawn["values"][1]["note"]


def test_the_table_follows_the_slider_and_is_searched_by_set(tmp_path):
    script = """
    look();
    set("checkpoint", 0);
    set("find", "BATCH 1");
    look();
    """
    first, found = drive(report.page(slices()), script, tmp_path, "checkpoint=200")
    assert len(first["rows"]) == 8
    assert [row[0] for row in first["rows"] if row[2]] == ["200"] * 4
    assert found["rows"] == [["10", "other batch 1", True], ["200", "other batch 1", False]]


def test_an_address_that_names_what_is_not_there(tmp_path):
    address = "metric=loss&checkpoint=11&scale=cubic&speed=1"
    (drawn,) = drive(report.page(slices()), "look();", tmp_path, address)
    assert drawn["notice"].endswith("address names: checkpoint 11, scale cubic, speed 1.")
    assert drawn["tables"] == ["0 loss 0"]
    assert drawn["which"] == "iteration 200 (epoch 10)"


def test_several_stores(tmp_path):
    first, other = slices(), slices().isel(evaluation_set=[0, 3]).drop_vars("smooth_accuracy")
    other["iteration"] = other["iteration"] * 2
    page = report.page([first, other.assign_attrs(seed=8), planes.plane()])
    script = """
    look();
    set("store", 1);
    look();
    set("store", 3);
    const plane = byId("surface-chart").data.length;
    look();
    result.at(-1).plane = plane;
    set("store", 2);
    look();
    """
    address = "store=2&checkpoint=400&metric=loss&evaluation_set=validation"
    second, back, plane, again = drive(page, script, tmp_path, address)
    assert second["shown"] == ["1", "1"]
    assert second["tables"] == ["1 loss 0"]
    assert second["which"] == "iteration 400 (epoch 10)"
    assert second["notice"] == ""
    same(second["sets"], other["loss"][1, 0])
    # What the other store has too stays chosen.
    assert back["tables"] == ["0 loss 0"]
    assert back["headings"][1] == "validation at all checkpoints"
    assert "store=1" in back["address"]
    assert len(back["sets"]) == 4
    assert plane["tables"] == ["2 loss 0"]
    assert plane["plane"] > 1
    assert plane["slider"]
    same(again["sets"], other["loss"][1, 0])


def test_one_checkpoint_has_no_slider(tmp_path):
    dataset = slices().isel(checkpoint=[1])
    (drawn,) = drive(report.page(dataset), "look();", tmp_path, "")
    assert not drawn["slider"]
    assert drawn["which"] == "iteration 200 (epoch 10)"


def test_in_the_dark_every_curve_stands_out(tmp_path):
    dataset = slices()
    script = """
    Object.defineProperty(dark, "matches", { value: true });
    dark.dispatchEvent(new Event("change"));
    look();
    """
    (drawn,) = drive(report.page(dataset), script, tmp_path, "")
    assert [each["color"] for each in drawn["sets"]] == [
        each["dark"] for each in charts(dataset)["sets"]
    ]


def test_without_the_library_the_page_says_so_and_has_its_tables(tmp_path):
    page = report.page(slices()).replace('id="plotly">H4sI', 'id="plotly">AAAA')
    script = """
    ready.then(() => {
      const element = document.createElement("pre");
      element.id = "result";
      const rows = document.querySelectorAll(".statistics td").length;
      element.textContent = JSON.stringify([byId("notice").textContent, rows]);
      document.body.append(element);
    });
    """
    notice, rows = driven(page, script, tmp_path, "")
    assert notice.startswith("There are no charts, which need a browser of 2023 or newer: ")
    assert rows > 0
