// SPDX-License-Identifier: MIT
/*
 * docs/play/page.js -- the page: what is pressed becomes a line, what is answered is drawn.
 *
 *	form, buttons, scenes  --line-->  Engine
 *	map, tree, ladder, panels  <--state, route--
 *
 * After each line the page asks for the state of the machine and for the way of the request
 * that the form describes now.  Nothing is computed here that the memory manager could be
 * asked.
 */
"use strict";

const MACHINES = [
  ["16 MB: DMA and DMA32", "machine 1024 3072 0 0"],
  ["4 MB: one zone", "machine 1024 0 0 0"],
  ["32 MB: DMA, DMA32, Normal", "machine 2048 3072 3072 0"],
  ["32 MB: with ZONE_MOVABLE", "machine 1024 4096 0 3072"],
  ["64 MB", "machine 4096 12288 0 0"],
  ["256 MB: as a small PC", "machine 4096 61440 0 0"],
];

const PRESETS = ["GFP_KERNEL", "GFP_ATOMIC", "GFP_NOWAIT", "GFP_NOFS", "GFP_NOIO", "GFP_HIGHUSER_MOVABLE"];
const MODIFIERS = ["__GFP_DMA", "__GFP_HIGH", "__GFP_ZERO", "__GFP_RECLAIMABLE", "__GFP_MOVABLE", "__GFP_NORETRY", "__GFP_RETRY_MAYFAIL", "__GFP_NOFAIL", "__GFP_MEMALLOC", "__GFP_COMP", "__GFP_EXCLUSIVE"];
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
/* What a panic means here: the first that fits. */
const PANICS = [
  [/everybody sleeps/, "The request waits, and nobody is left who could free memory.  On a real machine it would wait forever; here that ends the machine."],
  [/Out of memory/, "Nothing is left that reclaim could take, and no program that could be killed: a kernel has no way out of that.  The tab Reclaim starts programs, and reads files."],
  [/./, "The kernel would stop here, and so does the machine of this page."],
];
const COUNTS = [1, 10, 100, 1000];
const PANELS = ["tree", "free", "cpu", "reclaim", "knobs", "log"];
const PANEL_NAMES = { tree: "Buddy tree", free: "Free lists", cpu: "CPU's lists", reclaim: "Reclaim", knobs: "Knobs", log: "Log" };

const find = (selector) => document.querySelector(selector);

class Page {
  constructor(engine) {
    this.engine = engine;
    this.map = new MemoryMap(find("#map"), (block, zone) => this.hover(block, zone), (block) => this.pick(block));
    this.tree = new BuddyTree();
    this.ladder = new Ladder(find("#rungs"), find("#code"), find("#fate"));
    this.guide = new Guide(find("#guide"), this);
    this.form = { flags: "GFP_KERNEL", context: "thread", count: 1 };
    this.panel = "tree";
    this.which = "next"; // request whose way is shown; or "taken": the last single one
    this.taken = null;
    this.toast = { text: "" };
    this.log = [];
    this.held = [];
    this.before = null;
    this.changed = null;
    this.build();
  }

  /* ---- Sending ---- */

  /* One line, without drawing anything. */
  send(line) {
    if (line.startsWith("machine ")) {
      this.held = [];
      this.taken = null;
      this.before = null;
      this.state = null;
      find("#machine").value = line;
    }
    this.follow(line);
    const way = this.wayOf(line);
    const answer = this.engine.ask(line);
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
    return way.error ? null : way;
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
    if (answer.blocks)
      for (const [id, pfn, order] of answer.blocks) {
        this.held.push({ id, pfn, order, mask: answer.mask });
        this.changed = pfn;
      }
    if (!line.startsWith("free ")) return;
    const last = this.held[this.held.length - 1];
    if (last) this.changed = last.pfn;
    if (line === "free all") this.held = [];
  }

  /* ---- The log ---- */

  note(line, answer) {
    const counters = Object.entries(answer.counters || {}).map(([name, count]) => `${name} +${count}`).join(", ");
    let text = counters;
    if (answer.asked) text = `got ${answer.got} of ${answer.asked}.  ${counters}`;
    if (answer.error) text = answer.error;
    if (answer.panic) text = answer.panic;
    const bad = Boolean(answer.error || answer.panic || (answer.asked && answer.got < answer.asked));
    this.log.push({ line, text, bad, more: [...(answer.log || []), ...(answer.events || [])] });
    this.toast = { bad, text: this.sentence(line, answer) };
    if (answer.panic) this.panicked(answer.panic);
    this.last = answer;
  }

  /* The result of LINE in a few words. */
  sentence(line, answer) {
    if (answer.error) return answer.error;
    if (answer.verdict && answer.verdict !== "ok") return `refused: ${answer.why}`;
    if (answer.asked === 1) return answer.got ? "got it" : "NULL";
    if (answer.asked) return `got ${answer.got} of ${answer.asked}`;
    if (answer.freed !== undefined) return `${answer.freed} freed`;
    return "";
  }

  panicked(words) {
    const dialog = find("#dialog");
    const back = make("button", "primary", "Take that step back");
    back.onclick = () => { dialog.close(); this.undo(); };
    const again = make("button", "", "Restart");
    again.onclick = () => { dialog.close(); this.restart(); };
    const [, why] = PANICS.find(([pattern]) => pattern.test(words));
    dialog.replaceChildren(make("h2", "", "Panic"), make("pre", "", words), make("p", "", why), back, again);
    if (!dialog.open) dialog.showModal();
  }

  /* ---- Drawing ---- */

  refresh(quietly) {
    if (this.engine.words !== null) return;
    const state = this.engine.ask("state");
    if (state.panic) return this.panicked(state.panic);
    this.before = this.state;
    this.state = state;
    this.map.show(state, quietly || this.before === null);
    this.forget();
    this.tree.show(this.map.blocks, this.changed, quietly || this.before === null);
    showZones(find("#zones"), state);
    this.showForm();
    this.showPanel();
    this.showHeld();
    this.guide.show();
  }

  /* Blocks that were freed otherwise than by their number. */
  forget() {
    this.held = this.held.filter((each) => {
      const block = this.map.blockAt(each.pfn);
      return block.pfn === each.pfn && block.order === each.order && !FREE_USES.includes(block.use);
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
    find("#flags").value = this.form.flags;
    find("#size").textContent = `${order}: ${pages === 1 ? "1 page" : `${pages} pages`}, ${pages * 4} KiB`;
    const words = this.form.flags.split("|");
    for (const chip of document.querySelectorAll("#presets button"))
      chip.setAttribute("aria-pressed", this.form.flags.startsWith(chip.dataset.mask) && (chip.dataset.mask.includes("|") || words[0] === chip.dataset.mask));
    for (const chip of document.querySelectorAll("#modifiers button"))
      chip.setAttribute("aria-pressed", words.includes(chip.dataset.flag));
    find("#context").value = this.form.context;
    for (const chip of document.querySelectorAll("#counts button"))
      chip.setAttribute("aria-checked", Number(chip.dataset.count) === this.form.count);
    this.showWay();
  }

  showWay() {
    const taken = this.which === "taken" && this.taken;
    for (const button of document.querySelectorAll("#which button")) {
      button.setAttribute("aria-checked", button.dataset.which === (taken ? "taken" : "next"));
      button.disabled = button.dataset.which === "taken" && !this.taken;
    }
    if (taken) return this.ladder.show(taken.way, taken.answer);
    const route = this.engine.ask(`route ${this.form.context} ${this.request()}`);
    if (route.error) {
      this.ladder.list.replaceChildren();
      this.ladder.fate.className = "bad";
      this.ladder.fate.textContent = route.error;
    } else {
      this.ladder.show(route, null);
    }
  }

  /* Another request is described now. */
  changeForm() {
    this.which = "next";
    this.showForm();
  }

  showPanel() {
    for (const tab of document.querySelectorAll("#tabs button"))
      tab.setAttribute("aria-selected", tab.dataset.panel === this.panel);
    const place = find("#panel");
    if (this.panel === "tree") {
      if (!place.querySelector("canvas")) {
        const canvas = make("canvas");
        canvas.id = "tree";
        place.replaceChildren(canvas);
        this.tree.attach(canvas);
      }
      return;
    }
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
    if (!PANELS.includes(name)) return;
    this.panel = name;
    if (this.state) this.showPanel();
  }

  showHeld() {
    const place = find("#held");
    place.replaceChildren();
    const result = find("#result");
    result.textContent = this.toast.text;
    result.className = this.toast.bad ? "bad" : "good";
    result.title = this.toast.text;
    const recent = this.held.slice(-12).reverse();
    for (const block of recent) {
      const chip = make("button", "block", `#${block.id}`);
      chip.dataset.line = `free ${block.id}`;
      chip.title = `frame ${block.pfn}, order ${block.order}, ${block.mask}`;
      place.append(chip);
    }
  }

  /* The buddy tree shows the region of a block that was clicked. */
  pick(block) {
    this.changed = block.pfn;
    this.openPanel("tree");
    this.tree.show(this.map.blocks, block.pfn, true);
  }

  hover(block, zone) {
    const count = block ? 1 << block.order : 0;
    find("#cell").textContent = !block ? "" : `frame ${block.pfn}${count > 1 ? `–${block.pfn + count - 1}` : ""}, order ${block.order}, ${USES[block.use][0]}, ${zone.name}`;
  }

  /* ---- Commands of the page ---- */

  ask() {
    this.act(`alloc ${this.form.context} ${this.form.count} ${this.request()}`);
  }

  undo() {
    const log = this.log.slice(0, -1);
    if (!this.engine.undo()) return;
    this.log = log;
    this.toast = { text: "taken back" };
    this.taken = null;
    this.state = this.state || null;
    this.refresh(true);
  }

  restart() {
    if (this.guide.scene) return this.guide.start(this.guide.scene.key);
    this.log = [];
    this.act(find("#machine").value || MACHINES[0][1]);
  }

  /* Scene KEY; "": none, and the machine stays as it is. */
  choose(key) {
    find("#scene").value = key;
    history.replaceState(null, "", key ? `#scene=${key}` : "#");
    this.guide.start(key);
    if (!key) this.refresh(true);
  }

  about() {
    const dialog = find("#dialog");
    const close = make("button", "primary", "Close");
    close.onclick = () => dialog.close();
    const list = make("ul");
    for (const text of [
      "mm/ and lib/ are the files of the kernel, unchanged, compiled by clang for WebAssembly (wasm64).  Locks, contexts and owners are those of the host's suites (tests/host/machine.c).",
      "There is one CPU.  kswapd, kcompactd, the OOM reaper and the refiller are no threads but run in turns: after a command that woke them, and while a request waits.",
      "There is no MMU: a hidden page is marked as hidden, but nothing would fault.  There is no disk: what reclaim writes is written immediately.",
      "Files and programs are pages with an owner that answers reclaim (tests/mm/space.c); no file system and no user programs stand behind them.",
      "The clock stands still except in waits, and nothing is random: the same steps always give the same machine.  That is how Undo works.",
    ]) list.append(make("li", "", text));
    dialog.replaceChildren(make("h2", "", "What this machine is"), list, close);
    dialog.showModal();
  }

  /* ---- Building ---- */

  chips(place, entries, name, press) {
    for (const [value, text] of entries) {
      const chip = make("button", "chip", text);
      chip.dataset[name] = value;
      chip.setAttribute("role", name === "flag" || name === "mask" ? "button" : "radio");
      chip.onclick = () => { press(value); this.changeForm(); };
      find(place).append(chip);
    }
  }

  toggle(flag) {
    const words = this.form.flags.split("|");
    this.form.flags = (words.includes(flag) ? words.filter((word) => word !== flag) : [...words, flag]).join("|");
  }

  build() {
    this.chips("#presets", PRESETS.map((mask) => [mask, mask.replaceAll("GFP_", "").replace("HIGHUSER_", "USER ")]), "mask", (mask) => { this.form.flags = mask; });
    this.chips("#modifiers", MODIFIERS.map((flag) => [flag, flag.replace("__GFP_", "")]), "flag", (flag) => this.toggle(flag));
    for (const [context, name] of CONTEXTS) find("#context").append(new Option(name, context));
    this.chips("#counts", COUNTS.map((count) => [count, `×${count}`]), "count", (count) => { this.form.count = Number(count); });
    for (const name of [...PRESETS, ...MODIFIERS]) find("#names").append(new Option(name));
    for (const name of PANELS) {
      const tab = make("button", "", PANEL_NAMES[name]);
      tab.dataset.panel = name;
      tab.setAttribute("role", "tab");
      tab.onclick = () => this.openPanel(name);
      find("#tabs").append(tab);
    }
    find("#scene").append(new Option("none: by yourself", ""));
    for (const scene of PLAY.scenes) find("#scene").append(new Option(`${Number(scene.chapter)}. ${scene.title}`, scene.key));
    for (const [name, line] of MACHINES) find("#machine").append(new Option(name, line));
    this.listen();
    this.setColours("use");
  }

  setColours(mode) {
    this.map.mode = mode;
    for (const button of document.querySelectorAll("#colours button")) button.setAttribute("aria-checked", button.dataset.mode === mode);
    showLegend(find("#legend"), mode);
    if (this.state) this.map.paint();
  }

  listen() {
    find("#go").onclick = () => this.ask();
    find("#undo").onclick = () => this.undo();
    find("#restart").onclick = () => this.restart();
    find("#about").onclick = () => this.about();
    find("#context").onchange = () => { this.form.context = find("#context").value; this.changeForm(); };
    find("#more").onclick = () => {
      find("#modifiers").hidden = !find("#modifiers").hidden;
      find("#more").setAttribute("aria-expanded", !find("#modifiers").hidden);
    };
    find("#order").oninput = () => this.changeForm();
    find("#flags").onchange = () => { this.form.flags = find("#flags").value.trim().replace(/[ ,]+/g, "|") || "0"; this.changeForm(); };
    for (const button of document.querySelectorAll("#which button"))
      button.onclick = () => { this.which = button.dataset.which; this.showWay(); };
    find("#scene").onchange = () => this.choose(find("#scene").value);
    find("#machine").onchange = () => { const line = find("#machine").value; this.choose(""); this.log = []; this.act(line); };
    for (const button of document.querySelectorAll("#colours button")) button.onclick = () => this.setColours(button.dataset.mode);
    document.addEventListener("click", (event) => {
      const button = event.target.closest("[data-line]");
      if (button) this.act(button.dataset.line);
    });
    document.addEventListener("change", (event) => {
      const knob = event.target.dataset && event.target.dataset.knob;
      if (knob) this.act(`set ${knob} ${event.target.value}`);
    });
    document.addEventListener("keydown", (event) => {
      if (event.ctrlKey && event.key === "z" && event.target.tagName !== "INPUT") { event.preventDefault(); this.undo(); }
    });
    window.addEventListener("hashchange", () => this.fromAddress());
  }

  /* What the link asked for: #scene=KEY or #panel=NAME. */
  fromAddress() {
    const words = new URLSearchParams(location.hash.slice(1));
    if (words.get("panel")) this.openPanel(words.get("panel"));
    if (PLAY.scenes.some((scene) => scene.key === words.get("scene"))) this.choose(words.get("scene"));
  }
}

async function begin() {
  const engine = await Engine.create(PLAY.module);
  if (engine === null) {
    document.body.replaceChildren(make("p", "sorry", "This browser does not know WebAssembly with 64-bit memory (memory64).  Chromium and Chrome do, from version 133 on."));
    return;
  }
  const page = new Page(engine);
  window.playground = page;
  page.act(MACHINES[0][1]);
  page.fromAddress();
  window.ready = true;
}

begin();
