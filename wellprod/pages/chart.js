// Draws a Vega-Lite chart that is as wide as its place, one drawing after the other.
async function render({ model, el }) {
  const place = document.createElement("div");
  el.append(place);
  let view = null;
  let beside = 0;  // pixels of axes and legends beside the panels
  let drawing = Promise.resolve();

  async function fit() {
    if (!view || !view.signal("width") || !el.clientWidth) return;
    const { paddingLeft, paddingRight } = getComputedStyle(place);  // room for the button of the menu
    const room = el.clientWidth - parseFloat(paddingLeft) - parseFloat(paddingRight);
    const width = Math.max(Math.floor(room - beside), 200);
    if (Math.abs(width - view.signal("width")) > 1) await view.signal("width", width).runAsync();
  }

  async function draw() {
    view?.finalize();
    view = null;
    const spec = structuredClone(model.get("spec"));
    if (!spec?.$schema) return place.replaceChildren();
    ({ view } = await vegaEmbed(place, spec, { mode: "vega-lite" }));
    await view.runAsync();
    place.querySelector("summary")?.setAttribute("aria-label", "Save the chart as a picture");
    for (const mark of place.querySelectorAll("[role^=graphics]:not([aria-label])")) mark.setAttribute("aria-hidden", "true");
    beside = parseFloat(place.querySelector("svg")?.getAttribute("width") ?? 0) - view.signal("width");
    await fit();
  }

  const next = (what) => {
    drawing = drawing.then(what).catch((error) => {
      place.textContent = `The chart cannot be drawn here: ${error.message}. The table below has its figures.`;
    });
    return drawing;
  };

  const watching = new ResizeObserver(() => next(fit));
  model.on("change:spec", () => next(draw));
  await next(draw);
  watching.observe(el);
  return () => {
    watching.disconnect();
    view?.finalize();
  };
}

export default { render };
