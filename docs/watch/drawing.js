/* SPDX-License-Identifier: MIT */
/*
 * drawing.js -- cells, gauges and the buddy tree on a canvas.
 *
 * Nothing here knows recordings: it draws arrays and numbers.
 */
"use strict";

/* Colours of the page, as style.css has them now. */
function pageColour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/* Make CANVAS as large in pixels of the screen as it is on the page.  Returns its
 * context, which then counts in pixels of the page, and its size in these. */
function prepareCanvas(canvas) {
  const ratio = devicePixelRatio || 1;
  const width = canvas.clientWidth;
  const height = canvas.clientHeight;
  if (canvas.width !== Math.round(width * ratio) ||
      canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  return { context, width, height };
}

/* ---- Cells ---------------------------------------------------------------- */

const CELL_ALIGNED = 32;
const CELL_LARGEST = 16;

/*
 * How FRAMES frames are laid out on WIDTH x HEIGHT: cells of side pixels, columns of them,
 * a multiple of 32, so that aligned blocks look alike everywhere; several frames a cell
 * where there are too many.
 */
function cellShape(frames, width, height) {
  for (let side = CELL_LARGEST; side >= 2; side--) {
    const columns = Math.floor(width / side / CELL_ALIGNED) * CELL_ALIGNED;
    if (columns > 0 && Math.floor(height / side) * columns >= frames)
      return { side, columns, perCell: 1, cells: frames };
  }
  const columns = Math.max(Math.floor(width / 2 / CELL_ALIGNED), 1) * CELL_ALIGNED;
  const room = columns * Math.max(Math.floor(height / 2), 1);
  let perCell = 1;
  while (frames > room * perCell)
    perCell *= 2;
  return { side: 2, columns, perCell, cells: Math.ceil(frames / perCell) };
}

/* Cells whose colours are pixels (pixelOf()), one each. */
class CellPainter {
  constructor() {
    this.small = document.createElement("canvas");
    this.image = null;
  }

  /* The pixels of SHAPE's cells, to be filled in; cells that there are not are clear. */
  pixels(shape) {
    const rows = Math.ceil(shape.cells / shape.columns);
    if (!this.image || this.image.width !== shape.columns ||
        this.image.height !== rows) {
      this.small.width = shape.columns;
      this.small.height = rows;
      this.image = new ImageData(shape.columns, rows);
    }
    return new Uint32Array(this.image.data.buffer);
  }

  paint(context, shape, background) {
    const { side } = shape;
    const { width, height } = this.image;
    this.small.getContext("2d").putImageData(this.image, 0, 0);
    context.imageSmoothingEnabled = false;
    context.drawImage(this.small, 0, 0, width * side, height * side);
    if (side < 4)
      return;
    context.fillStyle = background;
    for (let x = side - 1; x < width * side; x += side)
      context.fillRect(x, 0, 1, height * side);
    for (let y = side - 1; y < height * side; y += side)
      context.fillRect(0, y, width * side, 1);
  }
}

/* ---- Gauges --------------------------------------------------------------- */

/* A bar of IS, full at FULL, with MARKS: [{ name, at }]. */
function drawGauge(context, x, y, width, height, is, full, colour, marks) {
  const scale = value => Math.min(value / Math.max(full, 1), 1) * width;
  context.fillStyle = pageColour("--sunken");
  context.beginPath();
  context.roundRect(x, y, width, height, 3);
  context.fill();
  context.fillStyle = colour;
  context.beginPath();
  context.roundRect(x, y, scale(is), height, 3);
  context.fill();
  context.font = "10px system-ui, sans-serif";
  context.textAlign = "center";
  let last = -Infinity;
  for (const mark of marks) {
    const at = x + scale(mark.at);
    context.fillStyle = pageColour("--text");
    context.fillRect(Math.round(at), y - 2, 1, height + 4);
    if (at - last > 8) {
      context.fillStyle = pageColour("--dim");
      context.fillText(mark.name, at, y + height + 12);
      last = at;
    }
  }
  context.textAlign = "left";
}

/* ---- The buddy tree ------------------------------------------------------- */

/*
 * A block of 2^TOP frames from frame FIRST on as a tree: a row for each order, the largest
 * on top.  IS_FREE(frame), ORDER_OF(frame) are those of the frame's block.  A bar is a
 * block of that order: bright if it is a free block itself, outlined if it is one in use,
 * a hint of how much of it is free otherwise.
 */
function drawBuddyTree(context, x, y, width, height, top, first, isFree, orderOf,
                       colourOf) {
  const step = height / (top + 1);
  const free = new Float64Array((1 << top) + 1);
  for (let i = 0; i < 1 << top; i++)
    free[i + 1] = free[i] + (isFree(first + i) ? 1 : 0);
  context.font = "10px system-ui, sans-serif";
  for (let order = top; order >= 0; order--) {
    const size = 1 << order;
    const wide = (width - 20) * size / (1 << top);
    const above = y + (top - order) * step;
    context.fillStyle = pageColour("--dim");
    context.fillText(order, x, above + step / 2 + 3);
    for (let i = 0; i < 1 << top; i += size) {
      const part = (free[i + size] - free[i]) / size;
      const own = orderOf(first + i) === order;
      const left = x + 20 + (width - 20) * i / (1 << top);
      const gap = wide > 3 ? 1 : 0;
      if (own)
        context.fillStyle = colourOf(first + i);
      else
        context.fillStyle = part > 0 && part < 1 ? pageColour("--split")
          : pageColour("--sunken");
      context.fillRect(left, above + 1, Math.max(wide - gap, 0.5), step - 2);
      if (!own && part > 0 && part < 1 && wide > 3) {
        context.fillStyle = pageColour("--free");
        context.fillRect(left, above + step - 3, (wide - gap) * part, 2);
      }
    }
  }
}
