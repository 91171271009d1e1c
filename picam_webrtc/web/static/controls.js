/**
 * Parameters of the robot's nodes as sliders, menus and switches, for operators.
 *
 * `GET /parameters` tells what there is, in what range, and `PATCH /parameters/{node}` changes it; both are made from
 * the descriptors of the ROS parameters, so nothing about a particular parameter is known here.
 *
 * @typedef {object} Parameter
 * @property {string} name
 * @property {"bool" | "int" | "float" | "str" | "tuple"} type
 * @property {boolean | number | string | string[] | null} value null is not set: left to the camera
 * @property {string} description
 * @property {number | null} minimum
 * @property {number | null} maximum
 * @property {string[]} choices
 */

/** While a slider moves, at most one change is on its way, and the newest follows. */
const SETTLE_MS = 80;
/** A range is a slider where its ends are this close, else a number to be typed. */
const WIDEST_SLIDER = 1000;
/** Ranges of positive numbers are logarithmic where their ends are this far apart, such as bitrates. */
const LOGARITHMIC_FROM = 200;
const LOGARITHMIC_STEP = 0.01;

export class Controls {
  #nodes;
  #refusal;
  #button;

  /**
   * @param {HTMLElement} nodes filled with one group for each node
   * @param {HTMLElement} refusal says why a change was refused
   * @param {HTMLElement} button hidden for those who may not change anything
   */
  constructor(nodes, refusal, button) {
    this.#nodes = nodes;
    this.#refusal = refusal;
    this.#button = button;
  }

  /** @param {boolean} allowed whether there is anything to be read; asking in vain would be an error in the console */
  async read(allowed) {
    this.#button.hidden = !allowed;
    if (!allowed) return;
    const response = await fetch("parameters", { headers: { Accept: "application/json" } }).catch(() => null);
    if (!response?.ok) return;
    const { nodes } = await response.json();
    this.#nodes.replaceChildren(...nodes.map((node) => this.#group(node)));
  }

  #group({ name, parameters }) {
    const group = document.createElement("fieldset");
    group.append(Object.assign(document.createElement("legend"), { textContent: name.replaceAll("_", " ") }));
    for (const parameter of parameters) group.append(this.#control(name, parameter));
    return group;
  }

  #control(node, parameter) {
    const label = document.createElement("label");
    label.title = parameter.description;
    const caption = Object.assign(document.createElement("span"), { textContent: parameter.name.replaceAll("_", " ") });
    const input = makeInput(parameter);
    input.dataset.parameter = `${node}.${parameter.name}`;
    const output = document.createElement("output");
    const showValue = (value) => (output.textContent = input.type !== "range" ? "" : value === null ? "–" : shortNumber(value));
    const change = latestOnly((value) => this.#set(node, parameter, value, input).then(() => showValue(parameter.value)));
    input.addEventListener(input.type === "range" ? "input" : "change", () => {
      showValue(readInput(input, parameter));
      change(readInput(input, parameter));
    });
    showValue(parameter.value);
    label.append(caption, output, input);
    return label;
  }

  async #set(node, parameter, value, input) {
    const response = await fetch(`parameters/${encodeURIComponent(node)}`, {
      method: "PATCH",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ [parameter.name]: value }),
    }).catch(() => null);
    if (response?.ok) {
      parameter.value = value;
      this.#refusal.textContent = "";
      return;
    }
    const problem = await response?.json().catch(() => null);
    this.#refusal.textContent = problem?.detail ?? "The robot does not answer";
    writeInput(input, parameter);
  }
}

/** Calls `work` with the newest value, never twice at once, and soon after the first of a burst. */
function latestOnly(work) {
  let waiting = [];
  let busy = false;
  const run = async () => {
    busy = true;
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
    while (waiting.length) {
      const [value] = waiting;
      waiting = [];
      await work(value);
    }
    busy = false;
  };
  return (value) => {
    waiting = [value];
    if (!busy) run();
  };
}

function makeInput(parameter) {
  const { type, choices } = parameter;
  let input = document.createElement("input");
  if (choices.length) {
    input = document.createElement("select");
    input.append(...choices.map((choice) => new Option(choice)));
  } else if (type === "bool") {
    Object.assign(input, { type: "checkbox", className: "switch" });
  } else if (type === "int" || type === "float") {
    Object.assign(input, numberAttributes(parameter));
  }
  writeInput(input, parameter);
  return input;
}

function numberAttributes(parameter) {
  const { type, minimum, maximum } = parameter;
  const step = type === "int" ? 1 : "any";
  if (isLogarithmic(parameter))
    return { type: "range", min: Math.log10(minimum), max: Math.log10(maximum), step: LOGARITHMIC_STEP };
  const isNarrow = minimum !== null && maximum !== null && maximum - minimum <= WIDEST_SLIDER;
  return { type: isNarrow ? "range" : "number", min: minimum ?? "", max: maximum ?? "", step };
}

function isLogarithmic({ minimum, maximum }) {
  return minimum > 0 && maximum !== null && maximum / minimum >= LOGARITHMIC_FROM;
}

function writeInput(input, parameter) {
  const { type, value } = parameter;
  if (type === "bool") Object.assign(input, { checked: value === true, indeterminate: value === null });
  else if (input.type === "range" && isLogarithmic(parameter)) input.value = Math.log10(value);
  else input.value = Array.isArray(value) ? value.join(", ") : (value ?? "");
}

function readInput(input, parameter) {
  const { type } = parameter;
  if (type === "bool") return input.checked;
  if (type === "int" || type === "float")
    return input.type === "range" && isLogarithmic(parameter) ? fromLogarithm(input, parameter) : input.valueAsNumber;
  if (type === "tuple") return input.value.split(",").map((item) => item.trim()).filter(Boolean);
  return input.value;
}

/** Two digits are as exact as a hand on a slider. */
function fromLogarithm(input, { type, minimum, maximum }) {
  const value = Math.min(maximum, Math.max(minimum, Number((10 ** input.valueAsNumber).toPrecision(2))));
  return type === "int" ? Math.round(value) : value;
}

function shortNumber(value) {
  return Number.isInteger(value) ? value.toLocaleString("en") : String(Number(value.toPrecision(3)));
}
