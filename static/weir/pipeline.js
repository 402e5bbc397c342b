// The admin's first page: events a minute, figures by stage, lag. Asks again every few seconds.
"use strict";
import { LineChart, clock, duration, element, number, repeat } from "./chart.js";

const PAUSE_MS = 2500;
const LABELS = { received: "received", stored: "stored", projected: "projected" };
const STATE_WORDS = { ok: "ok", catching_up: "catching up", falling_behind: "falling behind", stalled: "stalled", stopped: "stopped", no_consumer: "no consumer", data_loss: "DATA LOSS", unknown: "unknown" };

const page = document.getElementById("pipeline");
const place = (id) => document.getElementById(id);
const chart = new LineChart(place("chart"), { height: 240 });

place("first-event").textContent = [
  `curl -sS '${location.origin}/v1/events?ack=projected'`,
  `-H "Authorization: Bearer $(.venv/bin/python manage.py mint_token --project demo --scope ingest)"`,
  `-H 'Content-Type: application/json'`,
  `-d '{"event":"hello"}'`,
].join(" \\\n  ");

repeat(refresh, PAUSE_MS);

async function refresh() {
  let answer;
  try {
    answer = await fetch(page.dataset.figures, { headers: { Accept: "application/json" } });
  } catch {
    return trouble("The server does not answer. The figures below are old; trying again.");
  }
  if (answer.status === 403) return trouble((await answer.json()).detail);
  if (!answer.ok) return trouble(`The figures cannot be had (${answer.status}). Trying again.`);
  show(await answer.json());
}

function trouble(sentence) {
  place("trouble").textContent = sentence;
  place("trouble").hidden = false;
}

function show(figures) {
  place("trouble").hidden = figures.state !== "unknown";
  if (figures.state === "unknown") trouble("The feed cannot be reached: no figure is known now.");
  showState(place("state"), figures.state);
  place("updated").textContent = clock(new Date(figures.as_of));
  place("updated").dateTime = figures.as_of;
  const received = figures.stages.find((stage) => stage.name === "received");
  place("empty").hidden = received.total !== 0;
  showChart(figures.per_minute);
  place("stages").replaceChildren(...figures.stages.map(stageCard));
  place("lag").replaceChildren(...figures.lag.map(lagRow));
}

function showState(pill, state) {
  pill.dataset.state = state;
  pill.textContent = STATE_WORDS[state] ?? state;
}

function showChart(rates) {
  const series = Object.entries(LABELS).map(([name, label]) => ({ label, values: rates[name], filled: name === "received" }));
  // Workers that catch up are many times faster than what comes in, which the chart is about.
  const most = Math.max(...rates.received.map((rate) => rate ?? 0));
  if (rates.time.length) chart.draw(rates.time.map((ms) => ms / 1000), series, { ceiling: most ? 3 * most : null });
}

function stageCard(stage) {
  const card = element("section", "", { class: "weir-stage", "data-stage": stage.name });
  const pill = element("span", "", { class: "weir-state" });
  showState(pill, stage.state);
  const head = element("h3", stage.label + " ");
  head.append(pill);
  const rate = element("p", "", { class: "weir-figure" });
  rate.append(element("strong", number(stage.per_minute, 0)), " a minute");
  card.append(head, rate, element("p", `${number(stage.total)} in all`, { class: "weir-quiet" }));
  if (stage.lag !== null) card.append(element("p", `lag ${number(stage.lag)} records, ${duration(stage.lag_seconds)}`, { class: "weir-quiet" }));
  return card;
}

function lagRow(row) {
  const line = element("tr", "", { "data-group": row.group });
  const pill = element("span", "", { class: "weir-state" });
  showState(pill, row.state);
  const state = element("td");
  state.append(pill);
  const drains = row.drains_in_s === null && row.lag ? "not draining" : duration(row.drains_in_s);
  const figures = [number(row.lag), number(row.lag_seconds, 1), drains];
  line.append(element("td", row.group), numberCell(row.partition), state, ...figures.map(numberCell));
  line.append(element("td", row.topic), element("td", row.lane), numberCell(number(row.committed)), numberCell(number(row.end)));
  return line;
}

function numberCell(text) {
  return element("td", String(text), { class: "weir-number" });
}
