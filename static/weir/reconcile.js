// Compares warehouse and view some hours at a time, and collects the gap that a replay must cover.
"use strict";
import { element } from "./chart.js";

const MOST_HOURS = 1000; // of those that are the same
const MOST_KEYS = 500;
const MOST_SPANS = 50000; // the server takes what fits into a form, and joins the nearest
const ORDER = ["same", "lagging", "different"];
const COUNTS = ["warehouse", "view", "missing", "changed", "extra", "refused"];
const NO_REPLAY = " Extra documents are of events that the warehouse does not have: no replay takes them away. Build the view anew (Replays, Generations; or manage.py replay rebuild --reason WHY), then serve the new generation (manage.py replay swap N).";
const NAMES = { running: "comparing", same: "the same", lagging: "lagging", different: "different", failed: "not compared" };

const page = document.getElementById("comparison");
const place = (id) => document.getElementById(id);
const from = Number(page.dataset.from);
const to = Number(page.dataset.to);
const totals = {};
let gap = [];
let state = "same";
let hourCount = 0;
let sameCount = 0;
let keyCount = 0;
let lag = null;

place("differing").addEventListener("change", () => place("hours").classList.toggle("weir-differing", place("differing").checked));
compare();

async function compare() {
  let next = from;
  try {
    while (next !== null && gap.length <= MOST_SPANS) {
      showProgress(next);
      next = add(await ask(next));
    }
    showProgress(next ?? to);
    showEnd(next);
  } catch (error) {
    fail(error.message, next);
  }
  showGap();
}

async function ask(next) {
  const query = new URLSearchParams({ project: page.dataset.project, from_ms: next, to_ms: to });
  let answer;
  try {
    answer = await fetch(`${page.dataset.hours}?${query}`, { headers: { Accept: "application/json" } });
  } catch {
    throw new Error("The server does not answer.");
  }
  if ([403, 422, 503, 504].includes(answer.status)) throw new Error((await answer.json()).detail);
  if (!answer.ok) throw new Error(`The hours cannot be compared (${answer.status}).`);
  return answer.json();
}

function add(said) {
  for (const hour of said.data) addHour(hour);
  for (const [name, count] of Object.entries(said.counts)) totals[name] = (totals[name] ?? 0) + count;
  for (const fact of page.querySelectorAll("[data-count]")) fact.textContent = figure(totals[fact.dataset.count]);
  gap = gap.concat(said.gap);
  lag ??= said.lag;
  return said.next_ms;
}

function addHour(hour) {
  hourCount += 1;
  state = ORDER[Math.max(ORDER.indexOf(state), ORDER.indexOf(hour.state))];
  if (hour.state === "same") sameCount += 1;
  if (hour.state === "same" && sameCount > MOST_HOURS) {
    tell("more-hours", `${figure(sameCount - MOST_HOURS)} more hours that are the same are not listed.`);
  } else {
    place("hours").tBodies[0].append(hourLine(hour));
  }
  for (const difference of hour.differences) addKey(hour, difference);
  const { missing, changed, extra } = hour.counts;
  keyCount += missing + changed + extra - hour.differences.length;
}

function hourLine(hour) {
  const line = element("tr", "", { "data-state": hour.state });
  const cell = element("td");
  cell.append(element("span", NAMES[hour.state], { class: "weir-state", "data-state": hour.state }));
  line.append(element("th", when(hour.hour), { scope: "row" }), cell);
  line.append(...COUNTS.map((name) => element("td", figure(hour.counts[name]), { class: "weir-number" })));
  return line;
}

function addKey(hour, difference) {
  keyCount += 1;
  const lines = page.querySelector("#keys tbody");
  if (lines.rows.length >= MOST_KEYS) return;
  const line = element("tr");
  line.append(element("td", when(hour.hour)), element("td", difference.kind));
  line.append(element("td", (difference.warehouse ?? difference.view).event));
  const cell = element("td");
  cell.append(element("code", difference.key));
  line.append(cell);
  lines.append(line);
  place("keys").hidden = false;
}

function showProgress(reached) {
  place("bar").value = (reached - from) / (to - from);
  place("reached").textContent = reached < to ? `up to ${when(reached)} UTC; ${figure(hourCount)} hours with events` : "the whole range";
}

function showState(name, sentence) {
  place("state").dataset.state = name;
  place("state").textContent = NAMES[name];
  place("said").textContent = sentence;
}

function showEnd(next) {
  const { missing = 0, changed = 0, extra = 0, refused = 0, warehouse = 0 } = totals;
  const but = refused ? ` The view refuses ${figure(refused)}: see Dead letters.` : "";
  const sentences = {
    same: warehouse || totals.view ? `Warehouse and view hold the same, ${figure(warehouse - refused)} events.` : "Neither holds an event of this range.",
    lagging: "Whether they differ is not known.",
    different: `The view differs: ${figure(missing)} missing, ${figure(changed)} changed, ${figure(extra)} extra.${extra ? NO_REPLAY : ""}`,
  };
  showState(state, sentences[state] + but);
  if (lag) trouble(`Not everything could be compared: ${lag}.`);
  if (next !== null) trouble(`So much differs that it was not compared any further than ${when(next)} UTC. Replay this gap, then compare again.`);
}

function fail(sentence, next) {
  showState(state === "different" ? state : "failed", "");
  trouble(next === from ? sentence : `${sentence} What lies before ${when(next)} UTC was compared and is shown below.`);
}

function trouble(sentence) {
  const said = place("trouble").textContent;
  tell("trouble", said ? `${said}\n${sentence}` : sentence);
}

function tell(id, sentence) {
  place(id).textContent = sentence;
  place(id).hidden = false;
}

function showGap() {
  const shown = page.querySelector("#keys tbody").rows.length;
  if (keyCount > shown) tell("more-keys", `${figure(keyCount - shown)} more keys differ.`);
  if (!place("repair") || gap.length === 0) return;
  place("gap").value = JSON.stringify(gap);
  const events = totals.missing + totals.changed;
  place("gap-said").textContent = `${figure(events)} events are missing or changed. A replay writes exactly these again, as the warehouse has them.`;
  place("repair").hidden = false;
}

function figure(value) {
  return (value ?? 0).toLocaleString("en-US");
}

function when(time) {
  return new Date(time).toISOString().slice(0, 16).replace("T", " ");
}
