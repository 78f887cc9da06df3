// Closes the neck: a head of facerecon.export ends in an open rim, and nobody wants to look into it.

/** Vertices at one place get one number, whatever UV seam runs between them. */
function weld(position) {
  const seen = new Map();
  return Array.from({ length: position.length / 3 }, (_, i) => {
    const key = `${position[3 * i]},${position[3 * i + 1]},${position[3 * i + 2]}`;
    if (!seen.has(key)) seen.set(key, i);
    return seen.get(key);
  });
}

/** Edges of the rim as pairs of vertices, in the order their triangle has them: the open edges that hang lowest. */
function rim(position, index) {
  const same = weld(position);
  const open = new Map();
  for (let t = 0; t < index.length; t += 3) {
    for (let k = 0; k < 3; k++) {
      const a = index[t + k], b = index[t + ((k + 1) % 3)];
      if (!open.delete(`${same[b]},${same[a]}`)) open.set(`${same[a]},${same[b]}`, [a, b]);
    }
  }
  const next = new Map([...open.values()].map(([a, b]) => [same[a], [a, b]]));
  let lowest = null;
  for (const start of next.keys()) if (lowest === null || position[3 * start + 1] < position[3 * lowest + 1]) lowest = start;
  const loop = [];
  for (let at = lowest; next.has(at); at = same[loop[loop.length - 1][1]]) {
    loop.push(next.get(at));
    next.delete(at);
  }
  return loop;
}

/**
 * Adds a lid to `arrays` (position, normal, uv, joints, shares: typed arrays, some numbers a vertex) and `index`.
 * The lid has the colours of the rim. Returns the same names, with `index`.
 */
export function closeNeck(arrays, index) {
  const loop = rim(arrays.position, index);
  if (loop.length < 3) return { ...arrays, index };
  const count = arrays.position.length / 3;
  const widths = { position: 3, normal: 3, uv: 2, joints: 4, shares: 4 };
  const centre = [0, 1, 2].map((axis) => loop.reduce((sum, [a]) => sum + arrays.position[3 * a + axis], 0) / loop.length);
  const closed = { index: new Uint32Array(index.length + 3 * loop.length) };
  for (const [name, width] of Object.entries(widths)) {
    const values = new arrays[name].constructor(arrays[name].length + 3 * loop.length * width);
    values.set(arrays[name]);
    loop.forEach(([a, b], i) => {
      [b, a, a].forEach((from, k) => {
        const own = { position: k === 2 && centre, normal: [0, -1, 0] }[name];
        values.set(own || arrays[name].subarray(from * width, (from + 1) * width), (count + 3 * i + k) * width);
      });
    });
    closed[name] = values;
  }
  closed.index.set(index);
  for (let i = 0; i < 3 * loop.length; i++) closed.index[index.length + i] = count + i;
  return closed;
}
