// SPDX-License-Identifier: MIT
/*
 * docs/play/ladder.js -- the way of a request, rung by rung, with the code beside it.
 *
 * What a rung says comes from mm/reclaim/route.c and mm/debug/explain.c, through the
 * answer to `route`.  The line of code beside it, and the function of the rung, were taken
 * from the tree when the page was built (docs/play/rungs.txt).
 */
"use strict";

const MARKS = { gives: "✓", refuses: "✕", acts: "↻", closed: "–" };

/* A sentence about STEP. */
function sentenceOf(step) {
  if (step.outcome === "gives") return `yes, from ${step.zone}: ${step.source}`;
  if (step.outcome === "acts" || step.outcome === "closed") return step.why;
  if (!step.refusals) return "no, the list is empty";
  if (step.refusals.length === 0) return "no";
  return "no: " + step.refusals.join("; ");
}

class Ladder {
  constructor(list, code, fate) {
    this.list = list;
    this.code = code;
    this.fate = fate;
    this.chosen = null; // the rung whose code is shown; null: the one that decides
    list.addEventListener("click", (event) => this.click(event));
  }

  click(event) {
    const item = event.target.closest("li");
    if (!item) return;
    this.chosen = item.dataset.rung;
    this.showCode();
    this.paint();
  }

  /* ANSWER is that of the request itself, if it was made. */
  show(route, answer) {
    this.route = route;
    this.answer = answer;
    this.chosen = null;
    this.paint();
    this.showCode();
  }

  /* The rung at which the way ends, as far as it is known. */
  end() {
    return this.route.verdict === "ok" ? this.route.rung : null;
  }

  paint() {
    const route = this.route;
    this.list.textContent = "";
    this.tellFate();
    if (route.verdict !== "ok") return;
    let reached = true;
    for (const step of route.steps) {
      this.list.append(this.item(step, reached));
      if (step.rung === route.rung) reached = false;
    }
    if (route.rung === "fail")
      this.list.append(this.item({ rung: "fail", outcome: "refuses", refusals: [] }, true));
    const end = this.list.querySelector(".end");
    if (end) this.list.scrollTop = end.offsetTop - this.list.offsetTop - this.list.clientHeight / 2;
  }

  tellFate() {
    const { route, answer } = this;
    const last = route.steps.find((step) => step.rung === route.rung);
    const set = (name, text) => {
      this.fate.className = name;
      this.fate.textContent = text;
      this.fate.title = text;
    };
    if (route.verdict !== "ok") set("bad", `refused: ${route.why}`);
    else if (answer && answer.got > 0) set("good", `got frame ${answer.blocks[0][1]}`);
    else if (answer) set("bad", "got NULL");
    else if (!last) set("bad", "would get NULL");
    else if (last.outcome === "gives") set("good", `would be served by ${last.zone}`);
    else set("open", "would have to work for it");
  }

  item(step, reached) {
    const rung = PLAY.rungs.find((each) => each.key === step.rung);
    const item = document.createElement("li");
    const isEnd = step.rung === this.route.rung;
    item.dataset.rung = step.rung;
    item.tabIndex = 0;
    item.className = `${step.outcome} ${reached ? "reached" : "beyond"} ${isEnd ? "end" : ""} ${
      step.rung === (this.chosen || this.end()) ? "chosen" : ""}`;
    const add = (tag, name, text) => {
      const part = document.createElement(tag);
      part.className = name;
      part.textContent = text;
      item.append(part);
    };
    add("span", "mark", step.rung === "fail" ? "✕" : MARKS[step.outcome]);
    add("span", "number", rung.number);
    add("span", "title", rung.title);
    add("code", "line", `${rung.file.replace("mm/", "")}:${rung.line}`);
    add("span", "why", step.rung === "fail" ? "nothing is left to try" : sentenceOf(step));
    item.title = `${rung.file}:${rung.line}  ${rung.text}`;
    item.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === " ") this.click(event);
    });
    return item;
  }

  showCode() {
    const key = this.chosen || this.end();
    const rung = PLAY.rungs.find((each) => each.key === key);
    this.code.textContent = "";
    if (!rung) return;
    const head = document.createElement("div");
    head.className = "call";
    head.innerHTML = `<span></span> <code></code>`;
    head.children[0].textContent = `${rung.file}:${rung.line}`;
    head.children[1].textContent = rung.text;
    const body = document.createElement("pre");
    rung.code.forEach((line, at) => {
      const row = document.createElement("div");
      row.dataset.number = rung.first + at;
      row.textContent = line.replace(/\t/g, "    ");
      body.append(row);
    });
    this.code.append(head, body);
  }
}
