// The charts of planes: a surface, and its two slices through one of its points.
const PIECES = 12; // of the path between two of its points, so that it follows the surface
const EYE = { x: 1.6, y: -1.85, z: 1.15 };
const TURN = 0.1; // radians
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowDown: [0, -1], ArrowUp: [0, 1] };
const LIFT = 0.01; // of the path above the surface, as a share of the chart's height

// What is shown, and of each store the sampled point whose slices are shown: its places along the
// two directions; at first the origin.
let view = null;
const pointsOf = {};

KINDS.plane = (what) => {
  const { draw, at, set } = what;
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
  pointsOf[data.index] ??= [nearest(data.steps, 0), nearest(data.steps_2, 0)];
  byId("plane-heading").textContent =
    `${data.sets[set].label} on the plane at ${data.checkpoints[at].label}`;
  byId("plane-marks").hidden = what.allFinite;
  byId("path-caption").hidden = !data.path;
  byId("surface-caption").textContent = what.metric.captions[set];
  byId("slices-caption").textContent = what.metric.caption;
  // WebGL fails where there is nothing to draw.
  const empty = !heights.some((row, j) => row.some((_, i) => i && j && cell(heights, i, j)));
  byId("no-surface").hidden = !empty;
  byId("surface-chart").hidden = empty;
  if (!empty) drawSurface();
  drawSlices();
};

// Whether the four corners of a cell are finite.
const cell = (heights, i, j) =>
  [heights[j - 1], heights[j]].every((row) => [row[i - 1], row[i]].every(Number.isFinite));

// The surface

function drawSurface() {
  const { what, first, second, value, heights } = view;
  const element = byId("surface-chart");
  const small = narrow.matches;
  const marks = value.type === "log" ? logMarks(value.range) : {};
  const surface = {
    type: "surface",
    uid: "surface",
    x: first.places,
    y: second.places,
    z: heights.map((row) => row.map((z) => (Number.isNaN(z) ? null : z))),
    hoverinfo: "none",
    colorscale: "Viridis",
    cmin: value.range[0],
    cmax: value.range[1],
    colorbar: {
      title: { text: plain(what.label), side: small ? "top" : "right" },
      thickness: 14,
      len: 0.7,
      ...(small ? { orientation: "h", y: 0, yanchor: "top", len: 0.95 } : {}),
      ...marks,
    },
    lighting: { ambient: 0.8, diffuse: 0.4, specular: 0.05 },
    contours: {
      x: { highlight: true, highlightcolor: "#fff" },
      y: { highlight: true, highlightcolor: "#fff" },
      z: { highlight: false },
    },
  };
  const paper = shade("paper");
  const axis = { backgroundcolor: paper, gridcolor: shade("zero"), showspikes: false };
  const layout = {
    uirevision: "kept", // the point of view stays
    height: small ? 420 : 640,
    margin: { l: 0, r: 0, t: 0, b: small ? 70 : 0 },
    font: { family: "system-ui, sans-serif", size: 12, color: shade("ink") },
    paper_bgcolor: paper,
    showlegend: false,
    scene: {
      aspectmode: "manual",
      aspectratio: { x: 1, y: 1, z: 0.7 },
      camera: { eye: small ? { x: 2, y: -2.3, z: 1.4 } : EYE },
      xaxis: { ...axis, ...first.axis },
      yaxis: { ...axis, ...second.axis },
      zaxis: { ...axis, title: value.title, range: value.range, ...marks },
    },
  };
  const modeBarButtons = [["toImage", "zoom3d", "pan3d", "orbitRotation", "resetCameraDefault3d"]];
  const drawn = [surface, ...pathTraces(), origin(), here()];
  Plotly.react(element, drawn, layout, { displaylogo: false, responsive: true, modeBarButtons });
  const keys = "arrow keys move the point, with Shift they turn the surface";
  named(element, `surface of ${value.title.text}; ${keys}`);
  if (element.dataset.heard) return;
  element.dataset.heard = "yes";
  for (const event of ["plotly_hover", "plotly_click"]) {
    element.on(event, ({ points: [{ x, y }] }) => {
      movePoint(nearest(view.first.places, x), nearest(view.second.places, y));
    });
  }
  element.addEventListener("keydown", (event) => {
    if (event.target !== element || !(event.key in ARROWS)) return;
    event.preventDefault();
    const [right, up] = ARROWS[event.key];
    const [i, j] = pointsOf[data.index];
    if (event.shiftKey) turn(element, right, up);
    else movePoint(i + right, j + up);
  });
}

// Around the vertical axis, and up or down.
function turn(element, right, up) {
  const { x, y, z } = element._fullLayout.scene._scene.getCamera().eye;
  const angle = Math.atan2(y, x) + TURN * right;
  const flat = Math.hypot(x, y);
  const far = Math.hypot(flat, z);
  const height = Math.max(-1.5, Math.min(1.5, Math.atan2(z, flat) + TURN * up));
  const eye = {
    x: far * Math.cos(height) * Math.cos(angle),
    y: far * Math.cos(height) * Math.sin(angle),
    z: far * Math.sin(height),
  };
  Plotly.relayout(element, { "scene.camera.eye": eye });
}

// To another sampled point, as far as there is one.
function movePoint(i, j) {
  const inside = (at, steps) => Math.max(0, Math.min(steps.length - 1, at));
  const to = [inside(i, data.steps), inside(j, data.steps_2)];
  if (String(to) === String(pointsOf[data.index])) return;
  pointsOf[data.index] = to;
  const element = byId("surface-chart");
  if (!element.hidden) {
    const { x, y, z } = here();
    Plotly.restyle(element, { x: [x], y: [y], z: [z] }, [element.data.length - 1]);
  }
  drawSlices();
}

// Decades, or also 2 and 5 of each where there are few.
function logMarks([low, high]) {
  const steps = high - low > 3 ? [1] : [1, 2, 5];
  const values = [];
  for (let decade = Math.floor(low); decade <= Math.ceil(high); decade += 1) {
    values.push(...steps.map((step) => step * 10 ** decade));
  }
  const inside = values.filter((z) => Math.log10(z) >= low && Math.log10(z) <= high);
  return { tickvals: inside.map(Math.log10), ticktext: inside.map((z) => said(z)) };
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
function onSurface(pairs, share = LIFT) {
  const lift = share * (view.value.range[1] - view.value.range[0]);
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
      mode: "lines",
      hoverinfo: "skip",
      line: { color: "#d62728", width: 5 },
      connectgaps: false,
    },
    {
      ...onSurface(pairs),
      uid: "path-points",
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
    mode: "markers",
    text: ["origin"],
    hoverinfo: "text",
    marker: { color: "#fff", symbol: "diamond", size: 6, line: { color: "#000", width: 2 } },
  };
}

// The point whose slices are shown.
function here() {
  const [i, j] = pointsOf[data.index];
  return {
    ...onSurface([[data.steps[i], data.steps_2[j]]], 3 * LIFT),
    uid: "here",
    mode: "markers",
    hoverinfo: "skip",
    marker: { color: shade("ink"), symbol: "circle-open", size: 9, line: { width: 3 } },
  };
}

// The slices

function drawSlices() {
  const { first, second, value, planes, set } = view;
  const [i, j] = pointsOf[data.index];
  byId("point").textContent =
    `${data.sets[set].label} at step size ${said(data.steps[i])} along the first direction, ` +
    `${said(data.steps_2[j])} along the second: ${said(planes[set][j][i])}`;
  read[`${data.index} first`] = i;
  read[`${data.index} second`] = j;
  drawSlice("first", first, value, (k) => planes[k][j], (to) => movePoint(to, j));
  drawSlice("second", second, value, (k) => planes[k].map((row) => row[i]), (to) => movePoint(i, to));
}

function drawSlice(name, { axis, places }, yaxis, curve, moved) {
  const curves = data.sets.map((set, k) => ({
    mean: curve(k),
    key: `set-${set.label}`,
    look: set,
    label: set.label,
    places,
    chosen: k === view.set,
  }));
  show(name, { curves, xaxis: axis, yaxis, hovermode: "x", height: 260, values: "slices", moved });
}
