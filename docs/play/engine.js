// SPDX-License-Identifier: MIT
/*
 * docs/play/engine.js -- the module, and the lines that were sent to it.
 *
 * A machine is an instance of the module.  It takes a line and answers with JSON
 * (docs/play/play.h).  The same lines give the same answers, so a step is taken back by
 * doing all steps but the last once more, in a new instance.
 *
 *	page  --line-->  Engine.ask()  --bytes-->  play_run() of mm.wasm
 *	      <-object-                <--JSON---
 *
 * Pointers of a wasm64 module are BigInt.
 */
"use strict";

/* Lines that only look: taking a step back does not repeat them. */
const LOOKS = /^(state|route) ?/;

class Engine {
  static async create(base64) {
    const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
    if (!WebAssembly.validate(bytes)) return null;
    const engine = new Engine();
    engine.module = await WebAssembly.compile(bytes);
    engine.transcript = []; // every line and its answer, for the tests
    engine.steps = []; // lines since the machine began that have changed it
    engine.words = null; // of a panic; null: the machine runs
    return engine;
  }

  begin() {
    this.exports = new WebAssembly.Instance(this.module, {}).exports;
    this.words = null;
  }

  text(pointer, length) {
    const bytes = new Uint8Array(this.exports.memory.buffer, Number(pointer), length);
    return new TextDecoder().decode(bytes);
  }

  lastWords() {
    const at = this.exports.play_last_words();
    return this.text(at, 512).split("\0")[0].trim();
  }

  /* The answer to LINE, as text. */
  raw(line) {
    const bytes = new TextEncoder().encode(line + "\0");
    const at = Number(this.exports.play_line_buffer());
    new Uint8Array(this.exports.memory.buffer).set(bytes, at);
    try {
      const length = Number(this.exports.play_run());
      return this.text(this.exports.play_answer_buffer(), length);
    } catch (trap) {
      this.words = this.lastWords() || String(trap);
      return JSON.stringify({ panic: this.words });
    }
  }

  ask(line) {
    const isNew = line.startsWith("machine ");
    const before = this.exports;
    if (isNew) this.begin();
    else if (this.words !== null) return { panic: this.words };
    const answer = this.raw(line);
    this.transcript.push([line, answer]);
    const object = JSON.parse(answer);
    if (isNew && object.error) this.exports = before;
    else if (isNew) this.steps = [];
    if (!LOOKS.test(line) && !object.error) this.steps.push(line);
    return object;
  }

  /* False: there is nothing to take back. */
  undo() {
    if (this.steps.length < 2) return false;
    const steps = this.steps.slice(0, -1);
    for (const line of steps) this.ask(line);
    return true;
  }
}
