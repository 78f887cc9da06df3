// The panel beside the head: the expressions by region, and light and looks.
import { make } from "./dom.js";
import { byRegion, inWords, otherSide } from "./expressions.js";
import { DEFAULTS, LIGHT } from "./state.js";

let counter = 0;

export class Panel {
  constructor(viewer) {
    this.viewer = viewer;
    this.sliders = new Map();
    this.lights = new Map();
    this.both = true;
    const id = `fr-panel-${++counter}`;
    this.pages = { expression: make("div", { class: "fr-page", role: "tabpanel", id: `${id}-e`, "aria-labelledby": `${id}-te` }), look: this.#look(id) };
    this.tabs = {
      expression: this.#tab("expression", "Expression", `${id}-te`, `${id}-e`),
      look: this.#tab("look", "Light and look", `${id}-tl`, `${id}-l`),
    };
    this.element = make("section", { class: "fr-panel", "aria-label": "Expression, light and look", hidden: true },
      make("div", { class: "fr-tabs", role: "tablist", onkeydown: (event) => this.#arrow(event) }, this.tabs.expression, this.tabs.look),
      this.pages.expression, this.pages.look);
    this.open("expression");
  }

  #tab(page, label, id, controls) {
    return make("button", { type: "button", role: "tab", id, "aria-controls": controls, onclick: () => this.open(page) }, label);
  }

  #arrow(event) {
    if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
    const page = this.tabs.expression.getAttribute("aria-selected") === "true" ? "look" : "expression";
    this.open(page);
    this.tabs[page].focus();
  }

  /** Shows a page, "expression" or "look". */
  open(page) {
    for (const [name, tab] of Object.entries(this.tabs)) {
      tab.setAttribute("aria-selected", String(name === page));
      tab.tabIndex = name === page ? 0 : -1;
      this.pages[name].hidden = name !== page;
    }
  }

  /** Builds the sliders of a head's expressions. */
  headChanged(head) {
    if (this.names === head.names.join()) return this.stateChanged({ expression: head.photo });
    this.names = head.names.join();
    this.sliders.clear();
    const both = make("label", { class: "fr-check" },
      make("input", { type: "checkbox", checked: true, onchange: (event) => (this.both = event.target.checked) }), "Both sides together");
    const choose = make("div", { class: "fr-choices" },
      make("button", { type: "button", onclick: () => this.viewer.set({ expression: this.viewer.head.photo }) }, "As in the photo"),
      make("button", { type: "button", onclick: () => this.#neutral() }, "Neutral"));
    const groups = byRegion(head.names).map(([region, names], i) => make("details", { open: i === 0 },
      make("summary", {}, region, make("span", { class: "fr-count", "aria-hidden": "true" }, String(names.length))),
      ...names.map((name) => this.#slider(name))));
    this.pages.expression.replaceChildren(choose, both, ...groups);
    this.stateChanged({ expression: head.photo });
  }

  #neutral() {
    this.viewer.set({ expression: Object.fromEntries([...this.sliders.keys()].map((name) => [name, 0])) });
  }

  #slider(name) {
    const move = (value) => {
      const other = this.both && otherSide(name);
      this.viewer.set({ expression: { [name]: value, ...(other && this.sliders.has(other) ? { [other]: value } : {}) } });
    };
    const row = range(inWords(name), { min: 0, max: 1, step: 0.01, name }, move);
    row.input.addEventListener("dblclick", () => move(0));
    this.sliders.set(name, row);
    return row.element;
  }

  #look(id) {
    const page = make("div", { class: "fr-page", role: "tabpanel", id: `${id}-l`, "aria-labelledby": `${id}-tl`, hidden: true });
    for (const [name, { label, min = 0, max, step = 0.01, unit = "" }] of Object.entries(LIGHT)) {
      const row = range(label, { min, max, step, name, unit }, (value) => this.viewer.set({ [name]: value }));
      this.lights.set(name, row);
      page.append(row.element);
    }
    this.colour = make("input", {
      type: "color", value: DEFAULTS.colour, "aria-label": "Mesh colour",
      oninput: (event) => this.viewer.set({ colour: event.target.value, mode: "geometry" }),
    });
    this.stats = make("input", { type: "checkbox", onchange: (event) => this.viewer.set({ stats: event.target.checked }) });
    page.append(
      make("label", { class: "fr-field" }, make("span", {}, "Mesh colour"), this.colour),
      make("label", { class: "fr-check" }, this.stats, "Frame counter"),
      make("p", { class: "fr-help" }, "Drag turns, right drag or two fingers move, wheel or pinch zooms. Keys on the picture: arrows turn, ",
        "Shift and arrows move, + and − zoom, 0 resets, T G N choose texture, geometry, normals, W wireframe, F full screen, C counts frames."));
    this.#showLights(DEFAULTS);
    return page;
  }

  #showLights(values) {
    for (const [name, row] of this.lights) if (name in values) row.show(values[name]);
  }

  /** Shows what was set, by whomever. */
  stateChanged(patch) {
    for (const [name, value] of Object.entries(patch.expression || {})) this.sliders.get(name)?.show(value);
    this.#showLights(patch);
    if (patch.colour) this.colour.value = patch.colour;
    if ("stats" in patch) this.stats.checked = patch.stats;
  }
}

/** A labelled slider; `show(value)` sets it without an event. */
function range(label, { min, max, step, name, unit = "" }, moved) {
  const output = make("output", { "aria-hidden": "true" });
  const input = make("input", { type: "range", min, max, step, "data-name": name });
  const show = (value) => {
    input.value = value;
    const text = step < 1 ? Number(value).toFixed(2) : `${Math.round(value)}${unit}`;
    output.textContent = text;
    input.setAttribute("aria-valuetext", text);
    input.style.setProperty("--fr-share", `${(100 * (input.value - min)) / (max - min)}%`);
  };
  input.addEventListener("input", () => moved(Number(input.value)));
  return { element: make("label", { class: "fr-range" }, make("span", {}, label), output, input), input, show };
}
