/** The classes that were seen, their colours, and which of them are drawn. */

import { colorOf } from "./overlay.js";

const COUNT_INTERVAL_MS = 500;

export class Legend {
  #card;
  /** Kept from stream to stream. @type {Set<string>} */
  #hidden = new Set();
  #viewer = null;
  #enabled = true;

  /** @param {HTMLElement} card */
  constructor(card) {
    this.#card = card;
    setInterval(() => this.#count(), COUNT_INTERVAL_MS);
  }

  /** @param {import("./viewer.js").Viewer | null} viewer */
  watch(viewer) {
    this.#viewer = viewer;
    this.#show([]);
    if (!viewer) return;
    viewer.boxes.hidden = this.#hidden;
    viewer.addEventListener("classes", ({ detail }) => this.#viewer === viewer && this.#show(detail.labels));
  }

  set enabled(enabled) {
    this.#enabled = enabled;
    this.#card.hidden = !enabled || !this.#card.childElementCount;
  }

  #show(labels) {
    this.#card.replaceChildren(...labels.map((label) => this.#entry(label)));
    this.enabled = this.#enabled;
  }

  #entry(label) {
    const entry = document.createElement("label");
    const box = Object.assign(document.createElement("input"), { type: "checkbox", checked: !this.#hidden.has(label) });
    box.style.accentColor = colorOf(label);
    box.addEventListener("change", () => this.#hidden[box.checked ? "delete" : "add"](label));
    const count = Object.assign(document.createElement("span"), { className: "count" });
    count.dataset.label = label;
    entry.append(box, label, count);
    return entry;
  }

  #count() {
    if (this.#card.hidden || !this.#viewer) return;
    for (const count of this.#card.querySelectorAll(".count"))
      count.textContent = this.#viewer.boxes.classes.get(count.dataset.label) || "";
  }
}
