// ARKit's expression names, by region and in words.
const REGIONS = [
  ["Eyes", /^eye/], ["Brows", /^brow/], ["Jaw", /^jaw/], ["Mouth", /^mouth/], ["Cheeks", /^cheek/], ["Nose", /^nose/],
  ["Tongue", /^tongue/],
];

/** `[region, names]` pairs in a fixed order; names of no known region come last, as "Other". */
export function byRegion(names) {
  const left = new Set(names);
  const groups = REGIONS.map(([region, pattern]) => [region, names.filter((name) => pattern.test(name) && left.delete(name))]);
  return [...groups, ["Other", [...left]]].filter(([, members]) => members.length);
}

/** "eyeBlinkLeft" as "Blink left". */
export function inWords(name) {
  const words = name.replace(/^(eye|brow|jaw|mouth|cheek|nose|tongue)(?=[A-Z])/, "").replace(/([A-Z])/g, " $1").trim().toLowerCase();
  return words[0].toUpperCase() + words.slice(1);
}

/** The same expression on the other side of the face, or null. */
export function otherSide(name) {
  if (/^(jaw|mouth)(Left|Right)$/.test(name)) return null; // a move to one side, not one of a pair
  // Eyes look the same way together: in with one is out with the other.
  const swap = { Left: "Right", Right: "Left", In: "Out", Out: "In" };
  const gaze = name.match(/^eyeLook(In|Out)(Left|Right)$/);
  if (gaze) return `eyeLook${swap[gaze[1]]}${swap[gaze[2]]}`;
  const side = name.match(/^(.+)(Left|Right)$/);
  return side ? side[1] + swap[side[2]] : null;
}
