// Two times are asked for only where the range is given by them. Without JavaScript both are shown.
"use strict";

const range = document.querySelector("#order [name=range]");

function fit() {
  for (const field of document.querySelectorAll("[data-shown-for]")) field.hidden = field.dataset.shownFor !== range.value;
}

range.addEventListener("change", fit);
fit();
