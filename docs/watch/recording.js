/* SPDX-License-Identifier: MIT */
/*
 * recording.js -- the stream of COM2 as columns, and memory at any row of it.
 *
 *	text --append()--> rows: code | time | number | context | owner | 5 arguments
 *	                     |
 *	                     +--> lanes: the times of each lane's rows
 *	                     +--> keyframes: Memory after every so many rows
 *
 * A row is a line.  The columns are typed arrays that grow; a line that has more than
 * numbers is kept as an object besides.  To go to a row, Memory is copied from the last
 * keyframe before it and plays at most KEY_ROWS rows.  When the keyframes would take
 * more than KEY_BYTES, every second one is dropped and the distance doubles.
 */
"use strict";

const ARGS = 5;
const KEY_ROWS = 8192;
const KEY_BYTES = 128 << 20;

/* The first index of the sorted ARRAY, up to COUNT, whose value is above VALUE. */
function upperBound(array, count, value, from = 0) {
  let low = from;
  let high = count;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (array[middle] > value)
      high = middle;
    else
      low = middle + 1;
  }
  return low;
}

/* A typed array that grows. */
class Column {
  constructor(type) {
    this.type = type;
    this.data = new type(1024);
    this.length = 0;
  }

  push(value) {
    if (this.length === this.data.length) {
      const larger = new this.type(this.length * 2);
      larger.set(this.data);
      this.data = larger;
    }
    this.data[this.length++] = value;
  }
}

class Recording {
  constructor(name) {
    this.name = name;
    this.text = []; /* as it came, for saving */
    this.rest = ""; /* an incomplete line */
    this.rows = 0;
    this.room = 4096;
    this.code = new Uint8Array(this.room);
    this.time = new Float64Array(this.room);
    this.seq = new Float64Array(this.room);
    this.context = new Uint8Array(this.room);
    this.owner = new Uint32Array(this.room);
    this.args = new Float64Array(this.room * ARGS);
    this.object = new Map();
    this.names = new Map();
    this.lanes = LANES.map(() => ({ time: new Column(Float64Array),
                                    row: new Column(Uint32Array) }));
    this.losses = []; /* rows */
    this.spans = []; /* { lane, from, to }, by their ends */
    this.open = new Map(); /* of those that have begun: their beginnings */
    this.unknown = new Map(); /* kinds that have no place here, and how many */
    this.broken = 0; /* lines that are not JSON */
    this.ended = false;
    this.tip = null; /* Memory behind the last row */
    this.keys = [];
    this.keyRows = KEY_ROWS;
  }

  get frames() {
    return this.tip ? this.tip.frames : 0;
  }

  get begin() {
    return this.rows > 0 ? this.time[0] : 0;
  }

  get end() {
    return this.rows > 0 ? this.time[this.rows - 1] : 0;
  }

  ownerName(owner) {
    return this.names.get(owner) ?? (owner === 0 ? "nobody" : "owner " + owner);
  }

  /* ---- Reading ---------------------------------------------------------- */

  append(text) {
    this.text.push(text);
    const lines = (this.rest + text).split("\n");
    this.rest = lines.pop();
    for (const line of lines)
      this.appendLine(line);
  }

  appendLine(line) {
    if (line.trim() === "")
      return;
    let object;
    try {
      object = JSON.parse(line);
    } catch {
      object = null;
    }
    if (object === null || typeof object.event !== "string") {
      this.broken++;
      return;
    }
    const code = KIND[object.event];
    if (code === undefined)
      this.unknown.set(object.event, (this.unknown.get(object.event) ?? 0) + 1);
    else
      this.appendRow(code, object);
  }

  grow() {
    this.room *= 2;
    for (const name of ["code", "time", "seq", "context", "owner", "args"]) {
      const old = this[name];
      this[name] = new old.constructor(old.length * 2);
      this[name].set(old);
    }
  }

  appendRow(code, object) {
    const row = this.rows;
    const kind = KINDS[code];
    if (row === this.room)
      this.grow();
    this.code[row] = code;
    /* Lines without a time are as old as the one before; the first ones as the first
     * that has one. */
    this.time[row] = Math.max(object.ts_us ?? 0, this.end);
    if (this.begin === 0)
      this.time.fill(this.time[row], 0, row);
    this.seq[row] = object.seq;
    this.context[row] = Math.max(CONTEXTS.indexOf(object.context), 0);
    this.owner[row] = object.owner ?? 0;
    for (let i = 0; i < kind.fields.length; i++)
      this.args[row * ARGS + i] = object[kind.fields[i]];
    this.rows++;
    this.noteLane(code, row);
    this.noteOther(code, row, object);
    this.advanceTip(row);
  }

  noteLane(code, row) {
    const lane = LANE_OF_KIND[code];
    if (lane < 0)
      return;
    for (const at of this.context[row] ? [0, lane] : [lane]) {
      this.lanes[at].time.push(this.time[row]);
      this.lanes[at].row.push(row);
    }
    if (SPAN_KINDS.has(code))
      this.noteSpan(code, row);
  }

  /* Work that began and ends; by one owner it is never nested. */
  noteSpan(code, row) {
    const ends = SPANS.get(code);
    if (ends !== undefined)
      this.open.set(`${ends} ${this.owner[row]}`, this.time[row]);
    const key = `${code} ${this.owner[row]}`;
    if (!this.open.has(key))
      return;
    this.spans.push({ lane: LANE_OF_KIND[code], from: this.open.get(key),
                      to: this.time[row] });
    this.open.delete(key);
  }

  noteOther(code, row, object) {
    switch (code) {
    case KIND.machine:
      this.tip ??= new Memory(object.frames, object.start);
      break;
    case KIND.owner:
      this.names.set(object.owner, object.name);
      break;
    case KIND.lost:
      this.losses.push(row);
      this.open.clear(); /* their ends may be among the lost */
      break;
    case KIND.end:
      this.ended = true;
      break;
    case KIND.zone:
    case KIND.pool:
    case KIND.vmstat:
      this.object.set(row, object);
    }
  }

  /* ---- Memory at a row ---------------------------------------------------- */

  advanceTip(row) {
    if (!this.tip)
      return;
    if (row % this.keyRows === 0)
      this.keys.push(this.tip.clone());
    this.tip.apply(this, row);
    if (this.keys.length * this.tip.bytes() > KEY_BYTES && this.keys.length > 8) {
      this.keys = this.keys.filter((_, i) => i % 2 === 0);
      this.keyRows *= 2;
    }
  }

  /* The last keyframe with at most ROWS rows; null: begin anew. */
  keyBefore(rows) {
    let found = null;
    for (const key of this.keys) {
      if (key.at <= rows)
        found = key;
    }
    return found;
  }

  /* MEMORY becomes that behind the first ROWS rows. */
  seek(memory, rows) {
    const key = this.keyBefore(rows);
    if (rows < memory.at || (key && key.at > memory.at)) {
      if (key)
        memory.copyFrom(key);
      else
        memory.copyFrom(new Memory(memory.frames, memory.start));
    }
    for (let row = memory.at; row < rows; row++)
      memory.apply(this, row);
    memory.at = rows;
  }

  rowsUntil(time) {
    return upperBound(this.time, this.rows, time);
  }

  /* ---- Looking for rows --------------------------------------------------- */

  touches(row, pfn) {
    const a = row * ARGS;
    switch (this.code[row]) {
    case KIND.mm_page_alloc:
    case KIND.mm_page_free:
      return pfn >= this.args[a] && pfn < this.args[a] + (1 << this.args[a + 1]);
    case KIND.frames:
      return pfn >= this.args[a] && pfn < this.args[a] + this.args[a + 1];
    case KIND.mm_migrate_page:
      return pfn === this.args[a] || pfn === this.args[a + 1];
    default:
      return this.args[a] === pfn && KINDS[this.code[row]].fields[0] === "pfn";
    }
  }

  /* The last COUNT rows before ROWS that say something of frame PFN; the youngest
   * first. */
  historyOfFrame(pfn, rows, count) {
    const { code, args } = this;
    const found = [];
    for (let row = rows - 1; row >= 0 && found.length < count; row--) {
      const reach = REACH[code[row]];
      /* Most rows are about a block too far away. */
      if (reach === 0 || (reach > 0 && (args[row * ARGS] > pfn ||
                                        args[row * ARGS] + reach <= pfn)))
        continue;
      if (this.touches(row, pfn))
        found.push(row);
    }
    return found;
  }

  historyOfOwner(owner, rows, count) {
    const found = [];
    for (let row = rows - 1; row >= 0 && found.length < count; row--) {
      if (this.owner[row] === owner && LANE_OF_KIND[this.code[row]] >= 0)
        found.push(row);
    }
    return found;
  }

  describe(row) {
    const kind = KINDS[this.code[row]];
    const words = kind.fields.map((field, i) =>
      `${field}=${fieldText(this, field, this.args[row * ARGS + i])}`);
    return `${kind.name} ${words.join(" ")}`;
  }

  /* A function that says whether a row fits QUERY: words that a name or its owner's name
   * contains, and field=number, field<number, field>number.  Null: it makes no sense. */
  matcher(query) {
    const tests = query.trim().split(/\s+/).filter(Boolean)
      .map(word => this.wordMatcher(word));
    if (tests.length === 0 || tests.includes(null))
      return null;
    return row => tests.every(test => test(row));
  }

  wordMatcher(word) {
    const parts = /^([a-z_]+)([=<>])(\S+)$/i.exec(word);
    return parts ? this.fieldMatcher(parts[1], parts[2], Number(parts[3]), parts[3])
                 : this.nameMatcher(word.toLowerCase());
  }

  nameMatcher(word) {
    const kinds = KINDS.map(kind => kind.name.toLowerCase().includes(word));
    const owners = new Set();
    for (const [owner, name] of this.names) {
      if (name.toLowerCase().includes(word))
        owners.add(owner);
    }
    const context = CONTEXTS.indexOf(word);
    return row => kinds[this.code[row]] || owners.has(this.owner[row]) ||
      (context >= 0 && this.context[row] === context);
  }

  /* As the page writes the field: zone=DMA32, from=shell. */
  textMatcher(field, text) {
    const at = KINDS.map(kind => kind.fields.indexOf(field));
    if (at.every(i => i < 0))
      return null;
    return row => {
      const i = at[this.code[row]];
      return i >= 0 && text ===
        String(fieldText(this, field, this.args[row * ARGS + i])).toLowerCase();
    };
  }

  fieldMatcher(field, sign, value, text) {
    if (field === "owner" && Number.isNaN(value))
      return this.nameMatcher(text.toLowerCase());
    if (Number.isNaN(value))
      return sign === "=" ? this.textMatcher(field, text.toLowerCase()) : null;
    if (field === "pfn" && sign === "=")
      return row => this.touches(row, value);
    const at = KINDS.map(kind => kind.fields.indexOf(field));
    return row => {
      const i = at[this.code[row]];
      const is = i >= 0 ? this.args[row * ARGS + i]
        : field === "owner" ? this.owner[row] : NaN;
      return sign === "=" ? is === value : sign === "<" ? is < value : is > value;
    };
  }

  /* The next row from FROM on (STEP 1) or before (-1) that FITS; -1: none. */
  find(fits, from, step) {
    for (let row = from; row >= 0 && row < this.rows; row += step) {
      if (fits(row))
        return row;
    }
    return -1;
  }
}
