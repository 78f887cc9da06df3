// The looks of a head: skin, clay or normals in one small shader, cheap enough for a browser without a GPU.
import { Color, ShaderMaterial, Vector3 } from "three";
import { irradiance } from "./light.js";

export const MODES = ["texture", "geometry", "normals"];

// Whatever changes slowly over the surface is worked out at the vertices: the sky, how open a place lies.
const VERTEX = /* glsl */ `
attribute vec2 surface;
uniform int mode;
uniform vec3 harmonics[9];
uniform float ambient;
uniform float environment;
varying vec3 vNormal;
varying vec3 vView;
varying vec3 vSky;
varying vec2 vUv;
varying vec2 vSurface;

vec3 around(vec3 n) {
  return harmonics[0] + harmonics[1] * n.y + harmonics[2] * n.z + harmonics[3] * n.x
    + harmonics[4] * (n.x * n.y) + harmonics[5] * (n.y * n.z) + harmonics[6] * (3.0 * n.z * n.z - 1.0)
    + harmonics[7] * (n.x * n.z) + harmonics[8] * (n.x * n.x - n.y * n.y);
}

void main() {
  vec4 world = modelMatrix * vec4(position, 1.0);
  vec3 n = normalize(mat3(modelMatrix) * normal);
  float open = surface.x;
  // A photo's texture holds some of its own shade already; only deep places get more.
  float shade = mode == 0 ? mix(1.0, open, 0.5 + 0.5 * (1.0 - smoothstep(0.15, 0.45, open))) : open * open;
  vNormal = mode == 2 ? mat3(viewMatrix) * n : n;
  vView = cameraPosition - world.xyz;
  vSky = (ambient + max(around(n), 0.0) * environment) * (mode == 0 ? shade : 0.72 * shade);
  vUv = uv;
  vSurface = vec2(shade, surface.y);
  gl_Position = projectionMatrix * viewMatrix * world;
}`;

// No pow, no exp: this runs at every pixel, perhaps on a processor.
// Diffuse light wraps around the terminator, red farthest, as light under skin does.
const FRAGMENT = /* glsl */ `
uniform int mode;
uniform sampler2D map;
uniform vec3 colour;
uniform vec3 keyDirection;
uniform vec3 key;
varying vec3 vNormal;
varying vec3 vView;
varying vec3 vSky;
varying vec2 vUv;
varying vec2 vSurface;

vec3 linear(vec3 c) { return c * (c * (c * 0.305306011 + 0.682171111) + 0.012522878); }

vec3 encoded(vec3 c) {
  vec3 a = sqrt(c), b = sqrt(a);
  return 0.662002687 * a + 0.684122060 * b - 0.323583601 * sqrt(b) - 0.022541147 * c;
}

void main() {
  vec3 n = normalize(vNormal);
  if (mode == 2) {
    gl_FragColor = vec4(n * 0.5 + 0.5, 1.0);
    return;
  }
  vec3 v = normalize(vView);
  vec3 albedo = mode == 0 ? linear(texture2D(map, vUv).rgb) : colour;
  vec3 wrap = mode == 0 ? vec3(0.42, 0.2, 0.14) : vec3(0.06);
  float facing = dot(n, keyDirection);
  vec3 lit = clamp((facing + wrap) / (1.0 + wrap), 0.0, 1.0) * (0.4 + 0.6 * vSurface.x);
  float c2 = max(dot(n, normalize(v + keyDirection)), 0.0);
  c2 *= c2;
  float c16 = c2 * c2 * c2 * c2;
  c16 *= c16;
  float c64 = c16 * c16 * c16 * c16;
  float shine = mix(0.1 * c16 + 0.06 * c64, 0.9 * c64 * c64 * c64 * c64, vSurface.y);
  float away = 1.0 - max(dot(n, v), 0.0);
  float grazing = away * away * away * away * away;
  vec3 gleam = key * (shine * step(0.0, facing) * vSurface.x) + vSky * (0.02 + 0.16 * grazing);
  vec3 c = albedo * (vSky + key * lit) + gleam;
  vec3 over = max(c - 0.7, 0.0) / 0.3;
  gl_FragColor = vec4(encoded(min(c, 0.7) + 0.3 * over / (1.0 + over)), 1.0);
}`;

const WIRE = /* glsl */ `
uniform vec4 line;
void main() { gl_FragColor = line; }`;

/** The surface of a head; `map` is its texture or null. */
export function createSurface(map) {
  return new ShaderMaterial({
    vertexShader: VERTEX,
    fragmentShader: FRAGMENT,
    polygonOffset: true,
    polygonOffsetFactor: 1,
    polygonOffsetUnits: 1,
    uniforms: {
      mode: { value: 0 },
      map: { value: map },
      colour: { value: new Color() },
      harmonics: { value: irradiance() },
      keyDirection: { value: new Vector3(0, 0, 1) },
      key: { value: new Color() },
      ambient: { value: 0 },
      environment: { value: 0 },
    },
  });
}

const WIRE_VERTEX = /* glsl */ `
void main() { gl_Position = projectionMatrix * modelViewMatrix * vec4(position, 1.0); }`;

/** The lines of the wireframe, drawn over the surface. */
export function createWire() {
  return new ShaderMaterial({
    vertexShader: WIRE_VERTEX,
    fragmentShader: WIRE,
    wireframe: true,
    transparent: true,
    depthWrite: false,
    uniforms: { line: { value: [0.02, 0.05, 0.06, 0.28] } },
  });
}
