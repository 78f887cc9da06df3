// A person at rest: blinks, glances, a few words, a slight sway. A loop made of morph targets; no file behind it.
const LENGTH = 14; // seconds

const BLINKS = [0.6, 3.9, 4.25, 7.8, 11.6];
const GLANCES = [[0, 0, 0], [2.6, 0.28, 0.05], [4.1, 0, 0], [6.9, -0.22, 0.1], [7.8, 0, 0], [10.3, 0.1, -0.15], [11.6, 0, 0]];

// Mouth shapes of the sounds of a few words: what each moves, and when.
const SHAPES = {
  A: { jawOpen: 0.3, mouthLowerDownLeft: 0.2, mouthLowerDownRight: 0.2 },
  E: { jawOpen: 0.15, mouthStretchLeft: 0.35, mouthStretchRight: 0.35, mouthUpperUpLeft: 0.12, mouthUpperUpRight: 0.12 },
  O: { jawOpen: 0.2, mouthFunnel: 0.5 },
  U: { jawOpen: 0.1, mouthPucker: 0.6 },
  M: { mouthPressLeft: 0.4, mouthPressRight: 0.4, mouthRollLower: 0.15, mouthRollUpper: 0.1 },
  F: { jawOpen: 0.05, mouthRollLower: 0.4, mouthUpperUpLeft: 0.15, mouthUpperUpRight: 0.15 },
};
const WORDS = [
  [1.2, "EOUM"], [1.95, "AE"], [4.9, "MAE"], [5.45, "OFEU"], [6.2, "AM"], [8.6, "FAO"], [9.15, "EMUE"], [9.9, "AEM"],
];
const SOUND = 0.15; // seconds from one sound to the next
const BROWS = [[1.2, 0.5, 0.35], [5.4, 0.7, 0.5], [9.1, 0.4, 0.4]];

/** A bump of height one around `centre`, zero `width` seconds away from it. */
function bump(t, centre, width) {
  const x = Math.abs(t - centre) / width;
  return x < 1 ? 0.5 + 0.5 * Math.cos(Math.PI * x) : 0;
}

function blink(t) {
  return Math.max(...BLINKS.map((start) => bump(t, start, t < start ? 0.08 : 0.14)));
}

function glance(t) {
  let i = GLANCES.length - 1;
  while (GLANCES[i][0] > t) i--;
  const [start, x, y] = GLANCES[i];
  const [, fromX, fromY] = GLANCES[Math.max(0, i - 1)];
  const share = Math.min(1, (t - start) / 0.09);
  return [fromX + (x - fromX) * share, fromY + (y - fromY) * share];
}

/**
 * What the clip adds at a time: `weights` by expression name, and head turns in radians (nod, turn, tilt).
 * `seconds` may be any number; the clip repeats.
 */
export function idleAt(seconds) {
  const t = ((seconds % LENGTH) + LENGTH) % LENGTH;
  const weights = {};
  const add = (name, value) => {
    weights[name] = (weights[name] || 0) + value;
  };
  const closed = blink(t);
  add("eyeBlinkLeft", closed);
  add("eyeBlinkRight", closed);
  const [x, y] = glance(t);
  add("eyeLookOutLeft", Math.max(0, x));
  add("eyeLookInRight", Math.max(0, x));
  add("eyeLookInLeft", Math.max(0, -x));
  add("eyeLookOutRight", Math.max(0, -x));
  for (const eye of ["Left", "Right"]) {
    add(`eyeLookUp${eye}`, Math.max(0, y));
    add(`eyeLookDown${eye}`, Math.max(0, -y));
  }
  for (const [start, sounds] of WORDS) {
    for (let i = 0; i < sounds.length; i++) {
      const strength = bump(t, start + i * SOUND, SOUND * 1.25);
      if (strength) for (const [name, value] of Object.entries(SHAPES[sounds[i]])) add(name, value * strength);
    }
  }
  for (const [start, width, height] of BROWS) {
    const strength = height * bump(t, start, width);
    add("browInnerUp", strength);
    add("browOuterUpLeft", strength * 0.6);
    add("browOuterUpRight", strength * 0.6);
  }
  const turn = (2 * Math.PI * t) / LENGTH; // whole periods, so that the loop has no seam
  return {
    weights,
    nod: 0.014 * Math.sin(3 * turn) + 0.01 * Math.sin(7 * turn + 1),
    turn: 0.03 * Math.sin(2 * turn) + 0.012 * Math.sin(5 * turn + 2),
    tilt: 0.012 * Math.sin(2 * turn + 1.3),
  };
}
