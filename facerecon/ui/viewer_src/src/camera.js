// The camera: orbit by mouse, touch and keys; flights between views.
import { MathUtils, PerspectiveCamera, Spherical, Vector3 } from "three";
import { OrbitControls } from "three/addons/controls/OrbitControls.js";

const FOV = 22;
const NARROW = 0.86; // width to height that a head in profile needs
const TOOLBAR = 54; // pixels
const TURN = Math.PI / 24; // of one key press
const FLIGHT_MS = 600;

export class Eye {
  /** `moved()` is called when the visitor moved the camera, `draw()` when a frame is needed. */
  constructor(element, moved, draw) {
    this.camera = new PerspectiveCamera(FOV, 1, 0.02, 6);
    this.controls = new OrbitControls(this.camera, element);
    Object.assign(this.controls, {
      enableDamping: true, dampingFactor: 0.12, rotateSpeed: 0.9, zoomSpeed: 0.9, minDistance: 0.12, maxDistance: 2.5,
      maxTargetRadius: 0.25, screenSpacePanning: true,
    });
    this.home = { target: new Vector3(), theta: 0, phi: Math.PI / 2, radius: 0.9 };
    this.flight = null;
    this.quiet = false;
    this.controls.addEventListener("start", () => (this.flight = null));
    this.controls.addEventListener("change", () => {
      draw();
      if (!this.quiet) moved();
    });
    this.draw = draw;
  }

  /** Where the camera is at home: a head's box (metres) fills the view. */
  frame(box) {
    const size = box.getSize(new Vector3());
    this.home.radius = (size.y * 1.1) / 2 / Math.tan(MathUtils.degToRad(FOV) / 2) + size.z / 2;
    box.getCenter(this.home.target);
    this.controls.cursor.copy(this.home.target);
  }

  /** Takes the size of the view, pixels: what is above the toolbar holds the head, and in a narrow view no ear is cut. */
  resize(width, height) {
    const room = Math.max(0.6, (height - TOOLBAR) / height);
    const half = Math.tan(MathUtils.degToRad(FOV) / 2) * Math.max(1 / room, (NARROW * height) / width);
    this.camera.fov = MathUtils.radToDeg(2 * Math.atan(half));
    this.camera.aspect = width / height;
    this.camera.setViewOffset(width, height, 0, ((1 - room) * height) / 2, width, height);
  }

  /** Goes home. */
  reset() {
    this.fly(this.home);
  }

  /** Where the camera is: `{ target, theta, phi, radius }`. */
  get view() {
    const at = new Spherical().setFromVector3(this.camera.position.clone().sub(this.controls.target));
    return { target: this.controls.target.clone(), theta: at.theta, phi: at.phi, radius: at.radius };
  }

  /** Puts the camera somewhere without telling anybody. */
  place({ target, theta, phi, radius }) {
    this.quiet = true;
    this.controls.target.copy(target);
    this.camera.position.setFromSphericalCoords(radius, phi, theta).add(target);
    const damping = this.controls.enableDamping;
    this.controls.enableDamping = false; // or what is left of the last drag would move on
    this.controls.update();
    this.controls.enableDamping = damping;
    this.quiet = false;
    this.draw();
  }

  fly(to) {
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) {
      this.place(to);
      return;
    }
    const from = this.view;
    from.theta -= 2 * Math.PI * Math.round((from.theta - to.theta) / (2 * Math.PI));
    this.flight = { from, to: { ...to, target: to.target.clone() }, start: null };
    this.draw();
  }

  /** Advances flight and damping to `now`, milliseconds; true while anything still moves. */
  step(now) {
    if (!this.flight) {
      return this.controls.update();
    }
    const { from, to } = this.flight;
    this.flight.start ??= now;
    const x = Math.min(1, (now - this.flight.start) / FLIGHT_MS);
    const share = 1 - Math.pow(1 - x, 3);
    const between = (name) => from[name] + (to[name] - from[name]) * share;
    if (x >= 1) this.flight = null;
    this.place({
      target: from.target.clone().lerp(to.target, share), theta: between("theta"), phi: between("phi"), radius: between("radius"),
    });
    return true;
  }

  /** One key press; true where it meant something. */
  key(event) {
    const view = this.view;
    const [x, y] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key] || [0, 0];
    if (event.key === "+" || event.key === "=") view.radius *= 0.88;
    else if (event.key === "-") view.radius /= 0.88;
    else if (!x && !y) return false;
    else if (event.shiftKey) {
      const right = new Vector3().setFromMatrixColumn(this.camera.matrix, 0);
      view.target.addScaledVector(right, x * view.radius * 0.04).y += y * view.radius * 0.04;
    } else {
      view.theta += x * TURN;
      view.phi = MathUtils.clamp(view.phi - y * TURN, 0.05, Math.PI - 0.05);
    }
    this.flight = null;
    this.place(view);
    return true;
  }

  dispose() {
    this.controls.dispose();
  }
}
