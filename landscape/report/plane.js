"use strict";

// The charts of planes: a surface, and its two slices through one of its points. `page.js` follows.
const OWN = ["checkpoint", "evaluation_set", "draw"];
const PIECES = 12; // of the path between two of its points, so that it follows the surface
const LIFT = 0.01; // of the path above the surface, as a share of the chart's height

// What is shown, and the sampled point of it that is under the pointer: its places along the two
// directions; at first the origin.
let view = null;
let point = null;

const nearest = (places, wanted) =>
  places.reduce(
    (best, place, i) => (Math.abs(place - wanted) < Math.abs(places[best] - wanted) ? i : best),
    0,
  );

function drawCharts(what) {
  const draw = Number(byId("draw").value);
  const at = Number(byId("checkpoint").value);
  const set = Number(byId("evaluation_set").value);
  const [first, second] = [[data.steps, data.step_label], [data.steps_2, data.step_label_2]].map(
    ([steps, label]) => {
      const { axis, place } = stepAxis(steps, label);
      return { steps, label, axis, place, places: steps.map(place) };
    },
  );
  const value = valueAxis(what);
  const height = value.type === "log" ? Math.log10 : (z) => z;
  const planes = what.curves[draw][at]; // over set, second and first step size
  const heights = planes[set].map((row) => row.map((z) => (Number.isFinite(z) ? height(z) : NaN)));
  view = { what, draw, at, set, first, second, value, height, planes, heights };
  point ??= [nearest(data.steps, 0), nearest(data.steps_2, 0)];
  byId("which").textContent = data.checkpoints[at].label;
  byId("draw-label").hidden = data.draw_numbers.length === 1;
  byId("path-caption").hidden = !data.path;
  byId("surface-caption").textContent = what.metric.captions[set];
  byId("slices-caption").textContent = what.metric.caption;
  // WebGL fails where there is nothing to draw.
  const empty = !heights.some((row, j) => row.some((_, i) => i && j && cell(heights, i, j)));
  byId("no-surface").hidden = !empty;
  byId("surface-chart").hidden = empty;
  if (!empty) drawSurface();
  drawSlices();
}

// Whether the four corners of a cell are finite.
const cell = (heights, i, j) =>
  [heights[j - 1], heights[j]].every((row) => [row[i - 1], row[i]].every(Number.isFinite));

// The surface

function drawSurface() {
  const { what, set, first, second, value, planes, heights } = view;
  const texts = planes[set].map((row, j) =>
    row.map((z, i) =>
      plain(`step sizes ${said(data.steps[i])}, ${said(data.steps_2[j])}: ${said(z)}`),
    ),
  );
  const marks = value.type === "log" ? logMarks(value.range) : {};
  const surface = {
    type: "surface",
    uid: "surface",
    x: first.places,
    y: second.places,
    z: heights.map((row) => row.map((z) => (Number.isNaN(z) ? null : z))),
    text: texts,
    hoverinfo: "text",
    colorscale: "Viridis",
    cmin: value.range[0],
    cmax: value.range[1],
    colorbar: {
      title: { text: plain(what.label), side: "right" },
      thickness: 14,
      len: 0.7,
      ...marks,
    },
    lighting: { ambient: 0.8, diffuse: 0.4, specular: 0.05 },
    contours: {
      x: { highlight: true, highlightcolor: "#fff" },
      y: { highlight: true, highlightcolor: "#fff" },
      z: { highlight: false },
    },
  };
  const axis = { backgroundcolor: "#fff", gridcolor: "#ddd", showspikes: false };
  const layout = {
    uirevision: "kept", // the point of view stays
    height: 640,
    margin: { l: 0, r: 0, t: 0, b: 0 },
    font: { family: "system-ui, sans-serif", size: 12 },
    showlegend: true,
    legend: { x: 0, y: 1 },
    scene: {
      aspectmode: "manual",
      aspectratio: { x: 1, y: 1, z: 0.7 },
      camera: { eye: { x: 1.6, y: -1.85, z: 1.15 } },
      xaxis: { ...axis, ...first.axis },
      yaxis: { ...axis, ...second.axis },
      zaxis: { ...axis, title: value.title, range: value.range, ...marks },
    },
  };
  const modeBarButtons = [["toImage", "zoom3d", "pan3d", "orbitRotation", "resetCameraDefault3d"]];
  const element = byId("surface-chart");
  const drawn = [surface, ...pathTraces(), origin()];
  Plotly.react(element, drawn, layout, { displaylogo: false, responsive: true, modeBarButtons });
  if (!element.dataset.heard) {
    element.dataset.heard = "yes";
    element.on("plotly_hover", ({ points: [{ x, y }] }) => {
      point = [nearest(view.first.places, x), nearest(view.second.places, y)];
      drawSlices();
    });
  }
}

// Decades, or also 2 and 5 of each where there are few.
function logMarks([low, high]) {
  const steps = high - low > 3 ? [1] : [1, 2, 5];
  const values = [];
  for (let decade = Math.floor(low); decade <= Math.ceil(high); decade += 1) {
    values.push(...steps.map((step) => step * 10 ** decade));
  }
  const inside = values.filter((z) => Math.log10(z) >= low && Math.log10(z) <= high);
  return { tickvals: inside.map(Math.log10), ticktext: inside.map(said) };
}

// The height of the surface between samples, linear along both directions; NaN outside and where a
// sample that counts is not finite.
function heightAt(x, y) {
  const sides = (places, at) => {
    const i = places.findIndex((place, k) => k > 0 && at >= places[k - 1] && at <= place);
    if (i < 0) return [];
    const share = (at - places[i - 1]) / (places[i] - places[i - 1]);
    return [[i - 1, 1 - share], [i, share]].filter(([, weight]) => weight > 0);
  };
  const [columns, rows] = [sides(view.first.places, x), sides(view.second.places, y)];
  if (!columns.length || !rows.length) return NaN;
  return rows
    .flatMap(([j, a]) => columns.map(([i, b]) => a * b * view.heights[j][i]))
    .reduce((sum, part) => sum + part, 0);
}

// Points (s, t) on the surface, a little above it.
function onSurface(pairs) {
  const lift = LIFT * (view.value.range[1] - view.value.range[0]);
  const places = pairs.map(([s, t]) => [view.first.place(s), view.second.place(t)]);
  const heights = places.map(([x, y]) => heightAt(x, y) + lift);
  return {
    type: "scatter3d",
    x: places.map(([x]) => x),
    y: places.map(([, y]) => y),
    z: heights.map((z) => (Number.isFinite(z) ? z : null)),
  };
}

function pathTraces() {
  if (!data.path) return [];
  const [s, t, far] = ["step_size", "step_size_2", "distance"].map((name) =>
    number(data.path[name][view.draw][view.at]),
  );
  const pairs = s.map((one, k) => [one, t[k]]);
  const between = pairs.slice(1).flatMap(([s1, t1], k) =>
    Array.from({ length: PIECES }, (_, piece) => {
      const share = (piece + 1) / PIECES;
      return [s[k] + share * (s1 - s[k]), t[k] + share * (t1 - t[k])];
    }),
  );
  const texts = pairs.map(([one, other], k) =>
    plain(
      `training path, ${data.path.labels[k]}: step sizes ${said(one)}, ${said(other)}, ` +
        `distance from the plane ${said(far[k])}`,
    ),
  );
  return [
    {
      ...onSurface([pairs[0], ...between]),
      uid: "path",
      name: "training path",
      mode: "lines",
      hoverinfo: "skip",
      line: { color: "#d62728", width: 5 },
      connectgaps: false,
    },
    {
      ...onSurface(pairs),
      uid: "path-points",
      showlegend: false,
      mode: "markers",
      text: texts,
      hoverinfo: "text",
      marker: { color: "#d62728", size: 4 },
    },
  ];
}

function origin() {
  const place = onSurface([[0, 0]]);
  return {
    ...place,
    uid: "origin",
    name: "origin",
    mode: "markers",
    text: ["origin"],
    hoverinfo: "text",
    marker: { color: "#fff", symbol: "diamond", size: 6, line: { color: "#000", width: 2 } },
  };
}

// The slices

function drawSlices() {
  const { first, second, value, planes } = view;
  const [i, j] = point;
  byId("point").textContent =
    `step size ${said(data.steps[i])} along the first direction, ` +
    `${said(data.steps_2[j])} along the second`;
  drawSlice("first-chart", first, i, value, (set) => planes[set][j]);
  drawSlice("second-chart", second, j, value, (set) => planes[set].map((row) => row[i]));
}

function drawSlice(id, { steps, axis, places }, at, value, curve) {
  const chart = { opacity: "2e", stacks: new Map() };
  const drawn = data.sets.flatMap((set, k) => {
    const texts = steps.map(() => set.label);
    return traces(`set-${k}`, set, set.label, { mean: curve(k) }, places, texts, chart);
  });
  const here = {
    x: [places[at], places[at]],
    y: [0, 1],
    yaxis: "y2",
    uid: "here",
    mode: "lines",
    line: { color: "#888", width: 1, dash: "dot" },
    showlegend: false,
    hoverinfo: "skip",
  };
  const heading = stepHeading(steps, places);
  const shown = { ...axis, unifiedhovertitle: { text: " " } };
  show(id, [heading, here, ...drawn], shown, value, "x unified", "", 260);
}
