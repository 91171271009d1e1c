/** The statistics panel: latency and its stages, and small live plots of the connection. */

import { STAGES } from "./latency.js";
import { Plot } from "./plot.js";
import { FIGURES, StatisticsSampler } from "./statistics.js";

const INTERVAL_MS = 1000;

export class StatisticsPanel {
  /** Whether anybody looks at the panel. */
  enabled = false;
  #panel;
  #button;
  #viewer = null;
  #sampler = new StatisticsSampler();
  /** @type {Record<string, {value: HTMLElement, plot: Plot}>} */
  #rows = {};

  /**
   * @param {HTMLElement} panel
   * @param {HTMLElement} button shows the latency all the time
   */
  constructor(panel, button) {
    this.#panel = panel;
    this.#button = button;
    const list = panel.querySelector("dl");
    for (const [name, figure] of Object.entries(FIGURES)) list.append(...this.#row(name, figure));
    setInterval(() => this.#update(), INTERVAL_MS);
  }

  /** @param {import("./viewer.js").Viewer | null} viewer */
  watch(viewer) {
    this.#viewer = viewer;
    this.#showLatency(null);
  }

  #row(name, { label }) {
    const term = Object.assign(document.createElement("dt"), { textContent: label });
    const value = document.createElement("dd");
    const cell = Object.assign(document.createElement("dd"), { className: "plot-cell", ariaHidden: "true" });
    const plot = new Plot();
    cell.append(plot.canvas);
    this.#rows[name] = { value, plot };
    return [term, value, cell];
  }

  async #update() {
    const latency = this.#viewer?.latency ?? null;
    this.#showLatency(latency);
    if (!this.enabled) return;
    const sample = await this.#sampler.sample(this.#viewer?.peer ?? null);
    if (!sample) return;
    const figures = { ...sample.figures, latency: latency?.p50 ?? NaN };
    for (const [name, { value, plot }] of Object.entries(this.#rows)) {
      value.textContent = words(figures[name], FIGURES[name]);
      plot.add(figures[name]);
    }
    const rendition = this.#viewer?.rendition;
    this.#find("#rendition").textContent = rendition ? `${sample.format}, ${rendition}` : sample.format;
  }

  #showLatency(latency) {
    this.#button.hidden = !latency;
    this.#find("#latency-p50").textContent = latency ? `${round(latency.p50)} ms` : "–";
    this.#find("#latency-p95").textContent = latency
      ? `from capture to screen, 95 % within ${round(latency.p95)} ms, ± ${latency.uncertainty.toFixed(1)} ms`
      : "not known yet";
    if (latency) this.#button.textContent = `${round(latency.p50)} ms`;
    if (this.enabled) this.#find("#stages").replaceChildren(...stageItems(latency));
  }

  #find(selector) {
    return this.#panel.querySelector(selector);
  }
}

function stageItems(latency) {
  const stages = Object.entries(latency?.stages ?? {});
  const longest = Math.max(...stages.map(([, ms]) => ms), 1);
  return stages.map(([name, ms]) => {
    const item = document.createElement("li");
    const meter = Object.assign(document.createElement("meter"), { max: longest, value: Math.max(0, ms) });
    meter.ariaHidden = "true";
    item.append(`${STAGES[name]} `, Object.assign(document.createElement("b"), { textContent: `${ms.toFixed(1)} ms` }), meter);
    return item;
  });
}

function round(ms) {
  return ms < 10 ? ms.toFixed(1) : Math.round(ms);
}

function words(value, { unit, digits }) {
  return Number.isFinite(value) ? `${value.toFixed(digits)} ${unit}` : "–";
}
