/* SPDX-License-Identifier: MIT */
/*
 * panels.js -- what stands beside the map: colours of the cells, gauges, the ledger.
 */
"use strict";

/* ---- Colours of the cells -------------------------------------------------- */

/* Colours by state, as pixels. */
function statePixels() {
  return STATES.map((_, state) => pixelOf(stateColour(state)));
}

/* For each frame of VIEW a small number, and the pixel of each number.  In a cell of
 * several frames the largest number is shown. */
function stateClasses(view) {
  const { memory } = view;
  return { pixel: statePixels(), of: i => STATE_OF_WHY[memory.kind[i]] };
}

function isUnused(state) {
  return state === STATE.free || state === STATE["on a CPU's list"];
}

function typeClasses(view) {
  const { memory } = view;
  const free = TYPES.map(type => pixelOf(isDark() ? type.free : type.lightFree));
  const used = TYPES.map(type => pixelOf(type.used));
  const pixel = [...statePixels().slice(0, 2), ...free, ...used];
  return {
    pixel,
    of: i => {
      const state = STATE_OF_WHY[memory.kind[i]];
      if (state <= STATE.reserved)
        return state;
      return 2 + memory.type[i] + (isUnused(state) ? 0 : TYPES.length);
    },
  };
}

function ownerColour(owner) {
  return OWNER_COLOURS[owner % OWNER_COLOURS.length];
}

function ownerClasses(view) {
  const { memory } = view;
  const base = statePixels().slice(0, 3);
  const pixel = [...base, pixelOf("#6b7280"), ...OWNER_COLOURS.map(pixelOf)];
  return {
    pixel,
    of: i => {
      const state = STATE_OF_WHY[memory.kind[i]];
      if (state <= STATE.free || isUnused(state))
        return Math.min(state, STATE.free);
      return memory.owner[i] === 0 ? 3
        : 4 + memory.owner[i] % OWNER_COLOURS.length;
    },
  };
}

function ageOf(view, frame) {
  const changed = view.memory.changed[frame];
  if (changed === 0 || view.memory.kind[frame] === UNKNOWN)
    return AGES.length - 1;
  const age = view.time - view.recording.time[changed - 1];
  return AGES.findIndex(one => age <= one.up);
}

function ageClasses(view) {
  const pixel = AGES.map(age => pixelOf(isDark() ? age.dark : age.light)).reverse();
  return { pixel, of: i => AGES.length - 1 - ageOf(view, i) };
}

const CLASSES = { state: stateClasses, type: typeClasses, owner: ownerClasses,
                  age: ageClasses };

/* The frames that changed hands within the last moment flash. */
function flashFrames(view, pixels, shape) {
  const { recording } = view;
  const lane = recording.lanes[LANES.findIndex(one => one.id === "handover")];
  const white = isDark() ? 0xffffffff : 0xff000000;
  const end = upperBound(lane.row.data, lane.row.length, view.row - 1);
  for (let i = end - 1; i >= Math.max(end - 4096, 0); i--) {
    if (lane.time.data[i] < view.time - FLASH)
      break;
    const frame = recording.args[lane.row.data[i] * ARGS] - view.memory.start;
    if (frame >= 0 && frame < view.memory.frames)
      pixels[Math.floor(frame / shape.perCell)] = white;
  }
}

/* Frames that are not OWNER's fade. */
function fadeOthers(view, pixels, shape) {
  const { memory } = view;
  for (let cell = 0; cell < shape.cells; cell++) {
    let is = false;
    const end = Math.min((cell + 1) * shape.perCell, memory.frames);
    for (let i = cell * shape.perCell; i < end && !is; i++)
      is = memory.owner[i] === view.chosenOwner;
    if (!is)
      pixels[cell] = pixels[cell] & 0xffffff | 0x30000000;
  }
}

function fillCells(view, pixels, shape) {
  const { of, pixel } = CLASSES[view.mode](view);
  const { frames } = view.memory;
  pixels.fill(0);
  for (let cell = 0; cell < shape.cells; cell++) {
    let kind = of(cell * shape.perCell);
    const end = Math.min((cell + 1) * shape.perCell, frames);
    for (let i = cell * shape.perCell + 1; i < end; i++)
      kind = Math.max(kind, of(i));
    pixels[cell] = pixel[kind];
  }
  if (view.chosenOwner !== null)
    fadeOthers(view, pixels, shape);
  flashFrames(view, pixels, shape);
}

/* ---- The legend ------------------------------------------------------------ */

function stateCounts(memory) {
  const counts = new Array(STATES.length).fill(0);
  for (let kind = 0; kind < 32; kind++)
    counts[STATE_OF_WHY[kind]] += memory.count[kind];
  return counts;
}

function ownerCounts(memory) {
  const counts = new Map();
  for (let i = 0; i < memory.frames; i++) {
    const owner = memory.owner[i];
    if (owner !== 0)
      counts.set(owner, (counts.get(owner) ?? 0) + 1);
  }
  return counts;
}

function legendOfOwners(view) {
  const counts = [...ownerCounts(view.memory)].sort((a, b) => b[1] - a[1]);
  return counts.slice(0, 14).map(([owner, count]) => ({
    name: view.recording.ownerName(owner), colour: ownerColour(owner), count, owner,
  }));
}

function legendOfTypes(view) {
  const counts = new Array(TYPES.length * 2).fill(0);
  const { of } = typeClasses(view);
  for (let i = 0; i < view.memory.frames; i++)
    counts[of(i) - 2]++;
  return counts.map((count, i) => {
    const type = TYPES[i % TYPES.length];
    const free = i < TYPES.length;
    return { name: (free ? "free, " : "") + type.name, count,
             colour: !free ? type.used : isDark() ? type.free : type.lightFree };
  }).filter(row => row.count > 0);
}

function legendOfAges(view) {
  const counts = new Array(AGES.length).fill(0);
  for (let i = 0; i < view.memory.frames; i++)
    counts[ageOf(view, i)]++;
  return AGES.map((age, i) => ({ name: age.name, count: counts[i],
                                 colour: isDark() ? age.dark : age.light }));
}

function legendOf(view) {
  if (view.mode === "owner")
    return legendOfOwners(view);
  if (view.mode === "type")
    return legendOfTypes(view);
  if (view.mode === "age")
    return legendOfAges(view);
  return stateCounts(view.memory).map((count, state) => ({
    name: STATES[state].name, colour: stateColour(state), count,
  })).filter((row, state) => row.count > 0 || state > STATE["not known"]);
}

function legendLine(name, colour, count, owner, chosen) {
  const line = document.createElement(owner === undefined ? "div" : "button");
  const square = document.createElement("i");
  const label = document.createElement("span");
  const number = document.createElement("b");
  square.style.background = colour;
  label.textContent = name;
  number.textContent = count.toLocaleString("en");
  line.className = count === 0 ? "none" : "";
  line.classList.toggle("chosen", chosen);
  if (owner !== undefined)
    line.dataset.owner = owner;
  line.append(square, label, number);
  return line;
}

/* ---- Gauges ---------------------------------------------------------------- */

function gaugeTitle(context, y, width, left, right) {
  context.font = "600 12px system-ui, sans-serif";
  context.fillStyle = pageColour("--text");
  context.fillText(left, 0, y + 12);
  context.font = "12px system-ui, sans-serif";
  context.textAlign = "right";
  context.fillStyle = pageColour("--dim");
  context.fillText(right, width, y + 12);
  context.textAlign = "left";
}

/* Full at four times the high mark: what lies above is plenty. */
function drawZone(context, y, width, zone) {
  const colour = zone.free > zone.high ? "--free"
    : zone.free > zone.min ? "--warn" : "--alarm";
  gaugeTitle(context, y, width, ZONES[zone.zone],
             `${zone.free.toLocaleString("en")} free of ` +
             zone.managed.toLocaleString("en"));
  drawGauge(context, 0, y + 20, width, 10, zone.free, 4 * zone.high,
            pageColour(colour),
            [{ name: "a", at: zone.floor }, { name: "m", at: zone.min },
             { name: "l", at: zone.low }, { name: "h", at: zone.high }]);
}

function drawPool(context, y, width, memory) {
  const owned = memory.count[WHY.OWNED] + memory.count[WHY.HANDOVER];
  gaugeTitle(context, y, width, "Pool",
             `${memory.pool.parked} of ${memory.pool.high} parked` +
             (width > 200 ? `, ${owned} exclusive` : ""));
  drawGauge(context, 0, y + 20, width, 10, memory.pool.parked, memory.pool.high,
            stateColour(STATE.parked), []);
}

/* ---- Words about a frame and an owner -------------------------------------- */

function describeFrame(view, frame) {
  const { memory, recording } = view;
  const kind = memory.kind[frame];
  const changed = memory.changed[frame];
  const words = [`frame 0x${(frame + memory.start).toString(16)}`,
                 kind === UNKNOWN ? "not known" : WHYS[kind][0]];
  words.push(`order ${memory.order[frame]}`, TYPES[memory.type[frame]]?.name);
  if (memory.owner[frame] !== 0)
    words.push("of " + recording.ownerName(memory.owner[frame]));
  if (changed !== 0)
    words.push("since " + timeText(recording.time[changed - 1], 1));
  return words.join(", ");
}

function describeOwner(view, owner) {
  const count = ownerCounts(view.memory).get(owner) ?? 0;
  return `${view.recording.ownerName(owner)} (owner ${owner}) took ${count} of the ` +
    "frames in use; its last events:";
}

/* ---- The ledger: events against the kernel's own counters ------------------- */

/* [what, sum of the events, sum of vmstat] between the first vmstat line of the recording
 * and the last one. */
function ledgerOf(memory) {
  const { vmstat, firstVmstat, eventsAtVmstat, eventsAtFirst } = memory;
  if (!vmstat)
    return [];
  const stat = (...names) => names.reduce(
    (sum, name) => sum + vmstat[name] - firstVmstat[name], 0);
  const events = name =>
    eventsAtVmstat.events[KIND[name]] - eventsAtFirst.events[KIND[name]];
  const rows = [
    ["pages allocated", eventsAtVmstat.allocated - eventsAtFirst.allocated,
     stat("pgalloc_dma", "pgalloc_dma32", "pgalloc_normal", "pgalloc_movable")],
    ["pages freed", eventsAtVmstat.freed - eventsAtFirst.freed, stat("pgfree")],
    ["requests failed", events("mm_page_alloc_fail"), stat("alloc_fail")],
  ];
  for (const name of ["park", "unpark", "take", "transfer", "accept", "release"])
    rows.push([`${name} exclusive`, events(`mm_exclusive_${name}`),
               stat(`exclusive_${name}`)]);
  rows.push(["pages moved", events("mm_migrate_page"), stat("pgmigrate_success")]);
  rows.push(["threads killed", events("mark_victim"), stat("oom_kill")]);
  return rows;
}

function showLedger(view) {
  const body = view.part("ledger");
  const { memory } = view;
  const rows = ledgerOf(memory);
  const lost = memory.vmstat ? memory.eventsAtVmstat.lost -
    memory.eventsAtFirst.lost : 0;
  const key = JSON.stringify([rows, lost]);
  if (body.dataset.key === key)
    return;
  body.dataset.key = key;
  body.textContent = "";
  for (const [what, seen, counted] of rows) {
    const line = document.createElement("tr");
    for (const text of [what, seen.toLocaleString("en"),
                        counted.toLocaleString("en")]) {
      const cell = document.createElement("td");
      cell.textContent = text;
      line.append(cell);
    }
    line.className = seen === counted ? "equal" : lost > 0 ? "short" : "differs";
    body.append(line);
  }
}
