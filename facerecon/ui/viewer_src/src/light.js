// The studio around the head, as second-order spherical harmonics: a soft environment for nine numbers a colour.
import { Vector3 } from "three";

// Where light comes from, its colour and strength: a wide cool sky, a warm wall, a window behind, the floor's glow.
const LAMPS = [
  [0, 1, 0.25, [0.6, 0.66, 0.74]],
  [0.8, 0.1, 0.6, [0.5, 0.47, 0.43]],
  [-0.9, 0.25, 0.35, [0.36, 0.4, 0.46]],
  [-0.5, 0.35, -0.9, [0.5, 0.55, 0.62]],
  [0.7, 0.2, -0.8, [0.42, 0.38, 0.36]],
  [0, -0.9, 0.45, [0.18, 0.15, 0.13]],
];

/**
 * Polynomial coefficients of the light that a normal receives: 1, y, z, x, xy, yz, 3zz-1, xz, xx-yy.
 * Scaled so that a face looking along z receives about one.
 */
export function irradiance() {
  const sums = Array.from({ length: 9 }, () => new Vector3());
  for (const [x, y, z, colour] of LAMPS) {
    const d = new Vector3(x, y, z).normalize();
    // A lamp's clamped cosine in harmonics: 1/4, 1/2, and 5/16 for the second order.
    const terms = [
      1 / 4, d.y / 2, d.z / 2, d.x / 2,
      (15 / 16) * d.x * d.y, (15 / 16) * d.y * d.z, (5 / 64) * (3 * d.z * d.z - 1),
      (15 / 16) * d.x * d.z, (15 / 64) * (d.x * d.x - d.y * d.y),
    ];
    terms.forEach((term, i) => sums[i].addScaledVector(new Vector3(...colour), term));
  }
  const front = sums[0].clone().add(sums[2]).addScaledVector(sums[6], 2).addScaledVector(sums[8], 0);
  const mean = (front.x + front.y + front.z) / 3;
  return sums.map((sum) => sum.divideScalar(mean));
}

/** Direction of the key light, from angles in degrees around and above the head. */
export function keyDirection(around, above, target) {
  const a = (around * Math.PI) / 180;
  const b = (above * Math.PI) / 180;
  return target.set(Math.sin(a) * Math.cos(b), Math.sin(b), Math.cos(a) * Math.cos(b));
}
