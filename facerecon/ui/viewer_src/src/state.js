// What a visitor can set, and what it is at first.
export const DEFAULTS = Object.freeze({
  mode: "texture",
  wireframe: false,
  colour: "#c6b8aa",
  ambient: 0.2,
  environment: 0.5,
  key: 0.55,
  keyAround: 35,
  keyAbove: 35,
  idle: false,
  photoPose: false,
  stats: false,
  panel: false,
});

export const LIGHT = {
  ambient: { label: "Ambient", max: 1 },
  environment: { label: "Environment", max: 1.5 },
  key: { label: "Key light", max: 1.5 },
  keyAround: { label: "Key, around", min: -180, max: 180, step: 1, unit: "°" },
  keyAbove: { label: "Key, above", min: -60, max: 90, step: 1, unit: "°" },
};

// One viewer's own business: not passed to the others of its group.
export const PRIVATE = new Set(["stats", "panel"]);
