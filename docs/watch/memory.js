/* SPDX-License-Identifier: MIT */
/*
 * memory.js -- memory at one place of a recording.
 *
 * One entry a frame: its use, the order of its block, the type of its pageblock, its
 * owner, and the row that changed it last.  apply() plays one row.  An event says what a
 * frame is from now on, not how it changes, so rows may be played again.
 *
 * After lost records memory is not certain, until a sweep of the kernel that began later
 * is complete.
 *
 * The row number in `changed` is one more, so that 0 is "before the recording".
 */
"use strict";

class Memory {
  constructor(frames, start) {
    this.frames = frames;
    this.start = start;
    this.kind = new Uint8Array(frames);
    this.order = new Uint8Array(frames);
    this.type = new Uint8Array(frames);
    this.owner = new Uint32Array(frames);
    this.changed = new Uint32Array(frames);
    this.count = new Uint32Array(32);
    this.events = new Float64Array(KINDS.length);
    this.at = 0; /* rows that have been played */
    this.forget();
  }

  /* A stream begins: nothing is known. */
  forget() {
    this.kind.fill(UNKNOWN);
    this.owner.fill(0);
    this.changed.fill(0);
    this.count.fill(0);
    this.count[UNKNOWN] = this.frames;
    this.events.fill(0);
    this.lostUpTo = 0; /* number behind the last lost record */
    this.lost = 0;
    this.certain = false;
    this.zone = [null, null, null, null];
    this.pool = null;
    this.vmstat = null;
    this.firstVmstat = null;
    this.pagesAllocated = 0;
    this.pagesFreed = 0;
    this.eventsAtFirst = null; /* totals() at these two */
    this.eventsAtVmstat = null;
  }

  copyFrom(other) {
    for (const name of ["kind", "order", "type", "owner", "changed", "count",
                        "events"])
      this[name].set(other[name]);
    for (const name of ["at", "lostUpTo", "lost", "certain", "pool", "vmstat",
                        "firstVmstat", "pagesAllocated", "pagesFreed",
                        "eventsAtFirst", "eventsAtVmstat"])
      this[name] = other[name];
    this.zone = other.zone.slice();
  }

  clone() {
    const copy = new Memory(this.frames, this.start);
    copy.copyFrom(this);
    return copy;
  }

  bytes() {
    return this.frames * 11;
  }

  /* The frames from number PFN on are so, as row ROW says. */
  set(pfn, frames, kind, order, owner, row) {
    const from = Math.max(pfn - this.start, 0);
    const end = Math.min(pfn - this.start + frames, this.frames);
    for (let i = from; i < end; i++) {
      const before = this.kind[i];
      if (before !== kind || this.owner[i] !== owner) {
        this.count[before]--;
        this.count[kind]++;
        this.kind[i] = kind;
        this.owner[i] = owner;
        this.changed[i] = row + 1;
      }
      this.order[i] = order;
    }
  }

  /* What the frame at FROM is goes to frame number PFN; its free follows. */
  move(from, pfn, row) {
    if (from >= 0 && from < this.frames)
      this.set(pfn, 1, this.kind[from], 0, this.owner[from], row);
  }

  setType(pfn, frames, type) {
    const from = Math.max(pfn - this.start, 0);
    this.type.fill(type, from, from + frames);
  }

  apply(recording, row) {
    const code = recording.code[row];
    const args = recording.args;
    const a = row * ARGS;
    const owner = recording.owner[row];
    this.events[code]++;
    switch (code) {
    case KIND.mm_page_alloc:
      this.pagesAllocated += 1 << args[a + 1];
      this.set(args[a], 1 << args[a + 1], WHY.PLAIN, args[a + 1], owner, row);
      break;
    case KIND.mm_page_free:
      this.pagesFreed += 1 << args[a + 1];
      this.set(args[a], 1 << args[a + 1], WHY.FREE, args[a + 1], 0, row);
      break;
    case KIND.mm_migrate_page:
      this.move(args[a] - this.start, args[a + 1], row);
      break;
    case KIND.mm_exclusive_park:
    case KIND.mm_exclusive_release:
      this.set(args[a], 1, WHY.PARKED, 0, owner, row);
      break;
    case KIND.mm_exclusive_unpark:
      this.set(args[a], 1, WHY.FREE, 0, 0, row);
      break;
    case KIND.mm_exclusive_take:
    case KIND.mm_exclusive_accept:
    case KIND.mm_exclusive_cancel:
      this.set(args[a], 1, WHY.OWNED, 0, owner, row);
      break;
    case KIND.mm_exclusive_transfer:
      this.set(args[a], 1, WHY.HANDOVER, 0, args[a + 1], row);
      break;
    case KIND.machine:
      this.forget();
      break;
    case KIND.frames:
      this.set(args[a], args[a + 1], args[a + 3], args[a + 2], owner, row);
      this.setType(args[a], args[a + 1], args[a + 4]);
      break;
    case KIND.lost:
      this.lost += args[a];
      this.lostUpTo = recording.seq[row] + args[a];
      this.certain = false;
      break;
    case KIND.sweep:
      this.certain = args[a] >= this.lostUpTo;
      break;
    case KIND.zone:
      this.zone[recording.object.get(row).zone] = recording.object.get(row);
      break;
    case KIND.pool:
      this.pool = recording.object.get(row);
      break;
    case KIND.vmstat:
      this.noteVmstat(recording.object.get(row));
      break;
    }
    this.at = row + 1;
  }

  noteVmstat(vmstat) {
    this.vmstat = vmstat;
    this.eventsAtVmstat = this.totals();
    if (this.firstVmstat)
      return;
    this.firstVmstat = vmstat;
    this.eventsAtFirst = this.totals();
  }

  totals() {
    return { events: this.events.slice(), allocated: this.pagesAllocated,
             freed: this.pagesFreed, lost: this.lost };
  }
}
