// Entry: `mount` puts a viewer into an element of the page.
import style from "./style.css";
import { Viewer } from "./viewer.js";

window.faceReconViewers ??= [];

/** Fills `host` with a viewer; `options`: label, placeholder, sync. */
export function mount(host, options) {
  if (!document.getElementById("facerecon-viewer-style")) {
    const element = document.createElement("style");
    element.id = "facerecon-viewer-style";
    element.textContent = style;
    document.head.append(element);
  }
  const viewer = new Viewer(host, options);
  host.faceReconViewer = viewer;
  window.faceReconViewers.push(viewer);
  viewer.onDispose = () => {
    window.faceReconViewers.splice(window.faceReconViewers.indexOf(viewer), 1);
  };
  return viewer;
}
