// SPDX-License-Identifier: MIT
/*
 * docs/play/guide.js -- what to do first, and the scenes of the book.
 *
 * Both are a bar above the machine.  The first steps are ticked off when the machine has
 * really got there, whatever way was taken.  A scene (docs/play/scenes.txt) is a list of
 * steps, a text and commands each; going back takes the commands back.
 */
"use strict";

/* TEXT with `code` and **bold**. */
function rich(text) {
  const place = document.createElement("span");
  for (const part of text.split(/(`[^`]+`|\*\*[^*]+\*\*)/)) {
    if (part.startsWith("`")) place.append(make("code", "", part.slice(1, -1)));
    else if (part.startsWith("**")) place.append(make("b", "", part.slice(2, -2)));
    else place.append(part);
  }
  return place;
}

const FIRST_STEPS = [
  {
    text:
      "Press **Ask**: one page for a thread.  Watch a large free block being split for it, in " +
      "the buddy tree below.",
    point: "#go",
    done: (page) => page.engine.steps.some((line) => /^alloc /.test(line)),
  },
  {
    text: "Now take many: set **×1000** and press **Ask** until a gauge falls to `l`: low.",
    point: "#counts",
    done: (page) => page.state.zones.some((zone) => zone.free <= zone.low),
  },
  {
    text:
      "Choose **ATOMIC** from **an interrupt**: how much further down may it go?  The rungs " +
      "below say why, with the line of code that decides.",
    point: "#presets",
    done: (page) => page.engine.steps.some((line) => /^alloc irq .*ATOMIC/.test(line)),
  },
  {
    text:
      "**Free all**: buddies merge, and the large blocks are back.  Then pick a **Scene** " +
      "above: each belongs to a chapter of the book.",
    point: "#all",
    done: (page) => page.engine.steps.includes("free all"),
  },
];

class Guide {
  constructor(place, page) {
    this.place = place;
    this.page = page;
    this.scene = null;
    this.at = 0;
  }

  /* ---- The first steps ---- */

  showFirst() {
    const steps = make("ol", "first");
    let open = true;
    for (const step of FIRST_STEPS) {
      const done = step.done(this.page);
      const item = make("li", done ? "done" : open ? "now" : "later");
      item.append(rich(step.text));
      steps.append(item);
      for (const each of document.querySelectorAll(step.point))
        each.classList.toggle("pointed", !done && open && this.scene === null);
      if (!done) open = false;
    }
    this.place.replaceChildren(make("b", "", open ? "Well done" : "Start here"), steps);
  }

  clearPoints() {
    for (const each of document.querySelectorAll(".pointed")) each.classList.remove("pointed");
  }

  /* ---- Scenes ---- */

  start(key) {
    this.scene = PLAY.scenes.find((scene) => scene.key === key) || null;
    this.at = 0;
    this.clearPoints();
    if (this.scene) this.run(0, false);
  }

  /* Do step NUMBER. */
  run(number, quietly) {
    const step = this.scene.steps[number];
    this.at = number;
    for (const line of step.commands) this.page.send(line, quietly);
    if (step.look) this.page.openPanel(step.look);
    this.page.refresh(quietly);
  }

  /* All steps before it once more: a machine forgets nothing by itself. */
  back() {
    const to = this.at - 1;
    for (let number = 0; number < to; number++) this.run(number, true);
    this.run(to, true);
  }

  /* In the book's website the chapter is a page beside this one. */
  chapterLink(file) {
    if (!PLAY.book) return make("span", "note", `docs/${file}`);
    const link = make("a", "note", `chapter ${Number(file.slice(0, 2))}`);
    link.href = PLAY.book + file.replace(".md", ".html");
    return link;
  }

  showScene() {
    const scene = this.scene;
    const step = scene.steps[this.at];
    const chapter = PLAY.chapters[scene.chapter];
    const head = make("b", "", scene.title);
    const text = make("p");
    text.append(rich(step.text));
    const lines = make("div", "commands");
    for (const line of step.commands) lines.append(make("code", "", line));
    const said = make("div", "said");
    said.append(text, lines);
    const buttons = make("div", "buttons");
    const back = make("button", "", "Back");
    back.id = "back";
    back.disabled = this.at === 0;
    back.onclick = () => this.back();
    const next = make("button", "primary", this.at + 1 < scene.steps.length ? "Next" : "The end");
    next.id = "next";
    next.disabled = this.at + 1 === scene.steps.length;
    next.onclick = () => this.run(this.at + 1, false);
    const leave = make("button", "", "Leave");
    leave.title = "The machine stays as it is, and is yours";
    leave.onclick = () => this.page.choose("");
    buttons.append(make("span", "note", `${this.at + 1} of ${scene.steps.length}`), back, next, leave);
    const title = make("div", "title");
    title.append(head, this.chapterLink(chapter));
    this.place.replaceChildren(title, said, buttons);
  }

  show() {
    if (this.scene) this.showScene();
    else this.showFirst();
    this.place.classList.toggle("scene", this.scene !== null);
  }
}
