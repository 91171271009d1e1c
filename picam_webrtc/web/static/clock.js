/**
 * The robot's clock, as seen from here: Cristian's algorithm over the data channel.
 *
 * Times of the robot are microseconds since 1970 (`...Us`); times of this page are performance.now()'s
 * milliseconds, which no adjustment of the computer's clock can move.
 */

/** How long a measurement counts: long enough to catch a quick round trip, short enough for clocks that drift. */
const WINDOW_MS = 30_000;
/** Cheap oscillators differ by up to this much. */
const DRIFT = 50e-6;

export class RobotClock {
  /** @type {{at: number, rtt: number, offset: number}[]} */
  #samples = [];

  /**
   * One ping and its pong.
   *
   * @param {number} sentAt ours [ms]
   * @param {number} receivedUs the robot's
   * @param {number} answeredUs the robot's
   * @param {number} arrivedAt ours [ms]
   */
  add(sentAt, receivedUs, answeredUs, arrivedAt) {
    const rtt = Math.max(0, arrivedAt - sentAt - (answeredUs - receivedUs) / 1000);
    const offset = ((receivedUs + answeredUs) / 1000 - (sentAt + arrivedAt)) / 2;
    this.#samples.push({ at: arrivedAt, rtt, offset });
    this.#samples = this.#samples.filter(({ at }) => arrivedAt - at < WINDOW_MS);
  }

  /** Forget everything: another robot, or the same one after a restart. */
  reset() {
    this.#samples = [];
  }

  get isKnown() {
    return this.#samples.length > 0;
  }

  /** @returns {number} how wrong `toLocal` can be [ms]: half the quickest round trip, and the drift since */
  uncertaintyMs(now = performance.now()) {
    return Math.min(...this.#samples.map((sample) => errorBound(sample, now)));
  }

  /** @param {number} us the robot's time @returns {number} the same moment on performance.now()'s scale [ms] */
  toLocal(us, now = performance.now()) {
    const best = this.#samples.reduce((one, other) => (errorBound(other, now) < errorBound(one, now) ? other : one));
    return us / 1000 - best.offset;
  }
}

function errorBound({ at, rtt }, now) {
  return rtt / 2 + (now - at) * DRIFT;
}
