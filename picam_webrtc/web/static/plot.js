/** A small line that moves: the last minute of one figure. */

const KEPT = 60;

export class Plot {
  canvas = document.createElement("canvas");
  #values = [];

  constructor() {
    this.canvas.className = "plot";
    this.canvas.ariaHidden = "true"; // the figure beside it says it in words
  }

  /** @param {number} value NaN leaves a gap */
  add(value) {
    this.#values.push(value);
    if (this.#values.length > KEPT) this.#values.shift();
    this.#draw();
  }

  #draw() {
    const { canvas } = this;
    const width = (canvas.width = Math.round(canvas.clientWidth * devicePixelRatio));
    const height = (canvas.height = Math.round(canvas.clientHeight * devicePixelRatio));
    const context = canvas.getContext("2d");
    const line = 1.5 * devicePixelRatio;
    const known = this.#values.filter(Number.isFinite);
    const top = Math.max(...known, Number.MIN_VALUE) * 1.15;
    const xOf = (index) => width - ((this.#values.length - 1 - index) / (KEPT - 1)) * width;
    const yOf = (value) => height - line - (value / top) * (height - 2 * line);
    context.lineWidth = line;
    context.lineJoin = "round";
    context.strokeStyle = getComputedStyle(canvas).color;
    context.beginPath();
    let isDown = false;
    this.#values.forEach((value, index) => {
      if (Number.isFinite(value)) context[isDown ? "lineTo" : "moveTo"](xOf(index), yOf(value));
      isDown = Number.isFinite(value);
    });
    context.stroke();
  }
}
