/** Every sentence a viewer says about its state: short, plain, and naming what helps. */

import { WhepProblem } from "./whep.js";

/** What a person sees. @enum {string} */
export const ViewerState = Object.freeze({
  IDLE: "idle",
  CONNECTING: "connecting",
  LIVE: "live",
  /** Connected, but no picture has come for a while. */
  STALE: "stale",
  /** Not connected; trying again by itself. */
  WAITING: "waiting",
  REFUSED: "refused",
  /** Pictures come over plain HTTP (MJPEG) because WebRTC does not get through. */
  FALLBACK: "fallback",
  CLOSED: "closed",
});

const WORDS_OF_STATE = Object.freeze({
  [ViewerState.IDLE]: "",
  [ViewerState.CONNECTING]: "Connecting",
  [ViewerState.LIVE]: "Live",
  [ViewerState.STALE]: "No frames",
  [ViewerState.FALLBACK]: "Live, as plain images: WebRTC does not get through",
  [ViewerState.CLOSED]: "Stopped",
});

const WORDS_OF_PROBLEM = Object.freeze({
  [WhepProblem.NO_SOURCE]: "No camera: nobody publishes this stream",
  [WhepProblem.FULL]: "Full: all viewer places are taken",
  [WhepProblem.NOT_ALLOWED]: "Not allowed: this robot asks for its token",
  [WhepProblem.UNKNOWN_STREAM]: "The robot has no stream of this name",
  [WhepProblem.NO_CODEC]: "This browser shares no video codec with the robot",
  [WhepProblem.NO_WEBRTC]: "This browser has no WebRTC",
  [WhepProblem.UNREACHABLE]: "The robot does not answer",
  [WhepProblem.SERVER_ERROR]: "The robot reports an error",
  [WhepProblem.NO_PATH]: "No network path for video",
  [WhepProblem.LOST]: "Connection lost",
});

const TEST_PATTERN = "Test pattern: the robot has no camera";

/**
 * @param {string} state one of ViewerState
 * @param {string} [problem] one of WhepProblem
 * @param {boolean} [isTestPattern] what is live is no camera's picture
 * @returns {string} empty where nothing needs to be said
 */
export function wordsFor(state, problem = undefined, isTestPattern = false) {
  if (isTestPattern && state === ViewerState.LIVE) return TEST_PATTERN;
  return WORDS_OF_PROBLEM[problem] ?? WORDS_OF_STATE[state] ?? "";
}

/**
 * @param {number} seconds
 * @returns {string} such as "for 4 s" or "for 3 min"
 */
export function durationWords(seconds) {
  return seconds < 120 ? `for ${Math.floor(seconds)} s` : `for ${Math.floor(seconds / 60)} min`;
}
