// One head: read from a GLB, dressed in our material, moved by weights, let go of when done.
import { BufferAttribute, Group, LinearMipmapNearestFilter, Mesh, NoColorSpace } from "three";
import { GLTFLoader } from "three/addons/loaders/GLTFLoader.js";
import { createSurface, createWire } from "./material.js";
import { ambientOcclusion } from "./occlusion.js";
import { Shape } from "./shape.js";

// Teeth lie behind shut lips where openness is measured, and see the light as soon as these part.
const DARKEST = 0.4;

/** Reads a GLB (ArrayBuffer) of facerecon.export; throws where it is none. */
export async function readHead(buffer) {
  const gltf = await new GLTFLoader().parseAsync(buffer, "");
  let mesh = null;
  gltf.scene.traverse((node) => {
    if (node.isSkinnedMesh && !mesh) mesh = node;
  });
  if (!mesh || !mesh.morphTargetInfluences) throw new Error("the file holds no head");
  return new Head(mesh);
}

class Head {
  constructor(mesh) {
    this.names = mesh.userData.targetNames || Object.keys(mesh.morphTargetDictionary);
    this.photo = Object.fromEntries(this.names.map((name, i) => [name, mesh.morphTargetInfluences[i]]));
    this.bones = Object.fromEntries(mesh.skeleton.bones.map((bone) => [bone.name.replace(/^joint_/, ""), bone]));
    this.shape = new Shape(mesh);
    this.geometry = this.shape.geometry;
    this.triangles = mesh.geometry.index.count / 3;
    this.geometry.setAttribute("surface", new BufferAttribute(this.#surface(), 2, true));
    this.geometry.computeBoundingBox();
    this.texture = mesh.material.map;
    mesh.material.dispose();
    if (this.texture) {
      this.texture.colorSpace = NoColorSpace; // the shader decodes: a software driver is slow at it
      this.texture.minFilter = LinearMipmapNearestFilter;
    }
    this.material = createSurface(this.texture);
    this.lines = createWire();
    this.wire = new Mesh(this.geometry, this.lines);
    const surface = new Mesh(this.geometry, this.material);
    surface.frustumCulled = this.wire.frustumCulled = false;
    this.wire.renderOrder = 1;
    this.root = new Group().add(surface, this.wire);
  }

  /** Two bytes a vertex: how open it lies to the light, and whether it is wet: eyeballs are what hangs on their joints. */
  #surface() {
    const { neutral, normals, joints, shares, skeleton } = this.shape;
    const open = ambientOcclusion(neutral, normals, this.geometry.index.array);
    const eyes = new Set(skeleton.bones.flatMap((bone, i) => (/_eye$/.test(bone.name) ? [i] : [])));
    const bytes = new Uint8Array(2 * open.length);
    for (let i = 0; i < open.length; i++) {
      let wet = 0;
      for (let k = 4 * i; k < 4 * i + 4; k++) if (eyes.has(joints[k])) wet += shares[k];
      bytes[2 * i] = Math.round(255 * Math.min(1, Math.max(DARKEST, 0.08 + open[i])));
      bytes[2 * i + 1] = Math.round(255 * Math.min(1, wet));
    }
    return bytes;
  }

  /** Sets the strength of every expression, `base` by name plus what a clip adds, and the head's turns in radians. */
  express(base, added = {}, { nod = 0, turn = 0, tilt = 0 } = {}) {
    const { neck, head } = this.bones;
    neck?.rotation.set(nod * 0.4, turn * 0.4, tilt * 0.4);
    head?.rotation.set(nod * 0.6, turn * 0.6, tilt * 0.6);
    this.shape.update(this.names.map((name) => Math.min(1, Math.max(0, (base[name] || 0) + (added[name] || 0)))));
  }

  /** Gives GPU memory back. */
  dispose() {
    this.root.removeFromParent();
    this.geometry.dispose();
    this.material.dispose();
    this.lines.dispose();
    if (this.texture) {
      this.texture.dispose();
      this.texture.image?.close?.();
    }
  }
}
