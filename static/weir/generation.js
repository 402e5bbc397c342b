// What a generation shows other than the one that is served, a page at a time.
"use strict";
import { element } from "./chart.js";

const MOST_CELLS = 1000; // then somebody must ask for more

const page = document.getElementById("diff");
const place = (id) => document.getElementById(id);
let cursor = null;
let count = 0;
let shownUpTo = MOST_CELLS;

place("more").addEventListener("click", () => {
  shownUpTo += MOST_CELLS;
  compare();
});
compare();

async function compare() {
  place("more").hidden = true;
  place("trouble").hidden = true;
  try {
    do {
      const said = await ask();
      for (const cell of said.data) addCell(cell);
      cursor = said.next_cursor;
      place("said").textContent = `${found()} so far. Comparing…`;
    } while (cursor !== null && count < shownUpTo);
    place("said").textContent = cursor === null ? `${found()}.` : `${found()} so far.`;
  } catch (error) {
    place("said").textContent = `${found()} so far.`;
    place("trouble").textContent = error.message;
    place("trouble").hidden = false;
    place("more").hidden = false;
    return;
  }
  place("more").hidden = cursor === null;
}

async function ask() {
  const query = cursor === null ? "" : `?${new URLSearchParams({ cursor })}`;
  let answer;
  try {
    answer = await fetch(page.dataset.diff + query, { headers: { Accept: "application/json" } });
  } catch {
    throw new Error("The server does not answer.");
  }
  if ([403, 422, 503].includes(answer.status)) throw new Error((await answer.json()).detail);
  if (!answer.ok) throw new Error(`What differs cannot be had (${answer.status}).`);
  return answer.json();
}

function found() {
  if (count === 0) return "No difference";
  return `${count.toLocaleString("en-US")} ${count === 1 ? "count of an hour and event differs" : "counts by hour and event differ"}`;
}

function addCell(cell) {
  count += 1;
  place("cells").hidden = false;
  const line = element("tr");
  line.append(element("th", cell.hour.slice(0, 16).replace("T", " "), { scope: "row" }));
  line.append(element("td", cell.project), element("td", cell.event));
  line.append(number(cell.served), number(cell.generation), element("td", wordOf(cell.generation - cell.served)));
  page.querySelector("tbody").append(line);
}

function number(value) {
  return element("td", value.toLocaleString("en-US"), { class: "weir-number" });
}

function wordOf(more) {
  if (more === 0) return "contents differ";
  return `${Math.abs(more).toLocaleString("en-US")} ${more > 0 ? "more" : "fewer"}`;
}
