/** Which detections belong on the picture that is being shown, and which of them a person wants to see. */

import { Overlay } from "./overlay.js";

/** Boxes of an earlier picture are drawn fainter. */
const AGED_ALPHA = 0.6;
/** Boxes this old are of another scene. */
const OLDEST_MS = 3000;

/**
 * @typedef {object} Shown what is drawn right now
 * @property {import("./metadata.js").Detection[]} items
 * @property {number} stampUs the picture they were found in
 * @property {number} ageMs how much older than the picture shown; 0 for boxes of exactly that picture
 * @property {number} width of the picture the boxes are in [px]
 * @property {number} height
 */

export class Boxes {
  /** Classes that are not drawn. @type {Set<string>} */
  hidden = new Set();
  /** Every class seen so far, and how many of it are in the newest picture. @type {Map<string, number>} */
  classes = new Map();
  /** Whether the robot draws the boxes into the picture, so that nobody can take them off here. */
  drawn = false;
  #overlay = new Overlay();
  #enabled = true;
  /** @type {Shown | null} */
  #shown = null;

  get canvas() {
    return this.#overlay.canvas;
  }

  get enabled() {
    return this.#enabled;
  }

  set enabled(enabled) {
    this.#enabled = enabled;
    if (!enabled) this.clear();
  }

  /** @returns {Shown | null} */
  get shown() {
    return this.#shown;
  }

  close() {
    this.#overlay.close();
  }

  clear() {
    this.#shown = null;
    this.#overlay.clear();
  }

  /**
   * Draw what was found in a picture, or in one not long before it.
   *
   * @param {import("./metadata.js").Detections | undefined} found
   * @param {number} ageMs how much older than the picture shown
   * @returns {boolean} whether `classes` has grown or `drawn` has changed
   */
  show(found, ageMs) {
    if (!found || ageMs > OLDEST_MS) {
      this.clear();
      return false;
    }
    const before = { size: this.classes.size, drawn: this.drawn };
    this.#count(found.items);
    this.drawn = found.drawn;
    if (found.drawn) this.clear();
    else if (this.#enabled) {
      const items = found.items.filter(({ label }) => !this.hidden.has(label));
      this.#shown = { items, stampUs: found.stamp_us, ageMs, width: found.width, height: found.height };
      this.#overlay.draw(items, found.width, found.height, ageMs === 0 ? 1 : AGED_ALPHA);
    }
    return this.classes.size > before.size || this.drawn !== before.drawn;
  }

  #count(items) {
    for (const label of this.classes.keys()) this.classes.set(label, 0);
    for (const { label } of items) this.classes.set(label, (this.classes.get(label) ?? 0) + 1);
  }
}
