/* SPDX-License-Identifier: MIT */
/*
 * watch.js -- the page: recordings come and go, and time passes.
 *
 * A recording comes from the server of `make watch` line by line (live), or from a file.
 * A page that was opened from a file has no server, and waits for a file.  There are one
 * or two views, and the clock is common: what happens in both equally long after their
 * beginnings is side by side.
 *
 * Long work is done in slices of SLICE milliseconds, so that the page stays alive.
 */
"use strict";

const SLICE = 12;
const LINES = 500; /* between two looks at the clock */
const WINDOW = 1e7; /* microseconds of the timeline while it is live */
const SPEEDS = [0.001, 0.01, 0.1, 0.25, 0.5, 1, 2, 5, 10, 100];

const page = {
  views: [],
  chosen: null,
  clock: null, /* while it plays: microseconds of the chosen recording */
  direction: 0,
  speed: 1,
  follow: false,
  last: 0,
  loading: 0,
};

function element(id) {
  return document.getElementById(id);
}

/* ---- Views ----------------------------------------------------------------- */

function chooseView(view) {
  page.chosen = view;
  for (const one of page.views)
    one.root.classList.toggle("chosen", one === view && page.views.length > 1);
}

function addView(recording, beside) {
  if (!beside || page.views.length === 2) {
    for (const view of beside ? page.views.splice(1) : page.views.splice(0))
      view.root.remove();
  }
  const view = new View(recording);
  page.views.push(view);
  element("views").append(view.root);
  element("views").dataset.count = page.views.length;
  element("welcome").hidden = true;
  chooseView(view);
  redrawAll();
  return view;
}

function redrawAll() {
  for (const view of page.views) {
    view.dirty = true;
    view.legendKey = "";
  }
}

function setMode(mode) {
  for (const view of page.views)
    view.mode = mode;
  for (const button of document.querySelectorAll("[data-mode]"))
    button.setAttribute("aria-pressed", button.dataset.mode === mode);
  redrawAll();
}

/* ---- Moving ---------------------------------------------------------------- */

/* VIEW goes to TIME, and the others as far from their beginnings. */
function goToTimeOf(view, time) {
  page.follow = false;
  page.clock = time;
  moveAll(view, time);
}

function moveAll(view, time) {
  for (const one of page.views)
    one.goToTime(one.recording.begin + time - view.recording.begin);
}

function goToRowOf(view, row) {
  stopPlaying();
  page.follow = false;
  moveAll(view, view.recording.time[Math.min(Math.max(row, 1),
                                             view.recording.rows) - 1] ?? 0);
  view.goToRow(row);
}

function step(rows) {
  if (page.chosen)
    goToRowOf(page.chosen, page.chosen.row + rows);
}

function play(direction) {
  if (!page.chosen)
    return;
  page.direction = page.direction === direction ? 0 : direction;
  page.follow = false;
  page.clock = page.chosen.time;
  showPlaying();
}

function stopPlaying() {
  page.direction = 0;
  showPlaying();
}

function followEnd() {
  stopPlaying();
  page.follow = true;
}

function showPlaying() {
  element("play").setAttribute("aria-pressed", page.direction > 0);
  element("back").setAttribute("aria-pressed", page.direction < 0);
}

/* MILLISECONDS have passed. */
function advance(milliseconds) {
  const view = page.chosen;
  if (page.follow)
    followLive(view);
  if (!view || page.direction === 0)
    return;
  page.clock += page.direction * page.speed * milliseconds * 1000;
  const { begin, end } = view.recording;
  moveAll(view, page.clock);
  if (page.clock <= begin || (page.clock >= end && view.recording.ended))
    stopPlaying();
  page.clock = Math.min(Math.max(page.clock, begin), end);
}

function followLive(view) {
  const { recording } = view;
  view.goToRow(recording.rows);
  view.span = recording.end - recording.begin > WINDOW
    ? new Span(recording.end - WINDOW, recording.end) : null;
}

function frame(now) {
  advance(Math.min(now - page.last, 100));
  page.last = now;
  for (const view of page.views)
    view.draw();
  showClock();
  requestAnimationFrame(frame);
}

function showClock() {
  const view = page.chosen;
  element("clock").textContent = view
    ? `${timeText(view.time, 1)}   row ${view.row.toLocaleString("en")} of ` +
      view.recording.rows.toLocaleString("en") : "";
}

/* ---- Searching ------------------------------------------------------------- */

function search(direction) {
  const view = page.chosen;
  const fits = view && view.recording.matcher(element("search").value);
  const field = element("search");
  field.classList.remove("nothing");
  if (!fits) {
    field.classList.toggle("nothing", field.value.trim() !== "");
    return;
  }
  const from = direction > 0 ? view.row : view.row - 2;
  const row = view.recording.find(fits, from, direction);
  field.classList.toggle("nothing", row < 0);
  if (row >= 0)
    goToRowOf(view, row + 1);
}

/* ---- Recordings ------------------------------------------------------------ */

function nextFrame() {
  return new Promise(resolve => setTimeout(resolve));
}

/* The whole of TEXT into RECORDING, in slices. */
async function readText(recording, text) {
  let until = performance.now() + SLICE;
  let at = 0;
  while (at < text.length) {
    let end = at;
    for (let i = 0; i < LINES && end >= 0 && end < text.length; i++)
      end = text.indexOf("\n", end) + 1 || text.length;
    recording.append(text.slice(at, end));
    at = end;
    if (performance.now() > until) {
      await nextFrame();
      element("progress").value = at / text.length;
      until = performance.now() + SLICE;
    }
  }
}

async function openText(text, name, beside) {
  const recording = new Recording(name);
  element("progress").hidden = false;
  page.loading++;
  page.follow = false;
  stopPlaying();
  try {
    await readText(recording, text.endsWith("\n") ? text : text + "\n");
  } finally {
    page.loading--;
    element("progress").hidden = true;
  }
  const view = addView(recording, beside);
  view.goToRow(recording.rows);
  return view;
}

async function openFiles(files, beside) {
  for (const file of files) {
    await openText(await file.text(), file.name, beside);
    beside = true;
  }
}

function saveRecording() {
  if (!page.chosen)
    return;
  const link = document.createElement("a");
  const { recording } = page.chosen;
  link.href = URL.createObjectURL(new Blob(recording.text,
                                           { type: "application/x-ndjson" }));
  link.download = recording.name.replace(/(\.jsonl)?$/, ".jsonl");
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

/* ---- Live ------------------------------------------------------------------ */

async function watchLive() {
  const answer = await fetch("stream");
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  const recording = new Recording(answer.headers.get("X-Recording") ?? "live");
  addView(recording, false);
  page.follow = true;
  document.body.classList.add("live");
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done)
        break;
      await readText(recording, value);
      redrawAll();
    }
  } finally {
    document.body.classList.remove("live");
    redrawAll();
  }
}

/* ---- Buttons and keys ------------------------------------------------------ */

const BUTTONS = {
  save: saveRecording,
  live: followEnd,
  first: () => step(-Infinity),
  "step-back": () => step(-1),
  back: () => play(-1),
  play: () => play(1),
  "step-on": () => step(1),
  last: () => step(Infinity),
  "zoom-in": () => page.chosen?.zoom(page.chosen.time, 0.5),
  "zoom-out": () => page.chosen?.zoom(page.chosen.time, 2),
};

const KEYS = {
  " ": () => play(1),
  b: () => play(-1),
  ArrowRight: event => step(event.shiftKey ? 100 : 1),
  ArrowLeft: event => step(event.shiftKey ? -100 : -1),
  Home: () => step(-Infinity),
  End: () => step(Infinity),
  "+": BUTTONS["zoom-in"],
  "-": BUTTONS["zoom-out"],
  "/": () => element("search").focus(),
  n: () => search(1),
  N: () => search(-1),
  1: () => setMode("state"),
  2: () => setMode("type"),
  3: () => setMode("owner"),
  4: () => setMode("age"),
  Escape: () => {
    if (page.chosen)
      page.chosen.frame = page.chosen.chosenOwner = null;
    redrawAll();
  },
};

function pressKey(event) {
  if (event.target.closest("input, select, textarea") || event.ctrlKey ||
      event.metaKey || event.altKey)
    return;
  /* A button with the focus is pressed by the space bar itself. */
  if (event.key === " " && event.target.closest("button"))
    return;
  const action = KEYS[event.key];
  if (!action)
    return;
  event.preventDefault();
  action(event);
}

function toggleTheme() {
  document.documentElement.dataset.theme = isDark() ? "light" : "dark";
  redrawAll();
}

function chooseFile(beside) {
  const input = element("file");
  input.dataset.beside = beside;
  input.click();
}

function showTip(event, lines) {
  const tip = element("tip");
  tip.textContent = lines.join("\n");
  tip.hidden = false;
  const x = Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8);
  const y = Math.min(event.clientY + 14, innerHeight - tip.offsetHeight - 8);
  tip.style.left = `${x}px`;
  tip.style.top = `${y}px`;
}

function listen() {
  for (const [id, action] of Object.entries(BUTTONS))
    element(id).addEventListener("click", action);
  element("open").addEventListener("click", () => chooseFile(false));
  element("beside").addEventListener("click", () => chooseFile(true));
  element("theme").addEventListener("click", toggleTheme);
  element("file").addEventListener("change", async event => {
    await openFiles([...event.target.files], event.target.dataset.beside === "true");
    event.target.value = "";
  });
  element("speed").addEventListener("change", event =>
    (page.speed = Number(event.target.value)));
  element("search").addEventListener("keydown", event => {
    if (event.key === "Enter")
      search(event.shiftKey ? -1 : 1);
    if (event.key === "Escape")
      event.target.blur();
  });
  for (const button of document.querySelectorAll("[data-mode]"))
    button.addEventListener("click", () => setMode(button.dataset.mode));
  addEventListener("keydown", pressKey);
  addEventListener("resize", redrawAll);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redrawAll);
  addEventListener("dragover", event => event.preventDefault());
  addEventListener("drop", event => {
    event.preventDefault();
    openFiles([...event.dataTransfer.files], event.shiftKey);
  });
}

function start() {
  for (const speed of SPEEDS)
    element("speed").append(new Option(`${speed} ×`, speed, speed === 1, speed === 1));
  listen();
  setMode("state");
  requestAnimationFrame(frame);
  if (location.protocol.startsWith("http"))
    watchLive().catch(error => (element("honest").textContent = String(error)));
}

start();
