// A canvas that fits its place, in the theme's colours, drawn again only while something moves.

const reducedMotion = matchMedia("(prefers-reduced-motion: reduce)");

// `paint(pen, seconds)` draws one frame, `seconds` after the last one drawn (0 for the first, Infinity where nothing should
// move); it returns whether something still moves.
export function createCanvas(canvas, paint) {
  let last = null;
  let frame = null;
  const draw = (now) => {
    const pen = preparePen(canvas);
    const step = last === null ? 0 : (now - last) / 1000;
    last = now;
    frame = null;
    if (paint(pen, reducedMotion.matches ? Infinity : step)) frame = requestAnimationFrame(draw);
    else last = null;
  };
  const request = () => { frame ??= requestAnimationFrame(draw); };
  new ResizeObserver(request).observe(canvas);
  new MutationObserver(request).observe(document.body, { attributeFilter: ["class", "data-presenting"] });
  return request;
}

// The context, its size in CSS pixels, and the colours of now.
function preparePen(canvas) {
  const { clientWidth: width, clientHeight: height } = canvas;
  const [x, y] = [width, height].map((size) => Math.round(size * devicePixelRatio));
  if (canvas.width !== x || canvas.height !== y) Object.assign(canvas, { width: x, height: y });
  const context = canvas.getContext("2d");
  context.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
  context.clearRect(0, 0, width, height);
  const style = getComputedStyle(canvas);
  const colour = (name) => style.getPropertyValue(`--${name}`).trim();
  const font = (size, weight = 450) => `${weight} ${size}px system-ui, sans-serif`;
  return { context, width, height, colour, font, size: parseFloat(style.fontSize) };
}

// A line for each of `marks`, {x, text}, and its text below.
export function drawAxis({ context, height, colour, font, size }, marks) {
  context.font = font(size * 0.85);
  context.textAlign = "center";
  context.textBaseline = "alphabetic";
  for (const { x, text } of marks) {
    context.fillStyle = colour("grid");
    context.fillRect(x, 0, 1, height - size - 8);
    context.fillStyle = colour("soft");
    context.fillText(text, Math.min(x, context.canvas.clientWidth - 20), height - 4);
  }
}

// The canvas as a PNG on the page's ground.
export function takePicture(canvas) {
  const copy = document.createElement("canvas");
  Object.assign(copy, { width: canvas.width, height: canvas.height });
  const context = copy.getContext("2d");
  context.fillStyle = getComputedStyle(canvas).getPropertyValue("--sheet");
  context.fillRect(0, 0, copy.width, copy.height);
  context.drawImage(canvas, 0, 0);
  return copy.toDataURL("image/png");
}
