"use strict";

// What charts of slices and planes share; `lines.js` and `plane.js` follow.
// The controls of the page. What they show is kept in its address, after "#".
const IDS = [
  ...["store", "metric", "factor", "checkpoint", "evaluation_set", "draw"],
  ...["scale", "value_scale", "against"],
];
const KINDS = {}; // how the charts of each kind of store are drawn
const byId = (id) => document.getElementById(id);
const stores = JSON.parse(byId("data").textContent);
let data = null; // the store that is shown

// Numbers; those that are not finite come as strings.
const number = (value) => (Array.isArray(value) ? value.map(number) : Number(value));
for (const store of stores) {
  for (const name of ["steps", "steps_2", "distances"]) store[name] &&= number(store[name]);
  for (const metric of Object.values(store.metrics)) {
    for (const curves of metric.curves) {
      for (const part of Object.keys(curves)) curves[part] = number(curves[part]);
    }
  }
}

const said = (value, digits = 6) => {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "+∞" : "−∞";
  return String(Number(value.toPrecision(digits))).replace(/-/g, "−");
};
// Plotly interprets a few tags in its texts; ours are shown as they are.
const plain = (text) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
const finite = (values) => values.flat(Infinity).filter(Number.isFinite);
const nearest = (places, wanted) =>
  places.reduce(
    (best, place, i) => (Math.abs(place - wanted) < Math.abs(places[best] - wanted) ? i : best),
    0,
  );

// Colours are those of the style sheet, which has dark ones too.
const dark = window.matchMedia("(prefers-color-scheme: dark)");
const shade = (name) =>
  getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
const tint = (look) => (dark.matches ? look.dark : look.color);
// A phone, as the style sheet has it.
const narrow = window.matchMedia("(max-width: 40rem)");

function chosen() {
  const metric = data.metrics[byId("metric").value];
  const factor = metric.sloped ? byId("factor").selectedIndex : 0;
  const curves = metric.curves[factor];
  const curve = (checkpoint, set) =>
    Object.fromEntries(Object.entries(curves).map(([part, all]) => [part, all[checkpoint][set]]));
  const values = Object.values(curves);
  return {
    ...{ metric, factor, curves, curve, values, label: metric.labels[factor] },
    at: Number(byId("checkpoint").value),
    set: byId("evaluation_set").selectedIndex,
    draw: byId("draw").selectedIndex,
    allFinite: values.flat(Infinity).every(Number.isFinite),
  };
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
  const most = narrow.matches ? 2 : 4; // on each side
  for (let at = last; at >= first; at -= Math.ceil((last - first + 1) / most)) {
    decades.push(10 ** at);
  }
  return { place, marks: [...decades.map((size) => -size), 0, ...decades.reverse()] };
}

function stepAxis(steps, label) {
  const axis = { title: { text: plain(label) }, zeroline: true, zerolinecolor: shade("zero") };
  if (byId("scale").value === "linear" || !finite(steps).some((s) => s !== 0)) {
    return { axis, place: (s) => s };
  }
  const { place, marks } = symlog(steps);
  return { axis: { ...axis, tickvals: marks.map(place), ticktext: marks.map((each) => said(each)) }, place };
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

// A chart: curves, the circles at the step size that is read, and below it a list that is its
// legend and has the values there.
//
// A curve has `mean` and, of several draws, `low` and `high`, over the step sizes; their `places`
// on the axis; `key`, `label` and `look`; whether its `intervals` are drawn, and whether it is the
// `chosen` one.

const BARS = 80; // intervals in one chart; of more samples not every one gets its own
const APART = 3; // pixels between the intervals of two curves
const hidden = new Set(); // keys of curves that are not shown
const read = {}; // of each store and chart the index of the step size that is read
const shown = {}; // of each chart what it shows

function lineOf({ uid, look, label, mean, places, chosen: strong }) {
  const there = mean.map((y, i) => Number.isFinite(y) && Number.isFinite(places[i]));
  const lonely = there.map((is, i) => is && !there[i - 1] && !there[i + 1]);
  return {
    uid: `${uid}-line`,
    name: plain(label),
    x: places,
    y: mean.map((y, i) => (there[i] ? y : null)),
    mode: "lines+markers",
    line: { color: tint(look), dash: look.dash, width: strong ? 3 : 2 },
    // Among many samples, only isolated ones, which no line reaches, need a marker.
    marker: { symbol: look.symbol, size: lonely.map((is) => (is || mean.length <= 41 ? 6 : 0)) },
  };
}

// Marks for values that a line cannot show, stacked where several of a chart coincide.
function marksOf({ uid, look, mean, places }, stacks) {
  const edge = (i) => {
    if (Number.isFinite(mean[i]) || !Number.isFinite(places[i])) return null;
    const above = mean[i] === Infinity;
    const at = `${places[i]} ${above}`;
    stacks.set(at, (stacks.get(at) ?? 0) + 1);
    const height = 0.04 * (stacks.get(at) - 0.5);
    return above ? 1 - height : height;
  };
  const symbols = mean.map((y) =>
    Number.isNaN(y) ? "x-thin" : y > 0 ? "triangle-up" : "triangle-down",
  );
  const color = tint(look);
  return {
    uid: `${uid}-marks`,
    x: places,
    y: mean.map((_, i) => edge(i)),
    yaxis: "y2",
    mode: "markers",
    marker: { symbol: symbols, size: 9, color, line: { color, width: 2 } },
  };
}

// From the lowest to the highest draw, side by side in pixels where curves share a step size.
function intervals(curves) {
  const drawn = curves.filter((curve) => curve.intervals && curve.low);
  if (!drawn.length) return { shapes: [], every: 1 };
  const every = Math.ceil((drawn.length * drawn[0].mean.length) / BARS);
  const middle = Math.floor(drawn[0].mean.length / 2);
  const shapes = drawn.flatMap(({ look, places, low, high }, k) =>
    places.flatMap((place, i) => {
      if ((i - middle) % every || ![place, low[i], high[i]].every(Number.isFinite)) return [];
      const beside = APART * (k - (drawn.length - 1) / 2);
      const line = { color: tint(look), width: 1.5 };
      const across = { xsizemode: "pixel", xanchor: place, x0: beside, x1: beside };
      return [{ type: "line", ...across, y0: low[i], y1: high[i], line }];
    }),
  );
  return { shapes, every };
}

// Every step size, so that the pointer finds those without a finite value too.
const reachable = ({ places }) => ({
  uid: "reachable",
  x: places,
  y: places.map(() => 0.5),
  yaxis: "y2",
  mode: "markers",
  marker: { opacity: 0 },
});

function circles(curves, at) {
  return {
    uid: "circles",
    x: curves.map(({ places, mean }) => (Number.isFinite(mean[at]) ? places[at] : null)),
    y: curves.map(({ mean }) => (Number.isFinite(mean[at]) ? mean[at] : null)),
    mode: "markers",
    marker: {
      symbol: "circle-open",
      size: 12,
      color: curves.map(({ look }) => tint(look)),
      line: { width: 1.5 },
    },
    hoverinfo: "skip",
  };
}

// `values` is where the list is, if this chart has one; `moved` hears of another step size.
function show(name, { curves, xaxis, yaxis, hovermode, title = "", height = 350, values, moved }) {
  const element = byId(`${name}-chart`);
  const list = byId(`${values ?? name}-values`);
  // Plotly makes selectors of its own from what identifies a curve.
  curves = curves.map((curve, i) => ({ ...curve, uid: `curve-${i}` }));
  const there = curves.filter((curve) => !hidden.has(curve.key));
  const key = `${data.index} ${name}`;
  read[key] = Math.min(read[key] ?? nearest(data.steps, 0), curves[0].mean.length - 1);
  const stacks = new Map();
  const drawn = [
    ...(hovermode === "x" ? [reachable(curves[0])] : []),
    ...there.flatMap((curve) => [lineOf(curve), marksOf(curve, stacks)]),
  ].map((trace) => ({ hoverinfo: "none", showlegend: false, ...trace }));
  const { shapes, every } = intervals(there);
  const small = narrow.matches;
  const axis = { showline: true, linecolor: shade("line"), ticks: "outside", automargin: true };
  const colors = { gridcolor: shade("grid"), tickcolor: shade("line") };
  const layout = {
    uirevision: "kept",
    height: small ? Math.min(height, 300) : height,
    margin: small ? { l: 48, r: 8, t: 30, b: 45 } : { l: 60, r: 15, t: 30, b: 50 },
    font: { family: "system-ui, sans-serif", size: 12, color: shade("ink") },
    paper_bgcolor: shade("paper"),
    plot_bgcolor: shade("paper"),
    hovermode,
    ...(small ? { dragmode: false } : {}), // a finger scrolls the page
    shapes,
    showlegend: false,
    xaxis: { ...axis, ...colors, ...xaxis, uirevision: xaxis.title.text + byId("scale").value },
    yaxis: { ...axis, ...colors, ...yaxis, uirevision: yaxis.title.text + yaxis.type },
    yaxis2: { overlaying: "y", range: [0, 1], visible: false, fixedrange: true },
  };
  shown[name] = { curves, there, key, list, every, title, moved, circles: drawn.length };
  drawn.push(circles(there, read[key]));
  const modeBarButtons = [[picture, "zoom2d", "pan2d", "resetScale2d"]];
  Plotly.react(element, drawn, layout, { displaylogo: false, responsive: true, modeBarButtons });
  named(element, `chart of ${yaxis.title.text}; ← and → move through the step sizes`);
  listen(name, element);
  tell(name);
}

// What a chart is called, for those who cannot see it, and that the keyboard reaches it.
function named(element, label) {
  element.tabIndex = 0;
  element.setAttribute("role", "group");
  element.setAttribute("aria-label", label);
}

function listen(name, element) {
  if (element.dataset.heard) return;
  element.dataset.heard = "yes";
  let last = null; // Plotly repeats it when the chart is drawn again
  element.on("plotly_hover", ({ points, event }) => {
    if (event !== last) move(name, points[0].pointNumber);
    last = event;
  });
  // A finger points without hovering.
  element.on("plotly_click", ({ points }) => move(name, points[0].pointNumber));
  element.addEventListener("keydown", (event) => {
    const { key, curves } = shown[name];
    const end = curves[0].mean.length - 1;
    const to = { ArrowLeft: read[key] - 1, ArrowRight: read[key] + 1, Home: 0, End: end };
    if (event.target !== element || !(event.key in to)) return;
    event.preventDefault();
    move(name, Math.max(0, Math.min(end, to[event.key])));
  });
}

function move(name, at) {
  const { key, there, circles: trace, moved } = shown[name];
  if (read[key] === at) return;
  read[key] = at;
  const { x, y } = circles(there, at);
  Plotly.restyle(byId(`${name}-chart`), { x: [x], y: [y] }, [trace]);
  tell(name);
  moved?.(at);
}

// The list below a chart: its legend, whose buttons hide and show curves, and the values there.
function tell(name) {
  const { curves, key, list, every, title } = shown[name];
  const at = read[key];
  const drawn = JSON.stringify(curves.map(({ key: of, label, look }) => [of, label, tint(look)]));
  if (list.dataset.drawn !== drawn) {
    list.dataset.drawn = drawn;
    const items = document.createElement("ul");
    items.append(...curves.map(entry));
    const [heading, note] = ["p", "p"].map((kind) => document.createElement(kind));
    heading.setAttribute("aria-live", "polite");
    note.className = "caption";
    list.replaceChildren(heading, items, note);
  }
  const [heading, items, note] = list.children;
  heading.textContent = `At step size ${said(data.steps[at])}${title && `, by ${title}`}`;
  if (data.steps_2) heading.textContent = "";
  curves.forEach(({ key: of, chosen: strong, mean, low, high }, i) => {
    const button = items.children[i].firstChild;
    button.setAttribute("aria-pressed", String(!hidden.has(of)));
    button.classList.toggle("chosen", strong && curves.length > 1);
    const range = low ? ` (${said(low[at], 4)} to ${said(high[at], 4)})` : "";
    button.lastChild.textContent = `${said(mean[at], 4)}${range}`;
  });
  const some = curves.some((curve) => curve.intervals && curve.low);
  const where = every > 1 ? `, at every ${every}th step size` : "";
  const of = curves.every((curve) => curve.intervals) ? "" : " of the chosen checkpoint";
  note.textContent = some
    ? `Lines are means of ${data.draws} draws; intervals${of}, as the numbers in brackets, reach from the lowest to the highest${where}.`
    : "";
}

function entry({ key, label, look }) {
  const button = document.createElement("button");
  button.type = "button";
  const [text, value] = ["span", "span"].map((kind) => document.createElement(kind));
  text.textContent = label;
  value.className = "value";
  button.append(swatch(look), text, " ", value);
  button.addEventListener("click", () => {
    if (!hidden.delete(key)) hidden.add(key);
    draw();
  });
  const item = document.createElement("li");
  item.append(button);
  return item;
}

const OUTLINES = {
  circle: "M-3.5,0a3.5,3.5 0 1,0 7,0a3.5,3.5 0 1,0 -7,0z",
  square: "M-3,-3h6v6h-6z",
  "triangle-up": "M-4,3h8l-4,-7z",
  "triangle-down": "M-4,-3h8l-4,7z",
  diamond: "M-4.5,0l4.5,-4.5l4.5,4.5l-4.5,4.5z",
  cross: "M-1.5,-4h3v2.5h2.5v3h-2.5v2.5h-3v-2.5h-2.5v-3h2.5z",
  x: "M-4,-3l1,-1l3,3l3,-3l1,1l-3,3l3,3l-1,1l-3,-3l-3,3l-1,-1l3,-3z",
  star: "M0,-5l1.2,3.4h3.6l-2.9,2.2l1,3.5l-2.9,-2.1l-2.9,2.1l1,-3.5l-2.9,-2.2h3.6z",
};

function swatch(look) {
  const make = (kind, attributes) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", kind);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    return element;
  };
  const color = tint(look);
  const dashes = look.dash === "solid" ? "none" : look.dash.replace(/px/g, "");
  const line = { d: "M0,6h34", stroke: color, "stroke-width": 2, "stroke-dasharray": dashes };
  const svg = make("svg", { viewBox: "0 0 34 12", "aria-hidden": "true" });
  const mark = { d: OUTLINES[look.symbol], fill: color, transform: "translate(17,6)" };
  svg.append(make("path", line), make("path", mark));
  return svg;
}

// A picture of a chart has a legend of its own.
const picture = {
  name: "picture",
  title: "Download as PNG",
  get icon() {
    return Plotly.Icons.camera;
  },
  click: (element) => Plotly.downloadImage(pictured(element), { format: "png", filename: "chart" }),
};
const pictured = (element) => ({
  data: element.data.map((trace) => ({ ...trace, showlegend: Boolean(trace.name) })),
  layout: {
    ...element.layout,
    width: element.clientWidth,
    height: element.layout.height + 100,
    showlegend: true,
    legend: { orientation: "h", y: -0.2, yanchor: "top" },
  },
});

// Tables

// Those of what is shown, the rows of its checkpoint marked and in view, and only sets looked for.
function drawTables(what) {
  const of = `${data.index} ${byId("metric").value} ${what.factor}`;
  const wanted = byId("find").value.trim().toLowerCase();
  for (const table of document.querySelectorAll(".statistics")) {
    table.hidden = table.dataset.of !== of;
    if (table.hidden) continue;
    const rows = [...table.querySelectorAll("tbody tr")];
    for (const row of rows) {
      row.hidden = !row.dataset.set.toLowerCase().includes(wanted);
      row.classList.toggle("at", Number(row.dataset.checkpoint) === what.at);
    }
    const first = rows.find((row) => !row.hidden && row.classList.contains("at"));
    const head = table.querySelector("thead");
    if (first) table.querySelector(".scroll").scrollTop = first.offsetTop - head.offsetHeight;
  }
}

function draw() {
  const what = chosen();
  for (const [id, needed] of [
    ["store", stores.length > 1],
    ["factor", what.metric.sloped],
    ["draw", data.draw_numbers?.length > 1],
    ["against", Boolean(data.distances)],
  ]) {
    byId(`${id}-label`).hidden = !needed;
  }
  const { label } = data.checkpoints[what.at];
  byId("which").textContent = label;
  byId("checkpoint").hidden = data.checkpoints.length === 1;
  byId("checkpoint").setAttribute("aria-valuetext", label);
  for (const part of document.querySelectorAll("[data-store]")) {
    part.hidden = Number(part.dataset.store) !== data.index;
  }
  for (const part of document.querySelectorAll("[data-kind]")) {
    part.hidden = part.dataset.kind !== data.kind;
  }
  KINDS[data.kind](what);
  drawTables(what);
}

// Start and updates

// The choices of a store; what was chosen before stays where the store has it.
function open(index) {
  const before = Object.fromEntries(IDS.map((id) => [id, told(id)]));
  data = { ...stores[index], index };
  const { start, metrics, factors, sets, draw_numbers: draws } = data;
  const fill = (id, entries, at) => {
    byId(id).replaceChildren(...entries.map(([value, text]) => new Option(text, value)));
    byId(id).selectedIndex = at;
  };
  const names = Object.keys(metrics);
  fill("metric", names.map((name) => [name, metrics[name].name]), names.indexOf(start.metric));
  fill("factor", factors.map((each) => [each, said(each)]), start.factor);
  fill("evaluation_set", sets.map(({ name, label }) => [name, label]), 0);
  fill("draw", (draws ?? [0]).map((each) => [each, each]), 0);
  byId("checkpoint").max = data.checkpoints.length - 1;
  byId("checkpoint").value = start.checkpoint;
  for (const id of ["metric", "factor", "checkpoint", "evaluation_set", "draw"]) {
    if (before[id] !== "") choose(id, before[id]);
  }
}

// What a control shows, as the address has it; a checkpoint is told by its iteration.
const told = (id) =>
  id === "checkpoint"
    ? String(data?.checkpoints[byId(id).value].iteration ?? "")
    : byId(id).value;

// Whether a control can show this, which it then does.
function choose(id, value) {
  const control = byId(id);
  if (id === "checkpoint") {
    const at = data.checkpoints.findIndex(({ iteration }) => String(iteration) === value);
    if (at >= 0) control.value = at;
    return at >= 0;
  }
  const at = [...control.options].findIndex((option) => option.value === value);
  if (at >= 0) control.selectedIndex = at;
  return at >= 0;
}

function restore() {
  const wanted = new URLSearchParams(location.hash.slice(1));
  if (wanted.has("store") && choose("store", wanted.get("store"))) {
    open(byId("store").selectedIndex);
  }
  const missing = [...wanted].filter(([id, value]) => !IDS.includes(id) || !choose(id, value));
  byId("notice").hidden = !missing.length;
  byId("notice").textContent = `This page does not have what its address names: ${missing
    .map(([id, value]) => `${id.replace("_", " ")} ${value}`)
    .join(", ")}.`;
}

function keep() {
  const state = new URLSearchParams(
    IDS.filter((id) => !byId(`${id}-label`)?.hidden).map((id) => [id, told(id)]),
  );
  history.replaceState(null, "", `#${state}`);
}

// The library is compressed. It runs since the page's policy has the hash of this very text.
async function library() {
  const packed = Uint8Array.from(atob(byId("plotly").textContent), (each) => each.charCodeAt(0));
  const stream = new Response(packed).body.pipeThrough(new DecompressionStream("gzip"));
  const element = document.createElement("script");
  element.textContent = await new Response(stream).text();
  document.head.append(element);
  if (!window.Plotly) throw new Error("the library did not start");
}

async function start() {
  try {
    await library();
  } catch (error) {
    byId("notice").hidden = false;
    byId("notice").textContent = `There are no charts, which need a browser of 2023 or newer: ${error}.`;
    return;
  }
  byId("store").append(...stores.map(({ name }, i) => new Option(name, i + 1)));
  open(0);
  restore();
  draw();
  for (const id of IDS) {
    byId(id).addEventListener("input", () => {
      if (id === "store") open(byId(id).selectedIndex);
      draw();
      keep();
    });
  }
  byId("find").addEventListener("input", () => drawTables(chosen()));
  byId("controls").addEventListener("submit", (event) => event.preventDefault());
  for (const query of [dark, narrow]) query.addEventListener("change", draw);
  window.addEventListener("hashchange", () => {
    restore();
    draw();
  });
}

const ready = start();
