// Viewers that move together: what the visitor does to one, all of its group do.
const groups = new Map();

/** Joins a group; returns `{ tell, leave }`. `tell(message)` calls `hear(message)` of all others. */
export function join(name, hear) {
  if (!name) return { tell: () => {}, leave: () => {} };
  const group = groups.get(name) || new Set();
  groups.set(name, group.add(hear));
  return {
    tell: (message) => group.forEach((other) => other !== hear && other(message)),
    leave: () => group.delete(hear),
  };
}
