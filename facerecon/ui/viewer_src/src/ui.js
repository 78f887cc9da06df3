// What is around the canvas: toolbar, panel, messages, keys.
import { icon, make } from "./dom.js";
import { Panel } from "./panel.js";

const MODE_LABELS = { texture: "Texture", geometry: "Geometry", normals: "Normals" };

export class Ui {
  constructor(host, options, viewer) {
    this.viewer = viewer;
    this.options = options;
    this.canvas = make("canvas", { tabindex: 0, role: "img", "aria-label": options.label, onkeydown: (event) => this.#key(event) });
    this.message = make("p", { class: "fr-message", "aria-hidden": "true" });
    this.live = make("p", { class: "fr-live", role: "status" });
    this.name = make("p", { class: "fr-name" });
    this.frames = make("p", { class: "fr-frames", hidden: true, "aria-hidden": "true" });
    this.panel = new Panel(viewer);
    this.stage = make("div", { class: "fr-stage" }, this.canvas, this.message, this.name, this.frames, this.#toolbar());
    this.root = make("div", { class: "fr-root", "data-status": "empty", "aria-label": options.label, role: "group" },
      make("div", { class: "fr-box" }, this.stage, this.panel.element), this.live);
    this.root.addEventListener("fullscreenchange", () => this.#fullscreenChanged());
    host.replaceChildren(this.root);
    this.statusChanged("empty", "");
    this.stateChanged(viewer.state);
  }

  #toolbar() {
    const { viewer } = this;
    this.modes = Object.fromEntries(Object.entries(MODE_LABELS).map(([mode, label]) => [mode, make("button", {
      type: "button", role: "radio", "aria-label": label, onclick: () => viewer.set({ mode }),
    }, icon(mode), make("span", {}, label))]));
    // The name is shown when the button is pointed at or focused (style.css), the short caption on narrow screens.
    const button = (name, label, caption, action) =>
      make("button", { type: "button", "aria-label": label, onclick: action }, icon(name), make("span", {}, caption));
    const toggle = (name) => () => viewer.set({ [name]: !viewer.state[name] });
    this.toggles = {
      wireframe: button("wireframe", "Wireframe", "Wire", toggle("wireframe")),
      idle: button("play", "Blink and talk", "Talk", toggle("idle")),
      photoPose: button("pose", "Turned as in the photo", "Turned", toggle("photoPose")),
      panel: button("panel", "Expression, light and look", "Expression", toggle("panel")),
    };
    this.full = button("full", "Full screen", "Full", () => this.#fullscreen());
    if (!document.fullscreenEnabled) this.full.hidden = true;
    this.toolbar = make("div", { class: "fr-toolbar", role: "toolbar", "aria-label": "View" },
      make("div", { class: "fr-modes", role: "radiogroup", "aria-label": "Shown as", onkeydown: (event) => this.#modeKey(event) }, ...Object.values(this.modes)),
      make("div", { class: "fr-buttons" }, ...Object.values(this.toggles), button("reset", "Reset", "Reset", () => viewer.reset()), this.full));
    return this.toolbar;
  }

  #modeKey(event) {
    const step = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 }[event.key];
    if (!step) return;
    const names = Object.keys(this.modes);
    const mode = names[(names.indexOf(this.viewer.state.mode) + step + names.length) % names.length];
    this.viewer.set({ mode });
    this.modes[mode].focus();
    event.preventDefault();
  }

  #key(event) {
    const { viewer } = this;
    if (!viewer.head || event.ctrlKey || event.metaKey || event.altKey) return;
    const keys = {
      t: () => viewer.set({ mode: "texture" }), g: () => viewer.set({ mode: "geometry" }), n: () => viewer.set({ mode: "normals" }),
      w: () => viewer.set({ wireframe: !viewer.state.wireframe }), f: () => this.#fullscreen(),
      c: () => viewer.set({ stats: !viewer.state.stats }), 0: () => viewer.reset(), " ": () => viewer.set({ idle: !viewer.state.idle }),
    };
    const action = keys[event.key.toLowerCase()];
    if (action) action();
    else if (!viewer.moveByKey(event)) return;
    event.preventDefault();
  }

  #fullscreen() {
    if (document.fullscreenElement === this.root) document.exitFullscreen();
    else this.root.requestFullscreen?.().catch(() => {});
  }

  #fullscreenChanged() {
    const on = document.fullscreenElement === this.root;
    this.full.firstChild.replaceWith(icon(on ? "small" : "full"));
    this.full.setAttribute("aria-label", on ? "Leave full screen" : "Full screen");
  }

  /** A new head is there: its name, its sliders. */
  headChanged(head, value) {
    this.name.textContent = value.name || "";
    this.toggles.photoPose.hidden = !value.rotation;
    this.modes.texture.disabled = !head.texture;
    this.panel.headChanged(head);
    const what = `${this.options.label}${value.name ? `, ${value.name}` : ""}`;
    this.canvas.setAttribute("aria-label", `${what}: a head of ${head.triangles.toLocaleString("en")} triangles. Arrow keys turn it.`);
  }

  /** Shows what the viewer is doing: its status, and a sentence where one is needed. */
  statusChanged(status, sentence) {
    const text = sentence || { empty: this.options.placeholder, loading: "Loading the head…" }[status] || "";
    this.root.dataset.status = status;
    this.message.textContent = text;
    this.live.textContent = status === "ready" ? "The head is shown." : status === "empty" ? "" : text;
  }

  /** Shows what was set. */
  stateChanged(patch) {
    const { state } = this.viewer;
    for (const [mode, button] of Object.entries(this.modes)) {
      button.setAttribute("aria-checked", String(mode === state.mode));
      button.tabIndex = mode === state.mode ? 0 : -1;
    }
    for (const [name, button] of Object.entries(this.toggles)) button.setAttribute("aria-pressed", String(state[name]));
    this.toggles.idle.firstChild.replaceWith(icon(state.idle ? "stop" : "play"));
    this.panel.element.hidden = !state.panel;
    this.root.classList.toggle("fr-open", state.panel);
    this.frames.hidden = !state.stats;
    this.panel.stateChanged(patch);
  }

  /** The frame counter's line. */
  showFrames(fps, ratio) {
    const { head, frames } = this.viewer;
    this.frames.textContent = `${fps.toFixed(0)} frames/s · ${frames} drawn · ${head.triangles.toLocaleString("en")} triangles · ×${ratio.toFixed(2)}`;
  }
}
