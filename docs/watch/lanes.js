/* SPDX-License-Identifier: MIT */
/*
 * lanes.js -- the timeline: a lane for each kind of thing that happens.
 *
 * A lane's times are sorted, so the rows of a column of pixels are found by bisection,
 * however many there are.  A bar's height is the logarithm of their number.  Red
 * columns: records were lost there.  Work that has a begin and an end, kswapd's, a direct
 * reclaim, a compaction, is a line below the bars of its lane.
 */
"use strict";

const LANE_LABEL = 104; /* pixels */
const LANE_AXIS = 18;

/* What is seen of a recording: microseconds. */
class Span {
  constructor(from, to) {
    this.from = from;
    this.to = Math.max(to, from + 1);
  }

  get length() {
    return this.to - this.from;
  }

  x(time, width) {
    return (time - this.from) / this.length * width;
  }

  time(x, width) {
    return this.from + x / width * this.length;
  }

  zoomed(time, factor) {
    return new Span(time - (time - this.from) * factor,
                    time + (this.to - time) * factor);
  }
}

/* Rows of a lane in each of COLUMNS columns of SPAN. */
function countColumns(lane, span, columns) {
  const counts = new Uint32Array(columns);
  const { data, length } = lane.time;
  let at = upperBound(data, length, span.from - 1e-9);
  for (let i = 0; i < columns && at < length; i++) {
    const next = upperBound(data, length, span.time(i + 1, columns), at);
    counts[i] = next - at;
    at = next;
  }
  return counts;
}

function drawLaneBars(context, counts, x, y, height, colour) {
  let most = 1;
  for (const count of counts)
    most = Math.max(most, count);
  const scale = (height - 2) / Math.log1p(most);
  context.fillStyle = colour;
  for (let i = 0; i < counts.length; i++) {
    if (counts[i] === 0)
      continue;
    const high = Math.max(Math.log1p(counts[i]) * scale, 2);
    context.fillRect(x + i, y + height - 1 - high, 1, high);
  }
}

function drawSpans(context, recording, span, x, width, top, high) {
  for (const { lane, from, to } of recording.spans) {
    if (to < span.from || from > span.to)
      continue;
    const left = Math.max(span.x(from, width), 0);
    const right = Math.min(span.x(to, width), width);
    context.fillStyle = LANES[lane].colour;
    context.fillRect(x + left, top(lane) + high - 3, Math.max(right - left, 1), 2);
  }
}

function drawLosses(context, recording, span, x, width, height) {
  context.fillStyle = pageColour("--loss");
  let last = -1;
  for (const row of recording.losses) {
    const at = Math.floor(span.x(recording.time[row], width));
    if (at < 0 || at >= width || at === last)
      continue;
    context.fillRect(x + at, 0, 2, height);
    last = at;
  }
}

/* A round number of microseconds, of which about ten are in LENGTH. */
function tickLength(length) {
  const rough = length / 10;
  const ten = 10 ** Math.floor(Math.log10(rough));
  return [1, 2, 5, 10].map(n => n * ten).find(n => n >= rough);
}

function timeText(time, step) {
  const digits = Math.min(Math.max(6 - Math.floor(Math.log10(step)), 0), 6);
  return (time / 1e6).toFixed(digits) + " s";
}

function drawAxis(context, span, x, width, y) {
  const step = tickLength(span.length);
  context.font = "10px system-ui, sans-serif";
  context.textAlign = "center";
  for (let t = Math.ceil(span.from / step) * step; t <= span.to; t += step) {
    const at = x + span.x(t, width);
    context.fillStyle = pageColour("--line");
    context.fillRect(Math.round(at), 0, 1, y);
    context.fillStyle = pageColour("--dim");
    if (at > x + 24 && at < x + width - 24)
      context.fillText(timeText(t, step), at, y + 13);
  }
  context.textAlign = "left";
}

function drawLanes(canvas, recording, span, cursor) {
  const { context, width, height } = prepareCanvas(canvas);
  const wide = Math.max(Math.floor(width - LANE_LABEL), 1);
  const low = height - LANE_AXIS;
  const high = low / LANES.length;
  context.clearRect(0, 0, width, height);
  drawAxis(context, span, LANE_LABEL, wide, low);
  drawLosses(context, recording, span, LANE_LABEL, wide, low);
  LANES.forEach((lane, i) => {
    context.fillStyle = pageColour("--line");
    context.fillRect(0, Math.round((i + 1) * high) - 1, width, 1);
    context.fillStyle = pageColour("--text");
    context.font = "12px system-ui, sans-serif";
    context.fillText(lane.name, 6, (i + 0.5) * high + 4);
    drawLaneBars(context, countColumns(recording.lanes[i], span, wide),
                 LANE_LABEL, i * high, high - 1, lane.colour);
  });
  drawSpans(context, recording, span, LANE_LABEL, wide, lane => lane * high, high);
  const at = LANE_LABEL + span.x(cursor, wide);
  if (at >= LANE_LABEL && at <= width) {
    context.fillStyle = pageColour("--accent");
    context.fillRect(Math.round(at) - 1, 0, 2, low);
  }
}
