// Small helpers to build elements.

/** An element with attributes (on… are listeners; null and false are left out) and children. */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== null && value !== false) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

const PATHS = {
  texture: '<circle cx="12" cy="12" r="8.5"/><path d="M8.7 10h.01M15.3 10h.01M8.5 14.5c1.8 2 5.2 2 7 0" />',
  geometry: '<path d="M12 3.2 19.6 7.6v8.8L12 20.8 4.4 16.4V7.6z"/><path d="M12 12v8.8M12 12 4.4 7.6M12 12l7.6-4.4"/>',
  normals: '<path d="M12 13V4M12 13l7.5 4.5M12 13l-7.5 4.5M9.8 6.2 12 4l2.2 2.2M16.6 18.2l2.9-.7-.8-2.9M7.4 18.2l-2.9-.7.8-2.9"/>',
  wireframe: '<path d="M4 5h16v14H4zM4 12h16M12 5v14M4 5l8 7 8-7M4 19l8-7 8 7"/>',
  play: '<path d="M8 5.5v13l10.5-6.5z"/>',
  stop: '<path d="M8 5.5v13M16 5.5v13"/>',
  pose: '<rect x="3.5" y="5" width="17" height="14" rx="2.5"/><circle cx="12" cy="10.8" r="2.6"/><path d="M7.2 19c.5-3 2.3-4.3 4.8-4.3s4.3 1.3 4.8 4.3"/>',
  panel: '<path d="M4 7h8M17 7h3M4 12h2M11 12h9M4 17h10M19 17h1"/><circle cx="14.5" cy="7" r="2.2"/><circle cx="8.5" cy="12" r="2.2"/><circle cx="16.5" cy="17" r="2.2"/>',
  reset: '<path d="M4.5 12a7.5 7.5 0 1 0 2.4-5.5L4.5 8.6M4.5 4.2v4.4h4.4"/>',
  full: '<path d="M4 9V4h5M20 9V4h-5M4 15v5h5M20 15v5h-5"/>',
  small: '<path d="M9 4v5H4M15 4v5h5M9 20v-5H4M15 20v-5h5"/>',
};

/** An icon, hidden from screen readers. */
export function icon(name) {
  const box = document.createElement("span");
  box.className = "fr-icon";
  box.innerHTML = `<svg viewBox="0 0 24 24" aria-hidden="true" focusable="false">${PATHS[name]}</svg>`;
  return box;
}
