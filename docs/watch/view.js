/* SPDX-License-Identifier: MIT */
/*
 * view.js -- one recording on the page: its map, gauges, legend, lanes.
 *
 *	recording --seek(rows)--> memory --draw()--> map | gauges | legend | block | lanes
 *
 * The view draws what is at its row when it was told that something changed (dirty), and
 * never more than once a frame of the screen.
 */
"use strict";

const MODES = ["state", "type", "owner", "age"];
const FLASH = 150000; /* microseconds for which a hand-over is white */
const HISTORY = 14;
const TREE_ORDER = 10;

class View {
  constructor(recording) {
    const template = document.getElementById("view");
    this.root = template.content.firstElementChild.cloneNode(true);
    this.recording = recording;
    this.memory = null;
    this.row = 0;
    this.mode = "state";
    this.span = null; /* null: all of it */
    this.frame = null; /* the chosen one */
    this.chosenOwner = null;
    this.shape = null;
    this.painter = new CellPainter();
    this.dirty = true;
    this.legendKey = "";
    this.root.addEventListener("pointerdown", () => chooseView(this), true);
    this.part("map").addEventListener("pointermove", event => this.hoverMap(event));
    this.part("map").addEventListener("pointerleave", () => this.hideTip());
    this.part("map").addEventListener("click", event => this.clickMap(event));
    this.part("lanes").addEventListener("pointerdown", event => this.dragLanes(event));
    this.part("lanes").addEventListener("pointermove", event => this.dragLanes(event));
    this.part("lanes").addEventListener("wheel", event => this.zoomLanes(event),
                                        { passive: false });
    this.part("lanes").addEventListener("pointerleave", () => this.hideTip());
    this.part("legend").addEventListener("pointermove", event => this.hoverLegend(event));
    this.part("legend").addEventListener("pointerleave", () => this.hideTip());
    this.part("history").addEventListener("click", event => this.clickHistory(event));
    this.part("legend").addEventListener("click", event => this.clickLegend(event));
  }

  part(name) {
    return this.root.querySelector(`.${name}`);
  }

  /* ---- Where it is ------------------------------------------------------- */

  get time() {
    return this.row > 0 ? this.recording.time[this.row - 1] : this.recording.begin;
  }

  goToRow(row) {
    const to = Math.min(Math.max(row, 0), this.recording.rows);
    if (to !== this.row)
      this.dirty = true;
    this.row = to;
  }

  goToTime(time) {
    this.goToRow(this.recording.rowsUntil(time));
  }

  seenSpan() {
    return this.span ?? new Span(this.recording.begin, this.recording.end);
  }

  /* ---- Drawing ----------------------------------------------------------- */

  draw() {
    if (!this.dirty)
      return;
    this.dirty = false;
    this.bringMemory();
    drawLanes(this.part("lanes"), this.recording, this.seenSpan(), this.time);
    this.part("name").textContent = this.recording.name;
    this.part("at").textContent = this.row > 0
      ? this.recording.describe(this.row - 1) : "before the first row";
    if (!this.memory)
      return;
    this.drawMap();
    this.drawGauges();
    this.showLegend();
    this.showHonesty();
    this.showBlock();
    showLedger(this);
  }

  bringMemory() {
    const tip = this.recording.tip;
    this.root.classList.toggle("empty", !tip);
    if (!tip)
      return;
    if (!this.memory || this.memory.frames !== tip.frames)
      this.memory = new Memory(tip.frames, tip.start);
    this.recording.seek(this.memory, this.row);
  }

  drawMap() {
    const { context, width, height } = prepareCanvas(this.part("map"));
    const shape = cellShape(this.memory.frames, width, height);
    this.shape = shape;
    fillCells(this, this.painter.pixels(shape), shape);
    context.clearRect(0, 0, width, height);
    this.painter.paint(context, shape, pageColour("--panel"));
    if (this.frame !== null)
      this.outlineFrame(context, shape);
  }

  outlineFrame(context, shape) {
    const cell = Math.floor(this.frame / shape.perCell);
    const x = cell % shape.columns * shape.side;
    const y = Math.floor(cell / shape.columns) * shape.side;
    context.strokeStyle = pageColour("--accent");
    context.lineWidth = 2;
    context.strokeRect(x - 1, y - 1, shape.side + 1, shape.side + 1);
  }

  drawGauges() {
    const zones = this.memory.zone.filter(zone => zone);
    const canvas = this.part("gauges");
    canvas.style.height = `${zones.length * 48 + (this.memory.pool ? 32 : 0)}px`;
    const { context, width, height } = prepareCanvas(canvas);
    context.clearRect(0, 0, width, height);
    let y = 0;
    for (const zone of zones) {
      drawZone(context, y, width, zone);
      y += 48;
    }
    if (this.memory.pool)
      drawPool(context, y, width, this.memory);
  }

  /* ---- Words ------------------------------------------------------------- */

  showHonesty() {
    const { memory, recording } = this;
    const words = [];
    if (memory.lost > 0)
      words.push(`${memory.lost.toLocaleString("en")} records lost so far.`);
    if (!memory.certain)
      words.push(memory.lost > 0
        ? "The map is uncertain until the kernel has looked at all frames again."
        : "The kernel has not shown all frames yet.");
    if (recording.broken > 0)
      words.push(`${recording.broken} broken lines.`);
    if (recording.unknown.size > 0)
      words.push("Unknown events: " + [...recording.unknown.keys()].join(", "));
    this.part("honesty").textContent = words.join(" ");
    this.root.classList.toggle("uncertain", !memory.certain);
  }

  showLegend() {
    const rows = legendOf(this);
    const key = JSON.stringify([rows, isDark(), this.chosenOwner]);
    if (key === this.legendKey)
      return;
    this.legendKey = key;
    const list = this.part("legend");
    list.textContent = "";
    for (const { name, colour, count, owner } of rows)
      list.append(legendLine(name, colour, count, owner,
                             owner !== undefined && owner === this.chosenOwner));
  }

  showBlock() {
    const block = this.part("block");
    block.hidden = this.frame === null && this.chosenOwner === null;
    if (block.hidden)
      return;
    const tree = this.part("tree");
    tree.hidden = this.frame === null;
    this.part("what").textContent = this.chosenOwner !== null
      ? describeOwner(this, this.chosenOwner) : describeFrame(this, this.frame);
    if (this.frame !== null)
      this.drawTree(tree);
    const rows = this.chosenOwner !== null
      ? this.recording.historyOfOwner(this.chosenOwner, this.row, HISTORY)
      : this.recording.historyOfFrame(this.frame + this.memory.start, this.row,
                                      HISTORY);
    this.showHistory(rows);
  }

  drawTree(canvas) {
    const { context, width, height } = prepareCanvas(canvas);
    const { memory } = this;
    const first = Math.floor(this.frame / (1 << TREE_ORDER)) << TREE_ORDER;
    const state = frame => frame < memory.frames
      ? STATE_OF_WHY[memory.kind[frame]] : 0;
    context.clearRect(0, 0, width, height);
    drawBuddyTree(context, 0, 0, width, height, TREE_ORDER, first,
                  frame => state(frame) === STATE.free,
                  frame => frame < memory.frames ? memory.order[frame] : 0,
                  frame => stateColour(state(frame)));
  }

  showHistory(rows) {
    const list = this.part("history");
    list.textContent = "";
    for (const row of rows) {
      const item = document.createElement("li");
      const time = document.createElement("time");
      time.textContent = timeText(this.recording.time[row], 1);
      item.append(time, this.recording.ownerName(this.recording.owner[row]) + ": " +
                  this.recording.describe(row));
      item.dataset.row = row;
      list.append(item);
    }
    if (rows.length === 0)
      list.append("nothing in this recording");
  }

  /* ---- The pointer ------------------------------------------------------- */

  frameAt(event) {
    if (!this.shape)
      return null;
    const { side, columns, perCell } = this.shape;
    const column = Math.floor(event.offsetX / side);
    const cell = Math.floor(event.offsetY / side) * columns + column;
    if (column >= columns || cell * perCell >= this.memory.frames)
      return null;
    return this.frameShown(cell * perCell, (cell + 1) * perCell);
  }

  /* Of the frames of a cell the one that gives it its colour. */
  frameShown(from, end) {
    const { of } = CLASSES[this.mode](this);
    let shown = from;
    for (let frame = from + 1; frame < Math.min(end, this.memory.frames); frame++) {
      if (of(frame) > of(shown))
        shown = frame;
    }
    return shown;
  }

  hoverMap(event) {
    const frame = this.frameAt(event);
    if (frame === null) {
      this.hideTip();
      return;
    }
    const rows = this.recording.historyOfFrame(frame + this.memory.start, this.row, 5);
    showTip(event, [describeFrame(this, frame), ...this.linesOf(rows)]);
  }

  hoverLegend(event) {
    const item = event.target.closest("[data-owner]");
    if (!item) {
      this.hideTip();
      return;
    }
    const owner = Number(item.dataset.owner);
    const rows = this.recording.historyOfOwner(owner, this.row, 8);
    showTip(event, [describeOwner(this, owner), ...this.linesOf(rows)]);
  }

  /* The last event of the lane before the pointer, and how many are in its column. */
  hoverLanes(event) {
    const width = this.part("lanes").clientWidth - LANE_LABEL;
    const height = this.part("lanes").clientHeight - LANE_AXIS;
    const at = Math.floor(event.offsetY / height * LANES.length);
    const lane = this.recording.lanes[at];
    if (!lane || event.offsetX < LANE_LABEL) {
      this.hideTip();
      return;
    }
    const span = this.seenSpan();
    const x = event.offsetX - LANE_LABEL;
    const end = upperBound(lane.time.data, lane.time.length, span.time(x + 1, width));
    const begin = upperBound(lane.time.data, lane.time.length, span.time(x - 1, width));
    const rows = [...lane.row.data.subarray(Math.max(begin, end - 5), end)];
    showTip(event, [`${LANES[at].name}: ${end - begin} here, ` +
                    timeText(span.time(x, width), span.length / width),
                    ...this.linesOf(rows)]);
  }

  linesOf(rows) {
    return rows.map(row => `${timeText(this.recording.time[row], 1)}  ` +
      `${this.recording.ownerName(this.recording.owner[row])}: ` +
      this.recording.describe(row));
  }

  hideTip() {
    document.getElementById("tip").hidden = true;
  }

  clickMap(event) {
    this.frame = this.frameAt(event);
    this.chosenOwner = null;
    this.dirty = true;
  }

  clickHistory(event) {
    const item = event.target.closest("li[data-row]");
    if (item)
      goToRowOf(this, Number(item.dataset.row) + 1);
  }

  clickLegend(event) {
    const item = event.target.closest("[data-owner]");
    if (!item)
      return;
    const owner = Number(item.dataset.owner);
    this.chosenOwner = this.chosenOwner === owner ? null : owner;
    this.dirty = true;
  }

  dragLanes(event) {
    if (event.buttons !== 1) {
      this.hoverLanes(event);
      return;
    }
    this.hideTip();
    const width = this.part("lanes").clientWidth - LANE_LABEL;
    goToTimeOf(this, this.seenSpan().time(event.offsetX - LANE_LABEL, width));
  }

  zoomLanes(event) {
    event.preventDefault();
    const width = this.part("lanes").clientWidth - LANE_LABEL;
    const time = this.seenSpan().time(event.offsetX - LANE_LABEL, width);
    this.zoom(time, event.deltaY > 0 ? 1.25 : 0.8);
  }

  zoom(time, factor) {
    const whole = new Span(this.recording.begin, this.recording.end);
    const span = this.seenSpan().zoomed(time, factor);
    this.span = span.length >= whole.length ? null : span;
    this.dirty = true;
  }
}
