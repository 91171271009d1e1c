/**
 * The far end of the test pattern: reads the code that picam_webrtc/camera/code.py writes (its docstring has the
 * layout) from a video's pixels. Injected by tests; no part of the page.
 */
globalThis.picamPattern = (() => {
  const COLUMNS = 36;
  const ROWS = 2;
  const ROWS_OF_PICTURE = 24;
  const MID_GREY = 128;
  /** Pixels of a cell on the canvas that is read. */
  const CELL = 8;
  const CAPTURE_TIMES = 2 ** 40;
  const SAME_PICTURE_US = 1000;

  const canvas = document.createElement("canvas");
  canvas.width = COLUMNS * CELL;
  canvas.height = ROWS * CELL;
  const context = canvas.getContext("2d", { willReadFrequently: true });

  /** CRC-8, polynomial 0x07, initial value 0xFF, nothing reflected or inverted. */
  function crc8(bytes) {
    let crc = 0xff;
    for (const byte of bytes) {
      crc ^= byte;
      for (let bit = 0; bit < 8; bit++) crc = crc & 0x80 ? ((crc << 1) ^ 0x07) & 0xff : crc << 1;
    }
    return crc;
  }

  function levelOf(pixels, row, column) {
    let sum = 0;
    for (let y = row * CELL + 3; y < row * CELL + 5; y++)
      for (let x = column * CELL + 3; x < column * CELL + 5; x++) sum += pixels[(y * canvas.width + x) * 4 + 1];
    return sum / 4;
  }

  /** @returns {{number: number, captureUs: number} | null} null where there is no code, or a damaged one */
  function read(source, width = source.videoWidth, height = source.videoHeight) {
    if (!width || !height) return null;
    const { width: canvasWidth, height: canvasHeight } = canvas;
    context.drawImage(source, 0, 0, width, (height * ROWS) / ROWS_OF_PICTURE, 0, 0, canvasWidth, canvasHeight);
    const pixels = context.getImageData(0, 0, canvasWidth, canvasHeight).data;
    const bytes = new Array((ROWS * COLUMNS) / 8).fill(0);
    for (let bit = 0; bit < ROWS * COLUMNS; bit++) {
      const isWhite = levelOf(pixels, Math.floor(bit / COLUMNS), bit % COLUMNS) >= MID_GREY;
      bytes[bit >> 3] |= isWhite << (7 - (bit & 7));
    }
    if (crc8(bytes.slice(0, 8)) !== bytes[8]) return null;
    const number = bytes.slice(0, 3).reduce((value, byte) => value * 256 + byte, 0);
    const captureUs = bytes.slice(3, 8).reduce((value, byte) => value * 256 + byte, 0);
    return { number, captureUs };
  }

  /**
   * The code of the picture that a callback of requestVideoFrameCallback is about.
   *
   * @returns {object | null | undefined} as `read`; undefined where a late callback finds the next picture on the screen,
   *   whose own callback is still to come
   */
  function readPresented(video, { mediaTime }) {
    const picture = new VideoFrame(video);
    // Firefox gives pictures from afar no media time.
    const isAnother = mediaTime > 0 && Math.abs(picture.timestamp - mediaTime * 1e6) > SAME_PICTURE_US;
    const code = isAnother ? undefined : read(picture, picture.displayWidth, picture.displayHeight);
    picture.close();
    return code;
  }

  /** Time from capture to `time` (performance.now's clock) [ms]; both clocks must be of one machine. */
  function ageMs(captureUs, time) {
    const nowUs = (performance.timeOrigin + time) * 1000;
    const half = CAPTURE_TIMES / 2;
    return ((((nowUs - captureUs + half) % CAPTURE_TIMES) + CAPTURE_TIMES) % CAPTURE_TIMES - half) / 1000;
  }

  /**
   * The pictures presented within `seconds`: number and captureUs (null where unreadable), and what the browser
   * knows about it.
   */
  function collect(video, seconds) {
    return new Promise((resolve) => {
      const frames = [];
      const end = performance.now() + seconds * 1000;
      const finish = () => resolve(frames);
      const timer = setTimeout(finish, seconds * 1000 + 500);
      const step = (now, metadata) => {
        if (now > end) {
          clearTimeout(timer);
          finish();
          return;
        }
        video.requestVideoFrameCallback(step);
        const code = readPresented(video, metadata);
        if (code === undefined) return;
        const { presentedFrames, presentationTime, expectedDisplayTime, rtpTimestamp, receiveTime } = metadata;
        const times = { presentedFrames, presentationTime, expectedDisplayTime, rtpTimestamp, receiveTime };
        const presentedMs = code && ageMs(code.captureUs, presentationTime);
        frames.push({ number: code?.number ?? null, captureUs: code?.captureUs ?? null, presentedMs, ...times });
      };
      video.requestVideoFrameCallback(step);
    });
  }

  return { read, readPresented, ageMs, collect };
})();
