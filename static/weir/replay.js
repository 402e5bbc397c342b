// The page of one replay: asks every second how far it is, until it is over.
"use strict";
import { element, repeat } from "./chart.js";

const PAUSE_MS = 1000;

const page = document.getElementById("replay");
const place = (id) => document.getElementById(id);
let now = null;
let logged = place("log").rows.length;

repeat(refresh, PAUSE_MS);
showHours();

async function refresh() {
  let answer;
  try {
    answer = await fetch(page.dataset.progress, { headers: { Accept: "application/json" } });
  } catch {
    return trouble("The server does not answer. The figures below are old; trying again.");
  }
  if (answer.status === 403) return trouble((await answer.json()).detail);
  if (!answer.ok) return trouble(`The figures cannot be had (${answer.status}). Trying again.`);
  now = await answer.json();
  show();
  return now.final ? "over" : "";
}

function trouble(sentence) {
  place("trouble").textContent = sentence;
  place("trouble").hidden = false;
}

function show() {
  place("trouble").hidden = true;
  for (const said of page.querySelectorAll("[data-fact]")) showFact(said, now.facts[said.dataset.fact]);
  place("state").dataset.state = now.state;
  place("worker").className = now.lost ? "weir-lost" : "weir-quiet";
  for (const [name, [done, whole]] of Object.entries(now.bars)) showBar(place(`bar-${name}`), done, whole);
  for (const form of page.querySelectorAll("[data-move]")) form.hidden = !now.moves.includes(form.dataset.move);
  for (const cells of now.log.slice(logged)) place("log").append(logLine(cells));
  logged = now.log.length;
  markHours();
}

// Only what changed is written, so that a screen reader says no more than that.
function showFact(said, text) {
  if (said.textContent !== text) said.textContent = text;
  if (said.tagName === "P") said.hidden = text === "";
}

function showBar(bar, done, whole) {
  bar.max = whole || 1;
  bar.value = whole === 0 ? 1 : done;
}

function logLine(cells) {
  const line = element("tr");
  line.append(...cells.map((cell) => element("td", cell)));
  return line;
}

async function showHours() {
  place("hours").textContent = "Counting…";
  try {
    const answer = await fetch(page.dataset.hours);
    if (!answer.ok) throw new Error(answer.status);
    place("hours").innerHTML = await answer.text(); // our own template's, which escapes
    markHours();
  } catch {
    place("hours").textContent = "The figures by hour cannot be had now: load the page again.";
  }
}

function markHours() {
  if (!now) return;
  for (const part of place("hours").querySelectorAll("[data-start]")) {
    const word = wordOf(Number(part.dataset.start), Number(part.dataset.end));
    if (part.dataset.done === word) continue;
    part.dataset.done = word;
    if (part.tagName === "TR") part.lastElementChild.textContent = word;
  }
}

function wordOf(start, end) {
  if (now.scanned_ms !== null && end <= now.scanned_ms) return "emitted";
  if (now.scanned_ms !== null && start <= now.scanned_ms) return now.final ? "emitted in part" : "under way";
  return now.final ? "not emitted" : "waiting";
}
