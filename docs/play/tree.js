// SPDX-License-Identifier: MIT
/*
 * docs/play/tree.js -- the buddy tree of one block of 1024 frames, and the way of one frame.
 *
 *	10  [                block                ]
 *	 9  [     half     ][      its buddy      ]
 *	 8  [  ...
 *
 * A row for each order.  What is a block now is filled with its colour; what was split is
 * an outline.  When a block has been split or merged since the last state, the rows appear
 * one after the other, in the direction in which the buddy went.
 *
 * The way of a frame is beside it, for the small orders, which are too narrow in the tree:
 * of each order the block around the frame, and its buddy.
 */
"use strict";

const TREE_STEP = 110; // milliseconds a row
const REGION = 1024;
const PATH_PART = 0.4; // of the width, for the way of a frame
const GAP = 22; // pixels between both

class BuddyTree {
  constructor() {
    this.first = 0; // frame of the region
    this.began = -1e9;
    this.before = [];
    this.now = [];
  }

  attach(canvas) {
    this.canvas = canvas;
    new ResizeObserver(() => this.paint()).observe(canvas);
  }

  /* Follow the frame that has changed: its region, and how it was before. */
  show(blocks, changed, quietly) {
    if (changed !== null) this.first = changed - (changed % REGION);
    this.frame = changed === null ? this.first : changed;
    const inside = (block) =>
      block.pfn + (1 << block.order) > this.first && block.pfn < this.first + REGION;
    this.before = this.all ? this.all.filter(inside) : [];
    this.all = blocks;
    this.now = blocks.filter(inside);
    const key = (list) => list.map((b) => `${b.pfn}/${b.order}/${b.use}`).join();
    if (!quietly && key(this.before) !== key(this.now)) this.began = performance.now();
    else this.before = this.now;
    this.paint();
  }

  /* Rows whose new blocks are visible: from the largest order of the change on to the
   * smallest for a split, the other way for a merge. */
  isVisible(block) {
    if (this.before.some((b) => b.pfn === block.pfn && b.order === block.order)) return true;
    const age = (performance.now() - this.began) / TREE_STEP;
    const fresh = this.now.filter(
      (b) => !this.before.some((old) => old.pfn === b.pfn && old.order === b.order),
    );
    const gone = this.before.filter(
      (b) => !this.now.some((young) => young.pfn === b.pfn && young.order === b.order),
    );
    if (gone.length === 0 || fresh.length === 0) return true;
    const most = Math.max(...gone.map((b) => b.order));
    const split = most > Math.max(...fresh.map((b) => b.order));
    if (split) return most - block.order <= age;
    return block.order - Math.min(...gone.map((b) => b.order)) <= age;
  }

  paint() {
    const canvas = this.canvas;
    if (!canvas || !canvas.isConnected || this.now.length === 0) return;
    const ratio = window.devicePixelRatio || 1;
    const width = canvas.clientWidth;
    const height = canvas.clientHeight;
    const left = 26;
    const row = (height - 4) / 11;
    const unit = (width * (1 - PATH_PART) - left) / REGION;
    canvas.width = width * ratio;
    canvas.height = height * ratio;
    const context = canvas.getContext("2d");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.font = "11px system-ui, sans-serif";
    for (let order = 10; order >= 0; order--) {
      const y = (10 - order) * row + 2;
      context.fillStyle = "#9aa3b2";
      context.fillText(String(order).padStart(2), 4, y + row / 2 + 4);
    }
    this.paintSplits(context, left, row, unit);
    for (const block of this.now) this.paintBlock(context, block, left, row, unit);
    this.paintPath(context, left + REGION * unit + GAP, width, row);
    if (performance.now() - this.began < TREE_STEP * 14)
      requestAnimationFrame(() => this.paint());
  }

  /* Outlines of the blocks that were split: each once. */
  paintSplits(context, left, row, unit) {
    const seen = new Set();
    context.strokeStyle = "rgba(154, 163, 178, 0.28)";
    for (const block of this.now)
      for (let order = 10; order > block.order; order--) {
        const from = block.pfn - (block.pfn % (1 << order)) - this.first;
        const width = (1 << order) * unit;
        if (seen.has(`${from}/${order}`) || width < 4) continue;
        seen.add(`${from}/${order}`);
        context.strokeRect(left + from * unit + 0.5, (10 - order) * row + 2.5, width - 2, row - 3);
      }
  }

  paintBlock(context, block, left, row, unit) {
    const x = left + (block.pfn - this.first) * unit;
    const y = (10 - block.order) * row + 2;
    const width = (1 << block.order) * unit;
    if (!this.isVisible(block)) return;
    context.fillStyle = USES[block.use][1];
    context.fillRect(x, y, Math.max(width - (width > 3 ? 1 : 0), 0.8), row - 2);
    if (width > 40) {
      context.fillStyle = "#ffffffcc";
      context.fillText(`${USES[block.use][0]}`, x + 5, y + row / 2 + 3, width - 8);
    }
  }

  /* ---- The way of one frame ---- */

  /* The half of ORDER that begins at PFN: the block that it is, or is a part of; null: it was
   * split. */
  holder(pfn, order) {
    return this.now.find(
      (block) => block.order >= order && block.pfn <= pfn && pfn < block.pfn + (1 << block.order));
  }

  paintPath(context, from, to, row) {
    for (let order = 9; order >= 0; order--) {
      const size = 1 << order;
      const pair = this.frame - (this.frame % (2 * size));
      const half = (to - from) / 2;
      for (const side of [0, 1]) {
        const pfn = pair + side * size;
        const mine = this.frame >= pfn && this.frame < pfn + size;
        this.paintHalf(context, { pfn, order, mine },
          from + side * half, (10 - order) * row + 2, half - 3, row - 2);
      }
    }
    context.fillStyle = "#9aa3b2";
    context.fillText(`frame ${this.frame}, and its buddies`, from, row / 2 + 6, to - from);
  }

  paintHalf(context, half, x, y, width, height) {
    const holder = this.holder(half.pfn, half.order);
    const isBlock = holder && holder.order === half.order;
    if (isBlock && this.isVisible(holder)) {
      context.fillStyle = USES[holder.use][1];
      context.fillRect(x, y, width, height);
    } else if (holder) {
      context.fillStyle = USES[holder.use][1] + "40";
      context.fillRect(x, y, width, height);
    }
    context.strokeStyle = half.mine ? "#8fb4ff" : "rgba(154, 163, 178, 0.28)";
    context.strokeRect(x + 0.5, y + 0.5, width - 1, height - 1);
    const what = isBlock ? USES[holder.use][0] : holder ? `in a block of order ${holder.order}` : "split";
    context.fillStyle = isBlock ? "#ffffffdd" : "#9aa3b2";
    context.fillText(`${half.pfn}  ${what}`, x + 6, y + height / 2 + 4, width - 10);
  }
}
