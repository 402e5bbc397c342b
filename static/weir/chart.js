// A line chart over time that follows the admin's theme and the width of its place.
"use strict";

const COLOURS = ["#2a6fb0", "#c2571a", "#2e8b57", "#8a4fb5", "#b8860b", "#c0392b", "#12808a", "#7a5c3e", "#d64f8c", "#5b6b7a", "#6b8e23"];
const DARK_COLOURS = ["#6db3f2", "#f2a36d", "#6fd39a", "#c79bea", "#e6c35c", "#f08a80", "#5fd0da", "#c9a98a", "#f29bc4", "#a9b8c6", "#b5d36b"];

// Ticks by their distance in seconds: what each shows, and what it adds when the year or day turns.
const TICKS = [
  [31536000, "{YYYY}", null, null, null, null, null, null, 1],
  [2419200, "{MMM}", "\n{YYYY}", null, null, null, null, null, 1],
  [86400, "{D} {MMM}", "\n{YYYY}", null, null, null, null, null, 1],
  [3600, "{HH}:{mm}", "\n{D} {MMM} {YYYY}", null, "\n{D} {MMM}", null, null, null, 1],
  [60, "{HH}:{mm}", "\n{D} {MMM} {YYYY}", null, "\n{D} {MMM}", null, null, null, 1],
  [1, "{HH}:{mm}:{ss}", "\n{D} {MMM} {YYYY}", null, "\n{D} {MMM}", null, null, null, 1],
];

function isDark() {
  const theme = document.documentElement.dataset.theme;
  return theme === "dark" || (theme !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
}

function cssValue(name, otherwise) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim() || otherwise;
}

export function colourOf(index) {
  const colours = isDark() ? DARK_COLOURS : COLOURS;
  return colours[index % colours.length];
}

export class LineChart {
  // `height` in pixels; `timezone` an IANA name, the browser's own by default.
  constructor(place, { height, timezone = null }) {
    this.place = place;
    this.height = height;
    this.timezone = timezone;
    this.plot = null;
    this.shape = null;
    this.drawn = null;
    new ResizeObserver(() => this.fit()).observe(place);
    new MutationObserver(() => this.redraw()).observe(document.documentElement, { attributeFilter: ["data-theme"] });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.redraw());
  }

  // `times` in seconds, ascending; `series` a list of {label, values, filled}; null is a gap.
  // `ceiling`, if any, keeps the scale low where one series has a peak that would flatten the rest.
  draw(times, series, { timezone = this.timezone, ceiling = null } = {}) {
    this.timezone = timezone;
    this.ceiling = ceiling;
    this.drawn = [times, series];
    const shape = JSON.stringify([series.map((one) => one.label), timezone, isDark()]);
    const data = [times, ...series.map((one) => one.values)];
    if (this.plot && shape === this.shape) {
      this.plot.setData(data);
      return;
    }
    this.shape = shape;
    this.clear();
    this.plot = new uPlot(this.options(series), data, this.place);
  }

  clear() {
    if (this.plot) this.plot.destroy();
    this.plot = null;
  }

  redraw() {
    if (this.drawn && this.plot) this.draw(...this.drawn);
  }

  fit() {
    if (this.plot && this.place.clientWidth) this.plot.setSize({ width: this.place.clientWidth, height: this.height });
  }

  options(series) {
    const axis = { stroke: cssValue("--body-quiet-color", "#666"), grid: { stroke: cssValue("--hairline-color", "#ddd"), width: 1 }, ticks: { stroke: cssValue("--hairline-color", "#ddd"), width: 1 } };
    const options = {
      width: this.place.clientWidth || 600,
      height: this.height,
      legend: { live: true },
      cursor: { drag: { x: true, y: false } },
      scales: { y: { range: (plot, low, high) => this.bounds(low, high) } },
      axes: [{ ...axis, values: TICKS, space: 70 }, { ...axis, size: 64, values: (plot, ticks) => ticks.map(shortNumber) }],
      series: [{ label: "time", value: "{YYYY}-{MM}-{DD} {HH}:{mm}:{ss}" }, ...series.map((one, index) => this.line(one, index, series.length))],
    };
    if (this.timezone) options.tzDate = (seconds) => uPlot.tzDate(new Date(seconds * 1000), this.timezone);
    return options;
  }

  bounds(low, high) {
    if (low === null || low === undefined) return [0, 1];
    const top = this.ceiling === null ? high : Math.min(high, this.ceiling);
    return [Math.min(0, low), top <= 0 ? 1 : top * 1.08];
  }

  line(one, index, count) {
    const colour = colourOf(index);
    return {
      label: one.label,
      stroke: colour,
      width: 2,
      fill: count === 1 || one.filled ? colour + "22" : undefined,
      spanGaps: false,
      value: (plot, value) => (value === null || value === undefined ? "–" : number(value)),
    };
  }
}

export function number(value, digits = 2) {
  if (value === null || value === undefined) return "–";
  return value.toLocaleString("en", { maximumFractionDigits: digits });
}

export function shortNumber(value) {
  if (value === null || value === undefined) return "";
  return value.toLocaleString("en", { notation: Math.abs(value) >= 10000 ? "compact" : "standard", maximumFractionDigits: 2 });
}

export function duration(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  if (seconds < 90) return `${number(seconds, 1)} s`;
  if (seconds < 5400) return `${number(seconds / 60, 0)} min`;
  return `${number(seconds / 3600, 1)} h`;
}

export function clock(date) {
  return date.toLocaleTimeString("en-GB");
}

// An element with text: every value goes through textContent, so that none can be markup.
export function element(name, text = "", attributes = {}) {
  const made = document.createElement(name);
  made.textContent = text;
  for (const [attribute, value] of Object.entries(attributes)) made.setAttribute(attribute, value);
  return made;
}

// Calls `step` again and again, `pauseMs` after it is done, until it says "over"; never in a hidden
// tab.
export function repeat(step, pauseMs) {
  let timer = null;
  let running = false;
  async function run() {
    if (running || document.hidden) return;
    running = true;
    clearTimeout(timer);
    let said = null;
    try {
      said = await step();
    } finally {
      running = false;
      if (said === "over") document.removeEventListener("visibilitychange", run);
      else timer = setTimeout(run, pauseMs);
    }
  }
  document.addEventListener("visibilitychange", run);
  run();
  return run;
}
