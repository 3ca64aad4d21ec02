"use strict";

// What charts of slices and planes share; `lines.js` or `plane.js` stands before it.
// The controls of the page. Their values are kept in its address, after "#".
const IDS = ["metric", "factor", "scale", "value_scale", ...OWN];
const byId = (id) => document.getElementById(id);
const data = JSON.parse(byId("data").textContent);

// Numbers; those that are not finite come as strings.
const number = (value) => (Array.isArray(value) ? value.map(number) : Number(value));
data.steps = number(data.steps);
for (const name of ["steps_2", "distances"]) data[name] = data[name] && number(data[name]);
for (const metric of Object.values(data.metrics)) {
  for (const curves of metric.curves) {
    for (const part of Object.keys(curves)) curves[part] = number(curves[part]);
  }
}

const said = (value) => {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "+∞" : "−∞";
  return String(Number(value.toPrecision(6))).replace(/-/g, "−");
};
// Plotly interprets a few tags in its texts; ours are shown as they are.
const plain = (text) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
const finite = (values) => values.flat(Infinity).filter(Number.isFinite);

function chosen() {
  const metric = data.metrics[byId("metric").value];
  const factor = metric.sloped ? Number(byId("factor").value) : 0;
  const curves = metric.curves[factor];
  const curve = (checkpoint, set) =>
    Object.fromEntries(Object.entries(curves).map(([part, all]) => [part, all[checkpoint][set]]));
  const label = metric.labels[factor];
  return { metric, factor, curves, curve, label, values: Object.values(curves) };
}

// Axes

// Logarithmic in both directions, down to the smallest step size that is not 0.
function symlog(steps) {
  const sizes = finite(steps).map(Math.abs).filter((size) => size > 0);
  const smallest = sizes.reduce((a, b) => Math.min(a, b), Infinity);
  const largest = sizes.reduce((a, b) => Math.max(a, b), 0);
  const place = (s) =>
    Math.abs(s) < smallest ? s / smallest : Math.sign(s) * (1 + Math.log10(Math.abs(s) / smallest));
  const decades = [];
  const first = Math.ceil(Math.log10(smallest) - 1e-9);
  const last = Math.floor(Math.log10(largest) + 1e-9);
  for (let at = last; at >= first; at -= Math.ceil((last - first + 1) / 4)) decades.push(10 ** at);
  return { place, marks: [...decades.map((size) => -size), 0, ...decades.reverse()] };
}

function stepAxis(steps, label) {
  const axis = { title: { text: plain(label) }, zeroline: true, zerolinecolor: "#bbb" };
  if (byId("scale").value === "linear" || !finite(steps).some((s) => s !== 0)) {
    return { axis, place: (s) => s };
  }
  const { place, marks } = symlog(steps);
  return { axis: { ...axis, tickvals: marks.map(place), ticktext: marks.map(said) }, place };
}

// The same for all sets and checkpoints, so that they can be compared.
function valueAxis({ metric, values, label }) {
  const all = finite(values);
  let low = all.reduce((a, b) => Math.min(a, b), Infinity);
  let high = all.reduce((a, b) => Math.max(a, b), -Infinity);
  const sizes = all.filter((value) => value !== 0).map(Math.abs);
  const smallest = sizes.reduce((a, b) => Math.min(a, b), Infinity);
  const shares = metric.units === "1" && low >= 0 && high <= 1;
  const possible = low > 0 && high < Infinity;
  byId("value_scale").querySelector("option:last-child").disabled = !possible;
  const scale = byId("value_scale").value;
  const wide = !shares && high > 100 * smallest;
  const log = possible && (scale === "log" || (scale === "auto" && wide));
  if (log) [low, high] = [Math.log10(low), Math.log10(high)];
  if (!log && shares && high - low > 0.3) [low, high] = [0, 1];
  const room = 0.04 * (high - low) || 0.5;
  const range = all.length ? [low - room, high + room] : [0, 1];
  return { title: { text: plain(label) }, type: log ? "log" : "linear", range, zeroline: false };
}

// Traces

// One slice: its line, the band of its draws, and marks for values that a line cannot show,
// stacked where several of a chart coincide.
function traces(id, look, label, { mean, low, high }, places, texts, { opacity, stacks }) {
  const there = mean.map((y, i) => Number.isFinite(y) && Number.isFinite(places[i]));
  const lonely = there.map((is, i) => is && !there[i - 1] && !there[i + 1]);
  const hover = texts.map((text, i) => {
    const range = low ? ` (${said(low[i])} to ${said(high[i])})` : "";
    return plain(`${text}: ${said(mean[i])}${range}`);
  });
  const shared = { legendgroup: id, hovertemplate: "%{text}<extra></extra>", text: hover };
  const line = {
    ...shared,
    uid: `${id}-line`,
    name: plain(label),
    x: places,
    y: mean.map((y, i) => (there[i] ? y : null)),
    mode: "lines+markers",
    line: { color: look.color, dash: look.dash, width: 2 },
    // Among many samples, only isolated ones, which no line reaches, need a marker.
    marker: { symbol: look.symbol, size: lonely.map((is) => (is || mean.length <= 41 ? 6 : 0)) },
  };
  const edge = (i) => {
    if (Number.isFinite(mean[i]) || !Number.isFinite(places[i])) return null;
    const above = mean[i] === Infinity;
    const key = `${places[i]} ${above}`;
    stacks.set(key, (stacks.get(key) ?? 0) + 1);
    const height = 0.04 * (stacks.get(key) - 0.5);
    return above ? 1 - height : height;
  };
  const symbols = mean.map((y) =>
    Number.isNaN(y) ? "x-thin" : y > 0 ? "triangle-up" : "triangle-down",
  );
  const marks = {
    ...shared,
    uid: `${id}-marks`,
    showlegend: false,
    x: places,
    y: mean.map((_, i) => edge(i)),
    yaxis: "y2",
    mode: "markers",
    marker: { symbol: symbols, size: 9, color: look.color, line: { color: look.color, width: 2 } },
  };
  const band = low && {
    legendgroup: id,
    uid: `${id}-band`,
    showlegend: false,
    hoverinfo: "skip",
    ...outline(places, low, high),
    fill: "toself",
    mode: "none",
    fillcolor: look.color + opacity,
  };
  return [...(band ? [band] : []), line, marks];
}

// The outline of every stretch on which both ends of the band are finite.
function outline(places, low, high) {
  const [x, y] = [[], []];
  let stretch = [];
  const close = () => {
    x.push(...stretch.map((i) => places[i]), ...stretch.map((i) => places[i]).reverse(), null);
    y.push(...stretch.map((i) => high[i]), ...stretch.map((i) => low[i]).reverse(), null);
    stretch = [];
  };
  places.forEach((place, i) => {
    if ([place, low[i], high[i]].every(Number.isFinite)) stretch.push(i);
    else if (stretch.length) close();
  });
  if (stretch.length) close();
  return { x, y };
}

// The heading of what is shown on hover; the axis itself knows only places, not step sizes.
const stepHeading = (steps, places) => ({
  x: places,
  y: places.map(() => 0.5),
  yaxis: "y2",
  mode: "markers",
  marker: { color: "#fff", opacity: 0 },
  showlegend: false,
  text: steps.map((s) => `step size ${said(s)}`),
  hovertemplate: "%{text}<extra></extra>",
});

function show(id, drawn, xaxis, yaxis, hovermode, title = "", height = 390) {
  const element = byId(id);
  const entries = drawn.filter((trace) => trace.name);
  const rows = Math.ceil(entries.length / Math.max(1, Math.floor(element.clientWidth / 150)));
  const axis = { showline: true, linecolor: "#888", ticks: "outside", gridcolor: "#e8e8e8" };
  const tall = height + 22 * rows;
  const layout = {
    uirevision: "kept", // what was hidden stays hidden
    height: tall,
    margin: { l: 60, r: 15, t: 15, b: 50 },
    font: { family: "system-ui, sans-serif", size: 12 },
    hovermode,
    legend: {
      orientation: "h",
      x: 0,
      y: -62 / (height - 75), // in pixels, below the plot that the legend leaves
      yanchor: "top",
      title: { text: title, side: "top" },
    },
    showlegend: true,
    xaxis: { ...axis, ...xaxis, uirevision: xaxis.title.text + byId("scale").value },
    yaxis: { ...axis, ...yaxis, uirevision: yaxis.title.text + yaxis.type },
    yaxis2: { overlaying: "y", range: [0, 1], visible: false, fixedrange: true },
  };
  const modeBarButtons = [["toImage", "zoom2d", "pan2d", "resetScale2d"]];
  Plotly.react(element, drawn, layout, { displaylogo: false, responsive: true, modeBarButtons });
}

function draw() {
  const what = chosen();
  byId("factor-label").hidden = !what.metric.sloped;
  byId("marks").hidden = finite(what.values).length === what.values.flat(Infinity).length;
  for (const table of document.querySelectorAll(".statistics")) {
    table.hidden = table.dataset.of !== `${byId("metric").value} ${what.factor}`;
  }
  drawCharts(what);
}

// Start and updates

function restore() {
  for (const [id, value] of new URLSearchParams(location.hash.slice(1))) {
    if (!IDS.includes(id)) continue;
    const control = byId(id);
    const before = control.value;
    control.value = value;
    if (control.value !== value) control.value = before;
  }
}

function keep() {
  const state = new URLSearchParams(IDS.map((id) => [id, byId(id).value]));
  history.replaceState(null, "", `#${state}`);
}

for (const id of IDS) {
  byId(id).addEventListener("input", () => {
    keep();
    draw();
  });
}
byId("controls").addEventListener("submit", (event) => event.preventDefault());
window.addEventListener("hashchange", () => {
  restore();
  draw();
});
restore();
draw();
