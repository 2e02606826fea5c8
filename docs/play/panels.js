// SPDX-License-Identifier: MIT
/*
 * docs/play/panels.js -- zones as gauges, and what lies below the map: the buddy tree, the
 * free lists, the CPU's lists, pages that can be reclaimed, the knobs, the log.
 *
 * Numbers that have changed since the last state are shown with their difference.
 */
"use strict";

function make(tag, name, text) {
  const element = document.createElement(tag);
  if (name) element.className = name;
  if (text !== undefined) element.textContent = text;
  return element;
}

/* A cell of a table: NOW, and how it differs from BEFORE. */
function numberCell(now, before) {
  const cell = make("td", now === 0 ? "zero" : "", String(now));
  if (before !== undefined && before !== now) {
    const more = now - before;
    cell.append(make("span", more > 0 ? "more" : "less", (more > 0 ? "+" : "−") + Math.abs(more)));
  }
  return cell;
}

/* ---- Zones ----------------------------------------------------------------- */

/* As the kernel's map draws them: full at four times the high mark. */
function gauge(zone) {
  const full = Math.max(zone.high * 4, 1);
  const place = (pages) => `${Math.min(100, (100 * pages) / full)}%`;
  const row = make("div", "gauge");
  const bar = make("div", "bar");
  const fill = make("div", "fill");
  fill.style.width = place(zone.free);
  if (zone.free <= zone.min) fill.classList.add("low");
  else if (zone.free <= zone.low) fill.classList.add("warn");
  bar.append(fill);
  for (const [name, letter, pages] of [
    ["GFP_ATOMIC may go down to", "a", zone.atomic],
    ["min", "m", zone.min],
    ["low: kswapd is woken", "l", zone.low],
    ["high: kswapd sleeps", "h", zone.high],
  ]) {
    const mark = make("i", "", letter);
    mark.style.left = place(pages);
    mark.title = `${name}: ${pages} pages`;
    bar.append(mark);
  }
  row.append(make("b", "", zone.name), bar);
  const boost = zone.boost > 0 ? `, boost ${zone.boost}` : "";
  const marks = `min ${zone.min}, low ${zone.low}, high ${zone.high}${boost}`;
  row.append(make("span", "", `${zone.free} free; ${marks}`));
  return row;
}

function showZones(place, state) {
  place.replaceChildren(...state.zones.map(gauge));
}

function showLegend(place, mode) {
  const entries = mode === "use"
    ? [".", ":", "u", "f", "a", "p", "X", "t"].map((key) => USES[key])
    : Object.values(TYPES);
  place.replaceChildren(...entries.map(([name, colour]) => {
    const entry = make("span", "", name);
    entry.style.setProperty("--colour", colour);
    return entry;
  }));
}

/* ---- Panels ---------------------------------------------------------------- */

/* The free blocks of each order; the types side by side. */
function freeLists(state, before) {
  const place = make("div", "tables");
  state.zones.forEach((zone, at) => {
    const old = before && before.zones[at];
    const table = make("table");
    const head = make("tr");
    head.append(make("th", "", zone.name));
    for (let order = 0; order <= 10; order++) head.append(make("th", "", String(order)));
    table.append(head);
    Object.keys(TYPES).forEach((key, type) => {
      const hasBlocks = (each) => each && each.free_area.some((area) => area[type] > 0);
      if (!hasBlocks(zone) && !hasBlocks(old)) return;
      const row = make("tr");
      row.append(make("th", "type", TYPES[key][0]));
      row.firstChild.style.setProperty("--colour", TYPES[key][1]);
      zone.free_area.forEach((area, order) =>
        row.append(numberCell(area[type], old && old.free_area[order][type])));
      table.append(row);
    });
    place.append(table);
  });
  place.append(make("p", "note",
    "Free blocks of each order, 2^order pages, by the type of the list that they are on."));
  return place;
}

const MOST_SQUARES = 120;

/* Stacks: one square for each block.  Those that have come since BEFORE pop up, and those
 * that have gone fade. */
function cpuLists(state, before) {
  const place = make("div", "stacks");
  state.zones.forEach((zone, at) => {
    const old = before && before.zones[at] && before.zones[at].pcp;
    if (!zone.pcp) return;
    const row = make("div", "stack");
    row.append(make("b", "", zone.name));
    const { count: pages, high, high_min: least, high_max: most, batch } = zone.pcp;
    row.append(make("span", "note",
      `${pages} pages of ${high} (${least} to ${most}), batch ${batch}`));
    zone.pcp.lists.forEach((types, order) => types.forEach((count, type) => {
      const had = old ? old.lists[order][type] : count;
      if (count === 0 && had === 0) return;
      const line = make("div", "squares");
      line.append(make("span", "", `order ${order === 4 ? 9 : order}, ${Object.values(TYPES)[type][0]}`));
      for (let i = 0; i < Math.min(Math.max(count, had), MOST_SQUARES); i++)
        line.append(make("i", i >= count ? "gone" : i >= had ? "fresh" : ""));
      if (count > MOST_SQUARES) line.append(make("span", "", `… ${count}`));
      line.style.setProperty("--colour", Object.values(TYPES)[type][1]);
      row.append(line);
    }));
    place.append(row);
  });
  const buttons = make("div", "row");
  buttons.append(lineButton("Drain them", "drain"), lineButton("A second goes by", "second"));
  place.append(buttons, make("p", "note",
    "Free pages that this CPU keeps at hand, without a lock.  A request that finds its list " +
    "empty fills it from the zone; a list that is too long gives pages back."));
  return place;
}

function lineButton(name, line) {
  const button = make("button", "", name);
  button.dataset.line = line;
  return button;
}

function reclaimPanel(state, before) {
  const place = make("div", "tables");
  const names = ["inactive anon", "active anon", "inactive file", "active file", "unevictable"];
  const table = make("table");
  const head = make("tr");
  head.append(make("th", "", "lru"), ...state.zones.map((zone) => make("th", "", zone.name)));
  table.append(head);
  names.forEach((name, list) => {
    const row = make("tr");
    row.append(make("th", "type", name));
    state.zones.forEach((zone, at) => {
      const old = before && before.zones[at];
      row.append(numberCell(zone.lru[list], old ? old.lru[list] : undefined));
    });
    table.append(row);
  });
  place.append(table);
  const add = make("div", "row");
  add.append(lineButton("Read 500 pages of files", "file 500"), lineButton("500 anonymous pages", "anon 500"),
    lineButton("Swap: 1000 pages", "swap 1000"),
    lineButton("Start a program of 300 pages", `program p${state.programs.length + 1} 300`));
  const serve = make("div", "row");
  serve.append(
    lineButton("Run kswapd", "kswapd"),
    lineButton("Run kcompactd", "kcompactd"),
    lineButton("Compact all", "compact"),
    lineButton("Fill the exclusive pool", "refill"),
    state.by_hand
      ? lineButton("Let the threads run by themselves", "serve on")
      : lineButton("Run the threads by hand", "serve off"),
  );
  place.append(add, serve);
  const programs = state.programs.map((each) => `${each.name}: ${each.pages} pages`).join(", ");
  place.append(make("p", "note",
    `Swap: ${state.swap} pages.  Programs: ${programs || "none"}.  Parked exclusive pages: ${state.parked}.` +
    (state.kswapd_called ? "  kswapd has been called, and waits for you to run it." : "")));
  return place;
}

function knobPanel(state) {
  const place = make("div", "knobs");
  for (const [name, value, low, high] of state.knobs) {
    if (/kfence|oom_score/.test(name)) continue;
    const label = make("label");
    const input = make("input");
    input.value = value;
    input.title = `${low} to ${high}`;
    input.dataset.knob = name;
    label.append(make("span", "", name.replace("vm.", "")), input);
    place.append(label);
  }
  place.append(make("p", "note",
    "The knobs of kernel/sysctl.c, with its limits.  Enter sets one; the gauges' marks follow."));
  return place;
}

function logPanel(entries) {
  const place = make("div", "log");
  for (const entry of entries.slice(-60).reverse()) {
    const row = make("div", entry.bad ? "bad" : "");
    row.append(make("code", "", entry.line), make("span", "", entry.text));
    for (const line of entry.more) row.append(make("pre", "", line));
    place.append(row);
  }
  if (entries.length === 0)
    place.append(make("p", "note", "Your steps, what comes of them, and the kernel's log."));
  return place;
}
