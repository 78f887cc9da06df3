// Counts frames, and finds the resolution that this machine can draw smoothly.
const WINDOW_MS = 1000;
const PAUSE_MS = 2000; // a longer gap is a hidden page, not slowness
const FEWEST = 4;
const SLOW_FPS = 32;
const FAST_FPS = 52;
const LEAST = 0.6; // fewer pixels cost sharpness and gain nothing

export class FrameMeter {
  frames = 0;
  #times = [];

  /** Notes a frame drawn at `now`, milliseconds. */
  tick(now) {
    this.frames += 1;
    if (this.#times.length && now - this.#times[this.#times.length - 1] > PAUSE_MS) this.#times = [];
    this.#times.push(now);
    while (this.#times.length > FEWEST && now - this.#times[0] > WINDOW_MS) this.#times.shift();
  }

  /** Forgets the past second: the resolution has changed, or all is at rest. */
  restart() {
    this.#times = [];
  }

  /** Frames a second over the last second of movement; 0 before there are enough. */
  get fps() {
    const times = this.#times;
    return times.length < FEWEST ? 0 : (1000 * (times.length - 1)) / (times[times.length - 1] - times[0]);
  }

  get full() {
    const times = this.#times;
    return times.length >= FEWEST && times[times.length - 1] - times[0] > 0.7 * WINDOW_MS;
  }
}

/** The ratio of drawn to shown pixels: full at rest, as high as stays smooth in motion. */
export class Resolution {
  /** `software`: the processor draws, without smooth edges; it gets them at rest from more pixels. */
  constructor(software) {
    this.software = software;
    this.moving = this.most;
  }

  /** At rest. */
  get full() {
    return this.fixed ?? (this.software ? Math.max(1.5, this.most) : this.most);
  }

  /** The highest in motion. */
  get most() {
    return Math.min(window.devicePixelRatio || 1, this.software ? 1 : 2);
  }

  /** Draws at one ratio, moving and at rest, from now on. */
  fix(ratio) {
    this.fixed = ratio;
    this.moving = ratio;
  }

  /** Adapts to what the meter says; true where the ratio in motion changed. */
  adapt(meter) {
    if (this.fixed || !meter.full) return false;
    const before = this.moving;
    if (meter.fps < SLOW_FPS) this.moving = Math.max(LEAST, this.moving * 0.82);
    else if (meter.fps > FAST_FPS && this.moving < this.most) this.moving = Math.min(this.most, this.moving * 1.1);
    if (this.moving !== before) meter.restart();
    return this.moving !== before;
  }
}
