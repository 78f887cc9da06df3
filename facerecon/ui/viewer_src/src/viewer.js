// One viewer: a canvas, a head, a light, and the state that the controls and other programs set.
import { Matrix4, Quaternion, Scene, WebGLRenderer } from "three";
import { Eye } from "./camera.js";
import { FrameMeter, Resolution } from "./frames.js";
import { readHead } from "./head.js";
import { idleAt } from "./idle.js";
import { keyDirection } from "./light.js";
import { MODES } from "./material.js";
import { DEFAULTS, PRIVATE } from "./state.js";
import { join } from "./sync.js";
import { Ui } from "./ui.js";
import { webgl } from "./webgl.js";

const KEY_COLOUR = [1.0, 0.965, 0.92];
const REST_MS = 220;
const POSE_MS = 90; // in which the head comes two thirds nearer to its pose

export class Viewer {
  head = null;
  status = "empty";
  state = { ...DEFAULTS, expression: {} };
  #scene = new Scene();
  #meter = new FrameMeter();
  #pose = new Quaternion();
  #value = null;
  #token = 0;
  #pending = 0;
  #lastMove = 0;
  #visible = true;
  #idleSince = null;
  #forced = false;

  /** `host` is an element whose content is the viewer's; `options`: label, placeholder, sync. */
  constructor(host, options) {
    this.supported = webgl().supported;
    this.ui = new Ui(host, options, this);
    this.sync = join(options.sync, (message) => this.#hear(message));
    this.ready = Promise.resolve(this);
    this.observers = [new ResizeObserver(() => this.#resize()), new IntersectionObserver((e) => this.#seen(e))];
    this.observers.forEach((observer) => observer.observe(this.ui.stage));
    if (!this.supported) this.#say("unsupported", "This browser shows no 3D: WebGL 2 is missing or switched off. The downloads still work.");
  }

  /** Frames drawn so far. */
  get frames() {
    return this.#meter.frames;
  }

  /** Frames a second while something moves. */
  get fps() {
    return this.#meter.fps;
  }

  /** Whether the last frame drawn is the last one wanted. */
  get resting() {
    return !this.#pending;
  }

  /** GPU objects held, for tests: geometries and textures. */
  get memory() {
    return this.renderer ? { ...this.renderer.info.memory } : { geometries: 0, textures: 0 };
  }

  /** Shows a value of `viewer_value`, or nothing. Values that come later win. */
  show(value) {
    if (!this.supported) return;
    if (JSON.stringify(value) === JSON.stringify(this.#value)) return;
    this.#value = value;
    const token = ++this.#token;
    if (!value || !value.glb) {
      this.#drop();
      this.#say("empty");
      return;
    }
    this.ready = this.#load(value, token);
  }

  async #load(value, token) {
    this.#say("loading");
    try {
      const answer = await fetch(value.glb.url);
      if (!answer.ok) throw new Error(`the server says ${answer.status}`);
      const head = await readHead(await answer.arrayBuffer());
      if (token !== this.#token || this.disposed) head.dispose();
      else this.#install(head, value);
    } catch (error) {
      if (token !== this.#token) return this;
      console.error("3D viewer:", error);
      this.#drop();
      this.#say("error", "The head could not be shown. Reload the page, or run the photo again.");
    }
    return this;
  }

  #install(head, value) {
    const first = !this.head;
    this.#drop();
    this.#start();
    this.head = head;
    this.#scene.add(head.root);
    this.#pose.identity();
    if (value.rotation) {
      const r = value.rotation;
      this.#pose.setFromRotationMatrix(new Matrix4().set(r[0], r[1], r[2], 0, r[3], r[4], r[5], 0, r[6], r[7], r[8], 0, 0, 0, 0, 1));
    }
    this.state.expression = { ...head.photo };
    this.ui.headChanged(head, value);
    this.#say("ready");
    this.#apply();
    this.#resize();
    this.eye.frame(head.geometry.boundingBox);
    if (first) {
      this.eye.place({ ...this.eye.home, theta: -0.5 });
      this.eye.reset();
    }
  }

  #start() {
    if (this.renderer) return;
    const software = webgl().software;
    this.renderer = new WebGLRenderer({ canvas: this.ui.canvas, antialias: !software, alpha: true, powerPreference: "low-power" });
    this.resolution = new Resolution(software);
    this.eye = new Eye(this.ui.canvas, () => this.#moved(), () => this.draw());
    this.ui.canvas.addEventListener("webglcontextlost", (event) => {
      event.preventDefault();
      this.#say("error", "The graphics driver stopped. Trying again…");
    });
    this.ui.canvas.addEventListener("webglcontextrestored", () => {
      this.#say("ready");
      this.draw();
    });
  }

  /**
   * Changes the state: any of `DEFAULTS`, and `expression` by name, which is merged.
   * Viewers of the same group follow.
   */
  set(patch, { tell = true } = {}) {
    const { expression, ...rest } = patch;
    if (rest.mode && !MODES.includes(rest.mode)) throw new RangeError(`mode is one of ${MODES.join(", ")}`);
    Object.assign(this.state, rest);
    if (expression) this.state.expression = { ...this.state.expression, ...expression };
    if (rest.photoPose && this.eye) this.eye.reset();
    this.#apply();
    this.ui.stateChanged(patch);
    if (tell) {
      const shared = Object.fromEntries(Object.entries(patch).filter(([name]) => !PRIVATE.has(name)));
      if (Object.keys(shared).length) this.sync.tell({ patch: shared });
    }
  }

  /** The view, the light, the looks and the photo's expression as they were at first. */
  reset({ tell = true } = {}) {
    const { panel, stats } = this.state;
    this.set({ ...DEFAULTS, panel, stats, expression: this.head ? this.head.photo : {} }, { tell: false });
    this.eye?.reset();
    if (tell) this.sync.tell({ reset: true });
  }

  /** Draws without a break for some seconds, the head talking and turning; resolves to what the counter said. */
  async measure(seconds = 3) {
    await this.ready;
    const before = { idle: this.state.idle, view: this.eye.view };
    this.set({ idle: true }, { tell: false });
    this.#forced = true;
    this.draw();
    await new Promise((resolve) => setTimeout(resolve, 500));
    const start = performance.now(), first = this.#meter.frames;
    await new Promise((resolve) => setTimeout(resolve, 1000 * seconds));
    const frames = this.#meter.frames - first;
    const result = {
      fps: (1000 * frames) / (performance.now() - start), frames, triangles: this.head.triangles,
      pixelRatio: this.renderer.getPixelRatio(), width: this.ui.canvas.width, height: this.ui.canvas.height,
    };
    this.#forced = false;
    this.set({ idle: before.idle }, { tell: false });
    this.eye.place(before.view);
    return result;
  }

  /** Moves the camera by a key press; true where the key meant something. */
  moveByKey(event) {
    const known = Boolean(this.eye?.key(event));
    if (known) this.#moved();
    return known;
  }

  #hear(message) {
    if (message.patch) this.set(message.patch, { tell: false });
    else if (message.reset) this.reset({ tell: false });
    else if (message.view && this.eye) {
      this.eye.flight = null;
      this.eye.place(message.view);
    }
  }

  #moved() {
    if (!this.#forced) this.sync.tell({ view: this.eye.view });
  }

  #apply() {
    const { state, head } = this;
    if (!head) return;
    const { uniforms } = head.material;
    const mode = state.mode === "texture" && !head.texture ? "geometry" : state.mode;
    uniforms.mode.value = MODES.indexOf(mode);
    uniforms.colour.value.set(state.colour);
    uniforms.ambient.value = state.ambient;
    uniforms.environment.value = state.environment;
    uniforms.key.value.setRGB(...KEY_COLOUR).multiplyScalar(state.key);
    keyDirection(state.keyAround, state.keyAbove, uniforms.keyDirection.value);
    head.wire.visible = state.wireframe;
    if (!state.idle) {
      this.#idleSince = null;
      head.express(state.expression);
    }
    this.draw();
  }

  /** Asks for a frame. */
  draw() {
    if (this.#pending || !this.renderer || !this.head || this.disposed) return;
    if (!this.#visible) return;
    this.#pending = requestAnimationFrame((now) => this.#frame(now));
  }

  #frame(now) {
    this.#pending = 0;
    if (!this.ui.stage.isConnected) return this.dispose();
    if (!this.head) return;
    let moving = this.eye.step(now);
    moving = this.#turnToPose(now) || moving;
    if (this.state.idle) {
      this.#idleSince ??= now;
      const clip = idleAt((now - this.#idleSince) / 1000);
      this.head.express(this.state.expression, clip.weights, clip);
      moving = true;
    }
    if (this.#forced) this.eye.place({ ...this.eye.view, theta: this.eye.view.theta + 0.02 });
    if (moving || this.#forced || this.state.stats) this.#lastMove = now;
    const resting = now - this.#lastMove > REST_MS;
    this.#useRatio(resting ? this.resolution.full : this.resolution.moving);
    this.renderer.render(this.#scene, this.eye.camera);
    this.#meter.tick(now);
    if (resting) this.#meter.restart();
    else this.resolution.adapt(this.#meter);
    if (this.state.stats) this.ui.showFrames(this.fps, this.renderer.getPixelRatio());
    if (!resting) this.draw();
  }

  #useRatio(ratio) {
    if (Math.abs(ratio - this.renderer.getPixelRatio()) > 0.01) this.renderer.setPixelRatio(ratio);
  }

  /** Turns the head a little nearer to the pose asked for; true while there is way left. */
  #turnToPose(now) {
    const wanted = this.state.photoPose ? this.#pose : new Quaternion();
    const current = this.head.root.quaternion;
    if (current.angleTo(wanted) < 1e-3) {
      current.copy(wanted);
      return false;
    }
    current.slerp(wanted, 1 - Math.exp(-Math.min(60, Math.max(8, now - this.#lastMove)) / POSE_MS));
    return true;
  }

  #resize() {
    const { clientWidth: width, clientHeight: height } = this.ui.stage;
    if (!this.renderer || !width || !height) return;
    this.renderer.setSize(width, height, false);
    this.eye.resize(width, height);
    this.draw();
  }

  #seen(entries) {
    this.#visible = entries[entries.length - 1].isIntersecting;
    if (!this.ui.stage.isConnected) this.dispose();
    else this.draw();
  }

  #say(status, sentence = "") {
    this.status = status;
    this.ui.statusChanged(status, sentence);
  }

  #drop() {
    this.head?.dispose();
    this.head = null;
  }

  /** Lets go of everything; called by itself when the viewer has left the page. */
  dispose() {
    if (this.disposed) return;
    this.disposed = true;
    cancelAnimationFrame(this.#pending);
    this.observers.forEach((observer) => observer.disconnect());
    this.sync.leave();
    this.#drop();
    this.eye?.dispose();
    this.renderer?.dispose();
    this.renderer?.forceContextLoss();
    this.onDispose?.(this);
  }
}
