/** Pictures over plain HTTP, for networks and browsers where WebRTC does not get through: multipart JPEG, parsed here. */

const LINE_END = 10;

/**
 * @param {Response} response multipart/x-mixed-replace whose parts state their Content-Length
 * @returns {AsyncGenerator<{headers: Headers, body: Uint8Array}>}
 */
export async function* readParts(response) {
  const reader = new ByteReader(response.body.getReader());
  for (;;) {
    const headers = new Headers();
    // The boundary and empty lines around it have no colon.
    for (let line; (line = await reader.line()) !== ""; ) {
      const colon = line.indexOf(":");
      if (colon > 0) headers.append(line.slice(0, colon), line.slice(colon + 1).trim());
    }
    const length = Number(headers.get("Content-Length"));
    if (length) yield { headers, body: await reader.bytes(length) };
  }
}

class ByteReader {
  #reader;
  #buffer = new Uint8Array(0);

  constructor(reader) {
    this.#reader = reader;
  }

  async line() {
    let end;
    while ((end = this.#buffer.indexOf(LINE_END)) < 0) await this.#more();
    return new TextDecoder().decode(this.#take(end + 1)).trim();
  }

  async bytes(count) {
    while (this.#buffer.length < count) await this.#more();
    return this.#take(count);
  }

  #take(count) {
    const taken = this.#buffer.subarray(0, count);
    this.#buffer = this.#buffer.subarray(count);
    return taken;
  }

  async #more() {
    const { value, done } = await this.#reader.read();
    if (done) throw new Error("the stream has ended");
    const joined = new Uint8Array(this.#buffer.length + value.length);
    joined.set(this.#buffer);
    joined.set(value, this.#buffer.length);
    this.#buffer = joined;
  }
}

/** Plays an MJPEG stream on a canvas until it is stopped; comes back by itself. */
export class MjpegPlayer {
  canvas = document.createElement("canvas");
  #url;
  #headers;
  #onPicture;
  #cancel = null;

  /**
   * @param {URL} url
   * @param {Record<string, string>} headers of the request
   * @param {() => void} onPicture a new picture is on the canvas
   */
  constructor(url, headers, onPicture) {
    this.#url = url;
    this.#headers = headers;
    this.#onPicture = onPicture;
  }

  get isRunning() {
    return this.#cancel !== null;
  }

  start() {
    if (this.#cancel) return;
    this.#cancel = new AbortController();
    this.#run(this.#cancel.signal);
  }

  stop() {
    this.#cancel?.abort();
    this.#cancel = null;
  }

  async #run(signal) {
    while (!signal.aborted) {
      try {
        const response = await fetch(this.#url, { headers: this.#headers, signal });
        if (response.ok) for await (const { body } of readParts(response)) await this.#show(body, signal);
      } catch {
        // Lost or refused; the viewer's own words say why nothing is seen.
      }
      await new Promise((resolve) => setTimeout(resolve, 1000));
    }
  }

  async #show(jpeg, signal) {
    const picture = await createImageBitmap(new Blob([jpeg], { type: "image/jpeg" }));
    if (signal.aborted) return;
    if (this.canvas.width !== picture.width || this.canvas.height !== picture.height) {
      this.canvas.width = picture.width;
      this.canvas.height = picture.height;
    }
    this.canvas.getContext("2d").drawImage(picture, 0, 0);
    picture.close();
    this.#onPicture();
  }
}
