// What the browser can draw with.
let known = null;

/** `{ supported, software }`: whether there is WebGL 2, and whether the processor has to do it. */
export function webgl() {
  if (known) return known;
  let context = null;
  try {
    context = document.createElement("canvas").getContext("webgl2");
  } catch {
    context = null; // some browsers throw where a policy forbids it
  }
  if (!context) return (known = { supported: false, software: false });
  const info = context.getExtension("WEBGL_debug_renderer_info");
  const name = String(context.getParameter(info ? info.UNMASKED_RENDERER_WEBGL : context.RENDERER));
  context.getExtension("WEBGL_lose_context")?.loseContext();
  return (known = { supported: true, software: /swiftshader|llvmpipe|software|basic render/i.test(name) });
}
