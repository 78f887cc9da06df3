// How much of the sky each vertex sees: depth maps from many directions, drawn in plain JavaScript.
const SIZE = 128;
const DIRECTIONS = 40;
const SLACK = 0.0035; // metres: what lies this close is the surface itself

/** Directions spread evenly over the sphere. */
function directions(count) {
  const golden = Math.PI * (3 - Math.sqrt(5));
  return Array.from({ length: count }, (_, i) => {
    const y = 1 - (2 * i + 1) / count;
    const r = Math.sqrt(1 - y * y);
    return [Math.cos(golden * i) * r, y, Math.sin(golden * i) * r];
  });
}

function axes([x, y, z]) {
  const up = Math.abs(y) < 0.9 ? [0, 1, 0] : [1, 0, 0];
  let u = [up[1] * z - up[2] * y, up[2] * x - up[0] * z, up[0] * y - up[1] * x];
  const length = Math.hypot(...u);
  u = u.map((value) => value / length);
  return [u, [y * u[2] - z * u[1], z * u[0] - x * u[2], x * u[1] - y * u[0]]];
}

/** Writes the nearest depth of every triangle into `depth` (SIZE x SIZE). */
function draw(points, index, depth) {
  depth.fill(-Infinity);
  for (let t = 0; t < index.length; t += 3) {
    const a = index[t] * 3, b = index[t + 1] * 3, c = index[t + 2] * 3;
    const ax = points[a], ay = points[a + 1], az = points[a + 2];
    const bx = points[b], by = points[b + 1], bz = points[b + 2];
    const cx = points[c], cy = points[c + 1], cz = points[c + 2];
    const area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax);
    if (Math.abs(area) < 1e-9) continue;
    const x1 = Math.min(SIZE - 1, Math.floor(Math.max(ax, bx, cx)));
    const y1 = Math.min(SIZE - 1, Math.floor(Math.max(ay, by, cy)));
    for (let y = Math.max(0, Math.ceil(Math.min(ay, by, cy))); y <= y1; y++) {
      for (let x = Math.max(0, Math.ceil(Math.min(ax, bx, cx))); x <= x1; x++) {
        const wb = ((x - ax) * (cy - ay) - (y - ay) * (cx - ax)) / area;
        const wc = ((bx - ax) * (y - ay) - (by - ay) * (x - ax)) / area;
        if (wb < 0 || wc < 0 || wb + wc > 1) continue;
        const z = az + wb * (bz - az) + wc * (cz - az);
        if (z > depth[y * SIZE + x]) depth[y * SIZE + x] = z;
      }
    }
  }
}

/**
 * Share of the sky that each vertex sees, cosine-weighted, in [0, 1].
 * `position` and `normal` hold three floats a vertex, metres; `index` three vertices a triangle.
 */
export function ambientOcclusion(position, normal, index) {
  const count = position.length / 3;
  const middle = [0, 1, 2].map((axis) => {
    let low = Infinity, high = -Infinity;
    for (let i = axis; i < position.length; i += 3) {
      if (position[i] < low) low = position[i];
      if (position[i] > high) high = position[i];
    }
    return [(low + high) / 2, high - low];
  });
  const scale = (SIZE - 2) / Math.hypot(...middle.map((range) => range[1]));
  const points = new Float32Array(position.length);
  const depth = new Float32Array(SIZE * SIZE);
  const seen = new Float32Array(count), all = new Float32Array(count);
  for (const direction of directions(DIRECTIONS)) {
    const [u, v] = axes(direction);
    for (let i = 0; i < position.length; i += 3) {
      const x = position[i] - middle[0][0], y = position[i + 1] - middle[1][0], z = position[i + 2] - middle[2][0];
      points[i] = (x * u[0] + y * u[1] + z * u[2]) * scale + SIZE / 2;
      points[i + 1] = (x * v[0] + y * v[1] + z * v[2]) * scale + SIZE / 2;
      points[i + 2] = x * direction[0] + y * direction[1] + z * direction[2];
    }
    draw(points, index, depth);
    for (let i = 0; i < count; i++) {
      const j = i * 3;
      const cosine = normal[j] * direction[0] + normal[j + 1] * direction[1] + normal[j + 2] * direction[2];
      if (cosine <= 0.05) continue;
      all[i] += cosine;
      const over = depth[Math.round(points[j + 1]) * SIZE + Math.round(points[j])] - points[j + 2];
      // A steep surface rises within one pixel of the map.
      if (over < SLACK + (1.5 / scale) * (Math.sqrt(1 - Math.min(1, cosine * cosine)) / cosine)) seen[i] += cosine;
    }
  }
  return seen.map((value, i) => (all[i] ? value / all[i] : 1));
}
