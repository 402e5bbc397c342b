// The explorer: charts any query, keeps it in the address, and asks again every moment.
"use strict";
import { LineChart, clock, element, number, repeat } from "./chart.js";
import { Client } from "./client.js";

const PAUSE_MS = 1500;
const HOUR_MS = 3600_000;
const RENEWED_ROWS = 500;
const NO_FIELD = new Set(["count", "rate"]);
const DEFAULTS = { agg: "count", range: "24h", interval: "auto", event: "", field: "", group_by: "", from: "", to: "" };

const form = document.getElementById("query");
if (form) start();

function start() {
  const place = (id) => document.getElementById(id);
  const field = (name) => form.elements.namedItem(name);
  const client = new Client(form.dataset.token);
  const chart = new LineChart(place("chart"), { height: 360 });
  let etag = null;
  let asked = null;
  let isRefused = false;

  fillZones(place("zones"));
  readAddress();
  adapt();
  const refresh = repeat(ask, PAUSE_MS);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    changed();
  });
  form.addEventListener("change", changed);
  place("csv").addEventListener("click", download);
  suggest();

  function changed() {
    adapt();
    writeAddress();
    etag = null;
    isRefused = false;
    if (asked && asked.project !== field("project").value) suggest();
    refresh();
  }

  function firstEvent() {
    const event = { event: field("event").value.trim() || "hello" };
    return [
      `curl -sS '${location.origin}/v1/events?ack=projected'`,
      `-H "Authorization: Bearer $(.venv/bin/python manage.py mint_token --project ${field("project").value} --scope ingest)"`,
      `-H 'Content-Type: application/json'`,
      `-d '${JSON.stringify(event).replaceAll("'", "'\\''")}'`,
    ].join(" \\\n  ");
  }

  function adapt() {
    place("first-event").textContent = firstEvent();
    const custom = field("range").value === "custom";
    for (const label of form.querySelectorAll("[data-custom]")) label.hidden = !custom;
    field("field").disabled = NO_FIELD.has(field("agg").value);
  }

  function readAddress() {
    const given = new URLSearchParams(location.search);
    const values = { ...DEFAULTS, timezone: Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC" };
    for (const name of [...Object.keys(values), "project"]) {
      const value = given.get(name) ?? values[name];
      const input = field(name);
      if (value === undefined) continue;
      if (input instanceof HTMLSelectElement && ![...input.options].some((option) => option.value === value)) continue;
      input.value = value;
    }
  }

  function writeAddress() {
    const kept = new URLSearchParams();
    for (const [name, value] of new FormData(form)) {
      if (value && value !== DEFAULTS[name]) kept.set(name, value);
    }
    history.replaceState(null, "", `?${kept}`);
  }

  function query() {
    const agg = field("agg").value;
    const metric = { name: agg, agg };
    if (!NO_FIELD.has(agg)) metric.field = field("field").value.trim() || "user_id";
    const built = { range: range(), timezone: field("timezone").value.trim() || "UTC", interval: field("interval").value, metrics: [metric], fill: "zero" };
    if (field("event").value.trim()) built.filter = ["is", "event", [field("event").value.trim()]];
    if (field("group_by").value.trim()) Object.assign(built, { group_by: [field("group_by").value.trim()], limit: 10, other: true });
    return built;
  }

  function range() {
    const chosen = field("range").value;
    if (chosen === "1h") return { from: Math.floor(Date.now() / 10_000) * 10_000 - HOUR_MS };
    if (chosen !== "custom") return chosen;
    const given = { from: field("from").value.trim() };
    if (field("to").value.trim()) given.to = field("to").value.trim();
    return given;
  }

  async function ask() {
    if (isRefused) return;
    asked = { project: field("project").value, query: query() };
    const { project } = asked;
    let answer;
    try {
      answer = await client.get(project, "/v1/query/series", { query: JSON.stringify(asked.query) }, etag);
    } catch (problem) {
      isRefused = Boolean(problem.isFinal);
      return trouble(problem.message);
    }
    if (project !== field("project").value) return;
    place("trouble").hidden = true;
    place("result").hidden = false;
    place("updated").textContent = clock(new Date());
    if (answer.status === 304) return;
    etag = answer.headers.get("ETag");
    show(await answer.json());
  }

  function trouble(sentence) {
    etag = null;
    place("result").hidden = isRefused;
    place("empty").hidden = true;
    place("trouble").textContent = sentence;
    place("trouble").hidden = false;
  }

  function show(answer) {
    const points = answer.series.length ? answer.series[0].points : [];
    const times = points.map((point) => Date.parse(point.start) / 1000);
    const series = answer.series.map((one) => ({ label: labelOf(one, answer.columns), values: one.points.map((point) => point.v[0]) }));
    const isEmpty = answer.series.every((one) => !one.total[0]);
    place("empty").hidden = !isEmpty;
    if (times.length) chart.draw(times, series, { timezone: answer.query.range.timezone });
    else chart.clear();
    showMeta(answer);
    showTable(points, series);
  }

  function labelOf(one, columns) {
    if (one.other) return "(the rest)";
    const values = Object.values(one.group ?? {});
    if (!values.length) return columns[0];
    return values.map((value) => (value === null ? "(none)" : String(value))).join(" · ");
  }

  function showMeta({ meta, series }) {
    const total = series.length === 1 ? [`total ${number(series[0].total[0])}`] : [`${series.length} groups`];
    const said = [...total, `interval ${meta.interval}`, `from ${meta.source}`, `${meta.took_ms} ms`];
    said.push(meta.complete_through ? `complete through ${clock(new Date(meta.complete_through))}` : "completeness unknown: the feed does not answer");
    for (const [name, { error }] of Object.entries(meta.approximate)) said.push(`${name} within ${number(error * 100)}%`);
    for (const warning of meta.warnings) said.push(`note: ${warning.detail}`);
    place("meta").textContent = said.join(" · ");
  }

  function showTable(points, series) {
    if (!place("figures").open) return;
    const head = element("tr");
    head.append(element("th", "Bucket starts", { scope: "col" }), ...series.map((one) => element("th", one.label, { scope: "col", class: "weir-number" })));
    const rows = points.map((point, index) => {
      const row = element("tr");
      row.append(element("th", point.start, { scope: "row" }), ...series.map((one) => element("td", number(one.values[index]), { class: "weir-number" })));
      return row;
    });
    const header = element("thead");
    const body = element("tbody");
    header.append(head);
    body.append(...rows.reverse().slice(0, RENEWED_ROWS));
    place("table").replaceChildren(header, body);
  }

  place("figures").addEventListener("toggle", () => {
    etag = null;
    refresh();
  });

  async function download(event) {
    event.preventDefault();
    try {
      const answer = await client.get(field("project").value, "/v1/query/series.csv", { query: JSON.stringify(query()) });
      const link = element("a", "", { href: URL.createObjectURL(await answer.blob()), download: "weir.csv" });
      link.click();
      URL.revokeObjectURL(link.href);
    } catch (problem) {
      trouble(problem.message);
    }
  }

  async function suggest() {
    const project = field("project").value;
    try {
      const events = await (await client.get(project, "/v1/meta/events", {})).json();
      const properties = await (await client.get(project, "/v1/meta/properties", {})).json();
      const core = ["event", "type", "user_id", "anonymous_id", "session_id"];
      const names = properties.data.filter((one) => one.queryable).map((one) => one.name);
      place("events").replaceChildren(...events.data.map((one) => element("option", "", { value: one.event })));
      place("fields").replaceChildren(...[...core, ...names].map((name) => element("option", "", { value: name })));
    } catch {
      // Suggestions only: the query itself says what is wrong.
    }
  }
}

function fillZones(list) {
  const zones = Intl.supportedValuesOf ? Intl.supportedValuesOf("timeZone") : [];
  list.replaceChildren(...["UTC", ...zones].map((zone) => element("option", "", { value: zone })));
}
