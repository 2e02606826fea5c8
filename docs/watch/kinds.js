/* SPDX-License-Identifier: MIT */
/*
 * kinds.js -- what a frame can be, and its colour.
 *
 * The same words and colours as the kernel's own map (kernel/demo/map.c).  The kernel
 * names the use of a frame by a number of PAGE_WHYS (mm/debug/page_why.h); the map has
 * fewer colours than that.  On a light page what lies in the background is pale, not
 * dark.
 */
"use strict";

/* Colours of the map by state.  In a cell of several frames the last one is shown. */
const STATES = [
  { name: "not known", dark: "#14171c", light: "#ffffff" },
  { name: "reserved", dark: "#3a404a", light: "#d5d9e0" },
  { name: "free", dark: "#23513a", light: "#c4e3cf" },
  { name: "on a CPU's list", dark: "#3c8c5c", light: "#8fcfa6" },
  { name: "in use", dark: "#8a94a6", light: "#8a94a6" },
  { name: "page cache", dark: "#4f7fd0", light: "#4f7fd0" },
  { name: "anonymous", dark: "#8e6bd0", light: "#8e6bd0" },
  { name: "slab, kmalloc", dark: "#4fb3bf", light: "#3aa3b0" },
  { name: "stack, vmalloc", dark: "#b9a15a", light: "#b0943f" },
  { name: "page table", dark: "#a5d68b", light: "#6fb04e" },
  { name: "parked", dark: "#d98a3a", light: "#e0892c" },
  { name: "exclusive", dark: "#ff5a4f", light: "#ee3b30" },
  { name: "handed over", dark: "#ff8fc8", light: "#e857a6" },
  { name: "bad", dark: "#ffffff", light: "#000000" },
];

const STATE = Object.fromEntries(STATES.map((state, i) => [state.name, i]));

/* PAGE_WHYS in the kernel's order: its name, and the state that it is shown as. */
const WHYS = [
  ["RESERVED", "reserved"],
  ["FREE", "free"],
  ["ISOLATED", "free"],
  ["LISTED", "on a CPU's list"],
  ["IN_FLIGHT", "on a CPU's list"],
  ["BAD", "bad"],
  ["PARKED", "parked"],
  ["OWNED", "exclusive"],
  ["HANDOVER", "handed over"],
  ["SATURATED", "in use"],
  ["GUARD", "in use"],
  ["SLAB", "slab, kmalloc"],
  ["LARGE", "slab, kmalloc"],
  ["TABLE", "page table"],
  ["RESERVE", "in use"],
  ["UNEVICTABLE", "anonymous"],
  ["WRITEBACK", "page cache"],
  ["ANON", "anonymous"],
  ["ANON_SAVED", "anonymous"],
  ["FILE_DIRTY", "page cache"],
  ["FILE_CLEAN", "page cache"],
  ["MAPPED", "stack, vmalloc"],
  ["PLAIN", "in use"],
];

const UNKNOWN = 31; /* a frame of which nothing was said */
const WHY = Object.fromEntries(WHYS.map(([name], i) => [name, i]));
const STATE_OF_WHY = new Uint8Array(32);
WHYS.forEach(([, state], i) => (STATE_OF_WHY[i] = STATE[state]));
STATE_OF_WHY[UNKNOWN] = STATE["not known"];

/* By mm/gfp.h's enum migratetype. */
const TYPES = [
  { name: "unmovable", free: "#5a2a2d", used: "#d9626b", lightFree: "#f2d0d3" },
  { name: "movable", free: "#23513a", used: "#7fb069", lightFree: "#d0e8c4" },
  { name: "reclaimable", free: "#26436e", used: "#5a8fdc", lightFree: "#cddff7" },
  { name: "highatomic", free: "#6e4a1e", used: "#f2a84b", lightFree: "#f9e2c2" },
  { name: "CMA", free: "#1e5a60", used: "#4fc3cf", lightFree: "#c8edf0" },
  { name: "isolated", free: "#555555", used: "#aaaaaa", lightFree: "#e2e2e2" },
];

/* The youngest first; up to so many microseconds. */
const AGES = [
  { name: "just now", up: 2e5, dark: "#fff2b0", light: "#d9480f" },
  { name: "a second", up: 1e6, dark: "#f2a84b", light: "#f08c3a" },
  { name: "10 seconds", up: 1e7, dark: "#b0628c", light: "#d88ab0" },
  { name: "a minute", up: 6e7, dark: "#5a5aa8", light: "#a9a9dd" },
  { name: "10 minutes", up: 6e8, dark: "#2f4468", light: "#cdd8ee" },
  { name: "older", up: Infinity, dark: "#26303c", light: "#e8ecf1" },
];

/* Owners get them in the order of their numbers. */
const OWNER_COLOURS = [
  "#5a8fdc", "#d9626b", "#f2cf6b", "#b784d6", "#4fb3bf", "#ff8fc8", "#a5d68b",
  "#d98a3a", "#82b1ff", "#c8b08a", "#8e6bd0", "#e0e0e0",
];

const ZONES = ["DMA", "DMA32", "Normal", "Movable"];

function isDark() {
  const chosen = document.documentElement.dataset.theme;
  if (chosen)
    return chosen === "dark";
  return matchMedia("(prefers-color-scheme: dark)").matches;
}

function stateColour(state) {
  return isDark() ? STATES[state].dark : STATES[state].light;
}

/* "#rrggbb" as a pixel of an ImageData seen as 32-bit words. */
function pixelOf(colour) {
  const rgb = parseInt(colour.slice(1), 16);
  return (0xff000000 | (rgb & 0xff) << 16 | (rgb & 0xff00) | rgb >> 16) >>> 0;
}
