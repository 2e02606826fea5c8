// SPDX-License-Identifier: MIT
/*
 * docs/play/map.js -- every frame of the machine as a cell.
 *
 * Rows are a power of two of cells long, and blocks of the buddy are aligned to their
 * size, so a block is a bar or a rectangle with a seam around it.  The colours are those
 * of the kernel's own map (kernel/demo/map.c, docs/24-watching-memory.md).
 *
 * Cells whose use has changed since the last state flash.
 */
"use strict";

const USES = {
  "-": ["reserved", "#3a404a"],
  ".": ["free", "#23513a"],
  ":": ["on a CPU's list", "#3c8c5c"],
  u: ["in use", "#8a94a6"],
  f: ["page cache", "#4f7fd0"],
  a: ["anonymous", "#8e6bd0"],
  s: ["slab, kmalloc", "#4fb3bf"],
  v: ["stack, vmalloc", "#b9a15a"],
  t: ["page table", "#a5d68b"],
  p: ["parked", "#d98a3a"],
  X: ["exclusive", "#ff5a4f"],
  ">": ["handed over", "#ff8fc8"],
  "!": ["bad", "#ffffff"],
};

/* Of a pageblock: name, colour of pages in use, of free ones. */
const TYPES = {
  U: ["unmovable", "#d9626b", "#5a2a2d"],
  M: ["movable", "#7fb069", "#23513a"],
  R: ["reclaimable", "#5a8fdc", "#26436e"],
  H: ["highatomic", "#f2a84b", "#6e4a1e"],
  C: ["CMA", "#4fc3cf", "#1e5a60"],
  I: ["isolated", "#aaaaaa", "#555555"],
};

const FREE_USES = ".:";
const FLASH = 700; // milliseconds
const MOST_BLOCKS = 15000; // with more of them no picture is drawn again and again

/* [{pfn, order, use}], from the string of docs/play/play_state.c. */
function blocksOf(frames) {
  const blocks = [];
  let pfn = 0;
  for (let at = 0; at < frames.length; at += 2) {
    const order = frames.charCodeAt(at + 1) - 48;
    blocks.push({ pfn, order, use: frames[at] });
    pfn += 1 << order;
  }
  return blocks;
}

/* The use of each frame. */
function usesOf(blocks, pages) {
  const uses = new Array(pages);
  for (const block of blocks)
    uses.fill(block.use, block.pfn, block.pfn + (1 << block.order));
  return uses;
}

class MemoryMap {
  constructor(canvas, onHover, onPick) {
    this.canvas = canvas;
    this.onHover = onHover;
    this.mode = "use";
    this.blocks = [];
    this.since = null; // when each frame has changed
    canvas.addEventListener("mousemove", (event) => this.hover(event));
    canvas.addEventListener("mouseleave", () => onHover(null));
    canvas.addEventListener("click", (event) => {
      const found = this.find(event);
      if (found) onPick(found.block);
    });
    new ResizeObserver(() => this.layout()).observe(canvas);
  }

  show(state, quietly) {
    const blocks = blocksOf(state.frames);
    const uses = usesOf(blocks, state.pages);
    const now = performance.now();
    if (this.since === null || this.since.length !== state.pages)
      this.since = new Float64Array(state.pages).fill(-FLASH);
    if (this.uses && this.uses.length === uses.length && !quietly)
      for (let pfn = 0; pfn < uses.length; pfn++)
        if (uses[pfn] !== this.uses[pfn]) this.since[pfn] = now;
    this.state = state;
    this.blocks = blocks;
    this.byZone = state.zones.map((zone) =>
      blocks.filter((block) => block.pfn >= zone.start && block.pfn < zone.start + zone.pages));
    this.uses = uses;
    this.layout();
  }

  /* When a cell has last changed. */
  lastFlash() {
    return this.since.reduce((last, each) => Math.max(last, each), -FLASH);
  }

  /* The largest cells with which all frames fit; a row has a power of two of them.  They may
   * be higher than wide, so that the ground is filled. */
  layout() {
    if (!this.state) return;
    const width = this.canvas.clientWidth;
    const height = this.canvas.clientHeight;
    const gaps = this.state.zones.length * 16;
    let best = { area: 0 };
    for (let columns = 32; columns <= 1024; columns *= 2) {
      const rows = this.state.zones
        .map((zone) => Math.ceil(zone.pages / columns))
        .reduce((sum, each) => sum + each, 0);
      const tall = (height - gaps) / rows;
      const wide = Math.min(width / columns, tall * 1.2);
      const high = Math.min(tall, wide * 2);
      if (wide * high > best.area) best = { area: wide * high, wide, high, columns };
    }
    this.wide = best.wide;
    this.high = best.high;
    this.columns = best.columns;
    const ratio = window.devicePixelRatio || 1;
    this.canvas.width = width * ratio;
    this.canvas.height = height * ratio;
    this.paint();
  }

  /* Where the zone that has PFN begins on the canvas. */
  tops() {
    let y = 0;
    return this.state.zones.map((zone) => {
      const top = y + 13;
      y = top + Math.ceil(zone.pages / this.columns) * this.high + 3;
      return { zone, top };
    });
  }

  colour(block, zone) {
    if (this.mode === "use") return USES[block.use][1];
    if (block.use === "-") return USES["-"][1];
    const first = Math.floor(zone.start / 512);
    const type = zone.pageblocks[Math.floor(block.pfn / 512) - first];
    return TYPES[type][FREE_USES.includes(block.use) ? 2 : 1];
  }

  paint() {
    const context = this.canvas.getContext("2d");
    const ratio = window.devicePixelRatio || 1;
    const now = performance.now();
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    context.font = "11px system-ui, sans-serif";
    let moving = false;
    const mayFlash = this.blocks.length <= MOST_BLOCKS;
    for (const [at, { zone, top }] of this.tops().entries()) {
      context.fillStyle = "#9aa3b2";
      context.fillText(`${zone.name}  ${zone.free} of ${zone.managed} pages free`, 1, top - 3);
      for (const block of this.byZone[at]) {
        this.paintBlock(context, block, zone, top);
        if (mayFlash) moving = this.paintFlash(context, block, zone, top, now) || moving;
      }
    }
    if (moving) requestAnimationFrame(() => this.paint());
  }

  rectangle(block, zone, top) {
    const at = block.pfn - zone.start;
    const count = 1 << block.order;
    const wide = Math.min(count, this.columns);
    return [
      (at % this.columns) * this.wide,
      top + Math.floor(at / this.columns) * this.high,
      wide * this.wide,
      (count / wide) * this.high,
    ];
  }

  paintBlock(context, block, zone, top) {
    const [x, y, width, height] = this.rectangle(block, zone, top);
    const seam = this.wide > 3 ? 1 : this.wide > 1.5 ? 0.5 : 0;
    context.fillStyle = this.colour(block, zone);
    context.fillRect(x, y, width - seam, height - seam);
  }

  paintFlash(context, block, zone, top, now) {
    const age = now - this.since[block.pfn];
    if (age >= FLASH) return false;
    const [x, y, width, height] = this.rectangle(block, zone, top);
    context.fillStyle = `rgba(255, 242, 176, ${0.85 * (1 - age / FLASH)})`;
    context.fillRect(x, y, width, height);
    return true;
  }

  hover(event) {
    const found = this.find(event);
    this.onHover(found && found.block, found && found.zone);
  }

  /* The block under the pointer, and its zone; null. */
  find(event) {
    if (!this.state) return null;
    const x = event.offsetX;
    const y = event.offsetY;
    for (const { zone, top } of this.tops()) {
      const row = Math.floor((y - top) / this.high);
      const column = Math.floor(x / this.wide);
      const at = row * this.columns + column;
      if (row < 0 || column >= this.columns || at >= zone.pages) continue;
      const pfn = zone.start + at;
      return { block: this.blockAt(pfn), zone };
    }
    return null;
  }

  blockAt(pfn) {
    let low = 0;
    let high = this.blocks.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.blocks[middle].pfn <= pfn) low = middle;
      else high = middle - 1;
    }
    return this.blocks[low];
  }
}
