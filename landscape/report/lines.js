"use strict";

// The charts of slices. `page.js` follows.
const OWN = ["checkpoint", "evaluation_set", "against"];

function drawSets(what) {
  const at = Number(byId("checkpoint").value);
  byId("which").textContent = data.checkpoints[at].label;
  const { axis, place } = stepAxis(data.steps, data.step_label);
  const places = data.steps.map(place);
  const chart = { opacity: "2e", stacks: new Map() };
  const drawn = data.sets.flatMap((set, i) => {
    const texts = data.steps.map(() => set.label);
    return traces(`set-${i}`, set, set.label, what.curve(at, i), places, texts, chart);
  });
  const heading = stepHeading(data.steps, places);
  axis.unifiedhovertitle = { text: " " };
  byId("sets-caption").textContent = what.metric.caption;
  show("sets-chart", [heading, ...drawn], axis, valueAxis(what), "x unified");
}

function drawCheckpoints(what) {
  const set = Number(byId("evaluation_set").value);
  const far = byId("against").value === "distance";
  const steps = data.checkpoints.map((_, at) => (far ? data.distances[at] : data.steps));
  const { axis, place } = stepAxis(steps, far ? data.distance_label : data.step_label);
  const chart = { opacity: "14", stacks: new Map() };
  const drawn = data.checkpoints.flatMap((checkpoint, at) => {
    const texts = data.steps.map((s, i) => {
      const distance = far ? `, distance ${said(steps[at][i])}` : "";
      return `${checkpoint.label}, step size ${said(s)}${distance}`;
    });
    const places = steps[at].map((s) => (Number.isFinite(s) ? place(s) : NaN));
    const curve = what.curve(at, set);
    return traces(`checkpoint-${at}`, checkpoint, checkpoint.short, curve, places, texts, chart);
  });
  byId("checkpoints-caption").textContent = what.metric.captions[set];
  show("checkpoints-chart", drawn, axis, valueAxis(what), "closest", data.places);
}

function drawCharts(what) {
  byId("against-label").hidden = !data.distances;
  drawSets(what);
  drawCheckpoints(what);
}
