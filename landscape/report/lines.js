// The charts of slices.

KINDS.lines = (what) => {
  drawSets(what);
  drawCheckpoints(what);
  byId("marks").hidden = what.allFinite;
};

function drawSets(what) {
  const { axis, place } = stepAxis(data.steps, data.step_label);
  const places = data.steps.map(place);
  const curves = data.sets.map((set, i) => ({
    ...what.curve(what.at, i),
    key: `set-${set.label}`,
    look: set,
    label: set.label,
    places,
    intervals: true,
    chosen: i === what.set,
  }));
  byId("sets-heading").textContent = `All evaluation sets at ${data.checkpoints[what.at].label}`;
  byId("sets-caption").textContent = what.metric.caption;
  show("sets", { curves, xaxis: axis, yaxis: valueAxis(what), hovermode: "x" });
}

function drawCheckpoints(what) {
  const far = data.distances && byId("against").value === "distance";
  const steps = data.checkpoints.map((_, at) => (far ? data.distances[at] : data.steps));
  const { axis, place } = stepAxis(steps, far ? data.distance_label : data.step_label);
  const curves = data.checkpoints.map((checkpoint, at) => ({
    ...what.curve(at, what.set),
    key: `checkpoint-${checkpoint.label}`,
    look: checkpoint,
    label: checkpoint.short,
    places: steps[at].map((s) => (Number.isFinite(s) ? place(s) : NaN)),
    intervals: at === what.at, // of all they would hide each other
    chosen: at === what.at,
  }));
  byId("checkpoints-heading").textContent = `${data.sets[what.set].label} at all checkpoints`;
  byId("checkpoints-caption").textContent = what.metric.captions[what.set];
  const hovermode = far ? "closest" : "x";
  const chart = { curves, xaxis: axis, yaxis: valueAxis(what), hovermode, title: data.places };
  show("checkpoints", chart);
}
