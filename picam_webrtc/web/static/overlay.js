/** Boxes and labels over a picture: crisp at any size, because they are drawn at the screen's resolution. */

/** Told apart by most eyes on most pictures (after Okabe and Ito's palette); a class keeps its colour by its name. */
const COLORS = ["#56b4e9", "#f0c541", "#2fc79a", "#ef7f45", "#d98cc0", "#8fd14f", "#b7a3f5", "#ff9aa2"];
const FONT_PX = 13;
const LINE_PX = 2;
const PADDING_PX = 5;

/** @param {string} label @returns {string} a CSS colour */
export function colorOf(label) {
  let hash = 0;
  for (const character of label) hash = (hash * 31 + character.codePointAt(0)) >>> 0;
  return COLORS[hash % COLORS.length];
}

/**
 * Where `object-fit: contain` puts a picture in an element.
 *
 * @returns {{x: number, y: number, scale: number}} in the element's pixels
 */
export function fit(pictureWidth, pictureHeight, width, height) {
  const scale = Math.min(width / pictureWidth, height / pictureHeight);
  return { x: (width - pictureWidth * scale) / 2, y: (height - pictureHeight * scale) / 2, scale };
}

/**
 * Draw detections onto a canvas that covers a picture.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {import("./metadata.js").Detection[]} items
 * @param {{x: number, y: number, scale: number}} place of the picture whose pixels the boxes are in
 * @param {number} [zoom] of lines and letters
 */
export function drawDetections(context, items, place, zoom = 1) {
  context.font = `600 ${FONT_PX * zoom}px system-ui, sans-serif`;
  context.textBaseline = "middle";
  context.lineWidth = LINE_PX * zoom;
  for (const { label, score, box } of items) {
    const [x0, y0, x1, y1] = box;
    const left = place.x + x0 * place.scale;
    const top = place.y + y0 * place.scale;
    context.strokeStyle = colorOf(label);
    context.strokeRect(left, top, (x1 - x0) * place.scale, (y1 - y0) * place.scale);
    drawLabel(context, `${label} ${Math.round(score * 100)}`, left, top, place.y, zoom);
  }
}

/** Above the box, or inside it where there is no room above. */
function drawLabel(context, text, left, top, pictureTop, zoom) {
  const height = (FONT_PX + 2 * PADDING_PX) * zoom;
  const width = context.measureText(text).width + 2 * PADDING_PX * zoom;
  const x = left - context.lineWidth / 2;
  const y = top - height >= pictureTop ? top - height : top;
  context.fillStyle = context.strokeStyle;
  context.fillRect(x, y, width, height);
  context.fillStyle = "#0d1113";
  context.fillText(text, x + PADDING_PX * zoom, y + height / 2);
}

/** A transparent canvas over a viewer's element. */
export class Overlay {
  canvas = document.createElement("canvas");
  #context = this.canvas.getContext("2d");
  #isClear = true;
  #observer = new ResizeObserver(() => this.#resize());

  constructor() {
    const style = { position: "absolute", inset: 0, width: "100%", height: "100%", pointerEvents: "none" };
    Object.assign(this.canvas.style, style);
    this.canvas.className = "picam-boxes";
    this.canvas.ariaHidden = "true";
    this.#observer.observe(this.canvas);
  }

  close() {
    this.#observer.disconnect();
  }

  clear() {
    if (this.#isClear) return;
    this.#context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    this.#isClear = true;
  }

  /**
   * Draw these detections and nothing else.
   *
   * @param {import("./metadata.js").Detection[]} items
   * @param {number} width of the picture the boxes are in [px]
   * @param {number} height
   * @param {number} [alpha] less than 1 for boxes of an older picture
   */
  draw(items, width, height, alpha = 1) {
    this.clear();
    if (!items.length) return;
    const zoom = devicePixelRatio;
    this.#context.globalAlpha = alpha;
    drawDetections(this.#context, items, fit(width, height, this.canvas.width, this.canvas.height), zoom);
    this.#isClear = false;
  }

  #resize() {
    // The next picture draws again, within 33 ms.
    this.canvas.width = Math.round(this.canvas.clientWidth * devicePixelRatio);
    this.canvas.height = Math.round(this.canvas.clientHeight * devicePixelRatio);
    this.#isClear = true;
  }
}
