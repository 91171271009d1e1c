/** The streams that the robot offers, as links: each has an address of its own, to be bookmarked or embedded. */

/** Streams may come and go. */
const READ_INTERVAL_MS = 10_000;

export class StreamList {
  /** @type {string[]} */
  names = [];
  /** Whether this person may change parameters. */
  mayControl = false;
  #list;
  #onChange;
  #onChoose;
  #current = undefined;

  /**
   * @param {HTMLUListElement} list
   * @param {{onChange: () => void, onChoose: (search: string) => void}} callbacks `onChange`: other streams than before;
   *   `onChoose`: a person wants to go to that address
   */
  constructor(list, { onChange, onChoose }) {
    this.#list = list;
    this.#onChange = onChange;
    this.#onChoose = onChoose;
  }

  start() {
    this.read();
    setInterval(() => document.hidden || this.read(), READ_INTERVAL_MS);
  }

  async read() {
    try {
      const response = await fetch("streams", { headers: { Accept: "application/json" } });
      if (!response.ok) return;
      const { streams, controls = false } = await response.json();
      this.mayControl = controls;
      this.#update(streams.map(({ name }) => name));
    } catch {
      // The viewer itself says that the robot does not answer; the list stays as it was.
    }
  }

  /** @param {string | undefined | null} name the stream in full view; undefined: the first; null: none */
  mark(name) {
    this.#current = name;
    const current = name === undefined ? this.names[0] : name;
    for (const link of this.#list.querySelectorAll("a")) link.ariaCurrent = link.textContent === current ? "page" : null;
  }

  /** @returns {string} the address of a stream in full view, with everything else as it is now */
  addressOf(name) {
    const target = new URL(location.href);
    target.searchParams.set("stream", name);
    target.searchParams.delete("view");
    return `${target.pathname}${target.search}`;
  }

  follow(event, name) {
    if (event.metaKey || event.ctrlKey || event.shiftKey) return; // the browser's own "open elsewhere"
    event.preventDefault();
    this.#onChoose(this.addressOf(name));
  }

  #update(names) {
    if (names.join("/") === this.names.join("/")) return;
    this.names = names;
    this.#list.replaceChildren(...names.map((name) => this.#item(name)));
    this.mark(this.#current);
    this.#onChange();
  }

  #item(name) {
    const link = Object.assign(document.createElement("a"), { href: this.addressOf(name), textContent: name });
    link.addEventListener("click", (event) => this.follow(event, name));
    const item = document.createElement("li");
    item.append(link);
    return item;
  }
}
