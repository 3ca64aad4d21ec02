"""The page of a report in Chromium, where there is one: its controls, marks, texts and policy."""

import numpy as np
import pytest
from helpers.pages import CHROMIUM, driven
from helpers.slices import SETS, STEPS, slices
from matplotlib.colors import to_hex

from landscape import report
from landscape.plots.drawing.style import set_styles

DRIVE = """
const result = [];
const set = (id, value) => {
  byId(id).value = value;
  byId(id).dispatchEvent(new Event("input", { bubbles: true }));
};
const lines = (id) => byId(id).data.filter((trace) => trace.name);
const look = (what) => result.push({
  what,
  address: location.hash,
  which: byId("which").textContent,
  factor: !byId("factor-label").hidden,
  marks: !byId("marks").hidden,
  tables: [...document.querySelectorAll(".statistics")].filter((e) => !e.hidden)
    .map((e) => e.dataset.of),
  sets: lines("sets-chart").map(({ name, x, y, line }) => ({ name, x, y, color: line.color })),
  checkpoints: lines("checkpoints-chart").map(({ name, x, y }) => ({ name, x, y })),
  seen: byId("sets-chart")._fullData.filter((t) => t.name && t.showlegend)
    .map((t) => t.visible === true),
  type: byId("sets-chart")._fullLayout.yaxis.type,
  ticks: byId("sets-chart")._fullLayout.xaxis.ticktext,
  titles: ["x", "y"].map((a) => document.querySelector(`#sets-chart .${a}title`).textContent),
  legend: [...document.querySelectorAll("#sets-chart .legendtext")].map((e) => e.textContent),
  marked: byId("sets-chart").data.filter((t) => t.uid?.endsWith("marks"))
    .map((t) => t.text.map((text, i) => [text, t.y[i]]).filter(([, y]) => y !== null)),
  hover: [...document.querySelectorAll("#sets-chart .hoverlayer text")].map((e) => e.textContent),
});
look("as the address says");
set("checkpoint", 0);
set("evaluation_set", 2);
set("against", "distance");
look("slider and set");
set("metric", "smooth_accuracy");
set("factor", 2);
set("scale", "symlog");
look("metric");
set("metric", "loss");
set("value_scale", "log");
look("log");
for (const kind of ["mousedown", "mouseup"]) {
  document.querySelector("#sets-chart .legendtoggle").dispatchEvent(new MouseEvent(kind));
}
setTimeout(async () => {
  set("checkpoint", 1);
  Plotly.Fx.hover(byId("sets-chart"), { xval: 1, yval: 0 }, ["xy"]);
  look("first set hidden");
  const loaded = performance.getEntriesByType("resource").map((entry) => entry.name);
  const picture = await Plotly.toImage(byId("sets-chart")).catch(String);
  const element = document.createElement("pre");
  element.id = "result";
  const script = Boolean(window.alerted);
  element.textContent = JSON.stringify({ result, loaded, script, picture });
  document.body.append(element);
}, 1000);
"""


@pytest.mark.skipif(not CHROMIUM, reason="no Chromium is installed")
def test_in_a_browser(tmp_path):
    dataset = slices(draws=2).assign_attrs(task="<script>window.alerted = 1</script>")
    dataset["loss"][0, 0, 0, :2] = [np.nan, np.inf]
    dataset["loss"][0, 0, 2, 0] = np.nan
    dataset["evaluation_set"] = np.array([*SETS[:2], "<b>big</b>", SETS[3]], dtype=object)
    dataset["loss"].attrs["long_name"] = "<i>loss</i>"
    dataset["step_size"].attrs["long_name"] = "<u>step size</u>"
    found = driven(
        report.page(dataset),
        DRIVE,
        tmp_path,
        "metric=accuracy&checkpoint=1&evaluation_set=1",
        "--disable-gpu",
    )
    assert found["loaded"] == []
    assert found["picture"].startswith("data:image/png")
    assert not found["script"]
    first, slid, metric, log, hidden = found["result"]
    means = dataset.mean("draw", skipna=False)

    def same(drawn, wanted):
        np.testing.assert_allclose([each["y"] for each in drawn], wanted, rtol=1e-8)

    same(first["sets"], means["accuracy"][1])
    same(first["checkpoints"], means["accuracy"][:, 1])
    assert first["which"] == "iteration 200 (epoch 10)"
    assert first["legend"] == ["same batch", "other batch 1", "<b>big</b>", "validation"]
    assert first["sets"][0]["x"] == STEPS
    assert first["sets"][0]["color"] == to_hex(set_styles(dataset)["same_batch"].color)
    assert first["tables"] == ["accuracy 0"]
    assert (first["factor"], first["marks"], first["type"]) == (False, False, "linear")

    assert slid["which"] == "iteration 10 (epoch 0.5)"
    assert "checkpoint=0" in slid["address"]
    same(slid["sets"], means["accuracy"][0])
    same(slid["checkpoints"], means["accuracy"][:, 2])
    np.testing.assert_allclose(slid["checkpoints"][0]["x"], np.multiply(2, STEPS))

    assert metric["factor"]
    assert metric["tables"] == ["smooth_accuracy 2"]
    same(metric["sets"], means["smooth_accuracy"][0, ..., 2])
    # Logarithmic from 0.25 on: 0.5 is log10(2) beyond.
    np.testing.assert_allclose(metric["sets"][0]["x"][3:6], [0, 1, 1 + np.log10(2)])
    assert metric["ticks"] == ["−1", "0", "1"]

    assert log["type"] == "log"
    assert log["tables"] == ["loss 0"]
    assert log["marks"]
    assert log["titles"] == ["<u>step size</u> along −∇L", "<i>loss</i> (nat)"]
    assert log["sets"][0]["y"][:2] == [None, None]
    marked = {text: round(y, 3) for marks in log["marked"] for text, y in marks}
    assert marked == {
        "same batch: NaN (NaN to NaN)": 0.02,
        "&lt;b&gt;big&lt;/b&gt;: NaN (NaN to NaN)": 0.06,  # stacked
        "same batch: +∞ (2 to +∞)": 0.98,
    }

    assert hidden["seen"] == [False, True, True, True]
    same(hidden["sets"], means["loss"][1])
    assert [text for text in hidden["hover"] if text.strip()] == [
        *("step size 0.25", "other batch 1: 2.0625 (2.0625 to 2.0625)"),
        *("<b>big</b>: 3.0625 (3.0625 to 3.0625)", "validation: 4.0625 (4.0625 to 4.0625)"),
    ]
