// A head's shape at given expressions and turns, worked out on the processor: the moves are sparse, and a graphics
// driver in software would pay for all 52 targets at every vertex of every frame.
import { BufferAttribute, BufferGeometry, DynamicDrawUsage } from "three";
import { closeNeck } from "./cap.js";

/** The rows of a dense target (three floats a vertex) that are not zero, positions and normals together. */
function sparse(move, turn) {
  const rows = [];
  for (let i = 0; i < move.length; i += 3) {
    if (move[i] || move[i + 1] || move[i + 2] || turn[i] || turn[i + 1] || turn[i + 2]) rows.push(i);
  }
  const values = new Float32Array(rows.length * 6);
  rows.forEach((row, k) => {
    values.set(move.subarray(row, row + 3), 6 * k);
    values.set(turn.subarray(row, row + 3), 6 * k + 3);
  });
  return { rows: Uint32Array.from(rows), values };
}

export class Shape {
  /** `mesh` is the skinned mesh of a GLB with relative morph targets. */
  constructor(mesh) {
    const { attributes, index, morphAttributes } = mesh.geometry;
    const whole = closeNeck({
      position: attributes.position.array, normal: attributes.normal.array, uv: attributes.uv.array,
      joints: attributes.skinIndex.array, shares: attributes.skinWeight.array,
    }, index.array);
    this.skeleton = mesh.skeleton;
    this.neutral = whole.position;
    this.normals = whole.normal;
    this.joints = whole.joints;
    this.shares = whole.shares;
    this.targets = morphAttributes.position.map((move, i) => sparse(move.array, morphAttributes.normal[i].array));
    this.geometry = new BufferGeometry();
    this.geometry.setIndex(new BufferAttribute(whole.index, 1));
    this.geometry.setAttribute("position", new BufferAttribute(this.neutral.slice(), 3).setUsage(DynamicDrawUsage));
    this.geometry.setAttribute("normal", new BufferAttribute(this.normals.slice(), 3).setUsage(DynamicDrawUsage));
    this.geometry.setAttribute("uv", new BufferAttribute(whole.uv, 2));
    this.last = "";
  }

  /** Deforms the geometry: strength of each target, then the skeleton as it stands. */
  update(weights) {
    this.skeleton.bones[0].updateMatrixWorld(true);
    this.skeleton.update();
    const key = `${weights.join()}|${this.skeleton.bones.map((bone) => bone.quaternion.toArray().join()).join()}`;
    if (key === this.last) return;
    this.last = key;
    const { position, normal } = this.geometry.attributes;
    position.array.set(this.neutral);
    normal.array.set(this.normals);
    weights.forEach((weight, i) => weight && add(this.targets[i], weight, position.array, normal.array));
    this.#bend(position.array, normal.array);
    position.needsUpdate = normal.needsUpdate = true;
  }

  /** Linear blend skinning; skipped while the skeleton rests. */
  #bend(position, normal) {
    if (this.skeleton.bones.every((bone) => Math.abs(bone.quaternion.w) > 1 - 1e-9)) return;
    const bones = this.skeleton.boneMatrices, { joints, shares } = this;
    const m = new Float32Array(12);
    for (let i = 0, j = 0; i < position.length; i += 3, j += 4) {
      m.fill(0);
      for (let k = j; k < j + 4; k++) {
        const share = shares[k];
        if (!share) continue;
        const at = 16 * joints[k];
        for (let column = 0; column < 4; column++) {
          for (let row = 0; row < 3; row++) m[3 * column + row] += share * bones[at + 4 * column + row];
        }
      }
      const x = position[i], y = position[i + 1], z = position[i + 2];
      const a = normal[i], b = normal[i + 1], c = normal[i + 2];
      for (let row = 0; row < 3; row++) {
        position[i + row] = m[row] * x + m[3 + row] * y + m[6 + row] * z + m[9 + row];
        normal[i + row] = m[row] * a + m[3 + row] * b + m[6 + row] * c;
      }
    }
  }
}

function add({ rows, values }, weight, position, normal) {
  for (let k = 0, v = 0; k < rows.length; k++, v += 6) {
    const i = rows[k];
    position[i] += weight * values[v];
    position[i + 1] += weight * values[v + 1];
    position[i + 2] += weight * values[v + 2];
    normal[i] += weight * values[v + 3];
    normal[i + 1] += weight * values[v + 4];
    normal[i + 2] += weight * values[v + 5];
  }
}
