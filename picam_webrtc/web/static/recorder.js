/** Taking something home: a picture as PNG, a film as a file. */

import { drawDetections } from "./overlay.js";

/** The first that the browser can write; VP8 costs the least where it is at hand. */
const FILM_TYPES = ["video/webm;codecs=vp8", "video/webm", "video/mp4"];
const FILM_BITS_PER_SECOND = 6_000_000;
/** A crash of the page loses this much. */
const CHUNK_MS = 1000;

/**
 * The picture being shown, at its own size.
 *
 * @param {HTMLVideoElement | HTMLCanvasElement | VideoFrame} picture
 * @param {import("./metadata.js").FrameInfo["detections"]} [detections] drawn into it
 * @returns {Promise<Blob>} PNG
 */
export async function snapshot(picture, detections = undefined) {
  const canvas = document.createElement("canvas");
  canvas.width = picture.displayWidth ?? picture.videoWidth ?? picture.width;
  canvas.height = picture.displayHeight ?? picture.videoHeight ?? picture.height;
  const context = canvas.getContext("2d");
  context.drawImage(picture, 0, 0);
  if (detections) {
    const place = { x: 0, y: 0, scale: canvas.width / detections.width };
    drawDetections(context, detections.items, place, Math.max(1, canvas.height / 720));
  }
  return new Promise((resolve, reject) => {
    canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("the picture cannot be written"))), "image/png");
  });
}

/** @returns {boolean} whether this browser can record at all */
export function canRecord() {
  return typeof MediaRecorder !== "undefined" && FILM_TYPES.some((type) => MediaRecorder.isTypeSupported(type));
}

/** One film, from `start` to `stop`. The browser keeps large ones on disk. */
export class FilmRecorder {
  #recorder;
  #chunks = [];

  /** @param {MediaStream} stream */
  constructor(stream) {
    const mimeType = FILM_TYPES.find((type) => MediaRecorder.isTypeSupported(type));
    this.#recorder = new MediaRecorder(stream, { mimeType, videoBitsPerSecond: FILM_BITS_PER_SECOND });
    this.#recorder.ondataavailable = ({ data }) => this.#chunks.push(data);
  }

  start() {
    this.#recorder.start(CHUNK_MS);
  }

  /** @returns {Promise<Blob>} what was recorded, also when the stream has ended by itself */
  async stop() {
    if (this.#recorder.state !== "inactive") {
      const stopped = new Promise((resolve) => (this.#recorder.onstop = resolve));
      this.#recorder.stop();
      await stopped;
    }
    return new Blob(this.#chunks, { type: this.#recorder.mimeType });
  }
}

/** Hand a file to the person, as a download. @param {Blob} blob @param {string} name without its ending */
export function save(blob, name) {
  const ending = blob.type.split(/[/;]/)[1];
  const url = URL.createObjectURL(blob);
  const link = Object.assign(document.createElement("a"), { href: url, download: `${name}.${ending}` });
  link.click();
  // The download has its own hold on the data once it has begun.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

/** @returns {string} such as "front-2026-11-22-14-05-09" */
export function fileName(stream, date = new Date()) {
  const part = (number) => String(number).padStart(2, "0");
  const day = [date.getFullYear(), part(date.getMonth() + 1), part(date.getDate())];
  const time = [part(date.getHours()), part(date.getMinutes()), part(date.getSeconds())];
  return [stream, ...day, ...time].join("-");
}
