// SPDX-License-Identifier: MIT
/*
 * docs/play/page.js -- the page: buttons and fields become lines, answers become pictures.
 *
 *	form, buttons, scenes  --line-->  Engine
 *	map, tree, ladder, panels  <--state, route--
 *
 * After each line the page asks for the state of the machine and for the way of the request
 * that the form describes now.  Nothing is computed here that the memory manager can say.
 */
"use strict";

const MACHINES = [
  ["16 MB: DMA and DMA32", "machine 1024 3072 0 0"],
  ["4 MB: one zone", "machine 1024 0 0 0"],
  ["16 MB: DMA, DMA32, Normal", "machine 1024 2048 1024 0"],
  ["32 MB: with ZONE_MOVABLE", "machine 1024 4096 0 3072"],
  ["64 MB", "machine 4096 12288 0 0"],
  ["256 MB: a small PC", "machine 4096 61440 0 0"],
];
const OTHER = "other";
const ZONES = ["DMA", "DMA32", "Normal", "Movable"];
const PAGES_OF_MB = 256;

const PRESETS = [
  "GFP_KERNEL", "GFP_ATOMIC", "GFP_NOWAIT", "GFP_NOFS", "GFP_NOIO", "GFP_HIGHUSER_MOVABLE",
];
const MODIFIERS = [
  "__GFP_DMA", "__GFP_HIGH", "__GFP_ZERO", "__GFP_RECLAIMABLE", "__GFP_MOVABLE",
  "__GFP_NORETRY", "__GFP_RETRY_MAYFAIL", "__GFP_NOFAIL", "__GFP_MEMALLOC", "__GFP_COMP",
  "__GFP_EXCLUSIVE",
];
const CONTEXTS = [
  ["thread", "a thread"],
  ["irq", "an interrupt"],
  ["softirq", "soft work"],
  ["irqsoff", "a thread, interrupts off"],
  ["reclaim", "a thread that reclaims"],
  ["nofs", "a thread, NOFS scope"],
  ["noio", "a thread, NOIO scope"],
  ["nmi", "an NMI"],
];
const COUNTS = [1, 10, 100, 1000];

const PANELS = {
  tree: "Buddy tree",
  free: "Free lists",
  cpu: "CPU's lists",
  reclaim: "Reclaim",
  knobs: "Knobs",
  log: "Log",
};

/* What a panic means here: the first that fits. */
const PANICS = [
  [/everybody sleeps/,
    "The request waits, and nobody is left who could free memory.  On a real machine it " +
    "would wait forever; here that ends the machine."],
  [/Out of memory/,
    "Nothing is left that reclaim could take, and no program that could be killed: a kernel " +
    "has no way out of that.  The tab Reclaim starts programs, and reads files."],
  [/./, "The kernel would stop here, and so does the machine of this page."],
];

/* Counters that say what others did for a line, or because of it. */
const EFFECTS = [
  ["pgsteal_kswapd", (pages) => `kswapd reclaimed ${pages} pages`],
  ["pgsteal_direct", (pages) => `the request reclaimed ${pages} pages`],
  ["pgmigrate_success", (pages) => `${pages} pages were moved`],
  ["oom_kill", (programs) => `${programs === 1 ? "a program was" : `${programs} were`} killed`],
  ["pcp_refill", (pages) => `${pages} pages came to the CPU's lists`],
  ["pcp_drain", (pages) => `${pages} pages left the CPU's lists`],
];

const ABOUT = [
  "mm/ and lib/ are the files of the kernel, unchanged, compiled by clang for WebAssembly " +
  "(wasm64).  Locks, contexts and owners are those of the host's suites " +
  "(tests/host/machine.c).",
  "There is one CPU.  kswapd, kcompactd, the OOM reaper and the refiller are no threads but " +
  "run in turns: after a command that woke them, and while a request waits.",
  "There is no MMU: a hidden page is marked as hidden, but nothing would fault.  There is no " +
  "disk: what reclaim writes is written immediately.",
  "Files and programs are pages with an owner that answers reclaim (tests/mm/space.c); no " +
  "file system and no user programs stand behind them.",
  "The clock stands still except in waits, and nothing is random: the same steps always give " +
  "the same machine.  That is how Undo works.",
];

const find = (selector) => document.querySelector(selector);
const findAll = (selector) => document.querySelectorAll(selector);

/* Show a dialog with PARTS and buttons: [[name, action], ...]; the first is the main one. */
function openDialog(title, parts, buttons) {
  const dialog = find("#dialog");
  const row = buttons.map(([name, action], at) => {
    const button = make("button", at === 0 ? "primary" : "", name);
    button.onclick = () => {
      if (action() !== false) dialog.close();
    };
    return button;
  });
  dialog.replaceChildren(make("h2", "", title), ...parts, ...row);
  if (!dialog.open) dialog.showModal();
}

class Page {
  constructor(engine) {
    this.engine = engine;
    this.map = new MemoryMap(
      find("#map"),
      (block, zone) => this.hover(block, zone),
      (block) => this.pick(block),
    );
    this.tree = new BuddyTree();
    this.ladder = new Ladder(find("#rungs"), find("#code"), find("#fate"));
    this.guide = new Guide(find("#guide"), this);
    this.form = { flags: "GFP_KERNEL", context: "thread", count: 1 };
    this.panel = "tree";
    this.which = "next"; // request whose way is shown; or "taken": the last single one
    this.machine = MACHINES[0][1];
    this.log = [];
    this.forgetAll();
    this.build();
  }

  /* Of the machine before. */
  forgetAll() {
    this.held = [];
    this.taken = null;
    this.before = null;
    this.state = null;
    this.changed = null; // a frame of the last block that came or went
    this.toast = { text: "" };
  }

  /* ---- Sending ---- */

  /* One line, without drawing anything. */
  send(line) {
    this.follow(line);
    const way = this.wayOf(line);
    const answer = this.engine.ask(line);
    if (line.startsWith("machine ") && !answer.error) {
      this.forgetAll();
      this.machine = line;
      this.showMachine();
    }
    if (way) this.taken = { way, answer };
    this.which = way ? "taken" : "next";
    this.note(line, answer);
    this.remember(line, answer);
    return answer;
  }

  /* A line by a person. */
  act(line) {
    const answer = this.send(line);
    this.refresh(false);
    return answer;
  }

  /* The way that a single request is going to take; null for other lines. */
  wayOf(line) {
    const words = line.split(/ +/);
    if (words[0] !== "alloc" || words[2] !== "1") return null;
    const way = this.engine.ask(["route", words[1], ...words.slice(3)].join(" "));
    return way.error || way.panic ? null : way;
  }

  /* The form shows the request that is being made. */
  follow(line) {
    const words = line.split(/ +/);
    if (words[0] !== "alloc" && words[0] !== "route") return;
    const at = words[0] === "alloc" ? 3 : 2;
    this.form.context = words[1];
    if (words[0] === "alloc") this.form.count = Number(words[2]);
    find("#order").value = words[at];
    this.form.flags = words.slice(at + 1).join("|");
  }

  remember(line, answer) {
    for (const [id, pfn, order] of answer.blocks || []) {
      this.held.push({ id, pfn, order, mask: answer.mask });
      this.changed = pfn;
    }
    if (answer.pfn !== undefined) this.changed = answer.pfn;
    if (!line.startsWith("free ")) return;
    const id = Number(line.split(" ")[1]);
    const one = this.held.find((each) => each.id === id) || this.held[this.held.length - 1];
    if (one) this.changed = one.pfn;
  }

  /* ---- The log ---- */

  note(line, answer) {
    const counters = Object.entries(answer.counters || {})
      .map(([name, count]) => `${name} +${count}`)
      .join(", ");
    const got = answer.asked ? `got ${answer.got} of ${answer.asked}.  ` : "";
    const text = answer.error || answer.panic || got + counters;
    const bad = Boolean(answer.error || answer.panic || answer.got < answer.asked);
    const more = [...(answer.log || []), ...(answer.events || [])];
    this.log.push({ line, text, bad, more });
    this.toast = { bad, text: this.sentence(answer), effects: this.effects(answer) };
    if (answer.panic) this.panicked(answer.panic);
  }

  /* The result of a line in a few words. */
  sentence(answer) {
    if (answer.error) return answer.error;
    if (answer.verdict && answer.verdict !== "ok") return `refused: ${answer.why}`;
    if (answer.asked === 1) return answer.got ? "got it" : "NULL";
    if (answer.asked) return `got ${answer.got} of ${answer.asked}`;
    if (answer.freed !== undefined) return `${answer.freed} freed`;
    return "";
  }

  effects(answer) {
    const counters = answer.counters || {};
    return EFFECTS.filter(([name]) => counters[name])
      .map(([name, tell]) => tell(counters[name]))
      .join("; ");
  }

  panicked(words) {
    const [, why] = PANICS.find(([pattern]) => pattern.test(words));
    openDialog("Panic", [make("pre", "", words), make("p", "", why)], [
      ["Take that step back", () => this.undo()],
      ["Restart", () => this.restart()],
    ]);
  }

  /* ---- Drawing ---- */

  refresh(quietly) {
    if (this.engine.words !== null) return;
    const state = this.engine.ask("state");
    const first = this.state === null;
    this.before = this.state;
    this.state = state;
    this.map.show(state, quietly || first);
    this.forget();
    this.tree.show(this.map.blocks, this.changed, quietly || first);
    showZones(find("#zones"), state);
    this.showForm();
    this.showPanel();
    this.showHeld();
    this.guide.show();
  }

  /* Blocks that are free. */
  forget() {
    this.held = this.held.filter((each) => {
      const block = this.map.blockAt(each.pfn);
      return block.pfn === each.pfn && block.order === each.order &&
        !FREE_USES.includes(block.use) && block.use !== "p";
    });
  }

  order() {
    return Number(find("#order").value);
  }

  request() {
    return `${this.order()} ${this.form.flags.replaceAll("|", " ")}`;
  }

  showForm() {
    const order = this.order();
    const pages = 1 << order;
    const words = this.form.flags.split("|");
    find("#flags").value = this.form.flags;
    find("#context").value = this.form.context;
    find("#size").textContent =
      `${order}: ${pages === 1 ? "1 page" : `${pages} pages`}, ${pages * 4} KiB`;
    for (const chip of findAll("#presets button"))
      chip.setAttribute("aria-pressed", words[0] === chip.dataset.mask);
    for (const chip of findAll("#modifiers button"))
      chip.setAttribute("aria-pressed", words.includes(chip.dataset.flag));
    for (const chip of findAll("#counts button"))
      chip.setAttribute("aria-checked", Number(chip.dataset.count) === this.form.count);
    this.showWay();
  }

  showWay() {
    const taken = this.which === "taken" && this.taken;
    for (const button of findAll("#which button")) {
      const isTaken = button.dataset.which === "taken";
      button.setAttribute("aria-checked", isTaken === Boolean(taken));
      button.disabled = isTaken && !this.taken;
    }
    if (taken) return this.ladder.show(taken.way, taken.answer);
    const route = this.engine.ask(`route ${this.form.context} ${this.request()}`);
    if (!route.error) return this.ladder.show(route, null);
    find("#rungs").replaceChildren();
    find("#fate").className = "bad";
    find("#fate").textContent = route.error;
  }

  /* Another request is described now. */
  changeForm() {
    this.which = "next";
    this.showForm();
  }

  showMachine() {
    const known = MACHINES.some(([, line]) => line === this.machine);
    find("#machine").value = known ? this.machine : OTHER;
  }

  showTree(place) {
    if (place.querySelector("canvas")) return;
    const canvas = make("canvas");
    canvas.id = "tree";
    place.replaceChildren(canvas);
    this.tree.attach(canvas);
  }

  showPanel() {
    for (const tab of findAll("#tabs button"))
      tab.setAttribute("aria-selected", tab.dataset.panel === this.panel);
    const place = find("#panel");
    if (this.panel === "tree") return this.showTree(place);
    const panels = {
      free: () => freeLists(this.state, this.before),
      cpu: () => cpuLists(this.state, this.before),
      reclaim: () => reclaimPanel(this.state, this.before),
      knobs: () => knobPanel(this.state),
      log: () => logPanel(this.log),
    };
    place.replaceChildren(panels[this.panel]());
  }

  openPanel(name) {
    if (!(name in PANELS)) return;
    this.panel = name;
    if (this.state) this.showPanel();
  }

  showHeld() {
    const result = find("#result");
    result.textContent = this.toast.text;
    result.className = this.toast.bad ? "bad" : "good";
    result.title = this.toast.text;
    find("#effects").textContent = this.toast.effects || "";
    const chips = this.held.slice(-12).reverse().map((block) => {
      const chip = make("button", "block", `#${block.id}`);
      chip.dataset.line = `free ${block.id}`;
      chip.title = `frame ${block.pfn}, order ${block.order}, ${block.mask}`;
      return chip;
    });
    find("#held").replaceChildren(...chips);
  }

  /* The buddy tree shows the region of a block that was clicked. */
  pick(block) {
    this.changed = block.pfn;
    this.openPanel("tree");
    this.tree.show(this.map.blocks, block.pfn, true);
  }

  hover(block, zone) {
    const note = find("#cell");
    if (!block) {
      note.textContent = "";
      return;
    }
    const last = block.pfn + (1 << block.order) - 1;
    const frames = last > block.pfn ? `frames ${block.pfn} to ${last}` : `frame ${block.pfn}`;
    note.textContent = `${zone.name}, ${frames}, order ${block.order}: ${USES[block.use][0]}`;
  }

  /* ---- Commands of the page ---- */

  ask() {
    this.act(`alloc ${this.form.context} ${this.form.count} ${this.request()}`);
  }

  undo() {
    if (!this.engine.undo()) return;
    this.log.pop();
    this.toast = { text: "taken back" };
    this.taken = null;
    this.refresh(true);
  }

  restart() {
    if (this.guide.scene) {
      this.guide.start(this.guide.scene.key);
      return;
    }
    this.log = [];
    this.act(this.machine);
  }

  /* Scene KEY; "": none, and the machine stays as it is. */
  choose(key) {
    find("#scene").value = key;
    history.replaceState(null, "", key ? `#scene=${key}` : "#");
    this.guide.start(key);
    if (!key) this.refresh(true);
  }

  /* A machine by its line, without a scene. */
  chooseMachine(line) {
    this.guide.start("");
    find("#scene").value = "";
    this.log = [];
    return this.act(line);
  }

  /* A machine with zones of any size. */
  askMachine() {
    const now = this.machine.split(" ").slice(1).map(Number);
    const fields = ZONES.map((name, at) => {
      const label = make("label", "field", `${name}, MB`);
      const input = make("input");
      const value = now[at] / PAGES_OF_MB;
      Object.assign(input, { type: "number", min: 0, max: 256, step: 4, value });
      label.append(input);
      return label;
    });
    const error = make("p", "bad");
    const note = make("p", "note",
      "Multiples of 4 MB, the size of the largest block; 4 to 256 MB together.");
    const begin = () => {
      const pages = fields.map((each) => Math.round(each.lastChild.value * PAGES_OF_MB));
      error.textContent = this.chooseMachine(`machine ${pages.join(" ")}`).error || "";
      return error.textContent === "";
    };
    openDialog("Another machine", [...fields, note, error],
      [["Build it", begin], ["Cancel", () => this.showMachine()]]);
  }

  about() {
    const list = make("ul");
    list.append(...ABOUT.map((text) => make("li", "", text)));
    openDialog("What this machine is", [list], [["Close", () => true]]);
  }

  /* ---- Building ---- */

  /* A button for each entry, [value, text]; PRESS(value) changes the form. */
  chips(place, role, name, entries, press) {
    for (const [value, text] of entries) {
      const chip = make("button", "chip", text);
      chip.dataset[name] = value;
      chip.setAttribute("role", role);
      chip.onclick = () => {
        press(value);
        this.changeForm();
      };
      find(place).append(chip);
    }
  }

  toggle(flag) {
    const words = this.form.flags.split("|").filter((word) => word !== "0");
    const rest = words.filter((word) => word !== flag);
    if (rest.length === words.length) rest.push(flag);
    this.form.flags = rest.join("|") || "0";
  }

  buildForm() {
    const short = (mask) => mask.replace(/^_*GFP_/, "").replace("HIGHUSER_", "USER ");
    const entries = (names) => names.map((name) => [name, short(name)]);
    this.chips("#presets", "button", "mask", entries(PRESETS), (mask) => {
      this.form.flags = mask;
    });
    this.chips("#modifiers", "button", "flag", entries(MODIFIERS), (flag) => this.toggle(flag));
    const counts = COUNTS.map((count) => [count, `×${count}`]);
    this.chips("#counts", "radio", "count", counts, (count) => {
      this.form.count = count;
    });
    for (const [context, name] of CONTEXTS) find("#context").append(new Option(name, context));
    for (const name of [...PRESETS, ...MODIFIERS]) find("#names").append(new Option(name));
  }

  buildTabs() {
    for (const [name, text] of Object.entries(PANELS)) {
      const tab = make("button", "", text);
      tab.dataset.panel = name;
      tab.setAttribute("role", "tab");
      tab.onclick = () => this.openPanel(name);
      find("#tabs").append(tab);
    }
  }

  build() {
    this.buildForm();
    this.buildTabs();
    find("#scene").append(new Option("none: by yourself", ""));
    for (const { key, chapter, title } of PLAY.scenes)
      find("#scene").append(new Option(`${Number(chapter)}. ${title}`, key));
    for (const [name, line] of MACHINES) find("#machine").append(new Option(name, line));
    find("#machine").append(new Option("Another one ...", OTHER));
    this.listenToForm();
    this.listen();
    this.setColours("use");
  }

  setColours(mode) {
    this.map.mode = mode;
    for (const button of findAll("#colours button"))
      button.setAttribute("aria-checked", button.dataset.mode === mode);
    showLegend(find("#legend"), mode);
    if (this.state) this.map.paint();
  }

  listenToForm() {
    find("#go").onclick = () => this.ask();
    find("#order").oninput = () => this.changeForm();
    find("#context").onchange = (event) => {
      this.form.context = event.target.value;
      this.changeForm();
    };
    find("#flags").onchange = (event) => {
      this.form.flags = event.target.value.trim().replace(/[ ,|]+/g, "|") || "0";
      this.changeForm();
    };
    find("#more").onclick = () => {
      const flags = find("#modifiers");
      flags.hidden = !flags.hidden;
      find("#more").setAttribute("aria-expanded", !flags.hidden);
    };
    for (const button of findAll("#which button"))
      button.onclick = () => {
        this.which = button.dataset.which;
        this.showWay();
      };
  }

  listen() {
    find("#undo").onclick = () => this.undo();
    find("#restart").onclick = () => this.restart();
    find("#about").onclick = () => this.about();
    find("#scene").onchange = (event) => this.choose(event.target.value);
    find("#machine").onchange = (event) => {
      if (event.target.value === OTHER) this.askMachine();
      else this.chooseMachine(event.target.value);
    };
    find("#dialog").addEventListener("cancel", () => this.showMachine());
    for (const button of findAll("#colours button"))
      button.onclick = () => this.setColours(button.dataset.mode);
    document.addEventListener("click", (event) => {
      const button = event.target.closest("[data-line]");
      if (button) this.act(button.dataset.line);
    });
    document.addEventListener("change", (event) => {
      const knob = event.target.dataset.knob;
      if (knob) this.act(`set ${knob} ${event.target.value}`);
    });
    document.addEventListener("keydown", (event) => {
      if (!event.ctrlKey || event.key !== "z" || event.target.tagName === "INPUT") return;
      event.preventDefault();
      this.undo();
    });
    window.addEventListener("hashchange", () => this.fromAddress());
  }

  /* What the link asked for: #scene=KEY or #panel=NAME. */
  fromAddress() {
    const words = new URLSearchParams(location.hash.slice(1));
    if (words.get("panel")) this.openPanel(words.get("panel"));
    const key = words.get("scene");
    if (PLAY.scenes.some((scene) => scene.key === key)) this.choose(key);
  }
}

async function begin() {
  const engine = await Engine.create(PLAY.module);
  if (engine === null) {
    document.body.replaceChildren(make("p", "sorry",
      "This browser does not know WebAssembly with 64-bit memory (memory64).  Chromium and " +
      "Chrome do, from version 133 on."));
    return;
  }
  window.playground = new Page(engine);
  playground.act(MACHINES[0][1]);
  playground.fromAddress();
  window.ready = true;
}

begin();
