/** A call for each picture that a video element presents, and that picture's pixels. */

const SAME_PICTURE_US = 1000;

/**
 * @param {HTMLVideoElement} video
 * @param {(metadata: object) => void} onFrame given what requestVideoFrameCallback knows about the picture; a browser
 *   without it gives `presentationTime`, `expectedDisplayTime`, `width`, `height` and `mediaTime` only
 * @returns {() => void} ends the calls
 */
export function onEachFrame(video, onFrame) {
  return "requestVideoFrameCallback" in video ? onCallback(video, onFrame) : onAnimationFrame(video, onFrame);
}

function onCallback(video, onFrame) {
  let handle = 0;
  const step = (_now, metadata) => {
    handle = video.requestVideoFrameCallback(step);
    onFrame(metadata);
  };
  handle = video.requestVideoFrameCallback(step);
  return () => video.cancelVideoFrameCallback(handle);
}

function onAnimationFrame(video, onFrame) {
  let handle = 0;
  let lastTime = -1;
  const step = (now) => {
    handle = requestAnimationFrame(step);
    if (video.currentTime === lastTime) return;
    lastTime = video.currentTime;
    const { videoWidth: width, videoHeight: height, currentTime: mediaTime } = video;
    onFrame({ presentationTime: now, expectedDisplayTime: now, width, height, mediaTime });
  };
  handle = requestAnimationFrame(step);
  return () => cancelAnimationFrame(handle);
}

/**
 * The picture that a call is about, as a VideoFrame to be closed, or the element itself in a browser without them.
 *
 * @param {HTMLVideoElement} video
 * @param {object} metadata what the call was given
 * @returns {VideoFrame | HTMLVideoElement | null} null where the call comes late: another picture is there already
 */
export function pictureOf(video, { mediaTime }) {
  if (typeof VideoFrame === "undefined") return video;
  const picture = new VideoFrame(video);
  // Firefox gives pictures from afar no media time.
  if (!mediaTime || Math.abs(picture.timestamp - mediaTime * 1e6) < SAME_PICTURE_US) return picture;
  picture.close();
  return null;
}
